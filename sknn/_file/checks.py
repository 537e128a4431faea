"""Checks of what a file says: each failure is a FileError that names the place."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from ..exceptions import DamagedFileError, FileError, UntrustedFileError

__all__ = ["check_keys", "count_distinct", "damaged_if_it_fails", "dicts_in", "expect"]

_MAX_EQUAL = 1000  # some collisions are harmless: hash(-1) == hash(-2)


def dicts_in(value: Any) -> Iterator[dict[str, Any]]:
    """Return all dicts of a value of JSON, outer before inner."""
    if isinstance(value, dict):
        yield value
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        yield from dicts_in(item)


@contextmanager
def damaged_if_it_fails(problem: str, advice: str = "") -> Iterator[None]:
    """A context in which any error is caused by the content of the file: it becomes a DamagedFileError."""
    try:
        yield
    except FileError:
        raise
    except Exception as error:
        raise DamagedFileError(f"{problem}: {type(error).__name__}: {error}{advice}") from error


def expect(value: Any, kind: type | tuple[type, ...], where: str) -> Any:
    """Return `value`, if its type is exactly `kind`, or one of these; a bool does not count as an int."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if type(value) not in kinds:
        names = " or ".join("null" if one is type(None) else one.__name__ for one in kinds)
        raise DamagedFileError(f"{where} is {_abridged(value)}; expected {names}.")
    return value


def check_keys(value: Any, names: set[str], where: str) -> dict[str, Any]:
    """Return `value`, if it is a dict with exactly these keys."""
    found = set(expect(value, dict, where))
    if found != names:
        wrong = sorted(found ^ names)[:5]
        raise DamagedFileError(f"{where} has other names than expected: {wrong} are missing or unknown.")
    return value


def count_distinct(keys: Collection[Any], where: str) -> int:
    """Count them, after refusing keys chosen to have equal hashes: a set or dict of n of them takes n**2 steps."""
    with damaged_if_it_fails(f"{where} contains a value that cannot be hashed"):
        hashes = [hash(key) for key in keys]
    if len(hashes) - len(set(hashes)) > _MAX_EQUAL:
        raise UntrustedFileError(f"{where}: more than {_MAX_EQUAL} keys have the hash of another key.")
    return len(set(keys))


def _abridged(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."
