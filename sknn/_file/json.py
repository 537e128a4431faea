"""Strict JSON: without NaN and duplicate names, and of limited depth."""

from __future__ import annotations

import json
import math
from typing import Any

from ..exceptions import DamagedFileError, UntrustedFileError

__all__ = ["check_keys", "expect", "read_json", "write_json"]

# Deeper than any parameter is nested, and far from the recursion limit.
MAX_DEPTH = 100
# A list in memory takes up to 30 times its text.
_MAX_BYTES = 512 * 2**20


def write_json(value: Any, *, sort_names: bool = True) -> bytes:
    """Return JSON with sorted names, ASCII only, so that the same value gives the same bytes."""
    return json.dumps(value, sort_keys=sort_names, allow_nan=False, separators=(",", ":")).encode("ascii")


def read_json(data: bytes, what: str, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value of JSON without duplicate names and non-finite numbers; `what` names it in messages."""
    if len(data) > _MAX_BYTES:
        raise UntrustedFileError(f"{what} has {len(data)} bytes of JSON; at most {_MAX_BYTES} were expected.")
    if _depth(data) > max_depth:
        raise UntrustedFileError(f"{what} is nested deeper than the {max_depth} levels that a model may have.")
    try:
        return json.loads(
            data.decode("ascii"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_without_doubles,
        )
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{what} is not valid JSON: {error}.") from error


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


def _abridged(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."


def _depth(data: bytes) -> int:
    """Return the deepest nesting of brackets outside of strings."""
    outside = data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    depth = deepest = 0
    for byte in b"".join(outside).translate(None, delete=_NO_BRACKETS):
        if byte in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


_OPENING = frozenset(b"[{")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:80]} is too large for a float")
    return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found
