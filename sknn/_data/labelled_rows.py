"""y, weights and groups of the rows that a fit was given: checked, and without rows of weight zero."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Set
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length

from .._errors import refused_as
from .containers import take_rows
from .sample_weight import check_weights, within_range
from .scalars import is_missing

__all__ = ["LabelledRows"]


class LabelledRows:
    """Which rows of X count, and what belongs to them.

    Parameters
    ----------
    X : as returned by `as_table`
    y : array-like
    sample_weight : array-like or None
    groups : array-like or None

    Attributes
    ----------
    positions : ndarray int64 (n_rows,) or None
        Rows of X; None for all of them.
    y : array (n_rows, ...)
    weight : ndarray float64 (n_rows,) or None
        Weight in the loss, class weights included.
    sample_weight : ndarray float64 (n_rows,) or None
        Weight in scores: class weights are for the loss alone.
    groups : ndarray int64 (n_rows,) or None
    """

    def __init__(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> None:
        with refused_as("y", "one value for each row of X"):
            if isinstance(y, str | bytes | Mapping | Set):  # their length is not a number of rows
                raise TypeError(
                    f"y is a {type(y).__name__}, expected a list or an array of one value for each row of X."
                )
            check_consistent_length(X, y)
        self.n_rows: int = X.shape[0]
        self.positions: np.ndarray | None = None
        self.y = y.to_numpy() if hasattr(y, "to_numpy") and not isinstance(y, np.ndarray) else y
        self.groups = None if groups is None else group_codes(groups, self.n_rows)
        self.weight = self.sample_weight = check_weights(sample_weight, self.n_rows)
        self._drop_weightless()

    def __len__(self) -> int:
        return self.n_rows

    def of(self, X: Any) -> Any:
        """The rows of X that count."""
        return X if self.positions is None else take_rows(X, self.positions)

    def keep(self, rows: np.ndarray) -> None:
        """Leave these rows only."""
        self.n_rows = len(rows)
        self.positions = rows if self.positions is None else self.positions[rows]
        self.y = self.y[rows] if hasattr(self.y, "shape") else np.asarray(self.y)[rows]
        self.weight = None if self.weight is None else self.weight[rows]
        self.sample_weight = None if self.sample_weight is None else self.sample_weight[rows]
        self.groups = None if self.groups is None else self.groups[rows]

    def weigh_classes(self, class_weight: Callable[[Any, np.ndarray | None], np.ndarray | None]) -> None:
        """Multiply the weights in the loss by those of the classes, where `class_weight` returns any."""
        of_classes = class_weight(self.y, self.weight)
        if of_classes is None:
            return
        of_classes = within_range(of_classes)
        self.weight = of_classes if self.weight is None else self.weight * of_classes
        if not self.weight.any():
            raise ValueError("class_weight: all rows have weight zero; give a class of y a positive weight.")
        self._drop_weightless()

    def _drop_weightless(self) -> None:
        if self.weight is not None and not self.weight.all():
            self.keep(np.flatnonzero(self.weight))


def group_codes(groups: Any, n_samples: int) -> np.ndarray:
    """Groups as int64 codes (n_samples,), in the order of the groups if they have one.

    Raises
    ------
    ValueError, TypeError
        There is not one value for each row, or a value is missing.
    """
    with refused_as("groups", "one value for each row of X, the same for all rows of a group"):
        values = groups.to_numpy() if hasattr(groups, "to_numpy") else groups
        if isinstance(values, (list, tuple)):  # numpy would make strings of numbers beside strings, rows of tuples
            values = np.fromiter(values, dtype=object, count=len(values))
        values = np.asarray(values)
        if values.shape != (n_samples,):
            raise ValueError(f"groups has shape {values.shape}, expected ({n_samples},): one value for each row of X.")
        items = values.tolist()
        n_missing = sum(map(is_missing, items)) if values.dtype.kind in "fOmM" else 0
        if n_missing:
            raise ValueError(f"groups: {n_missing} of {n_samples} values are missing. Give them a group of their own.")
        known = list(dict.fromkeys(items))
        with contextlib.suppress(TypeError):  # strings among numbers: in the order of the rows
            known = sorted(known)
        code_of = {group: code for code, group in enumerate(known)}
        return np.fromiter(map(code_of.__getitem__, items), dtype=np.int64, count=n_samples)
