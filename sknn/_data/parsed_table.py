"""A table whose cells have been parsed, so that any of its rows are numbers and codes at once."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse

from .categories import Column
from .columns import Numbers, column_label
from .csr import real_csr
from .scalars import infinity_message

__all__ = ["ParsedTable", "check_finite", "plain_block"]


class ParsedTable:
    """Cells of a table, in as little memory as they need.

    Parameters
    ----------
    columns : list of Column
    contents : list of (ndarray or narwhals Series) of shape (n_samples,), or table of shape (n_samples, n_columns)
        For each column its numbers of any numeric dtype, or its category codes of any integer dtype. Or all of a table
        for which `plain_block` is not None. Numbers are kept in the dtype and, if possible, in the memory in which they
        were given. They are converted to float64 only when they are read, a few rows at a time.
    """

    __slots__ = ("block", "columns", "contents", "n_rows")

    def __init__(self, columns: list[Column], contents: Any) -> None:
        self.columns = columns
        is_list = isinstance(contents, list)
        self.contents: list[Numbers] = contents if is_list else []
        self.block = None if is_list else contents
        self.n_rows: int = len(contents[0]) if is_list else contents.shape[0]

    def __len__(self) -> int:
        return self.n_rows

    def take(self, rows: np.ndarray) -> ParsedTable:
        """The rows at these positions."""
        if self.block is not None:
            return ParsedTable(self.columns, _rows_of(self.block, rows))
        return ParsedTable(self.columns, [content[rows] for content in self.contents])

    def read(self, rows: slice | np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Numbers and category codes of some rows, or of all.

        Parameters
        ----------
        rows : slice without a step, ndarray of positions, or None

        Returns
        -------
        numeric : ndarray of shape (n_rows, n_numeric), float64
            NaN is missing. It may share memory with the caller's table, so do not write to it.
        codes : ndarray of shape (n_rows, n_categorical), int64

        Raises
        ------
        ValueError
            A number is infinite, or too large for float64.
        """
        with np.errstate(over="ignore"):  # an overflow is infinity, which is reported below
            if self.block is not None:
                numeric = _float64(self.block if rows is None else _rows_of(self.block, rows))
                codes = np.empty((len(numeric), 0), dtype=np.int64)
            else:
                numeric, codes = self._read_columns(rows)
        check_finite(numeric, self.columns, numeric_only=True)
        return numeric, codes

    def _read_columns(self, rows: slice | np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        contents = self.contents if rows is None else [content[rows] for content in self.contents]
        n_categorical = sum(column.kind == "categorical" for column in self.columns)
        numeric = np.empty((len(contents[0]), len(contents) - n_categorical))
        codes = np.empty((len(contents[0]), n_categorical), dtype=np.int64)
        i = j = 0
        for column, content in zip(self.columns, contents, strict=True):
            if column.kind == "categorical":
                codes[:, i] = content
                i += 1
            else:
                numeric[:, j] = float64_numbers(content)
                j += 1
        return numeric, codes


def float64_numbers(numbers: Numbers) -> np.ndarray:
    """Numbers (n,) as float64, missing as NaN."""
    return numbers.cast(nw.Float64).to_numpy() if isinstance(numbers, nw.Series) else numbers.astype(float, copy=False)


def plain_block(X: Any) -> Any:
    """X if it is a table of nothing but numbers, which is converted in one step; None for any other table."""
    if type(X) is np.ndarray and X.dtype.kind in "fiub":
        return X
    if nw.dependencies.is_pandas_dataframe(X):
        is_plain = all(isinstance(dtype, np.dtype) and dtype.kind in "fiub" for dtype in X.dtypes)
        return X if is_plain else None
    return real_csr(X) if scipy.sparse.issparse(X) else None


def _rows_of(block: Any, rows: slice | np.ndarray) -> Any:
    return block.iloc[rows] if nw.dependencies.is_pandas_dataframe(block) else block[rows]


def _float64(block: Any) -> np.ndarray:
    if isinstance(block, np.ndarray):
        return block.astype(np.float64, copy=False)
    if scipy.sparse.issparse(block):
        return block.toarray().astype(np.float64, copy=False)
    return block.to_numpy(dtype=np.float64)


def check_finite(numeric: np.ndarray, columns: list[Column], *, numeric_only: bool = False) -> None:
    """Raise if numbers (n, d) hold infinity. They belong to all columns of a table, or to its numeric ones only."""
    if numeric.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        # One cheap pass in the usual case: a finite sum has only finite terms.
        if np.isfinite(numeric.sum()):
            return
    infinite = np.isinf(numeric)
    if not infinite.any():
        return
    row, i = np.argwhere(infinite)[0]
    positions = [p for p, column in enumerate(columns) if column.kind == "numeric" or not numeric_only]
    label = column_label(columns[positions[i]].name, positions[i])
    raise ValueError(infinity_message(label, numeric[row, i]))
