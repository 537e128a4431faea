"""Columns or rows of any table."""

from __future__ import annotations

from typing import Any

import numpy as np

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# Tables are recognised by their attributes, because the packages that make them may not be installed.


def open_table(X: Any, names: list | None, n_columns: int) -> tuple[list, int]:
    """Return the columns in the order of training, and the number of rows."""
    if _holds_records(X):
        X = _columns_of_records(X)
    if isinstance(X, dict):
        _check_columns(X)
        columns = _by_name(list(X), [X[name] for name in X], names, n_columns)
    elif hasattr(X, "columns") and hasattr(X, "iloc"):  # pandas, whose names may be doubled
        columns = _by_name(list(X.columns), [X.iloc[:, i] for i in range(X.shape[1])], names, n_columns)
    elif hasattr(X, "column_names"):  # pyarrow
        columns = _by_name(list(X.column_names), list(X.columns), names, n_columns)
    elif hasattr(X, "columns"):
        columns = _by_name(list(X.columns), [X[name] for name in X.columns], names, n_columns)
    else:
        columns = _columns_of_array(X, n_columns)
    lengths = {len(column) for column in columns}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"X: expected columns of one length with at least one row, got the lengths {sorted(lengths)}.")
    return columns, lengths.pop()


def open_array(X: Any, names: list | None, row_shape: list, allow_nan: bool) -> np.ndarray:
    """Return rows of numbers as they are, float64 (n_rows, ...), rounded to float32 as in training."""
    if hasattr(X, "toarray"):
        X = X.toarray()
    if hasattr(X, "columns") or isinstance(X, dict) or _holds_records(X):
        columns, _ = open_table(X, names, row_shape[0])
        X = np.column_stack([np.asarray(column, dtype=np.float32) for column in columns])
    array = np.asarray(X, dtype=np.float32)
    if array.shape[1:] != tuple(row_shape) or len(array) == 0:
        raise ValueError(f"X has shape {array.shape}; expected (n_rows, {', '.join(map(str, row_shape))}).")
    if not allow_nan and not np.isfinite(array).all():
        raise ValueError("X contains NaN or infinity; the network was trained on finite numbers.")
    return array.astype(np.float64)


def _holds_records(X: Any) -> bool:
    return isinstance(X, (list, tuple)) and len(X) > 0 and isinstance(X[0], dict)


def _columns_of_records(records):
    """Return the columns of a list of dicts, each of which must have a value or None for every column."""
    names = list(dict.fromkeys(name for row in records if isinstance(row, dict) for name in row))
    for i, row in enumerate(records):
        if not isinstance(row, dict):
            raise TypeError(f"X: row {i} is {row!r}, and row 0 is a dict; expected a dict for every row.")
        if len(row) < len(names):
            missing = [name for name in names if name not in row]
            raise ValueError(f"X: row {i} lacks the columns {missing}. Use None for a missing value.")
    return {name: [row[name] for row in records] for name in names}


def _check_columns(columns):
    for name, column in columns.items():
        if isinstance(column, (str, bytes, dict)) or not hasattr(column, "__len__") or getattr(column, "ndim", 1) == 0:
            raise TypeError(
                f"X: {name!r} is {column!r}; expected a list of rows, or a dict of columns, each a list with one value "
                "per row. Put a single record into a list: [record]."
            )


def _by_name(given, columns, names, n_columns):
    if names is None or len(set(given)) < len(given):
        if len(columns) != n_columns:
            raise ValueError(f"X has {len(columns)} columns; expected {n_columns}.")
        return columns
    missing = [name for name in names if name not in given]
    unexpected = [name for name in given if name not in names]
    problems = [f"the columns {missing} are missing"] if missing else []
    if unexpected:
        problems.append(f"the columns {unexpected} were not in the training table; leave them out")
    if problems:
        raise ValueError(f"X: {', and '.join(problems)}.")
    position = {name: i for i, name in enumerate(given)}
    return [columns[position[name]] for name in names]


def _columns_of_array(X: Any, n_columns: int) -> list:
    if isinstance(X, np.ma.MaskedArray):
        kind, fill = (np.float64, np.nan) if X.dtype.kind in "biuf" else (object, None)
        X = np.ma.filled(X.astype(kind), fill)
    if hasattr(X, "toarray"):
        X = X.toarray()
    array = np.asarray(X)
    if array.dtype.kind in "US" and not isinstance(X, np.ndarray):
        array = np.asarray(X, dtype=object)  # so that numbers among strings stay numbers
    if array.ndim != 2 or array.shape[1] != n_columns:
        raise ValueError(f"X has shape {array.shape}; expected (n_rows, {n_columns}).")
    return list(array.T)
