"""Kinds and categories of the columns of a table, and its cells parsed by them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import scipy.sparse

from .._errors import refused_as, shown
from .categories import Column, category_codes, check_free_text, forced_positions, sorted_categories
from .columns import Labels, Numbers, column_label, column_names, iter_columns, open_table, parse_numbers, read_column
from .parsed_table import ParsedTable, check_finite, float64_numbers, plain_block
from .scalars import infinity_message

__all__ = ["TableReader"]

# What messages say was expected of a column.
_READABLE = "numbers, strings, booleans, dates or categories, with None or NaN for missing"


class TableReader:
    """Turn any table into float64 numbers and int64 category codes.

    Parameters
    ----------
    columns : list of Column
        What was learned about each column.

    Attributes
    ----------
    numeric, categorical : list of int
        Positions of the numeric and of the categorical columns.
    cardinalities : list of int
        Number of codes of each categorical column, K + 2: code 0 is unknown, 1 to K are the known
        categories, K + 1 is missing.

    Notes
    -----
    Missing is None, NaN, NaT, pandas.NA or null. Dates and times become seconds since 1970 (UTC where no zone
    is given), durations and times of day become seconds. The cost is a few operations per value, plus a loop
    over the distinct values of each categorical column.

    Examples
    --------
    >>> from sknn._data.table import TableReader
    >>> X = [[1.5, "red"], [None, "blue"], [3.0, None]]
    >>> reader, table = TableReader.learn(X)
    >>> reader.columns[1].categories
    ('blue', 'red')
    >>> numeric, codes = reader.read(X + [[4.0, "green"]])
    >>> numeric.ravel().tolist(), codes.ravel().tolist()
    ([1.5, nan, 3.0, 4.0], [2, 1, 3, 0])
    """

    def __init__(self, columns: list[Column]) -> None:
        self.columns = columns
        self.numeric = [i for i, column in enumerate(columns) if column.kind == "numeric"]
        self.categorical = [i for i, column in enumerate(columns) if column.kind == "categorical"]
        self.cardinalities = [len(columns[i].categories) + 2 for i in self.categorical]

    @classmethod
    def learn(cls, X: Any, categorical_features: Any = "from_dtype") -> tuple[TableReader, ParsedTable]:
        """Learn kinds and categories of the columns, and parse the table by them. Each cell is parsed once.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_columns)
        categorical_features : "from_dtype", None or array-like, default="from_dtype"
            Which columns are categorical. ``"from_dtype"``: strings, pandas and polars categories and enums,
            booleans of data frames. ``None``: only columns that cannot be read as numbers. A boolean mask,
            integer positions or column names: these columns, too, each distinct number a category.

        Returns
        -------
        reader : TableReader
        table : ParsedTable

        Raises
        ------
        ValueError
            A column holds infinity, complex numbers or free text, or ``categorical_features`` names
            what is not there.
        TypeError
            A column holds lists, dicts or other containers.
        """
        table = open_table(X)
        names = column_names(table)
        forced = forced_positions(categorical_features, names)
        if isinstance(table, np.ndarray) and table.dtype.kind in "biuf" and not forced:
            columns = [Column(name, "numeric") for name in names]
            check_finite(table, columns)
            return cls(columns), ParsedTable(columns, table)
        columns, contents = [], []
        for position, (name, values) in enumerate(zip(names, iter_columns(table), strict=True)):
            with refused_as(f"X: {column_label(name, position)}", _READABLE):
                column, content = _learn(values, name, position, categorical_features, position in forced)
            columns.append(column)
            contents.append(content)
        reader = cls(columns)
        block = None if reader.categorical else plain_block(X)
        return reader, ParsedTable(columns, contents if block is None else block)

    def parse(self, X: Any) -> ParsedTable:
        """Parse the cells of a table with the columns that were learned.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_columns)
            With the same columns in the same order. Dtypes and the kind of table may differ.

        Raises
        ------
        ValueError
            A numeric column holds what cannot be read as a number, or a categorical one infinity.
        TypeError
            A column holds lists, dicts or other containers, or X is a sparse matrix and a column is categorical.
        """
        if not self.categorical:
            block = plain_block(X)
            if block is not None:
                return ParsedTable(self.columns, block)
        elif scipy.sparse.issparse(X):
            raise TypeError("X is a sparse matrix, but a table with categories was fitted. Pass such a table.")
        contents = []
        for position, (column, values) in enumerate(zip(self.columns, iter_columns(open_table(X)), strict=True)):
            with refused_as(f"X: {column_label(column.name, position)}", _READABLE), np.errstate(over="ignore"):
                contents.append(_parse(values, column, position))
        return ParsedTable(self.columns, contents)

    def read(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Numbers float64 (n_samples, n_numeric) and codes int64 (n_samples, n_categorical) of a table."""
        return self.parse(X).read()


def _learn(
    values: Any, name: Hashable, position: int, categorical_features: Any, forced: bool
) -> tuple[Column, Numbers]:
    """Learn one column, and parse it: numbers of any dtype, or codes."""
    label = column_label(name, position)
    content = read_column(values, label, as_labels=forced)
    if isinstance(content, Labels) and categorical_features is None:
        parsed, offender = parse_numbers(content)
        content = parsed if offender is None else content
    if isinstance(content, Labels):
        _check_labels_finite(content, label)
        if not forced:
            check_free_text(content, name, label)
        column = Column(name, "categorical", sorted_categories(content.values))
        return column, category_codes(column, content)
    with np.errstate(over="ignore"):
        numbers = float64_numbers(content)
    if np.isinf(numbers).any():
        raise ValueError(infinity_message(label, numbers[np.isinf(numbers)][0]))
    return Column(name, "numeric", all_missing=bool(np.isnan(numbers).all())), content


def _parse(values: Any, column: Column, position: int) -> Numbers:
    """Parse a column that was learned: numbers of any dtype, or codes."""
    label = column_label(column.name, position)
    content = read_column(values, label, as_labels=column.kind == "categorical")
    if not isinstance(content, Labels):
        return content
    if column.kind == "categorical":
        _check_labels_finite(content, label)
        return category_codes(column, content)
    if column.all_missing:
        # fit saw no value, so not even the type: a cross-validation fold may well hold strings here.
        return np.full(len(content.positions), np.nan)
    parsed, offender = parse_numbers(content)
    if offender is not None:
        raise ValueError(
            f"X: {label} holds {shown(offender)}, but numbers were expected, as in fit. Replace it by NaN if "
            "it means missing, or fit again with this column in categorical_features."
        )
    return parsed


def _check_labels_finite(labels: Labels, label: str) -> None:
    """Raise if one of the labels is infinity."""
    for value in labels.values:
        if isinstance(value, float | np.floating) and np.isinf(value):
            raise ValueError(infinity_message(label, value))
