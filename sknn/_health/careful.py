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


def careful(function: Callable[..., _Result], *args: Any, otherwise: Any = None, **kwargs: Any) -> Any:
    """The result, or `otherwise` where a user's module, loss or data do what nobody thought of.

    Random numbers that it draws do not move the generator of the training.
    """
    try:
        with same_random_numbers():
            return function(*args, **kwargs)
    except Exception:
        if _raises[0]:
            raise
        return otherwise
