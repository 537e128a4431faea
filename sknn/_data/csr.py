"""Sparse matrices of any format as checked rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from .._errors import refused_as
from .scalars import infinity_message

__all__ = ["SMALLEST", "float32_csr", "is_below_float32", "real_csr", "refuse_nan", "with_columns"]

# The smallest number that float32 holds with all its digits.
SMALLEST = float(np.finfo(np.float32).tiny)


def real_csr(X: Any) -> scipy.sparse.csr_array:
    """A sparse matrix of any format, or a table of numbers, as rows without infinity."""
    if not scipy.sparse.issparse(X):  # at predict, where fit saw a sparse matrix
        with refused_as("X", "numbers in every column, as in the sparse matrix of fit"):
            X = np.asarray(X)
            X = X if X.dtype.kind in "biufc" else X.astype(np.float64)
    if X.dtype.kind == "c":
        raise ValueError("Complex data not supported: X is complex, but real numbers were expected. Pass X.real.")
    csr = scipy.sparse.csr_array(X)
    _check_finite(csr)
    return csr


def float32_csr(csr: scipy.sparse.csr_array, keeps_float64: bool = False) -> scipy.sparse.csr_array:
    """Rows as float32, or float64 if it is to be kept, sorted, without duplicates. Explicit NaN is kept.

    The result may share memory with `csr`, so do not write to it.
    """
    if not csr.has_canonical_format:
        csr = csr.copy()  # the arrays may be the caller's
        csr.sum_duplicates()
    if keeps_float64:
        return csr
    with np.errstate(over="ignore"):
        rows = csr.astype(np.float32, copy=False)
    _check_finite(rows)  # what was finite in float64 may be too large for float32
    return rows


def is_below_float32(csr: scipy.sparse.csr_array) -> bool:
    """Whether a column holds nothing but zeros and numbers that are too small for float32."""
    values = np.abs(csr.data)
    if csr.dtype != np.float64 or not ((values > 0) & (values < SMALLEST)).any():
        return False
    largest = np.zeros(csr.shape[1])
    np.fmax.at(largest, csr.indices, values)
    return bool(((largest > 0) & (largest < SMALLEST)).any())


def with_columns(csr: scipy.sparse.csr_array, columns: np.ndarray) -> scipy.sparse.csr_array:
    """Rows (n, len(columns)) of the columns at these increasing positions.

    As ``csr[:, columns]``, for which scipy allocates a number for each column of `csr`, of which there may be billions.
    """
    places = np.searchsorted(columns, csr.indices)
    kept = columns[np.minimum(places, len(columns) - 1)] == csr.indices
    starts = np.append(0, np.cumsum(kept))[csr.indptr].astype(csr.indptr.dtype)
    places = places[kept].astype(csr.indices.dtype)
    return scipy.sparse.csr_array((csr.data[kept], places, starts), shape=(csr.shape[0], len(columns)))


def refuse_nan(csr: scipy.sparse.csr_array) -> None:
    """Raise a ValueError for NaN in a matrix that reaches the network untouched."""
    is_nan = np.isnan(csr.data) if csr.dtype.kind == "f" else np.empty(0, dtype=bool)
    if is_nan.any():
        raise ValueError(
            f"X: column {csr.indices[is_nan.argmax()]} contains NaN. preprocessing=False hands X to the network "
            "untouched, so X must be finite numbers."
        )


def _check_finite(csr: scipy.sparse.csr_array) -> None:
    if csr.dtype.kind == "f" and np.isinf(csr.data).any():
        i = np.flatnonzero(np.isinf(csr.data))[0]
        raise ValueError(infinity_message(f"column {csr.indices[i]}", csr.data[i], "float32"))
