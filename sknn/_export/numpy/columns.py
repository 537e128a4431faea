"""Columns of a table as numbers and as codes of categories."""

from __future__ import annotations

import datetime
import math
import sys
import warnings
from typing import Any

import numpy as np

from ..._data.cells import (
    PLURALS,
    CategoryCodes,
    array_seconds,
    codes_of_numbers,
    is_missing,
    quantity_of,
    scalar_seconds,
)
from ..._data.iso_dates import missing_date_message, seconds_of_texts
from ..._data.numeric_text import missing_text_message, numbers_of_texts

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false


def scalar(item: Any) -> Any:
    """A category or label from its form in JSON: itself, or ``[type, text]``."""
    if not isinstance(item, list):
        return item
    kind, text = item
    if kind == "timedelta":
        return datetime.timedelta(*text)
    return {"datetime": datetime.datetime, "date": datetime.date, "time": datetime.time}[kind].fromisoformat(text)


def codes_by_category(column: dict) -> Any:
    """Return the codes of the known categories; of a numeric column, these numbers, float64 (n_categories,)."""
    categories = column.get("categories", ())
    if column["kind"] != "numeric":
        return CategoryCodes(map(scalar, categories))
    known = np.array(categories, dtype=np.float64)
    if not (known[:-1] < known[1:]).all():  # they are found by bisection
        raise ValueError("the categories of a numeric column must be increasing numbers")
    return known


def python_values(column: Any) -> list:
    """Return the values of a column as Python objects."""
    if isinstance(column, np.ndarray):
        if column.dtype.kind in "Mm":
            column = column.astype(f"{column.dtype.str[:2]}8[us]")
        return column.tolist()
    for method in ("to_pylist", "to_list"):
        if hasattr(column, method):
            return getattr(column, method)()
    return list(column)


def category_codes(column: Any, known: CategoryCodes, description: dict, label: str) -> np.ndarray:
    """Return int64 codes (n,): 0 unknown, 1 to K known, K + 1 missing (0 if training had no missing value)."""
    missing = 0 if description["never_missing"] else len(known) + 1
    seen = {}
    codes = np.empty(len(column), dtype=np.int64)
    for row, value in enumerate(python_values(column)):
        try:
            code = seen.get(value)
        except TypeError:
            raise TypeError(f"X: {label} contains {value!r}; a value must be a string, a number or a date.") from None
        if code is None:
            code = seen[value] = missing if is_missing(value) else category_code(value, known, label)
        codes[row] = code
    return codes


def category_code(value: Any, known: CategoryCodes, label: str) -> int:
    if isinstance(value, (float, np.floating)) and math.isinf(value):
        raise ValueError(f"X: {label} contains infinity; give finite numbers, or NaN for missing.")
    if hasattr(value, "to_timestamp"):  # a period of pandas
        value = value.to_timestamp()
    return known.code(value)


def numbers_of(column: Any, label: str, description: dict) -> np.ndarray:
    """Return a numeric column as float64 (n,), NaN = missing; dates and durations as seconds."""
    numbers, quantity = _measures(column, label, description)
    expected = description["quantity"]
    if quantity != expected and not description["all_missing"] and not np.isnan(numbers).all():
        raise ValueError(
            f"X: {label} contains {PLURALS[quantity]}, but {PLURALS[expected]} were expected, as in training. "
            "Convert the column as before training."
        )
    if np.isinf(numbers).any():
        raise ValueError(f"X: {label} contains infinity; give finite numbers, or NaN for missing.")
    return numbers


def codes_of(numbers: np.ndarray, known: np.ndarray, description: dict) -> np.ndarray:
    """Return int64 codes (n,) of the numbers of a column that is numeric and categorical, as `category_codes` does."""
    return codes_of_numbers(numbers, known, 0 if description["never_missing"] else len(known) + 1)


def _measures(column, label, description):
    """Return numbers float64 (n,), and what they are."""
    array = None if isinstance(column, (list, tuple)) else np.asarray(column)
    if array is not None and array.dtype.kind in "biuf":
        return array.astype(np.float64), "number"
    if array is not None and array.dtype.kind in "Mm":
        return array_seconds(array), "date" if array.dtype.kind == "M" else "duration"
    items = [value.to_timestamp() if hasattr(value, "to_timestamp") else value for value in python_values(column)]
    has_text = any(isinstance(value, (str, bytes)) for value in items)
    if has_text and description["all_missing"]:
        return np.full(len(items), np.nan), "number"  # in training every value was missing, so its type is unknown
    if has_text and (description["format"] is not None or description["is_iso_text"]):
        return _numbers_of_texts(items, label, description), description["quantity"]
    quantities = {quantity_of(value) for value in items if not is_missing(value)} or {"number"}
    unexpected = sorted(quantities - {description["quantity"]})
    quantity = unexpected[0] if unexpected else description["quantity"]
    return np.array([number_of(value, label, description["quantity"]) for value in items], dtype=np.float64), quantity


def _numbers_of_texts(items, label, description):
    """Return the numbers float64 (n,) of a column that was text in training; a warning names what is missing by it."""
    known = list(dict.fromkeys(value for value in items if not is_missing(value)))
    for value in known:
        is_text = description["is_iso_text"] and isinstance(value, str)
        if not is_text and quantity_of(value) != description["quantity"]:
            raise _unexpected(value, label, description["quantity"])
    if description["is_iso_text"]:
        numbers, other = seconds_of_texts(known)
        numbers[np.isinf(numbers)] = math.nan
        message = missing_date_message
    else:
        numbers, other = numbers_of_texts(known, *description["format"])
        message = missing_text_message
    if other is not None:
        warnings.warn(message(label, other), stacklevel=_level_of_caller())
    number_by_text = dict(zip(known, numbers, strict=True))
    return np.array([number_by_text.get(value, math.nan) for value in items])


def number_of(value: Any, label: str, expected: str) -> float:
    """Return a scalar as a float; a date as seconds since 1970, in UTC if it has no time zone."""
    if is_missing(value):
        return math.nan
    if quantity_of(value) != "number":
        return scalar_seconds(value)
    try:
        if isinstance(value, str) and "_" in value:  # float() accepts 1_000, which is not a number in data
            raise ValueError
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        raise _unexpected(value, label, expected) from None


def _unexpected(value, label, expected):
    return ValueError(f"X: {label} contains {value!r}, but {PLURALS[expected]} were expected, as in training.")


def _level_of_caller():
    """Return the `stacklevel` of a warning at the line that called the predictor."""
    own = __name__.partition("._export.")[0]  # a module that was written, or sknn
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and f"{frame.f_globals.get('__name__')}.".startswith(f"{own}."):
        level, frame = level + 1, frame.f_back
    return level
