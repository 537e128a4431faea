"""How many threads a computation is given, so that its bits do not depend on how many there are; locks between them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

import torch

__all__ = ["PacedThreads", "ProcessLock", "call_in_forked_child", "limited_threads", "product_threads", "threads"]

# Multiplications per step that are worth one more thread: below, waking and waiting costs more than it gains, and on a
# machine with other work a waiting thread can cost a hundred times the computation.
_WORK_PER_THREAD = 2**23

# A sum that threads share is rounded in another order: of one random product of matrices in five (MKL, up to 600 rows
# and columns, 1 to 4 threads) the last bits depend on the number of threads, and so do those of sums over all of a
# tensor, of the gradients of layer and batch norms, and of attention. Up to so many multiplications a step, some tens
# of milliseconds, the same bits are worth more than the time.
_WORK_BEYOND_REPEATABILITY = 2**27

_PRODUCT_THREADS: ContextVar[int] = ContextVar("_PRODUCT_THREADS", default=1)


def call_in_forked_child(function: Callable[[], None]) -> None:
    """Call this function in each process that is forked from this one, where the system can fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)


_is_forked_child = False


def _one_thread_in_child() -> None:
    """A forked child inherits OpenMP's record of its threads, but not the threads: it would wait for them for ever."""
    global _is_forked_child
    _is_forked_child = True
    torch.set_num_threads(1)


call_in_forked_child(_one_thread_in_child)


class ProcessLock:
    """A reentrant lock for what belongs to the process: ``with lock.current:``. A forked child begins with a new one.

    The inherited one may be held by a thread that does not exist in the child.
    """

    def __init__(self) -> None:
        self.current = threading.RLock()
        call_in_forked_child(self.renew)

    def renew(self) -> None:
        """Forget who holds the lock."""
        self.current = threading.RLock()


class threads:  # noqa: N801 - as torch's contexts
    """Compute on this number of threads; restore the number afterwards."""

    __slots__ = ("_before", "_number")

    def __init__(self, number: int) -> None:
        self._number = number

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(self._number)

    def __exit__(self, *error: object) -> None:
        torch.set_num_threads(self._before)


class limited_threads(threads):  # noqa: N801
    """Use at most the threads that joblib or the user allows, and fewer for little work (multiplications of one step).

    With `repeatable`, bits do not depend on how many threads are allowed: all but the largest work is then done on one,
    and `product_threads` says how many may work on products that belong to one thread each.
    """

    __slots__ = ("_product_threads", "_token")

    def __init__(self, work: int, *, repeatable: bool = False) -> None:
        allowed = 1 if _is_forked_child else torch.get_num_threads()
        self._product_threads = max(1, min(allowed, work // _WORK_PER_THREAD + 1))
        super().__init__(1 if repeatable and work < _WORK_BEYOND_REPEATABILITY else self._product_threads)

    def __enter__(self) -> None:
        self._token = _PRODUCT_THREADS.set(self._product_threads)
        super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        _PRODUCT_THREADS.reset(self._token)


def product_threads() -> int:
    """Threads that may work on a step inside `limited_threads`, if each has products of its own; 1 outside."""
    return _PRODUCT_THREADS.get()


class PacedThreads:
    """One thread or all that are allowed, whichever is quicker, for a step that is repeated many times.

    Threads that share an operation wait for each other at its end: where another program takes one of the processors
    for a moment, all wait, and a step takes several times as long as on one thread alone. Whether other programs run
    is not known beforehand, so the duration of steps decides: now and then a few steps run the other way.

    For steps whose bits do not depend on the number of threads; a clock must not decide anything else.
    """

    _TRIAL, _STRETCH_OF_A_WINNER, _LONGEST_STRETCH = 4, 32, 1024

    def __init__(self, n_threads: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self.favourite, self.other = 1, n_threads
        self._clock = clock
        self._on_trial = False
        self._stretch = self._TRIAL
        self._usual = float("inf")  # seconds of a step of the favourite
        self._seconds: list[float] = []

    def __enter__(self) -> None:
        self._outside = torch.get_num_threads()
        torch.set_num_threads(self.other if self._on_trial else self.favourite)
        self._started = self._clock()

    def __exit__(self, *error: object) -> None:
        self._seconds.append(self._clock() - self._started)
        torch.set_num_threads(self._outside)
        latest = self._seconds[-self._TRIAL :]
        far_too_slow = sum(latest) > 4 * self._TRIAL * self._usual
        if len(latest) < self._TRIAL and not far_too_slow:
            return
        mean = sum(latest) / len(latest)
        if self._on_trial:
            self._judge(mean, far_too_slow)
        elif mean > 2 * self._usual or len(self._seconds) >= self._stretch:
            if mean > 2 * self._usual:
                self._stretch = self._STRETCH_OF_A_WINNER
            self._begin(mean, on_trial=True)

    def _judge(self, mean: float, far_too_slow: bool) -> None:
        if mean < 0.9 * self._usual:
            self.favourite, self.other = self.other, self.favourite
            self._stretch = self._STRETCH_OF_A_WINNER
            self._begin(mean, on_trial=False)
        else:
            self._stretch = min((4 if far_too_slow else 2) * self._stretch, self._LONGEST_STRETCH)
            self._begin(self._usual, on_trial=False)

    def _begin(self, usual: float, *, on_trial: bool) -> None:
        self._usual, self._on_trial = usual, on_trial
        self._seconds.clear()
