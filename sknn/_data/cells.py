"""Single cells of any table, and dates of numpy, as numbers.

This file imports numpy and the standard library only: the predictor that ``export_numpy`` writes contains it word for
word, so a cell means the same there.
"""

from __future__ import annotations

import datetime
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

# How messages call what numbers are.
PLURALS = {"number": "numbers", "date": "dates", "duration": "durations", "time of day": "times of day"}

_ZERO_TIME = datetime.datetime(1970, 1, 1)

# Seconds of numpy's units of time, of which microseconds are no whole part. Months and years are those of durations,
# with the length that numpy gives them: a twelfth of the mean year, and the mean year, of the Gregorian calendar.
_UNIT_SECONDS = {"Y": 31556952.0, "M": 2629746.0, "W": 604800.0, "D": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def is_missing(value: Any) -> bool:
    """Tell whether a scalar is None, NaN, NaT or pandas.NA."""
    # pandas.NA is looked up by name: pandas is optional, and NA != NA is NA.
    return value is None or type(value).__name__ == "NAType" or bool(value != value)


def array_seconds(array: np.ndarray) -> np.ndarray:
    """Dates or durations (n,) of numpy as seconds, float64; microseconds in int64 end after 292,000 years."""
    unit, step = np.datetime_data(array.dtype)
    missing = np.isnat(array)
    if unit in ("Y", "M") and array.dtype.kind == "M":
        if (np.abs(array.astype(np.int64)[~missing].astype(np.float64)) > 1e13).any():
            raise ValueError("dates too far away to be counted in days")
        array, unit, step = array.astype("datetime64[D]"), "D", 1
    if unit in _UNIT_SECONDS:
        seconds = array.astype(np.int64).astype(np.float64) * (_UNIT_SECONDS[unit] * step)
    elif unit == "ms":
        seconds = array.astype(np.int64).astype(np.float64) * step / 1e3
    else:
        seconds = array.astype(f"{array.dtype.str[:2]}8[us]").astype(np.int64) / 1e6
    seconds[missing] = np.nan
    return seconds


def scalar_seconds(value: Any) -> float:
    """Return a date as seconds since 1970 (UTC if it has no zone), a duration or a time of day as seconds."""
    if isinstance(value, np.datetime64 | np.timedelta64):
        return float(array_seconds(np.array([value]))[0])
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.time):
        return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if hasattr(value, "to_datetime64"):  # pandas knows years that datetime does not
        return value.timestamp()
    # timestamp() of a naive datetime would use this computer's time zone.
    return value.timestamp() if value.tzinfo is not None else (value - _ZERO_TIME).total_seconds()


def quantity_of(value: Any) -> str:
    """What the number of a value is: "date", "duration", "time of day", or for all others "number"."""
    if isinstance(value, datetime.timedelta | np.timedelta64):
        return "duration"
    if isinstance(value, datetime.time):
        return "time of day"
    return "date" if isinstance(value, datetime.date | np.datetime64) else "number"


def other_spelling(value: Any) -> Any:
    """Return a number for a string and a string for a number: a CSV file read again may differ in this."""
    if isinstance(value, str):
        if value in ("True", "False"):
            return value == "True"
        try:
            return float(value)
        except ValueError:
            return None
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and value == int(value):  # pyright: ignore[reportArgumentType]
        return str(int(value))  # pyright: ignore[reportArgumentType]
    return str(value) if isinstance(value, numbers.Real | np.bool_) else None


def codes_of_numbers(numbers: np.ndarray, known: np.ndarray, missing: int) -> np.ndarray:
    """Codes int64 (n,) of numbers float64 (n,) of which some are known, ascending: that of ``known[i]`` is i + 1.

    Other numbers have the code 0; NaN has the code `missing`.
    """
    places = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    codes = np.where(known[places] == numbers, places + 1, 0)
    codes[np.isnan(numbers)] = missing
    return codes


class CategoryCodes:
    """Codes of the categories of a column, by their values: the category at index i has the code i + 1.

    A value is the category that equals it in Python, so 1, 1.0 and True share a code; else the one of its other
    spelling; else, for a number, the first text that spells it, such as "1.50" for 1.5. Two texts are two categories.
    """

    def __init__(self, categories: Iterable[Any]) -> None:
        self._codes = {category: code for code, category in enumerate(categories, start=1)}
        self._codes_of_numbers: dict[float, int] = {}
        for category, code in self._codes.items():
            number = other_spelling(category) if isinstance(category, str) else None
            if isinstance(number, float):
                self._codes_of_numbers.setdefault(number, code)

    def __len__(self) -> int:
        return len(self._codes)

    def code(self, value: Any) -> int:
        """Return the code of a value, 0 if it is unknown."""
        codes = self._codes
        return codes.get(value) or codes.get(other_spelling(value)) or self._codes_of_numbers.get(value, 0)
