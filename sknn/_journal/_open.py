"""Which journals are open, and the one place where scikit-learn's calls are led to them."""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sklearn.utils.parallel import Parallel

from ._calls import Evaluation

if TYPE_CHECKING:
    from .journal import Journal

__all__ = ["close", "current", "open_"]

_lock = threading.RLock()
_open: list[tuple[int, Journal]] = []  # thread that opened it, in order
_replaced: list[tuple[Any, str, Any, Any]] = []  # owner, name, what was there, what is there while any is open


def open_(journal: Journal) -> None:
    """From here on the journal is in force."""
    with _lock:
        if not _open:
            _lead_calls_here()
        _open.append((threading.get_ident(), journal))


def close(journal: Journal) -> None:
    """It is no longer; with the last one, scikit-learn is as it was."""
    with _lock:
        mine = threading.get_ident()
        places = [place for place, (_, other) in enumerate(_open) if other is journal]
        own = [place for place in places if _open[place][0] == mine]
        if places:
            del _open[(own or places)[-1]]
        if not _open:
            _put_back()


def current() -> Journal | None:
    """The innermost journal of this thread; a thread that opened none uses the one opened last by any."""
    with _lock:
        mine = threading.get_ident()
        own = [journal for thread, journal in _open if thread == mine]
        return own[-1] if own else _open[-1][1] if _open else None


def _lead_calls_here() -> None:
    _replace(Parallel, "__call__", _evaluate)
    # RFECV calls it without Parallel where it has one process.
    module = importlib.import_module("sklearn.feature_selection._rfe")
    if hasattr(module, "_rfe_single_fit"):
        _replace(module, "_rfe_single_fit", _fit_alone)


def _replace(owner: Any, name: str, by: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = getattr(owner, name)
    ours = by(original)
    _replaced.append((owner, name, original, ours))
    setattr(owner, name, ours)


def _put_back() -> None:
    while _replaced:
        owner, name, original, ours = _replaced.pop()
        # Where somebody has wrapped ours meanwhile, theirs stays: without an open journal ours does nothing.
        if getattr(owner, name) is ours:
            setattr(owner, name, original)


def _evaluate(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(parallel: Any, iterable: Iterable[Any]) -> Any:
        journal = current()
        # Results that come as a generator, which no search of scikit-learn asks for, have no place to be put together.
        if journal is None or getattr(parallel, "return_as", "list") != "list":
            return original(parallel, iterable)
        evaluation = Evaluation(journal)
        return evaluation.complete(original(parallel, evaluation.absent(iterable)))

    return call


def _fit_alone(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def fit(*args: Any, **kwargs: Any) -> Any:
        journal = current()
        if journal is None:
            return original(*args, **kwargs)
        evaluation = Evaluation(journal)
        tasks = evaluation.absent([(original, args, kwargs)])
        return evaluation.complete([do(*args, **kwargs) for do, args, kwargs in tasks])[0]

    return fit
