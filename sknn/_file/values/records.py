"""Dataclasses of fitted attributes: training health, and the scores of held-out rows."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable
from typing import Any

from ..._conformal.scores import ConformalScores
from ..._conformal.spread import LearnedSpread
from ...callbacks import EpochHealth, Finding, LayerHealth, Notice, Repair, TrainingHealth
from ...exceptions import DamagedFileError
from ..checks import check_keys, expect

__all__ = ["read_record", "write_record"]

_KINDS = (
    ConformalScores, EpochHealth, Finding, LayerHealth, LearnedSpread, Notice, Repair, TrainingHealth,
)  # fmt: skip
_RECORDS: dict[str, Any] = {kind.__name__: kind for kind in _KINDS}


def write_record(value: Any, write: Callable[[Any], Any]) -> dict[str, Any] | None:
    """Return JSON for an instance of one of `_RECORDS`; None for any other value."""
    if type(value) not in _RECORDS.values():
        return None
    fields = {field.name: write(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return {"$": "record", "type": type(value).__name__, "fields": fields}


def read_record(value: dict[str, Any], read: Callable[[Any], Any], where: str) -> Any:
    """Return the record, with fields of the declared types."""
    check_keys(value, {"$", "type", "fields"}, where)
    kind = _RECORDS.get(expect(value["type"], str, where))
    if kind is None:
        raise DamagedFileError(f"{where}: there is no record {value['type'][:80]!r}.")
    hints = _hints(kind)
    fields = {name: read(field) for name, field in check_keys(value["fields"], set(hints), where).items()}
    for name, field in fields.items():
        _check_type(field, hints[name], f"{where}.{name}")
    return kind(**fields)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _check_type(value: Any, hint: Any, where: str) -> None:
    """Refuse a value that does not have the type of this hint, such as ``list[Finding]`` or ``str | None``."""
    kind, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind is types.UnionType:
        expect(value, inner, where)
        return
    expect(value, (int, float) if kind is float else kind, where)
    for item in value.values() if kind is dict else value if kind is list else ():
        _check_type(item, inner[-1], where)
    if kind is dict:
        for key in value:
            _check_type(key, inner[0], where)
