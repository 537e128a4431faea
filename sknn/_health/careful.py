"""Errors of the health checks must not end a training run that works."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch

__all__ = ["careful", "raise_own_errors", "same_random_numbers"]

_Result = TypeVar("_Result")
_raises = [False]


def raise_own_errors() -> None:
    """Let errors of the health checks through, for tests of sknn."""
    _raises[0] = True


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Random numbers drawn inside do not move the generators of training: torch's, numpy's and Python's."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


def careful(
    function: Callable[..., _Result], *args: Any, otherwise: Any = None, draws: bool = True, **kwargs: Any
) -> Any:
    """The result, or `otherwise` if a module, loss or dataset of the user makes the function fail.

    Restoring the generators of random numbers takes as long as computing the norms of a network: pass `draws=False`
    for a function that draws none.
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
