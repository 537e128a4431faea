"""Numbers that are written as text, such as ``"1,234.5"``, ``"12,5 %"`` or ``"€ 3"``.

This file imports numpy and the standard library only: the predictor that ``export_numpy`` writes contains it word for
word, so a text means the same there.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

# What stands for a missing value in a column of numbers; compared in lower case.
MISSING_TEXTS = frozenset((
    "", "?", "-", "--", "\u2014", ".", "*", "na", "n/a", "n.a.", "n.a", "#n/a", "#na", "nan", "-nan", "<na>", "nat",
    "null", "none", "nil", "missing", "unknown", "not available",
))  # fmt: skip
_PARTS = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<before>[$€£¥₹]?)\s*(?P<number>[+-]?[0-9.,][0-9.,'\u2019\s]*(?:[eE][+-]?[0-9]+)?)"
    r"(?P<after>[^0-9\s.,+-][^0-9]{0,9})?"
)
_NUMBER = {
    decimal: re.compile(
        rf"(?:[0-9]{{1,3}}(?P<separator>[{other}'\u2019\s])(?:[0-9]{{2,3}}(?P=separator))*[0-9]{{3}}(?:[{decimal}][0-9]*)?"
        rf"|[0-9]+(?:[{decimal}][0-9]*)?|[{decimal}][0-9]+)(?:[eE][+-]?[0-9]+)?"
    )
    for decimal, other in ((".", ","), (",", "."))
}


def split_text(value: Any) -> tuple[str, str] | None:
    """The number in a text as it is written, and the unit before or behind it; None if there is no number."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    text = text.strip().replace("\u2212", "-")  # the minus sign of typesetters
    if text.startswith("(") and text.endswith(")"):  # a negative amount in accounts
        text = "-" + text[1:-1]
    found = _PARTS.fullmatch(text)
    if found is None:
        return None
    number = found["number"].strip()
    if found["sign"]:
        number = found["sign"] + number
    return number, (found["before"] + (found["after"] or "")).strip()


def written_number(value: Any, decimal: str, unit: str) -> float | None:
    """The number that a text spells, NaN if it says that the value is missing, None for any other text.

    `decimal` is the sign before the decimals, "." or ","; the other one, spaces and apostrophes may separate thousands.
    """
    parts = split_text(value)
    if parts is None:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        return math.nan if text.strip().lower() in MISSING_TEXTS else None
    number, found_unit = parts
    digits = number.lstrip("+-")
    if found_unit != unit or len(number) - len(digits) > 1:
        return None
    found = _NUMBER[decimal].fullmatch(digits)
    if found is None:
        return None
    if found["separator"]:
        digits = digits.replace(found["separator"], "")
    value = float(("-" if number.startswith("-") else "") + digits.replace(decimal, "."))
    return value if math.isfinite(value) else None


def numbers_of_texts(values: list[Any], decimal: str, unit: str) -> tuple[np.ndarray, Any]:
    """Distinct values, texts or numbers, as float64, and the first that is not a number, which is missing, or None."""
    numbers = np.empty(len(values))
    other = None
    for i, value in enumerate(values):
        number = written_number(value, decimal, unit) if isinstance(value, (str, bytes)) else float(value)
        if number is None and other is None:
            other = value
        numbers[i] = math.nan if number is None else number
    return numbers, other


def missing_text_message(label: str, text: Any) -> str:
    """What a warning says of a text that is not a number."""
    example = repr(text)
    example = example if len(example) <= 80 else f"{example[:80]}..."
    return (
        f"X: {label} was read as numbers in fit, but holds text such as {example}, which is not a number in the "
        "format of fit; it counts as missing."
    )
