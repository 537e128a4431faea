"""One column of a table: its kind and categories, learned in fit, and its cells parsed by them."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from typing import Any

import numpy as np

from .._errors import level_of_caller, shown
from .categories import (
    Column,
    category_codes,
    check_free_text,
    check_known,
    is_free_text,
    is_prose,
    is_worded,
    sorted_categories,
)  # fmt: skip
from .cells import PLURALS, quantity_of
from .columns import Labels, Measures, Numbers, Texts, float64_numbers, parse_numbers, read_column
from .columns import take as numbers_at
from .iso_dates import missing_date_message, seconds_of_texts
from .numeric_text import missing_text_message, numbers_of_texts
from .scalars import infinity_message
from .text_columns import (
    check_times,
    learn_dates,
    learn_format,
    mixed_formats,
    reading_of,
    reading_of_dates,
    reading_of_formats,
    recurring_numbers,
)

__all__ = ["learn_column", "learn_named_text", "parse_column"]

# From so many rows with a value on, a column of which none is known has probably changed.
_MIN_UNKNOWN = 20


def learn_column(
    values: Any, name: Hashable, label: str, categorical_features: Any, text_features: Any, forced: bool
) -> tuple[Column, Numbers | Texts, str]:
    """Learn one column, and parse it; and what a warning says of it, or nothing."""
    content: Any = read_column(values, label, as_labels=forced)
    format_, reading, is_iso_text, categories = None, "", False, ()
    auto = isinstance(text_features, str) and text_features == "auto"
    if isinstance(content, Labels) and categorical_features is None:
        parsed, offender = parse_numbers(content)
        content = Measures(parsed) if offender is None else content
    if isinstance(content, Labels) and not forced:
        seconds = learn_dates(content)
        if seconds is not None:
            reading, is_iso_text = reading_of_dates(content, seconds, name), True
            content = Measures(seconds, "date")
    if isinstance(content, Labels) and not forced:
        check_times(content, name, label)
        spelled = learn_format(content)
        if spelled is not None:
            format_, parsed = spelled
            categories = () if categorical_features is None else recurring_numbers(format_, parsed)
            reading = reading_of(content, format_, parsed, name, bool(categories))
            content = Measures(parsed)
        elif is_free_text(content) or (auto and is_prose(content)):
            examples = mixed_formats(content, is_text=True)
            check_free_text(content, name, label, text_features, examples)
            reading = reading_of_formats(examples, name, is_text=True)
            return Column(name, "text"), _texts(content, label, ""), reading
        else:
            reading = reading_of_formats(mixed_formats(content, is_text=False), name, is_text=False)
    if isinstance(content, Labels):
        _check_labels_finite(content, label)
        worded = auto and not forced and is_worded(content)
        column = Column(name, "categorical", sorted_categories(content.values), is_worded=worded)
        return column, _codes(content, column, category_codes(column, content)), reading
    with np.errstate(over="ignore"):
        numbers = float64_numbers(content.numbers)
    if np.isinf(numbers).any():
        raise ValueError(infinity_message(label, numbers[np.isinf(numbers)][0]))
    all_missing = bool(np.isnan(numbers).all())
    column = Column(name, "numeric", categories, all_missing, content.quantity, format_, is_iso_text)
    return column, content.numbers, reading


def learn_named_text(values: Any, name: Hashable, label: str) -> tuple[Column, Texts, str]:
    """As `learn_column`, for a column that is named in `text_features`."""
    labels = read_column(values, label, as_labels=True)
    assert isinstance(labels, Labels)
    return Column(name, "text"), _texts(labels, label, "as it is named in text_features"), ""


def parse_column(values: Any, column: Column, label: str) -> Numbers | Texts:
    """Parse a column that was learned."""
    content = read_column(values, label, as_labels=column.kind in ("categorical", "text"))
    if column.kind == "text":
        assert isinstance(content, Labels)
        return _texts(content, label, "as in fit")
    if not isinstance(content, Labels):
        _check_quantity(content, column, label)
        return _checked_numbers(content.numbers, column, label)
    if column.kind == "categorical":
        _check_labels_finite(content, label)
        codes = category_codes(column, content)
        if not column.is_worded and (content.positions >= 0).sum() >= _MIN_UNKNOWN:
            check_known(column, content.values, codes, label)
        return _codes(content, column, codes)
    if column.all_missing:
        # fit saw no value, so not even the type: a cross-validation fold may well hold strings here.
        return np.full(len(content.positions), np.nan)
    if column.is_iso_text:
        offender, parsed = next((value for value in content.values if not _may_be_date(value)), None), None
    elif column.quantity != "number":
        offender, parsed = next(iter(content.values), None), np.full(len(content.positions), np.nan)
    elif column.number_format is None:
        parsed, offender = parse_numbers(content)
    else:
        offender, parsed = next((value for value in content.values if quantity_of(value) != "number"), None), None
    if offender is not None:
        raise ValueError(
            f"X: {label} holds {shown(offender)}, but {PLURALS[column.quantity]} were expected, as in fit. "
            f"{_FIX[column.quantity]}"
        )
    return _checked_numbers(_spelled(content, column, label) if parsed is None else parsed, column, label)


def _checked_numbers(numbers: Numbers, column: Column, label: str) -> Numbers:
    """Numbers (n,) of a numeric column; a warning if it is categorical, too, and fit has seen none of many."""
    if column.categories and len(numbers) >= _MIN_UNKNOWN:
        given = float64_numbers(numbers)
        given = given[~np.isnan(given)]
        if len(given) >= _MIN_UNKNOWN:
            codes = np.isin(given, column.known_numbers).astype(np.intp)
            check_known(column, given.tolist(), codes, label)
    return numbers


def _spelled(labels: Labels, column: Column, label: str) -> np.ndarray:
    """The numbers float64 (n,) of a column of text in the format of fit; a warning names what is missing by it."""
    if column.is_iso_text:
        numbers, other = seconds_of_texts(labels.values)
        numbers[np.isinf(numbers)] = np.nan
        message = missing_date_message
    else:
        assert column.number_format is not None
        numbers, other = numbers_of_texts(labels.values, *column.number_format)
        message = missing_text_message
    if other is not None:
        warnings.warn(message(label, other), UserWarning, stacklevel=level_of_caller())
    return numbers_at(numbers, labels.positions)


def _may_be_date(value: Any) -> bool:
    return isinstance(value, str) or quantity_of(value) == "date"


def _texts(labels: Labels, label: str, why: str) -> Texts:
    """A column of texts; raises for any other value that is not missing."""
    for value in labels.values:
        if not isinstance(value, str):
            raise ValueError(
                f"X: {label} holds {shown(value)} of type {type(value).__name__}, but texts were expected, {why}. "
                "Convert the column, as by .astype(str), or replace the value by None if it means missing."
            )
    return Texts(labels.values, labels.positions)  # pyright: ignore[reportArgumentType]


_FIX = {
    "number": "Replace it by NaN if it means missing, or fit again with this column in categorical_features.",
    "date": "Convert the column with pd.to_datetime.",
    "duration": "Convert the column with pd.to_timedelta.",
    "time of day": "Convert the column to datetime.time.",
}


def _check_quantity(content: Measures, column: Column, label: str) -> None:
    """Raise if numbers arrive where fit has seen dates, or the other way round."""
    if content.quantity == column.quantity or column.all_missing or np.isnan(float64_numbers(content.numbers)).all():
        return
    fix = "Convert it as before fit." if column.quantity == "number" else _FIX[column.quantity]
    raise ValueError(
        f"X: {label} holds {PLURALS[content.quantity]}, but {PLURALS[column.quantity]} were expected, as in fit. {fix}"
    )


def _check_labels_finite(labels: Labels, label: str) -> None:
    """Raise if one of the labels is infinity."""
    for value in labels.values:
        if isinstance(value, float | np.floating) and np.isinf(value):
            raise ValueError(infinity_message(label, value))


def _codes(labels: Labels, column: Column, codes: np.ndarray) -> np.ndarray | Texts:
    """The codes (n,) of a categorical column, with its texts if they become features."""
    if not column.is_worded:
        return codes
    return Texts([value if isinstance(value, str) else str(value) for value in labels.values], labels.positions, codes)
