"""What happens to the fits that scikit-learn hands out while a journal is open.

Searches and validations give their fits to ``sklearn.utils.parallel.Parallel``, one call an evaluation. While a
journal is open that call is ours: fits that are in the journal are left out of it, the rest are stored by the process
that does them, and the results are put together in order.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import inspect
import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import delayed

from .._digest import UndigestibleError, counts, digest
from ._store import UnstorableError
from ._versions import surroundings
from ._warnings import noted_warnings

if TYPE_CHECKING:
    from .journal import Journal

__all__ = ["Evaluation", "FitAndStore"]

# Functions of scikit-learn that do one fit, or the fits of one split. Private, and so asked for with care.
_FITS = (
    ("sklearn.model_selection._validation", "_fit_and_score"),
    ("sklearn.model_selection._validation", "_fit_and_predict"),
    ("sklearn.model_selection._validation", "_incremental_fit_estimator"),
    ("sklearn.model_selection._validation", "_permutation_test_score"),
    ("sklearn.feature_selection._rfe", "_rfe_single_fit"),
)
# Say where in a search a fit stands, and what is told of it.
_OF_NO_CONSEQUENCE = {"verbose", "split_progress", "candidate_progress", "caller", "callback_ctx"}
# Other ones for each fit; of the rest a digest serves the whole evaluation.
_OF_ONE_FIT = {"estimator", "rfe", "parameters", "train", "test"}
_CLONED = {"estimator", "rfe", "parameters"}
# Failures of the machine, not of the fit: not stored, so that the next run tries again. By name, since a traceback is
# all that scikit-learn keeps.
_PASSING_FAILURES = {
    "OutOfMemoryError",
    "_ArrayMemoryError",
    *(n for n, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, OSError | MemoryError)),
}


@functools.cache
def _fits() -> dict[Any, tuple[str, str]]:
    found = {}
    for module, name in _FITS:
        function = getattr(importlib.import_module(module), name, None)
        if function is not None:
            found[inspect.unwrap(function)] = (module, name)
    return found


@functools.cache
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


@dataclass(frozen=True, slots=True)
class FitAndStore:
    """One fit, in whichever process: done, and its result stored.

    No attribute may be called as one of the object that wraps it in scikit-learn: it copies them.
    """

    journal_inside: Any  # opened where the fit is done: a fit may itself hold a search
    fit_named: tuple[str, str]
    key: str
    about: dict[str, Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Outcome:
        module, name = self.fit_named
        function = getattr(importlib.import_module(module), name)
        with self.journal_inside as journal, noted_warnings() as noted:
            result = inspect.unwrap(function)(*args, **kwargs)
        troubles = [*journal.troubles]
        if not _failed_in_passing(result):
            stored = (
                {name: value for name, value in result.items() if name != "parameters"}
                if isinstance(result, dict)
                else result
            )
            try:
                journal.store.write(self.key, stored, {**self.about, "warnings": noted})
            except OSError as error:
                troubles.append(("write", str(error)))
            except UnstorableError as error:
                troubles.append(("result", str(error)))
        return Outcome(result, troubles, journal.n_stored, journal.n_skipped)


@dataclass(slots=True)
class Outcome:
    """A result, and what went on in the process that it comes from."""

    result: Any
    troubles: list[tuple[str, str]]
    n_stored_inside: int
    n_skipped_inside: int


def _failed_in_passing(result: Any) -> bool:
    error = result.get("fit_error") if isinstance(result, dict) else None
    if not error:
        return False
    names = (line.partition(":")[0].rpartition(".")[2] for line in error.splitlines() if not line.startswith(" "))
    return any(name in _PASSING_FAILURES for name in names) or "CUDA error" in error


class Evaluation:
    """The fits of one call of Parallel: looked up, done, put together.

    Digests of what the fits share are kept as long as the evaluation lasts, and no longer: a table may be changed in
    place between two.

    Parameters
    ----------
    journal : Journal
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.found: dict[int, Any] = {}
        self._shared: dict[str, tuple[Any, str]] = {}
        self._surroundings = ""

    def absent(self, tasks: Iterable[Any]) -> Iterator[Any]:
        """The tasks that are not in the journal, one by one as they are asked for."""
        for place, task in enumerate(tasks):
            recalled, task = self._look_up(task)
            if recalled is None:
                yield task
            else:
                self.found[place] = recalled["result"]

    def complete(self, done: list[Any]) -> list[Any]:
        """Results of all tasks in their order, given those of the absent ones."""
        for outcome in done:
            if isinstance(outcome, Outcome):
                self.journal.take_in(outcome)
        results = (outcome.result if isinstance(outcome, Outcome) else outcome for outcome in done)
        everything = range(len(done) + len(self.found))
        return [self.found[place] if place in self.found else next(results) for place in everything]

    def _look_up(self, task: Any) -> tuple[dict[str, Any] | None, Any]:
        """The entry of a fit, or None and the task that does it."""
        delayed_function, args, kwargs = task
        function = getattr(delayed_function, "function", delayed_function)
        if isinstance(function, FunctionType):
            function = inspect.unwrap(function)
        named = _fits().get(function) if isinstance(function, Hashable) else None
        if named is None:
            return None, task
        try:
            arguments = _signature(function).bind(*args, **kwargs).arguments
        except TypeError:  # scikit-learn will say it better
            return None, task
        try:
            identity = self._identity(named[1], arguments)
        except UndigestibleError as error:
            self.journal.trouble("digest", str(error))
            return None, task
        key, inside = self.journal.key_of(identity, _is_unseeded(arguments))
        recalled = self.journal.recall(key, arguments)
        if recalled is None:
            self.journal.expect(key)
            fit_and_store = FitAndStore(inside, named, key, _about(arguments))
            if hasattr(delayed_function, "function"):
                return None, delayed(fit_and_store)(*args, **kwargs)
            return None, (fit_and_store, args, kwargs)
        _tell_callbacks(arguments)
        return recalled, task

    def _identity(self, function: str, arguments: dict[str, Any]) -> str:
        """Digest of all that decides on a result."""
        self._surroundings = self._surroundings or surroundings()
        parts = [function, self._surroundings]
        for name in sorted(set(arguments) - _OF_NO_CONSEQUENCE):
            value = arguments[name]
            if name == "parameters":
                value = _that_count(arguments)
            if name in _OF_ONE_FIT:
                parts += [name, digest(value, name, as_cloned=name in _CLONED)]
                continue
            if name not in self._shared or self._shared[name][0] is not value:
                self._shared[name] = (value, digest(value, name))
            parts += [name, self._shared[name][1]]
        return digest(parts)


def _that_count(arguments: dict[str, Any]) -> Any:
    """What the search sets, without what changes no result: n_jobs and the like, of whichever estimator within."""
    given = arguments["parameters"]
    estimator = arguments.get("estimator")
    if not given or not hasattr(estimator, "get_params"):
        return given
    try:
        owners = {"": estimator, **estimator.get_params(deep=True)}  # pyright: ignore[reportOptionalMemberAccess]
    except Exception:
        return given
    found = {}
    for name, value in given.items():
        owner, _, parameter = name.rpartition("__")
        # An estimator that the search sets as well is not the one that is there now.
        within = None if owner in given else owners.get(owner)
        if not hasattr(within, "get_params") or isinstance(within, type) or counts(type(within), parameter):
            found[name] = value
    return found


def _is_unseeded(arguments: dict[str, Any]) -> bool:
    """Whether a random_state is None, so that two such fits differ."""
    estimator = arguments.get("estimator")
    given = arguments.get("parameters") or {}
    try:
        params = {**estimator.get_params(deep=True), **given}  # pyright: ignore[reportOptionalMemberAccess]
        nested = [value.get_params(deep=True) for value in given.values() if hasattr(value, "get_params")]
    except Exception:
        return False
    found = itertools.chain(params.items(), *(inner.items() for inner in nested))
    return any(name.rpartition("__")[2] == "random_state" and value is None for name, value in found)


def _about(arguments: dict[str, Any]) -> dict[str, Any]:
    """For readers: which estimator with which parameters. Of large values the type has to do: no rows get in."""
    given = arguments.get("parameters") or {}
    shown = {name: _shown(value) for name, value in given.items()}
    return {"estimator": type(arguments.get("estimator")).__qualname__, "parameters": shown}


def _shown(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, float) or (type(value) is str and len(value) <= 200):
        return value
    return getattr(value, "__qualname__", type(value).__qualname__)


def _tell_callbacks(arguments: dict[str, Any]) -> None:
    """Callbacks of the search, as of scikit-learn 1.9, count a fit that was done before."""
    context = arguments.get("callback_ctx")
    if context is None:
        return
    X, y, train = arguments["X"], arguments["y"], arguments["train"]
    weight = (arguments.get("fit_params") or {}).get("sample_weight")
    told = dict(
        estimator=arguments["caller"],
        X=lambda: _safe_indexing(X, train),  # called only if a callback asks for it
        y=lambda: None if y is None else _safe_indexing(y, train),
        metadata=None if weight is None else lambda: {"sample_weight": _safe_indexing(weight, train)},
    )
    context.call_on_fit_task_begin(**told)
    context.call_on_fit_task_end(**told)
