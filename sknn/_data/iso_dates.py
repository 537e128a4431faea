"""Dates that are written as text in the form of ISO 8601, such as ``"2024-03-01"`` or ``"2024-03-01T12:30:00Z"``.

This file imports numpy and the standard library only: the predictor that ``export_numpy`` writes contains it word for
word, so a text means the same there.
"""

from __future__ import annotations

import datetime
import math
import re
from typing import Any

import numpy as np

from .cells import quantity_of, scalar_seconds
from .numeric_text import MISSING_TEXTS

_ISO = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})(?:[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?P<fraction>[.,][0-9]{1,9})?)?"
    r"\s?(?:[Zz]|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?)?)?)?"
)


def iso_seconds(text: str) -> float | None:
    """Seconds since 1970 (UTC if the text has no zone) of a date, with a time or without; None for any other text."""
    found = _ISO.fullmatch(text.strip())
    if found is None:
        return None
    parts = {name: int(value) for name, value in found.groupdict().items() if value and value.isdigit()}
    try:
        day = datetime.date(parts["year"], parts["month"], parts.get("day", 1))
        time = datetime.time(parts.get("hour", 0), parts.get("minute", 0), parts.get("second", 0))
    except ValueError:  # no such day, or time
        return None
    seconds = scalar_seconds(day) + scalar_seconds(time) + float((found["fraction"] or "0").replace(",", "."))
    offset = 3600 * parts.get("hours", 0) + 60 * parts.get("minutes", 0)
    return seconds + offset if found["sign"] == "-" else seconds - offset


def seconds_of_texts(values: list[Any]) -> tuple[np.ndarray, Any]:
    """Different values, texts or dates, as float64, and the first that is not a date, or None.

    Texts that say that a value is missing are NaN; what is not a date is infinity.
    """
    seconds = np.empty(len(values))
    other = None
    for i, value in enumerate(values):
        if isinstance(value, str):
            number = math.nan if value.strip().lower() in MISSING_TEXTS else iso_seconds(value)
        else:
            number = scalar_seconds(value) if quantity_of(value) == "date" else None
        if number is None and other is None:
            other = value
        seconds[i] = math.inf if number is None else number
    return seconds, other


def missing_date_message(label: str, text: Any) -> str:
    """What a warning says of a text that is not a date."""
    example = repr(text)
    example = example if len(example) <= 80 else f"{example[:80]}..."
    return (
        f"X: {label} was read as dates in fit, but holds text such as {example}, which is not a date like 2024-12-31; "
        "it counts as missing."
    )
