"""Windows over the rows of a table in order of time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np

from .._errors import shown
from ..modules._checks import check_size
from .containers import is_frame, without_tensor
from .labelled_rows import group_codes

__all__ = ["windows"]


def windows(
    table: Any,
    length: int,
    horizon: int = 1,
    groups: Any = None,
    targets: Sequence[Any] | Any = None,
    step: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a table of measurements, one row per time step, into sequences and what follows them.

    A window is ``length`` consecutive rows. Its targets are the values ``horizon`` rows after its last row, so that no
    window contains a row at or after the time of its targets, unless ``horizon=0``.

    Parameters
    ----------
    table : array of shape (n_rows, n_columns), or dataframe
        Numbers, NaN for gaps; rows in the order of time.
    length : int
        Rows of a window, >= 1.
    horizon : int, default=1
        Rows from the last row of a window to the row of its targets, >= 0. 0 is that row itself, for targets that are
        not measured at predict, such as an action that a person chose; the targets are then left out of the sequences.
    groups : array-like of shape (n_rows,) or None, default=None
        Recording that each row belongs to. The rows of a recording lie together; neither a window nor its targets cross
        from one recording to another.
    targets : name, position, or list of these, or None, default=None
        Columns to predict; None for all.
    step : int, default=1
        Rows between the first rows of two windows of a recording, >= 1.

    Returns
    -------
    sequences : ndarray of shape (n_windows, n_channels, length)
        All columns of the windows, in the order of the table; float32 if the table is, else float64. With ``horizon=0``
        without the target columns.
    values : ndarray of shape (n_windows, n_targets), or (n_windows,) if `targets` is a single name or position
        The targets of each window.

    Raises
    ------
    TypeError, ValueError
        A parameter is out of its range, a column is unknown or not numeric, the rows of a recording are scattered, or
        no recording has ``length + horizon`` rows.

    Notes
    -----
    Neighbouring windows overlap. Hold out whole recordings or blocks of time, not single windows: pass a group for each
    window to ``fit``, or split the table before it is cut.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn import windows
    >>> table = np.column_stack([np.arange(5), 10 * np.arange(5)])
    >>> X, y = windows(table, length=2, horizon=1, targets=[1])
    >>> X.shape
    (3, 2, 2)
    >>> X[0]
    array([[ 0.,  1.],
           [ 0., 10.]])
    >>> y.ravel()
    array([20., 30., 40.])
    """
    length = check_size("length", length, 1)
    horizon = check_size("horizon", horizon, 0)
    step = check_size("step", step, 1)
    values, names = _numbers(table)
    positions = _positions(targets, names)
    starts = _starts(len(values), length + horizon, groups, step)
    if not len(starts):
        what = "the table has" if groups is None else "no group has more than"
        most = len(values) if groups is None else max(end - start for start, end in _runs(groups, len(values)))
        raise ValueError(
            f"length={length} and horizon={horizon} need {length + horizon} consecutive rows, but {what} {most}. Use a "
            "smaller length or horizon."
        )
    channels = [i for i in range(values.shape[1]) if horizon or i not in positions]
    if not channels:
        raise ValueError("horizon=0 leaves the targets out of the sequences, and there is no other column.")
    sequences = np.lib.stride_tricks.sliding_window_view(values[:, channels], length, axis=0)[starts]
    of_targets = values[starts + length - 1 + horizon][:, positions]
    is_single = targets is not None and not _is_list(targets)
    return np.ascontiguousarray(sequences), of_targets[:, 0] if is_single else of_targets


def _numbers(table: Any) -> tuple[np.ndarray, list[Any]]:
    """The table as floats (n_rows, n_columns), and the names of its columns; of an array, their positions."""
    if is_frame(table):
        frame = nw.from_native(table, eager_only=True)
        columns = [_column(name, frame.get_column(name)) for name in frame.columns]
        array = np.column_stack(columns) if columns else np.empty((len(frame), 0))
        return array, list(frame.columns)
    array = np.asarray(without_tensor(table, "table"))
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"table has the shape {array.shape} and the dtype {array.dtype}; expected numbers of shape (n_rows, "
            "n_columns), one row per time step."
        )
    return (array if array.dtype == np.float32 else array.astype(np.float64)), list(range(array.shape[1]))


def _column(name: str, column: nw.Series) -> np.ndarray:
    if not (column.dtype.is_numeric() or column.dtype == nw.Boolean):
        raise TypeError(
            f"table: the column {name!r} is of type {column.dtype}, but windows are numbers. Leave it out, or "
            "encode it."
        )
    dtype = np.float32 if column.dtype == nw.Float32 else np.float64
    return column.cast(nw.Float32 if dtype == np.float32 else nw.Float64).to_numpy().astype(dtype)


def _is_list(targets: Any) -> bool:
    return isinstance(targets, list | tuple | np.ndarray)


def _positions(targets: Any, names: list[Any]) -> list[int]:
    """Positions of the target columns."""
    if targets is None:
        return list(range(len(names)))
    positions = []
    for target in targets if _is_list(targets) else [targets]:
        if target in names:
            positions.append(names.index(target))
        elif isinstance(target, Integral) and -len(names) <= int(target) < len(names):
            positions.append(int(target) % len(names))
        else:
            raise ValueError(f"targets: there is no column {shown(target)}; the table has {shown(names)}.")
    if not positions or len(set(positions)) < len(positions):
        raise ValueError(f"targets={shown(targets)} names no column, or one twice; expected columns of the table.")
    return positions


def _runs(groups: Any, n_rows: int) -> list[tuple[int, int]]:
    """First row and end of each recording."""
    if groups is None:
        return [(0, n_rows)]
    codes = group_codes(groups, n_rows)
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), n_rows]
    if len(edges) - 1 > len(np.unique(codes)):
        raise ValueError(
            "groups: the rows of a group do not lie together. Sort the table by group and time, as by "
            "table.sort_values([group, time])."
        )
    return list(itertools.pairwise(edges)) if n_rows else []


def _starts(n_rows: int, n_needed: int, groups: Any, step: int) -> np.ndarray:
    """First row of each window, int64 (n_windows,)."""
    starts = [np.arange(start, end - n_needed + 1, step) for start, end in _runs(groups, n_rows)]
    return np.concatenate(starts) if starts else np.empty(0, np.int64)
