"""Dates, decimals, ranges and other values that are written as the arguments of their constructors."""

from __future__ import annotations

import base64
import datetime
import decimal
import fractions
import functools
import importlib
import math
import pathlib
import re
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

import torch

from ...exceptions import DamagedFileError, UntrustedFileError
from ..checks import check_keys, count_distinct, expect

__all__ = ["SCALARS", "read_scalar", "write_scalar"]

_MAX_DIGITS = 10_000
_MAX_BITS = 40_000  # of each part of a fraction
_MAX_RANGE = 100_000  # a list of more numbers would fill the memory
_MAX_TEXT = 100  # of a date, zone, frequency or identifier: parsing takes quadratic time
_OFFSET = re.compile(r"UTC([+-]\d\d:\d\d(:\d\d)?)?")


def write_scalar(value: Any, write: Callable[[Any], Any]) -> dict[str, Any] | None:
    """Return JSON for such a scalar; None for any other value."""
    kind = type(value)
    if kind.__module__.partition(".")[0] == "pandas" and kind.__name__ in _PANDAS_PARTS:
        return {"$": f"pandas.{kind.__name__}", "parts": [write(part) for part in _PANDAS_PARTS[kind.__name__](value)]}
    if isinstance(value, pathlib.PurePath):
        return {"$": "path", "parts": [str(value)]}
    if kind not in _PARTS:
        return None
    tag = "timezone" if kind is zoneinfo.ZoneInfo else kind.__name__.lower()
    return {"$": tag, "parts": [write(part) for part in _PARTS[kind](value)]}


def read_scalar(value: dict[str, Any], read: Callable[[Any], Any], where: str) -> Any:
    """Return the scalar that this JSON stands for."""
    check_keys(value, {"$", "parts"}, where)
    parts = [read(part) for part in expect(value["parts"], list, where)]
    if value["$"] in _SHORT and any(isinstance(part, str) and len(part) > _MAX_TEXT for part in parts):
        raise UntrustedFileError(f"{where}: a {value['$']} of a text longer than {_MAX_TEXT} characters.")
    if value["$"].startswith("pandas."):
        return _read_pandas(value["$"], parts, where)
    found = _MAKE[value["$"]](*parts)
    if isinstance(found, range) and found[_MAX_RANGE:]:
        raise UntrustedFileError(f"{where}: a range of more than {_MAX_RANGE} numbers.")
    return found


def _zone_parts(zone: Any) -> list[Any]:
    """Return parts of a time zone: its key, or its offset and name."""
    if isinstance(zone, zoneinfo.ZoneInfo):
        if zone.key is None:
            raise TypeError("a time zone without a key cannot be stored.")
        return [zone.key]
    return [zone.utcoffset(None), zone.tzname(None)]


def _make_zone(first: Any, name: Any = None) -> datetime.tzinfo:
    if isinstance(first, str):
        return zoneinfo.ZoneInfo(_zone_key(first))
    return datetime.timezone(first) if name is None else datetime.timezone(first, name)


def _zone_key(key: str) -> str:
    """Return the key of a time zone; libraries open any path that is passed instead of one."""
    if key not in _zone_keys():
        raise ValueError(f"{key[:80]!r} is not the key of a time zone on this machine, such as 'Europe/Paris'")
    return key


@functools.lru_cache(maxsize=1)
def _zone_keys() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) | {"UTC"}


def _make_decimal(text: Any) -> decimal.Decimal:
    found = decimal.Decimal(text) if isinstance(text, str) and len(text) <= _MAX_DIGITS else decimal.Decimal("sNaN")
    # Converted to an integer or a fraction, a decimal with a large exponent would fill any memory.
    if found.is_snan() or (found.is_finite() and abs(found.adjusted()) > _MAX_DIGITS):
        raise ValueError(f"{str(text)[:40]!r} is not a decimal with an exponent up to {_MAX_DIGITS}")
    return found


def _make_fraction(numerator: Any, denominator: Any) -> fractions.Fraction:
    for part in (numerator, denominator):
        if type(part) is not int or part.bit_length() > _MAX_BITS:
            raise ValueError("a fraction needs two whole numbers")
    return fractions.Fraction(numerator, denominator)


def _start_stop_step(value: Any) -> list[Any]:
    return [value.start, value.stop, value.step]


_PARTS: dict[type, Callable[[Any], list[Any]]] = {
    float: lambda v: [repr(v)],  # NaN or infinite
    complex: lambda v: [v.real, v.imag],
    bytes: lambda v: [base64.b64encode(v).decode("ascii")],
    range: _start_stop_step,
    slice: _start_stop_step,
    torch.dtype: lambda v: [str(v)],
    torch.device: lambda v: [str(v)],
    datetime.datetime: lambda v: [
        v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond, v.tzinfo, v.fold
    ],
    datetime.date: lambda v: [v.year, v.month, v.day],
    datetime.time: lambda v: [v.hour, v.minute, v.second, v.microsecond, v.tzinfo, v.fold],
    datetime.timedelta: lambda v: [v.days, v.seconds, v.microseconds],
    datetime.timezone: _zone_parts,
    zoneinfo.ZoneInfo: _zone_parts,
    decimal.Decimal: lambda v: [str(v)],
    fractions.Fraction: lambda v: [v.numerator, v.denominator],
    uuid.UUID: lambda v: [str(v)],
}  # fmt: skip
_MAKE: dict[str, Callable[..., Any]] = {
    "float": {repr(value): value for value in (math.nan, math.inf, -math.inf)}.__getitem__,
    "complex": complex,
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "range": range,
    "slice": slice,
    "dtype": {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}.__getitem__,
    "device": torch.device,
    "datetime": lambda *parts: datetime.datetime(*parts[:-1], fold=parts[-1]),
    "date": datetime.date,
    "time": lambda *parts: datetime.time(*parts[:-1], fold=parts[-1]),
    "timedelta": datetime.timedelta,
    "timezone": _make_zone,
    "decimal": _make_decimal,
    "fraction": _make_fraction,
    "uuid": uuid.UUID,
    "path": pathlib.Path,
}


def _timestamp_parts(value: Any) -> list[Any]:
    zone = value.tzinfo
    moment = value if zone is None else value.tz_convert("UTC").tz_localize(None)
    return [moment.isoformat(), None if zone is None else str(zone), value.unit]


# pandas is optional, so its scalars are recognised by the names of their types.
_PANDAS_PARTS: dict[str, Callable[[Any], list[Any]]] = {
    "Timestamp": _timestamp_parts,
    "Timedelta": lambda v: [v.isoformat(), v.unit],
    "Period": lambda v: [str(v), v.freqstr],
    "Interval": lambda v: [v.left, v.right, v.closed],
    "Index": lambda v: [v.tolist(), v.name],  # names of columns, in a parameter
    "NaTType": lambda v: [],
    "NAType": lambda v: [],
}


def _read_pandas(tag: str, parts: list[Any], where: str) -> Any:
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise DamagedFileError(f"{where} contains a {tag}, but pandas is not installed: pip install pandas.") from error
    match tag, parts:
        case "pandas.Timestamp", [str() as text, str() | None as zone, str() as unit]:
            moment = pandas.Timestamp(text).as_unit(unit)
            if zone is None:
                return moment
            key = zone if _OFFSET.fullmatch(zone) else _zone_key(zone)
            return moment.tz_localize("UTC").tz_convert(key)
        case "pandas.Timedelta", [str() as text, str() as unit]:
            return pandas.Timedelta(text).as_unit(unit)
        case "pandas.Period", [str() as text, str() as frequency]:
            return pandas.Period(text, freq=frequency)
        case "pandas.Index", [list() as items, name]:
            count_distinct(items, where)
            return pandas.Index(items, name=name)
        case "pandas.Interval", [left, right, closed]:
            return pandas.Interval(left, right, closed)
        case (("pandas.NaTType" | "pandas.NAType"), []):
            return pandas.NaT if tag == "pandas.NaTType" else pandas.NA
    raise DamagedFileError(f"{where}: {len(parts)} parts of wrong types for a {tag}.")


_SHORT = frozenset((
    "complex", "device", "timezone", "uuid", "pandas.Timestamp", "pandas.Timedelta", "pandas.Period", "pandas.Interval",
))  # fmt: skip
SCALARS = (*_MAKE, *(f"pandas.{name}" for name in _PANDAS_PARTS))
