"""Kinds and categories of the columns of a table, and its cells parsed by them."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import scipy.sparse

from .._errors import level_of_caller, refused_as, shown
from .categories import Column, named_positions
from .columns import Numbers, Texts, column_label, named_columns
from .csr import real_csr
from .one_column import learn_column, learn_named_text, parse_column
from .scalars import infinity_message
from .text_features import TextFeatures

__all__ = ["Content", "TableReader", "check_finite"]

# A column after it has been parsed: numbers, codes, texts, or None if it is idle.
Content: TypeAlias = "Numbers | Texts | None"

# Of so many columns of text that are numbers or dates a warning says all, of further ones the name.
_MOST_DESCRIBED = 5
# What messages say was expected of a column.
_READABLE = "numbers, strings, booleans, dates or categories, with None or NaN for missing"


class TableReader:
    """Parse the cells of any table with a given list of columns.

    `numeric`, `categorical` and `texts` are the positions of these columns; the idle ones are not read. A categorical
    column whose texts become features is among both, and so is a numeric column whose numbers are categories, too.
    `cardinalities` are the numbers of codes of the categorical ones, K + 2: code 0 is unknown, 1 to K are the known
    categories, K + 1 is missing. Missing is None, NaN, NaT, pandas.NA or null. Dates and times become seconds since
    1970 (UTC where no zone is given), durations and times of day become seconds.

    What is parsed is a list of the columns: each an array or a narwhals Series of shape (n_samples,), numbers of any
    numeric dtype or category codes of any integer dtype, `Texts`, or None if it is idle; numbers if it is numeric and
    categorical. Of a table of numbers in one piece (`plain_block`) it is the table itself. Numbers stay in their dtype
    and, if possible, in the memory in which they were given.
    """

    def __init__(self, columns: list[Column]) -> None:
        self.columns = columns
        self.numeric = [i for i, column in enumerate(columns) if column.kind == "numeric"]
        self.categorical = [i for i, column in enumerate(columns) if column.has_codes]
        self.texts = [i for i, column in enumerate(columns) if column.has_texts]
        self.cardinalities = [len(columns[i].categories) + 2 for i in self.categorical]
        # Of those that are numeric and categorical, the places in `numeric` and in `categorical`, intp (n_both,) each.
        shared = {*self.numeric} & {*self.categorical}
        self.both = tuple(
            np.array([place for place, i in enumerate(positions) if i in shared], dtype=np.intp)
            for positions in (self.numeric, self.categorical)
        )
        # Whether all columns that are read were nothing but plain numbers in fit; each prediction asks.
        self.reads_plain_numbers = all(
            c.kind == "idle" or (c.kind == "numeric" and c.quantity == "number" and not c.has_codes) for c in columns
        )

    def without(self, idle: Iterable[int]) -> TableReader:
        """A reader that does not read the columns at these positions."""
        idle = set(idle)
        return TableReader([
            dataclasses.replace(column, kind="idle", categories=()) if i in idle else column
            for i, column in enumerate(self.columns)
        ])  # fmt: skip

    def with_features(self, features: dict[int, TextFeatures]) -> TableReader:
        """A reader whose columns of texts, by position, have learned features."""
        return TableReader([
            dataclasses.replace(column, features=features[i]) if i in features else column
            for i, column in enumerate(self.columns)
        ])  # fmt: skip

    @property
    def n_text_features(self) -> int:
        """How many numbers the texts of a row become."""
        found = (self.columns[i].features for i in self.texts)
        return sum(features.n_features for features in found if features is not None)

    @classmethod
    def learn(
        cls, X: Any, categorical_features: Any, text_features: Any = "auto"
    ) -> tuple[TableReader, list[Content] | Any]:
        """Learn kinds and categories of the columns of `as_table`'s X, and parse it. Each cell is parsed once.

        Warns of columns of text that are read as numbers or dates.
        """
        names, values = zip(*named_columns(X), strict=True)
        forced = named_positions("categorical_features", categorical_features, list(names), "from_dtype")
        texts = named_positions("text_features", text_features, list(names), "auto")
        if forced & texts:
            name = names[min(forced & texts)]
            raise ValueError(
                f"categorical_features and text_features both name the column {shown(name)}, but a column is read in "
                "one way. Name it in one of them."
            )
        if isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and not forced and not texts:
            columns = [Column(name, "numeric") for name in names]
            check_finite(X, columns)
            return cls(columns), X
        columns: list[Column] = []
        contents: list[Content] = []
        readings: dict[str, list[tuple[str, str]]] = {"looks numeric": [], "holds dates": []}
        for position, name in enumerate(names):
            label = column_label(name, position)
            content: Content
            with refused_as(f"X: {label}", _READABLE):
                if position in texts:
                    column, content, reading = learn_named_text(values[position], name, label)
                else:
                    is_forced = position in forced
                    column, content, reading = learn_column(
                        values[position], name, label, categorical_features, text_features, is_forced
                    )
            columns.append(column)
            contents.append(content)
            if reading:
                readings["holds dates" if column.is_iso_text else "looks numeric"].append((label, reading))
        for what, found in readings.items():
            _warn_of_texts(found, what)
        reader = cls(columns)
        block = plain_block(X) if reader.reads_plain_numbers else None
        return reader, contents if block is None else block

    def parse(self, X: Any) -> list[Content] | Any:
        """Parse a table of the same columns in the same order. Dtypes and the kind of table may differ."""
        block = plain_block(X) if self.reads_plain_numbers else None
        if block is not None:
            return block
        contents = []
        for position, (column, (_, values)) in enumerate(zip(self.columns, named_columns(X), strict=True)):
            label = column_label(column.name, position)
            with refused_as(f"X: {label}", _READABLE), np.errstate(over="ignore"):
                contents.append(None if column.kind == "idle" else parse_column(values, column, label))
        return contents


def plain_block(X: Any) -> Any:
    """X if it is a table of nothing but numbers, which is converted in one step; None for any other table."""
    if type(X) is np.ndarray and X.dtype.kind in "fiub":
        return X
    if nw.dependencies.is_pandas_dataframe(X):
        is_plain = all(isinstance(dtype, np.dtype) and dtype.kind in "fiub" for dtype in X.dtypes)
        return X if is_plain else None
    return real_csr(X) if scipy.sparse.issparse(X) else None


def check_finite(numeric: np.ndarray, columns: list[Column]) -> None:
    """Raise if the numbers (n, n_numeric) of the numeric columns hold infinity."""
    if numeric.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        # One cheap pass in the usual case: a finite sum has only finite terms.
        if np.isfinite(numeric.sum()):
            return
    infinite = np.isinf(numeric)
    if infinite.any():
        row, i = np.argwhere(infinite)[0]
        position = [p for p, column in enumerate(columns) if column.kind == "numeric"][i]
        raise ValueError(infinity_message(column_label(columns[position].name, position), numeric[row, i]))


def _warn_of_texts(columns: list[tuple[str, str]], what: str) -> None:
    """Warn of columns of text that are numbers or dates, given as label and what is said of each."""
    if not columns:
        return
    described, others = columns[:_MOST_DESCRIBED], columns[_MOST_DESCRIBED:]
    message = "\n".join(f"X: {label} {reading}" for label, reading in described)
    if others:
        labels = ", ".join(label for label, _ in others[:10])
        more = f" and {len(others) - 10} more" if len(others) > 10 else ""
        message += f"\nText that {what} is also in {labels}{more}."
    warnings.warn(message, UserWarning, stacklevel=level_of_caller())
