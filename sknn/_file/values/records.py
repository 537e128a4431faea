"""What was found of a training's health, as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from ...callbacks import EpochHealth, Finding, LayerHealth, Repair, TrainingHealth
from ...exceptions import DamagedFileError
from ..json import check_keys, expect

__all__ = ["RECORDS", "read_record", "write_record"]

RECORDS: dict[type, str] = {kind: kind.__name__ for kind in (EpochHealth, Finding, LayerHealth, Repair, TrainingHealth)}
_KINDS = {name: kind for kind, name in RECORDS.items()}
_NUMBER = (int, float)
_TEXT = (str, type(None))
# Field -> its type, the same in all records.
_FIELDS: dict[str, Any] = {
    "symptom": str, "layer": _TEXT, "evidence": str, "remedy": str, "cause": _TEXT, "epoch": int, "change": str,
    "kept": bool, "skill_before": _NUMBER, "skill_after": _NUMBER, "relative_gradient": _NUMBER, "update": _NUMBER,
    "weight_norm": _NUMBER, "skill": _NUMBER, "layers": dict, "findings": list, "repairs": list, "epochs": list,
    "constant_loss": _NUMBER, "was_judged": bool,
}  # fmt: skip
_ITEMS = {"layers": LayerHealth, "findings": Finding, "repairs": Repair, "epochs": EpochHealth}


def write_record(value: Any, write: Callable[[Any], Any]) -> dict[str, Any]:
    """JSON for one of `RECORDS`."""
    names = [field.name for field in dataclasses.fields(value)]
    return {"$": "record", "type": RECORDS[type(value)], "fields": {n: write(getattr(value, n)) for n in names}}


def read_record(value: dict[str, Any], read: Callable[[Any], Any], where: str) -> Any:
    """The record, with fields of the right types."""
    check_keys(value, {"$", "type", "fields"}, where)
    kind = _KINDS.get(expect(value["type"], str, where))
    if kind is None:
        raise DamagedFileError(f"{where}: there is no record {value['type'][:80]!r}.")
    names = {field.name for field in dataclasses.fields(kind)}
    fields = {name: read(field) for name, field in check_keys(value["fields"], names, where).items()}
    for name, field in fields.items():
        # A field that this table does not know comes from a newer version of the record itself.
        expect(field, _FIELDS.get(name, type(field)), f"{where}.{name}")
        for item in (field.values() if isinstance(field, dict) else field) if name in _ITEMS else ():
            expect(item, _ITEMS[name], f"{where}.{name}")
    return kind(**fields)
