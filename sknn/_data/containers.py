"""X as callers pass it: arrays, lists, data frames and sparse matrices."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from .._errors import refused_as

__all__ = ["as_table", "is_plain", "take_rows"]

_TABLE = "a table in memory: an array, a data frame, a sparse matrix, or a list of rows of equal length"
_PLAIN_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def _is_frame(X: Any) -> bool:
    """Whether X is a data frame of a library that narwhals supports."""
    return not isinstance(X, np.ndarray) and nw.dependencies.is_into_dataframe(X) and hasattr(X, "columns")


def is_plain(X: Any) -> bool:
    """Whether X is a two-dimensional float array that needs no conversion: a fast check for the common case."""
    return type(X) is np.ndarray and X.ndim == 2 and X.dtype in _PLAIN_DTYPES and X.size > 0


def as_table(X: Any) -> Any:
    """X as an array, a sparse matrix or a data frame with at least one row and column, of numbers that are not complex.

    Masked entries of a masked array are missing.
    """
    if is_plain(X):
        return X
    with refused_as("X", _TABLE):
        if _is_frame(X):
            if 0 in X.shape:
                what = "sample" if X.shape[0] == 0 else "feature"
                raise ValueError(f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required.")
            return X
        if nw.dependencies.is_polars_lazyframe(X):
            raise TypeError("X is a polars LazyFrame, but a table in memory was expected. Pass X.collect().")
        if isinstance(X, np.ma.MaskedArray):  # masked entries hold arbitrary values
            X = np.where(np.ma.getmaskarray(X), np.nan if X.dtype.kind in "biuf" else np.array(None), X.data)
        table = check_array(
            X, accept_sparse=("csr", "csc", "coo"), accept_large_sparse=True, dtype=None, ensure_all_finite=False,
            allow_nd=True, input_name="X",
        )  # fmt: skip
        # [["a", 1.5]] becomes an array of strings, which would turn its numbers into labels.
        return np.asarray(X, dtype=object) if isinstance(X, list | tuple) and table.dtype.kind in "US" else table


def take_rows(X: Any, rows: np.ndarray | slice) -> Any:
    """These rows of X, in the same kind of container as X."""
    if _is_frame(X):
        if nw.dependencies.is_pandas_dataframe(X):  # narwhals refuses duplicate names, which pandas allows
            return X.iloc[rows]
        return nw.from_native(X, eager_only=True)[rows].to_native()
    return (X.tocsr() if sparse.issparse(X) else X)[rows]
