"""Which columns are categorical, which categories they have, and the codes of these."""

import numbers
import re
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from .._errors import level_of_caller, refused_as, shown
from .cells import CategoryCodes
from .columns import Labels, Quantity
from .text_columns import NumberFormat
from .text_features import TextFeatures

# A column of strings counts as free text above both: such categories hardly ever recur in new rows.
FREE_TEXT_MIN_DISTINCT = 100
PROSE_MIN_DISTINCT = 20  # the same for texts of several words
FREE_TEXT_SHARE = 0.9
UNSEEN_SHARE = 0.1
_CODE = re.compile(r"\S*[0-9]\S*")


@dataclass(frozen=True)
class Column:
    """What ``fit`` learned about one column."""

    name: Hashable  # or its position where the table has no names
    # idle: it holds one value or none, and is not read any more
    kind: Literal["numeric", "categorical", "text", "idle"]
    # sorted; that at index i has the code i + 1. Those of a numeric column are its numbers: it is categorical, too
    categories: tuple[Hashable, ...] = ()
    all_missing: bool = False  # whether fit saw no value of a numeric column
    quantity: Quantity = "number"  # what the numbers of a numeric column are
    number_format: NumberFormat | None = None  # of numbers that fit has seen as text
    is_iso_text: bool = False  # whether fit has seen dates as text
    is_worded: bool = False  # whether the texts of a categorical column become features, too
    features: TextFeatures | None = None  # of texts, once they have been learned from the training rows

    @property
    def has_texts(self) -> bool:
        """Whether its texts become features."""
        return self.kind == "text" or (self.kind == "categorical" and self.is_worded)

    @property
    def has_codes(self) -> bool:
        """Whether it is categorical, or numeric and categorical."""
        return self.kind == "categorical" or bool(self.categories)

    @cached_property
    def codes(self) -> CategoryCodes:
        """Codes of the known categories."""
        return CategoryCodes(self.categories)

    @cached_property
    def known_numbers(self) -> np.ndarray:
        """Categories of a numeric column, float64 (n_categories,)."""
        return np.array(self.categories, dtype=np.float64)


def named_positions(parameter: str, spec: Any, names: Sequence[Hashable], default: str) -> set[int]:
    """Return the positions of the columns that a parameter names; none where it is `default` or None."""
    if spec is None or (isinstance(spec, str) and spec == default):
        return set()
    expected = f"{default!r}, None, or a list of column names or positions, or a boolean mask"
    if isinstance(spec, str | bytes) or not hasattr(spec, "__iter__"):
        raise ValueError(f"{parameter}={shown(spec)}, but {expected} was expected. For one column: [{shown(spec)}].")
    with refused_as(parameter, expected):
        items = list(spec)
    if items and all(isinstance(item, bool | np.bool_) for item in items):
        if len(items) != len(names):
            raise ValueError(
                f"{parameter} is a mask of length {len(items)} ({shown(spec)}), but X has {len(names)} "
                "columns. Pass one boolean per column, or the names of the columns."
            )
        return {position for position, item in enumerate(items) if item}
    if all(isinstance(item, str) for item in items):
        unknown = [item for item in items if item not in names]
        if unknown:
            raise ValueError(
                f"{parameter}={shown(spec)} names {shown(unknown)}, but the columns of X are "
                f"{_abridged(names)}. Correct the names; arrays without column names need positions."
            )
        return {position for position, name in enumerate(names) if name in items}
    if not all(isinstance(item, numbers.Integral) and not isinstance(item, bool | np.bool_) for item in items):
        raise ValueError(f"{parameter}={shown(spec)}, but {expected} was expected. Do not mix these.")
    outside = [int(item) for item in items if not 0 <= item < len(names)]
    if outside:
        raise ValueError(
            f"{parameter}={shown(spec)} names the positions {shown(outside)}, but X has {len(names)} columns, "
            f"at the positions 0 to {len(names) - 1}. Count from 0."
        )
    return {int(item) for item in items}


def category_codes(column: Column, labels: Labels) -> np.ndarray:
    """Return codes (n,) of labels, in the smallest unsigned dtype that holds them."""
    missing = len(column.categories) + 1
    codes = np.empty(len(labels.values) + 1, dtype=np.min_scalar_type(missing))
    for i, value in enumerate(labels.values):
        codes[i] = column.codes.code(value)
    codes[-1] = missing  # at position -1
    return codes[labels.positions]


def sorted_categories(values: list[Hashable]) -> tuple[Hashable, ...]:
    """Return categories as sorted Python scalars."""
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    try:
        return tuple(sorted(plain))  # type: ignore[type-var]
    except TypeError:  # strings among numbers
        return tuple(sorted(plain, key=lambda value: (str(value), type(value).__name__)))


def is_free_text(labels: Labels) -> bool:
    """Whether nearly every value of a column of strings occurs once."""
    n_distinct = len(labels.values)
    if n_distinct <= FREE_TEXT_MIN_DISTINCT:
        return False
    n_present = int((labels.positions >= 0).sum())
    return n_distinct > FREE_TEXT_SHARE * n_present and all(isinstance(value, str) for value in labels.values)


def is_prose(labels: Labels) -> bool:
    """Whether nearly every value of a column of strings occurs once, and most are of three words or more.

    So few of them may be categories if they are shorter, such as names of towns.
    """
    n_distinct, n_present = len(labels.values), int((labels.positions >= 0).sum())
    if labels.declared or n_distinct <= PROSE_MIN_DISTINCT or n_distinct <= FREE_TEXT_SHARE * n_present:
        return False
    texts = [value for value in labels.values if isinstance(value, str)]
    return len(texts) == n_distinct and 2 * sum(len(text.split()) > 2 for text in texts) > n_distinct


def is_worded(labels: Labels) -> bool:
    """Whether a column of strings has many categories, and new rows will bring others, whose texts may be similar.

    The share of new rows with a value that was never seen is estimated by that of the values that occur once (Good,
    "The population frequencies of species", Biometrika 1953).
    """
    if labels.declared or len(labels.values) <= FREE_TEXT_MIN_DISTINCT:
        return False
    n_rows = np.bincount(labels.positions[labels.positions >= 0], minlength=len(labels.values))
    return (n_rows == 1).sum() > UNSEEN_SHARE * n_rows.sum() and not _are_codes(labels)


def _are_codes(labels: Labels) -> bool:
    """Whether no value is a text of words."""
    return all(not isinstance(value, str) or _CODE.fullmatch(value.strip()) for value in labels.values)


def check_free_text(
    labels: Labels, name: Hashable, label: str, text_features: Any, numbers_in_formats: str = ""
) -> None:
    """Raise for a column of free text if `text_features` refuses it, or if it is of codes.

    Codes are single words with a digit, such as the number of an order: whether their characters mean something is for
    the user to say. `numbers_in_formats` are examples if they look like numbers of several formats.
    """
    if isinstance(text_features, str) and text_features == "auto":
        if not _are_codes(labels):
            return
        what, remedy = "identifiers", "read its characters with"
    else:
        what, remedy = "free text or an identifier", "read it as text with"
    if numbers_in_formats:
        raise ValueError(
            f"X: {label} looks numeric, but not in one format, such as {numbers_in_formats}. Write all values in one "
            f"format before fit, better as numbers by pd.to_numeric, or {remedy} text_features=[{shown(name)}], or "
            f"keep it as it is with categorical_features=[{shown(name)}]."
        )
    n_present = int((labels.positions >= 0).sum())
    raise ValueError(
        f"X: {label} looks like {what}: {len(labels.values)} of its {n_present} values are distinct, such as "
        f"{shown(labels.values[0])}, but categories that recur in new rows were expected. Drop it, {remedy} "
        f"text_features=[{shown(name)}], or keep it as it is with categorical_features=[{shown(name)}]."
    )


def check_known(column: Column, values: Sequence[Hashable], codes: np.ndarray, label: str) -> None:
    """Warn if fit has seen none of the values: the type or the spelling of the column has probably changed."""
    if column.categories and not ((codes > 0) & (codes <= len(column.categories))).any():
        is_number = column.kind == "numeric"
        as_what = "count as unknown categories, and as numbers only" if is_number else "count as unknown"
        advice = (
            "If these are quantities, convert the column before fit, as by pd.to_numeric."
            if is_number else "Has its type or spelling changed?"
        )  # fmt: skip
        warnings.warn(
            f"X: {label} holds no category that was seen in fit: its values, such as {shown(values[0])}, {as_what}; "
            f"known are {_abridged(list(column.categories), 3)}. {advice}",
            stacklevel=level_of_caller(),
        )


def _abridged(names: Sequence[Hashable], n_most: int = 20) -> str:
    """Return the names for a message, the first `n_most` at most."""
    listed = f"[{', '.join(map(shown, names[:n_most]))}]"
    return listed if len(names) <= n_most else f"{listed} and {len(names) - n_most} more"
