"""Distributions of scipy.stats with their parameters, as searches draw from: a name and numbers in a file."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from scipy import stats

from ...exceptions import DamagedFileError

__all__ = ["READING", "Distribution", "as_distribution"]

READING: ContextVar[bool] = ContextVar("READING", default=False)
_MAX_NUMBERS = 10
_KINDS: Any = (stats.rv_continuous, stats.rv_discrete)


class Distribution:
    """Stands for a distribution that skops cannot store; to make one while a file is read is to get the distribution.

    Parameters
    ----------
    name : str
        Of scipy.stats.
    args : tuple of numbers
    kwds : dict of str to numbers
    """

    name: str
    args: tuple[Any, ...]
    kwds: dict[str, Any]

    def __new__(cls, name: str, args: tuple[Any, ...], kwds: dict[str, Any]) -> Any:
        stand_in = super().__new__(cls)
        stand_in.name, stand_in.args, stand_in.kwds = name, args, kwds
        return stand_in.made() if READING.get() else stand_in

    def __reduce__(self) -> tuple[Any, ...]:  # skops stores it as a call of its class
        return Distribution, (self.name, self.args, self.kwds)

    def made(self) -> Any:
        """The distribution of scipy.

        Raises
        ------
        DamagedFileError
        """
        kind = _by_name(self.name)
        is_plain = type(self.args) is tuple and type(self.kwds) is dict
        numbers = [*self.args, *self.kwds.values()] if is_plain else [None]
        if kind is None or len(numbers) > _MAX_NUMBERS or not all(type(n) in (int, float) for n in numbers):
            raise DamagedFileError(f"{str(self.name)[:40]!r} is no distribution of scipy.stats with numbers.")
        return kind(*self.args, **self.kwds)


def as_distribution(thing: Any) -> Distribution | None:
    """The name and numbers of a frozen distribution; None for anything else, and for distributions of arrays."""
    kind: Any = getattr(thing, "dist", None)
    if not isinstance(kind, _KINDS) or not type(thing).__module__.startswith("scipy.stats"):
        return None
    args = tuple(_number(item) for item in thing.args)
    kwds = {name: _number(item) for name, item in thing.kwds.items()}
    if type(_by_name(kind.name)) is not type(kind) or None in (*args, *kwds.values()):
        return None
    return Distribution(kind.name, args, kwds)


def _number(value: Any) -> int | float | None:
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    return value if type(value) in (int, float) else None


def _by_name(name: Any) -> Any:
    found = vars(stats).get(name) if type(name) is str else None
    return found if isinstance(found, _KINDS) else None
