"""X as callers pass it: arrays, lists, data frames and sparse matrices."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Set
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import torch
from scipy import sparse
from sklearn.utils import check_array
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .._errors import refused_as, shown
from .tagged import Tagged

__all__ = ["as_rows", "as_table", "is_frame", "is_plain", "items_of", "take_rows", "without_column", "without_tensor"]

_TABLE = "a table in memory: an array, a data frame, a sparse matrix, or a list of rows of equal length"
_PLAIN_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def is_frame(X: Any) -> bool:
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
        X = without_tensor(X, "X")
        _refuse_other_objects(X)
        if is_frame(X):
            if 0 in X.shape:
                what = "sample" if X.shape[0] == 0 else "feature"
                raise ValueError(f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required.")
            return X
        if nw.dependencies.is_polars_lazyframe(X):
            raise TypeError("X is a polars LazyFrame, but a table in memory was expected. Pass X.collect().")
        if isinstance(X, np.ma.MaskedArray):  # masked entries hold arbitrary values
            X = np.where(np.ma.getmaskarray(X), np.nan if X.dtype.kind in "biuf" else np.array(None), X.data)
        table = _checked(X)
        # [["a", 1.5]] becomes an array of strings, which would turn its numbers into labels.
        return np.asarray(X, dtype=object) if isinstance(X, list | tuple) and table.dtype.kind in "US" else table


def items_of(X: Any) -> Any:
    """The items of a list, an array or a series of any library, as a list or an array."""
    if isinstance(X, list | tuple | np.ndarray):
        return X
    return X.to_pylist() if hasattr(X, "to_pylist") else list(X)


def as_rows(X: Any, what: str) -> np.ndarray:
    """A list, array or series of rows that are no numbers as an object array (n_rows,); `what` they should be."""
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype == object:
        rows = X
    else:
        with refused_as("X", f"a list of {what}"):
            X = without_tensor(X, "X")
            if isinstance(X, str | bytes | os.PathLike | Mapping | Iterator | Set):
                raise TypeError(f"X is {shown(X)} of type {type(X).__name__}, but a list of {what} was expected.")
            values = items_of(X)
            rows = np.fromiter(values, dtype=object, count=len(values))  # np.array would stack rows of equal length
    if not len(rows):
        raise ValueError(f"X: Found array with 0 sample(s), expected a list of at least one of {what}.")
    return rows


def without_tensor(values: Any, part: str) -> Any:
    """A tensor of torch as an array or a scipy matrix, a list of tensors as one of arrays; `part` is for messages."""
    if isinstance(values, list | tuple) and values and isinstance(values[0], Tensor):
        return [without_tensor(value, part) for value in values]
    if not isinstance(values, Tensor):
        return values
    tensor = values.detach()
    if tensor.is_quantized or tensor.is_nested or tensor.is_meta:
        kind = "quantized" if tensor.is_quantized else "nested" if tensor.is_nested else "on the meta device"
        fix = {"quantized": f" Pass {part}.dequantize().", "nested": f" Pass {part}.to_padded_tensor(0.0)."}.get(
            kind, ""
        )
        raise TypeError(f"{part} is a tensor that is {kind}, but plain numbers were expected.{fix}")
    tensor = tensor.cpu().resolve_conj().resolve_neg()
    if tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        tensor = tensor.float()  # numpy has no bfloat16 and no float of 8 bits
    if tensor.layout is torch.strided:
        return tensor.numpy()
    coordinates = tensor.to_sparse_coo().coalesce()
    if tensor.ndim != 2 or coordinates.dense_dim():
        return tensor.to_dense().numpy()
    rows, columns = coordinates.indices().numpy()
    return sparse.csr_array((coordinates.values().numpy(), (rows, columns)), shape=tuple(tensor.shape))


def _refuse_other_objects(X: Any) -> None:
    """Raise for what often stands for a table elsewhere, before numpy makes one object of it."""
    kind = type(X).__name__
    if isinstance(X, DataLoader | Dataset):
        raise TypeError(
            f"X is a {kind}, but the rows themselves were expected. Pass all of X, and y, as arrays or tensors; fit "
            "makes the batches, of batch_size rows."
        )
    if isinstance(X, str | bytes | os.PathLike):
        raise TypeError(f"X is {shown(X)}, but a table in memory was expected. Read the file, as by pandas.read_csv.")
    if isinstance(X, Mapping) and not sparse.issparse(X):  # scipy has a matrix that is a dict, too
        raise TypeError(f"X is a {kind}, but a table was expected. Pass pandas.DataFrame(X) if its values are columns.")
    if isinstance(X, Iterator | Set):
        raise TypeError(f"X is a {kind}, but a table was expected. Pass list(X) if it holds rows.")
    if isinstance(X, list | tuple) and X and isinstance(X[0], Mapping):
        raise TypeError(f"X is a {kind} of dicts, but a table was expected. Pass pandas.DataFrame(X).")


def _checked(X: Any) -> Any:
    """X as an array or sparse matrix of at least one row and two dimensions; errors do not quote it."""
    try:
        table = check_array(
            X, accept_sparse=("csr", "csc", "coo"), accept_large_sparse=True, dtype=None, ensure_all_finite=False,
            allow_nd=True, ensure_2d=False, ensure_min_samples=0, input_name="X",
        )  # fmt: skip
    except ValueError as error:
        if "Complex data not supported" not in str(error):
            raise
        raise ValueError(
            "Complex data not supported: X is complex, but real numbers were expected. Pass X.real and X.imag."
        ) from error
    if len(table.shape) == 0:
        raise TypeError(f"X is {shown(X)} of type {type(X).__name__}, but a table was expected.")
    if len(table.shape) == 1:
        raise ValueError(_message_of_one_dimension(X, table))
    if table.shape[0] == 0:
        raise ValueError(f"Found array with 0 sample(s) (shape={table.shape}) while a minimum of 1 is required.")
    return table


def _message_of_one_dimension(X: Any, values: Any) -> str:
    """In the words that scikit-learn checks: "Expected 2D array", "Reshape your data"."""
    first = (values.toarray() if sparse.issparse(values) else values)[:1].tolist()
    held = f" of {values.shape[0]} values, such as {shown(first[0])}" if first else ""
    message = f"X: Expected 2D array, got 1D array instead: a {type(X).__name__}{held}."
    if first and isinstance(first[0], str):
        return (
            f"{message} A list of texts is no table. Put categories into a column, as by "
            "pandas.DataFrame({'name': X})."
        )
    return (
        f"{message} Reshape your data: np.reshape(X, (-1, 1)) if it is one column, np.reshape(X, (1, -1)) if it is "
        "one row."
    )


def take_rows(X: Any, rows: np.ndarray | slice) -> Any:
    """These rows of X, in the same kind of container as X."""
    if isinstance(X, Tagged):
        return Tagged(take_rows(X.X, rows), X.tags[rows])
    if is_frame(X):
        if nw.dependencies.is_pandas_dataframe(X):  # narwhals refuses duplicate names, which pandas allows
            return _in_native_order(X).iloc[rows]
        return nw.from_native(X, eager_only=True)[rows].to_native()
    return (X.tocsr() if sparse.issparse(X) else X)[rows]


def _in_native_order(X: Any) -> Any:
    """A frame of pandas with numbers in the byte order of the machine: pandas takes rows of no other."""
    foreign = {i: dtype for i, dtype in enumerate(X.dtypes) if isinstance(dtype, np.dtype) and not dtype.isnative}
    if not foreign:
        return X
    by_position = X.set_axis(range(X.shape[1]), axis=1)  # names may not be distinct
    native = by_position.astype({i: dtype.newbyteorder("=") for i, dtype in foreign.items()})
    return native.set_axis(X.columns, axis=1)


def without_column(X: Any, column: Any) -> tuple[Any, Any]:
    """A table without one of its columns, given by name or position, and that column."""
    names = list(X.columns) if is_frame(X) else []
    n_columns = X.shape[1] if len(X.shape) > 1 else 0
    if column in names:
        position = names.index(column)
    elif isinstance(column, int | np.integer) and -n_columns <= column < n_columns:
        position = int(column) % n_columns
    else:
        among = f"its columns are {shown(names)}" if names else f"it has {n_columns} columns"
        raise ValueError(f"X has no column {shown(column)}: {among}.")
    others = [i for i in range(n_columns) if i != position]
    if not is_frame(X):
        held = X[:, [position]]
        return X[:, others], (held.toarray() if sparse.issparse(X) else held).ravel()
    if nw.dependencies.is_pandas_dataframe(X):
        return X.iloc[:, others], X.iloc[:, position]
    frame = nw.from_native(X, eager_only=True)
    return frame[:, others].to_native(), frame[:, position].to_numpy()
