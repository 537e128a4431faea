"""Watching must not end a training that works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .look import same_random_numbers

__all__ = ["careful", "raise_own_errors"]

_Result = TypeVar("_Result")
_raises = [False]


def raise_own_errors() -> None:
    """Let errors of the watching itself through, for tests of sknn."""
    _raises[0] = True


def careful(
    function: Callable[..., _Result], *args: Any, otherwise: Any = None, draws: bool = True, **kwargs: Any
) -> Any:
    """The result, or `otherwise` where a user's module, loss or data do what nobody thought of.

    Parameters
    ----------
    function : callable
    otherwise : object
    draws : bool
        Whether random numbers may be drawn, in which case they do not move the generators of the training. To put
        these back takes as long as the norms of a network.
    """
    try:
        if not draws:
            return function(*args, **kwargs)
        with same_random_numbers():
            return function(*args, **kwargs)
    except Exception:
        if _raises[0]:
            raise
        return otherwise
