"""Any table in, raw numbers and category codes out."""

from collections.abc import Hashable
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse

from .._errors import refused_as, shown
from .categories import Column, category_codes, check_free_text, forced_positions, sorted_categories
from .columns import Content, Labels, column_label, column_names, iter_columns, open_table, parse_numbers, read_column

# What messages say was expected of a column.
_READABLE = "numbers, strings, booleans, dates or categories, with None or NaN for missing"


class TableReader:
    """Turn any table into float64 numbers and int64 category codes.

    Parameters
    ----------
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Which columns are categorical. ``"from_dtype"``: strings, pandas and polars categories and enums,
        booleans of data frames. ``None``: only columns that cannot be read as numbers. A boolean mask,
        integer positions or column names: these columns, too, each distinct number a category.

    Attributes
    ----------
    columns_ : list of Column
        One for each input column.
    numeric_, categorical_ : list of int
        Positions of the numeric and of the categorical input columns.
    cardinalities_ : list of int
        Number of codes of each categorical column, K + 2: code 0 is unknown, 1 to K are the known
        categories, K + 1 is missing.
    sparse_ : bool
        Whether ``fit`` saw a scipy sparse matrix; then all columns are numeric.

    Notes
    -----
    Missing is None, NaN, NaT, pandas.NA or null. Dates and times become seconds since 1970 (UTC where no zone
    is given), durations and times of day become seconds. The cost is a few operations per value, plus a loop
    over the distinct values of each categorical column.

    Examples
    --------
    >>> from sknn._data.table import TableReader
    >>> X = [[1.5, "red"], [None, "blue"], [3.0, None]]
    >>> reader = TableReader().fit(X)
    >>> reader.columns_[1].categories
    ('blue', 'red')
    >>> numeric, codes = reader.read(X + [[4.0, "green"]])
    >>> numeric.ravel().tolist(), codes.ravel().tolist()
    ([1.5, nan, 3.0, 4.0], [2, 1, 3, 0])
    """

    columns_: list[Column]
    numeric_: list[int]
    categorical_: list[int]
    cardinalities_: list[int]
    sparse_: bool

    def __init__(self, categorical_features: Any = "from_dtype") -> None:
        self.categorical_features = categorical_features

    def fit(self, X: Any) -> "TableReader":
        """Learn kinds and categories of the columns.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_columns)

        Returns
        -------
        TableReader
            Itself.

        Raises
        ------
        ValueError
            If a column holds infinity, complex numbers or free text, or if ``categorical_features`` names
            what is not there.
        TypeError
            If a column holds lists, dicts or other containers.
        """
        self.sparse_ = scipy.sparse.issparse(X)
        table = X if self.sparse_ else open_table(X)
        names: list[Hashable] = list(range(X.shape[1])) if self.sparse_ else column_names(table)
        forced = forced_positions(self.categorical_features, names)
        self._all_missing: set[int] = set()
        if self.sparse_:
            if forced:
                raise ValueError(
                    f"categorical_features={self.categorical_features!r} names columns of a sparse "
                    "matrix, whose columns are all numeric. Set it to None, or encode "
                    "these columns with OneHotEncoder."
                )
            self.columns_ = [Column(name, "numeric") for name in names]
            _real_csr(X)
        elif isinstance(table, np.ndarray) and table.dtype.kind in "biuf" and not forced:
            self.columns_ = [Column(name, "numeric") for name in names]
            self._check_finite(table)
        else:
            self.columns_ = [
                self._learn(column, name, position, position in forced)
                for position, (name, column) in enumerate(zip(names, iter_columns(table, slice(None)), strict=True))
            ]
        self.numeric_ = [i for i, column in enumerate(self.columns_) if column.kind == "numeric"]
        self.categorical_ = [i for i, column in enumerate(self.columns_) if column.kind == "categorical"]
        self.cardinalities_ = [len(self.columns_[i].categories) + 2 for i in self.categorical_]
        return self

    def read(self, X: Any, rows: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers and the category codes of some rows.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_columns)
            With the columns of ``fit`` in the same order. Dtypes and the kind of table may differ.
        rows : slice, default=slice(None)
            Rows to read; only these are converted, and only these are made dense.

        Returns
        -------
        numeric : ndarray of shape (n_rows, n_numeric), float64
            NaN is missing. It may share memory with X, so do not write to it.
        codes : ndarray of shape (n_rows, n_categorical), int64

        Raises
        ------
        ValueError
            If a numeric column holds infinity, or what cannot be read as a number.
        TypeError
            If a column holds lists, dicts or other containers, or if X is a sparse matrix and a column is
            categorical.
        """
        if not self.categorical_:
            numeric = _plain_numbers(X, rows)
            if numeric is not None:
                self._check_finite(numeric)
                return numeric, np.empty((len(numeric), 0), dtype=np.int64)
        elif scipy.sparse.issparse(X):
            raise TypeError("X is a sparse matrix, but a table with categories was fitted. Pass such a table.")
        table = open_table(X)
        n_rows = len(range(*rows.indices(len(table))))
        numeric = np.empty((n_rows, len(self.numeric_)))
        codes = np.empty((n_rows, len(self.categorical_)), dtype=np.int64)
        i_numeric = i_categorical = 0
        for position, (column, values) in enumerate(zip(self.columns_, iter_columns(table, rows), strict=True)):
            label = column_label(column.name, position)
            # An overflow is infinity, which is reported below.
            with refused_as(f"X: {label}", _READABLE), np.errstate(over="ignore"):
                content = read_column(values, label, as_labels=column.kind == "categorical")
                if isinstance(content, Labels) and column.kind == "categorical":
                    _check_labels_finite(content, label)
                    codes[:, i_categorical] = category_codes(column, content)
                    i_categorical += 1
                else:
                    numeric[:, i_numeric] = self._as_numbers(content, position, label)
                    i_numeric += 1
        self._check_finite(numeric, self.numeric_)
        return numeric, codes

    def read_sparse(self, X: Any) -> scipy.sparse.csr_array:
        """Return a sparse matrix as float32 rows, without making it dense.

        Parameters
        ----------
        X : scipy sparse array or matrix of shape (n_samples, n_columns)
            Of any format.

        Returns
        -------
        csr_array of shape (n_samples, n_columns), float32
            Sorted, without duplicates, explicit NaN kept. It may share memory with X, so do not write to it.

        Raises
        ------
        ValueError
            If X holds complex numbers, infinity or a value beyond float32.
        """
        csr = _real_csr(X)
        if not csr.has_canonical_format:
            csr = csr.copy()  # the array may be the caller's
            csr.sum_duplicates()
        with np.errstate(over="ignore"):
            rows = csr.astype(np.float32, copy=False)
        _check_sparse_finite(rows)  # what was finite in float64 may be too large for float32
        return rows

    def _learn(self, values: Any, name: Hashable, position: int, forced: bool) -> Column:
        """Learn one column."""
        label = column_label(name, position)
        with refused_as(f"X: {label}", _READABLE):
            return self._learned(values, name, position, label, forced)

    def _learned(self, values: Any, name: Hashable, position: int, label: str, forced: bool) -> Column:
        content = read_column(values, label, as_labels=forced)
        if isinstance(content, Labels) and self.categorical_features is None:
            parsed, offender = parse_numbers(content)
            content = parsed if offender is None else content
        if isinstance(content, Labels):
            _check_labels_finite(content, label)
            if not forced:
                check_free_text(content, name, label)
            return Column(name, "categorical", sorted_categories(content.values))
        with np.errstate(over="ignore"):
            column = content.astype(np.float64, copy=False)
        self._check_finite(column[:, None], [position], label)
        if np.isnan(column).all():
            self._all_missing.add(position)
        return Column(name, "numeric")

    def _as_numbers(self, content: Content, position: int, label: str) -> np.ndarray:
        """Return the content of a numeric column as numbers (n,)."""
        if isinstance(content, np.ndarray):
            return content
        if position in self._all_missing:
            # fit saw no value, so not even the type: a cross-validation fold may well hold strings here.
            return np.full(len(content.positions), np.nan)
        parsed, offender = parse_numbers(content)
        if offender is not None:
            raise ValueError(
                f"X: {label} holds {shown(offender)}, but numbers were expected, as in fit. Replace it by NaN if "
                "it means missing, or fit again with this column in categorical_features."
            )
        return parsed

    def _check_finite(self, numeric: np.ndarray, positions: list[int] | None = None, label: str = "") -> None:
        """Raise if numbers (n, d), whose columns stand at ``positions`` of the table, hold infinity."""
        if numeric.dtype.kind != "f":
            return
        with np.errstate(over="ignore", invalid="ignore"):
            # One cheap pass in the usual case: a finite sum has only finite terms.
            if np.isfinite(numeric.sum()):
                return
        infinite = np.isinf(numeric)
        if not infinite.any():
            return
        row, column = np.argwhere(infinite)[0]
        position = column if positions is None else positions[column]
        label = label or column_label(self.columns_[position].name, position)
        raise ValueError(_infinity_message(label, numeric[row, column]))


def _plain_numbers(X: Any, rows: slice) -> np.ndarray | None:
    """Return rows of a table of nothing but numbers as float64 in one step; None for any other table."""
    if type(X) is np.ndarray and X.dtype.kind in "fiub":
        if X.dtype.char == "g":
            with np.errstate(over="ignore"):  # long doubles beyond float64 become infinity, and are reported
                return X[rows].astype(np.float64)
        return X[rows].astype(np.float64, copy=False)
    if nw.dependencies.is_pandas_dataframe(X) and all(
        isinstance(dtype, np.dtype) and dtype.kind in "fiub" for dtype in X.dtypes
    ):
        return X.iloc[rows].to_numpy(dtype=np.float64)
    if scipy.sparse.issparse(X):
        return _real_csr(X)[rows].toarray().astype(np.float64, copy=False)
    return None


def _check_labels_finite(labels: Labels, label: str) -> None:
    """Raise if one of the labels is infinity."""
    for value in labels.values:
        if isinstance(value, float | np.floating) and np.isinf(value):
            raise ValueError(_infinity_message(label, value))


def _real_csr(X: Any) -> scipy.sparse.csr_array:
    """Return a sparse matrix of any format as rows; raise if it holds infinity or complex numbers."""
    if not scipy.sparse.issparse(X):  # at predict, where fit saw a sparse matrix
        with refused_as("X", "numbers in every column, as in the sparse matrix of fit"):
            X = np.asarray(X)
            X = X if X.dtype.kind in "biufc" else X.astype(np.float64)
    if X.dtype.kind == "c":
        raise ValueError("Complex data not supported: X is complex, but real numbers were expected. Pass X.real.")
    csr = scipy.sparse.csr_array(X)
    _check_sparse_finite(csr)
    return csr


def _check_sparse_finite(csr: scipy.sparse.csr_array) -> None:
    """Raise if a stored value is infinity."""
    if csr.dtype.kind == "f" and np.isinf(csr.data).any():
        i = np.flatnonzero(np.isinf(csr.data))[0]
        raise ValueError(_infinity_message(f"column {csr.indices[i]}", csr.data[i], "float32"))


def _infinity_message(label: str, value: Any, dtype: str = "float64") -> str:
    """Return the message about infinity; scikit-learn's checks look for "inf"."""
    return (
        f"X: {label} contains infinity ({float(value)}) or a value too large for {dtype}, but finite "
        "numbers, or NaN for missing, were expected. Replace it, e.g. with "
        "X.replace([np.inf, -np.inf], np.nan) or np.clip."
    )
