"""Arrays and tables as bytes that depend on their content only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import torch
from scipy import sparse

__all__ = ["array_pieces", "sparse_parts", "table_kind", "tensor_pieces"]

_PIECE = 1 << 24  # bytes copied at once of an array that is not contiguous


def array_pieces(array: np.ndarray) -> Iterator[Any]:
    """Buffers with the values of an array without objects, in C order whatever its layout."""
    if array.size == 0:
        return
    if array.flags.c_contiguous:
        yield array.reshape(-1).view(np.uint8).data
        return
    n_rows = max(1, _PIECE * len(array) // max(array.nbytes, 1))
    for start in range(0, len(array), n_rows):
        yield np.ascontiguousarray(array[start : start + n_rows]).reshape(-1).view(np.uint8).data


def tensor_pieces(tensor: torch.Tensor) -> Iterator[Any]:
    """Buffers with the values of a dense tensor on any device."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    if flat.numel():
        yield flat.resolve_conj().resolve_neg().view(torch.uint8).numpy().data


def sparse_parts(matrix: Any) -> Iterator[tuple[str, Any]]:
    """Shape and entries of a scipy matrix or array of any format."""
    yield "shape", tuple(matrix.shape)
    # Row by row, so that the format and the order of building do not count.
    rows = sparse.csr_array(matrix) if matrix.ndim == 2 else sparse.coo_array(matrix)
    if matrix.ndim == 2:
        if not rows.has_canonical_format:  # sum_duplicates would change the user's arrays
            rows = rows.copy()
            rows.sum_duplicates()
        yield "indptr", rows.indptr.astype(np.int64, copy=False)
        yield "indices", rows.indices.astype(np.int64, copy=False)
    else:
        yield "coords", tuple(np.asarray(axis, dtype=np.int64) for axis in rows.coords)
    yield "data", rows.data


def _is_pandas(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series | pandas.Index)


def table_kind(value: Any) -> Callable[[Any], Iterator[tuple[str, Any]]] | None:
    """The function that takes a dataframe or series apart; None for other values."""
    if _is_pandas(value):
        return _pandas_parts
    if not (hasattr(type(value), "shape") or hasattr(type(value), "to_pylist")):  # quick to ask
        return None
    if nw.dependencies.is_into_dataframe(value) or nw.dependencies.is_into_series(value):
        return _table_parts
    return None


def _pandas_parts(table: Any) -> Iterator[tuple[str, Any]]:
    """Names, types, index and values; columns by position, since names may repeat."""
    if table.ndim == 2:
        yield "columns", [*table.columns]
        yield "index", table.index
        for place in range(table.shape[1]):
            yield from _pandas_values(str(place), table.iloc[:, place])
        return
    yield "name", table.name
    if hasattr(table, "index"):
        yield "index", table.index
    yield from _pandas_values("values", table)


def _pandas_values(label: str, column: Any) -> Iterator[tuple[str, Any]]:
    import pandas as pd

    yield f"{label} dtype", str(column.dtype)
    if isinstance(column, pd.MultiIndex):
        yield f"{label} names", [*column.names]
        yield label, column.to_list()
    elif isinstance(column, pd.RangeIndex):
        yield label, (column.start, column.stop, column.step)
    elif isinstance(column.dtype, pd.CategoricalDtype):
        yield f"{label} categories", column.dtype.categories
        yield f"{label} ordered", bool(column.dtype.ordered)
        yield label, np.asarray((column.cat if column.ndim == 1 and hasattr(column, "cat") else column).codes)
    elif isinstance(column.dtype, np.dtype):
        yield label, column.to_numpy()
    elif isinstance(column.dtype, pd.DatetimeTZDtype):
        yield label, column.to_numpy(dtype=f"datetime64[{column.dtype.unit}]")
    else:
        yield f"{label} missing", np.asarray(column.isna())
        yield label, column.to_numpy(dtype=object, na_value=None)


def _table_parts(table: Any) -> Iterator[tuple[str, Any]]:
    """Names, types and values of a table or series of polars, Arrow, or another library that narwhals knows."""
    known = nw.from_native(table, eager_only=True, allow_series=True)
    columns = known.iter_columns() if isinstance(known, nw.DataFrame) else [known]
    for place, column in enumerate(columns):
        yield f"{place} name", column.name
        yield f"{place} dtype", str(column.dtype)
        if column.dtype.is_numeric() and not column.dtype.is_decimal():
            missing = column.is_null()
            if missing.any():
                yield f"{place} missing", np.asarray(missing.to_numpy(), dtype=bool)
                column = column.fill_null(0)
            yield str(place), column.to_numpy()
        elif isinstance(column.dtype, nw.Date | nw.Datetime | nw.Duration):
            yield str(place), column.to_numpy()  # a gap is NaT
        else:
            yield str(place), column.to_list()
