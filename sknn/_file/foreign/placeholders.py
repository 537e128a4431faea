"""Stand-ins for what skops does not store: estimators of sknn, and distributions of scipy that a search draws from.

skops stores a stand-in as a call of its class. While a file is read, that call returns what the stand-in represents.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from scipy import stats

from ..._estimator.base import BaseNeuralEstimator
from ...exceptions import DamagedFileError

__all__ = ["Distribution", "Placeholder", "filled_with", "take_apart"]

_MAX_NUMBERS = 10
_KINDS: Any = (stats.rv_continuous, stats.rv_discrete)
# Estimators of the file that is being read, and the numbers of those that have been used.
_FILLING: ContextVar[tuple[list[BaseNeuralEstimator], set[int]] | None] = ContextVar("_FILLING", default=None)


class Placeholder:
    """Represents the estimator with this number, which is stored in parts of its own."""

    index: int

    def __new__(cls, index: int) -> Any:
        filling = _FILLING.get()
        if filling is None:
            placeholder = super().__new__(cls)
            placeholder.index = index
            return placeholder
        estimators, used = filling
        if type(index) is not int or not 0 <= index < len(estimators):
            raise DamagedFileError(f"estimator number {str(index)[:40]!r}; the file contains {len(estimators)}.")
        used.add(index)
        return estimators[index]

    def __reduce__(self) -> tuple[Any, ...]:
        return Placeholder, (self.index,)


class Distribution:
    """Represents a distribution of scipy.stats, by its name and the numbers that it was frozen with."""

    name: str
    args: tuple[Any, ...]
    kwds: dict[str, Any]

    def __new__(cls, name: str, args: tuple[Any, ...], kwds: dict[str, Any]) -> Any:
        if _FILLING.get() is not None:
            return _frozen(name, args, kwds)
        distribution = super().__new__(cls)
        distribution.name, distribution.args, distribution.kwds = name, args, kwds
        return distribution

    def __reduce__(self) -> tuple[Any, ...]:
        return Distribution, (self.name, self.args, self.kwds)


def _frozen(name: Any, args: Any, kwds: Any) -> Any:
    kind = _by_name(name)
    numbers = [*args, *kwds.values()] if type(args) is tuple and type(kwds) is dict else [None]
    if kind is None or len(numbers) > _MAX_NUMBERS or not all(type(number) in (int, float) for number in numbers):
        raise DamagedFileError(f"{str(name)[:40]!r} is not a distribution of scipy.stats with numbers.")
    return kind(*args, **kwds)


def _of_distribution(thing: Any) -> tuple[Any, ...] | None:
    """Return arguments of `Distribution` for a frozen one; None for anything else, and for distributions of arrays."""
    kind: Any = getattr(thing, "dist", None)
    if not isinstance(kind, _KINDS) or not type(thing).__module__.startswith("scipy.stats"):
        return None
    args = tuple(_number(item) for item in thing.args)
    kwds = {name: _number(item) for name, item in thing.kwds.items()}
    if type(_by_name(kind.name)) is not type(kind) or None in (*args, *kwds.values()):
        return None
    return kind.name, args, kwds


def _number(value: Any) -> int | float | None:
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    return value if type(value) in (int, float) else None


def _by_name(name: Any) -> Any:
    found = vars(stats).get(name) if type(name) is str else None
    return found if isinstance(found, _KINDS) else None


@contextmanager
def filled_with(estimators: list[BaseNeuralEstimator]) -> Iterator[set[int]]:
    """A context in which stand-ins return what they represent; yields the numbers of the estimators used."""
    used: set[int] = set()
    token = _FILLING.set((estimators, used))
    try:
        yield used
    finally:
        _FILLING.reset(token)


class _TakingApart(pickle.Pickler):
    """Pickles stand-ins instead of distributions and the estimators of sknn, which it collects."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, protocol=5)
        self.estimators: list[BaseNeuralEstimator] = []

    def reducer_override(self, obj: Any) -> Any:
        """Called once for each object, also for one used in several places."""
        if isinstance(obj, BaseNeuralEstimator):
            self.estimators.append(obj)
            return Placeholder, (len(self.estimators) - 1,)
        arguments = _of_distribution(obj)
        return NotImplemented if arguments is None else (Distribution, arguments)


def take_apart(thing: Any) -> tuple[Any, list[BaseNeuralEstimator]]:
    """Return a copy with a `Placeholder` for each estimator of sknn, and these estimators.

    The copy is made by pickling the caller's object in memory; the pickle is not written to the file.
    """
    buffer = io.BytesIO()
    pickler = _TakingApart(buffer)
    try:
        pickler.dump(thing)
    except Exception as error:
        raise TypeError(
            f"{type(thing).__name__} contains something that cannot be stored: {error}. Define functions in a module "
            "instead of lambdas."
        ) from error
    return pickle.loads(buffer.getvalue()), pickler.estimators
