"""Rows of a further call of fit that are on another scale than the rows from which the first call learned."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse

from .._errors import level_of_caller
from .inputs import Inputs, RawRows, rows_for_statistics

__all__ = ["scale_changes", "sparse_scale_changes", "warn_of_few_rows", "warn_of_other_scales"]

# Quartiles of fewer rows say little, and most categories are not among them.
_FEWEST_ROWS = 12
# Distances in spreads of the first rows, from which values are compressed to nearly the same number.
_FAR = 20.0
# Share of the rows that must be so far. Half would do for most columns, but if two values lie far apart, the first rows
# may be nearly all of one, and half of the later ones of the other.
_MOST = 0.75
# Range of the values in spreads, below which they are nearly the same number. The spread of a target is its standard
# deviation, which one outlier among the first rows makes large.
_NARROW, _NARROW_TARGET = 1 / 30, 1 / 100
# Among fewer rows, half may be outliers.
_MIN_ROWS_TO_JUDGE = 8

_OTHER_SCALE = (
    "These rows are on another scale than those of the first call, which decided how values are scaled, so that the "
    "network hardly distinguishes them."
)
_LEFT_OUT = "The first call left out columns that vary now."
_ADVICE_IF_LEFT_OUT = "Begin with rows that are like all later ones."
_ADVICE = "Begin with rows that are like all later ones, or scale the columns before."


def warn_of_few_rows(n_rows: int) -> None:
    """Warn if the first call of partial_fit learns scales and categories from very few rows."""
    if n_rows < _FEWEST_ROWS:
        message = (
            f"The first call of partial_fit has {n_rows} distinct rows, and later calls keep the scales and categories "
            f"that it learns from them. Pass at least {_FEWEST_ROWS} rows that are like all later ones."
        )
        warnings.warn(message, UserWarning, stacklevel=level_of_caller())


def warn_of_other_scales(inputs: Inputs, raw: RawRows, targets: Any, y: Any, ignored: dict[str, str]) -> None:
    """Warn of each column, and of the target, whose values lie far outside of what the first call has seen.

    Once for each column: `inputs` remembers which were named. `ignored` are those that the network is not given.
    """
    if len(raw) < _MIN_ROWS_TO_JUDGE:
        return
    some = rows_for_statistics(len(raw), None)
    changes = {
        **inputs.scale_changes(raw if some is None else raw.take(some)),
        **ignored,
        **_target_changes(targets, y),
    }
    new = [column for column in changes if column not in inputs.named_changes]
    if not new:
        return
    causes = (
        (_OTHER_SCALE, {column: changes[column] for column in new if column not in ignored}),
        (_LEFT_OUT, {column: changes[column] for column in new if column in ignored}),
    )
    message = " ".join(f"{cause} {_listed(some)}" for cause, some in causes if some)
    advice = _ADVICE if any(column not in ignored for column in new) else _ADVICE_IF_LEFT_OUT
    warnings.warn(f"{message} {advice}", UserWarning, stacklevel=level_of_caller())
    inputs.named_changes = inputs.named_changes.union(new)


def _listed(changes: dict[str, str]) -> str:
    listed = "; ".join(f"{column}: {change}" for column, change in list(changes.items())[:5])
    return f"{listed}{f'; and {len(changes) - 5} more columns' if len(changes) > 5 else ''}."


def _target_changes(targets: Any, y: Any) -> dict[str, str]:
    if targets.kind != "real" or (np.all(targets.mean == 0) and np.all(targets.scale == 1)):  # not scaled
        return {}
    columns = targets.check(y).reshape(len(y), -1)
    names = ["y"] if columns.shape[1] == 1 else [f"y[:, {i}]" for i in range(columns.shape[1])]
    return scale_changes(columns, names, targets.mean, 1 / targets.scale, _NARROW_TARGET)


def scale_changes(
    numeric: np.ndarray, names: Sequence[str], center: np.ndarray, scale: np.ndarray, narrow: float = _NARROW
) -> dict[str, str]:
    """Name of a column -> what has changed, for numbers (n, d), NaN for missing, given center and 1 / spread (d,).

    A column is far if most of its rows are, so that outliers and values that are rare or mostly missing never count. It
    is narrow if all of its numbers lie within a small part of the spread, and their quartiles differ.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        distance = np.abs(numeric - center)
        is_far = np.where(scale > 0, distance * scale > _FAR, distance > 0).mean(axis=0) > _MOST
        inner, outer = _ranges(numeric)
        is_narrow = (inner > 0) & (outer * scale < narrow) & (scale > 0)
    changes = {}
    for i in np.flatnonzero(is_far | is_narrow).tolist():
        spread = f"a spread of {1 / scale[i]:.3g} around {center[i]:.3g}" if scale[i] > 0 else "one value or none"
        found = f"a median of {_median(numeric[:, i]):.3g}" if is_far[i] else f"a range of {outer[i]:.3g}"
        changes[names[i]] = f"{found}, where the first call had {spread}"
    return changes


def _median(numbers: np.ndarray) -> float:
    """Median of numbers, NaN for missing; the sum of two of the largest is infinite."""
    return 2 * float(np.nanmedian(numbers / 2))


def _ranges(numeric: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Between the quartiles, and between the extremes, of columns (n, d); 0 for very few numbers."""
    ordered = np.sort(numeric, axis=0)  # NaN last
    n_known = (~np.isnan(numeric)).sum(axis=0)
    last, columns = np.maximum(n_known - 1, 0), np.arange(numeric.shape[1])
    inner = ordered[last - n_known // 4, columns] - ordered[n_known // 4, columns]
    return np.where(n_known < 2 * _MIN_ROWS_TO_JUDGE, 0, inner), ordered[last, columns] - ordered[0]


def sparse_scale_changes(matrix: scipy.sparse.csr_array, scale: np.ndarray) -> dict[str, str]:
    """As `scale_changes`, for all values of a sparse matrix (n, d) together: a column has too few to be judged."""
    values, scales = np.abs(matrix.data), scale[matrix.indices]
    is_far = (values * scales > _FAR) | ((scales == 0) & (values > 0))
    if is_far.sum() <= _MOST * (values > 0).sum():
        return {}
    return {"X": "most of its values are in columns that had no or much smaller values in the first call"}
