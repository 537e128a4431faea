"""How many threads a computation deserves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["limited_threads", "threads"]

# Multiplications per step that are worth one more thread: below, waking and waiting costs more than it gains, and on a
# machine with other work a waiting thread can cost a hundred times the computation.
_WORK_PER_THREAD = 2**23


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Compute on so many threads; restore the number."""
    before = torch.get_num_threads()
    if number == before:
        yield
        return
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def limited_threads(work: int) -> Iterator[None]:
    """Use at most the threads that joblib or the user allows, and fewer for little work; restore them.

    Parameters
    ----------
    work : int
        Multiplications of one step: about the rows of a batch times the number of parameters.
    """
    allowed = torch.get_num_threads()
    with threads(max(1, min(allowed, work // _WORK_PER_THREAD + 1))):
        yield
