"""Python scalars: their kind, and their value as a number."""

import datetime
import decimal
import math
import numbers
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np

from .._errors import shown
from .cells import is_missing

MISSING, NUMBER, BOOLEAN, TIME, LABEL, COMPLEX, NESTED = range(7)


def kind_of(scalar_type: type) -> int:
    """Return the kind of the values of one Python type."""
    if scalar_type is type(None) or scalar_type.__name__ in ("NAType", "NaTType"):
        return MISSING
    if issubclass(scalar_type, bool | np.bool_):
        return BOOLEAN
    # Before the numbers: numpy.timedelta64 is registered as an integer.
    if issubclass(scalar_type, datetime.date | datetime.time | datetime.timedelta | np.datetime64 | np.timedelta64):
        return TIME
    if issubclass(scalar_type, numbers.Real | decimal.Decimal):
        return NUMBER
    if issubclass(scalar_type, numbers.Complex):
        return COMPLEX
    if issubclass(scalar_type, tuple | frozenset) or scalar_type.__hash__ is None:
        return NESTED
    return LABEL


def to_numbers(items: list[Any], label: str) -> np.ndarray:
    """Return Python numbers as float64, missing as NaN."""
    try:
        try:
            with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinity, and is reported
                return np.array(items, dtype=object).astype(np.float64)  # None becomes NaN here
        except TypeError:  # pandas.NA
            return np.array([math.nan if is_missing(value) else float(value) for value in items])
    except OverflowError as error:
        raise ValueError(
            f"X: {label} contains an integer that float64 turns into infinity, but numbers below 1e308 were "
            "expected. Take its logarithm, or make it a category through categorical_features."
        ) from error


def complex_message(label: str) -> str:
    """Return the message about complex numbers; scikit-learn's checks look for its first words."""
    return (
        f"Complex data not supported: X: {label} holds complex numbers, but real ones were expected. "
        "Pass real and imaginary part, or magnitude and phase, as two columns."
    )


def infinity_message(label: str, value: Any, dtype: str = "float64") -> str:
    """Return the message about infinity; scikit-learn's checks look for "inf"."""
    return (
        f"X: {label} contains infinity ({float(value)}) or a value too large for {dtype}, but finite "
        "numbers, or NaN for missing, were expected. Replace it, e.g. with "
        "X.replace([np.inf, -np.inf], np.nan) or np.clip."
    )


def refuse(items: list[Any], label: str) -> None:
    """Raise for the first value that is complex or a container (words that scikit-learn checks)."""
    for value in items:
        kind = kind_of(type(value))
        if kind == COMPLEX:
            raise ValueError(complex_message(label))
        if kind == NESTED:
            hint = ""
            if isinstance(value, np.ndarray) or nw.dependencies.is_into_series(value):
                hint = " Series in cells are sequences: pass [np.stack(row) for row in X.to_numpy()]."
            raise TypeError(
                f"X: {label} holds {shown(value)} of type {type(value).__name__}, but each value given as "
                "an argument must be a string or a number. Expand the column into plain columns first, e.g. "
                f"with pandas.json_normalize, or drop it.{hint}"
            )
