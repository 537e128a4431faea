"""y, weights and groups of the rows that a fit was given: checked, zero weights dropped, equal rows merged."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Set
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from .._errors import refused_as
from .cells import is_missing
from .containers import take_rows, without_tensor
from .targets import dense

__all__ = ["MERGE_LIMIT", "LabelledRows"]

# Tables that are fitted whole. On larger ones a validation split of distinct rows would take whole groups of equal rows
# from the training side, and exact equality to the bit is of no use there.
MERGE_LIMIT = 64


class LabelledRows:
    """Which rows of X count, and what belongs to them."""

    positions: np.ndarray | None  # int64 (n_rows,), rows of X; None for all of them
    y: Any  # array (n_rows, ...)
    weight: np.ndarray | None  # float64 (n_rows,), weight in the loss, class weights included
    sample_weight: np.ndarray | None  # float64 (n_rows,), weight in scores: class weights are for the loss alone
    groups: np.ndarray | None  # int64 (n_rows,)

    def __init__(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> None:
        with refused_as("y", "one value for each row of X"):
            if isinstance(y, str | bytes | Mapping | Set):  # their length is not a number of rows
                raise TypeError(
                    f"y is a {type(y).__name__}, expected a list or an array of one value for each row of X."
                )
            y = without_tensor(y, "y")
            check_consistent_length(X, y)
        self.n_rows: int = X.shape[0]
        self.positions = None
        # Not to_numpy(), which arrays of pyarrow refuse where it would copy.
        self.y = np.asarray(y) if hasattr(y, "to_numpy") and not isinstance(y, np.ndarray) else y
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
        self.y = take_rows(self.y if hasattr(self.y, "shape") else _as_array(self.y), rows)
        self.weight = None if self.weight is None else self.weight[rows]
        self.sample_weight = None if self.sample_weight is None else self.sample_weight[rows]
        self.groups = None if self.groups is None else self.groups[rows]

    def flatten(self) -> bool:
        """Make a column y (n_rows, 1) one of (n_rows,). Whether it was a column."""
        y = dense(self.y)
        if y.shape != (self.n_rows, 1):
            return False
        self.y = y.ravel()
        return True

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

    def merge(self, keys: list[np.ndarray]) -> np.ndarray | None:
        """Merge rows that are equal in all `keys` and in their group, and sum their weights.

        Returns the positions of the rows that are left, in a canonical order; None if there was nothing to merge. If
        all sums are equal, the rows are those of a table without weights, and stay in its order.
        """
        groups = [] if self.groups is None else [np.unique(self.groups, return_inverse=True)[1]]
        merged = merge_equal_rows([*keys, *groups], self.weight)
        if merged is None:
            return None
        first, weight = merged[0], _unless_equal(merged[1])
        if weight is None:
            first = np.sort(first)
        self.keep(first)
        self.weight = weight
        self.sample_weight = None if self.sample_weight is None else weight
        return first

    def _drop_weightless(self) -> None:
        if self.weight is not None and not self.weight.all():
            self.keep(np.flatnonzero(self.weight))
        # Equal weights are none, also those of the rows that are left: a row of weight zero must leave no trace.
        self.weight, self.sample_weight = _unless_equal(self.weight), _unless_equal(self.sample_weight)


def group_codes(groups: Any, n_samples: int) -> np.ndarray:
    """Groups as int64 codes (n_samples,), in the order of the groups if they have one."""
    with refused_as("groups", "one value for each row of X, the same for all rows of a group"):
        values = np.asarray(groups) if hasattr(groups, "to_numpy") else groups
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


def check_weights(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Weights as float64 (n_samples,), or None if all are equal. Zeros are allowed, but not for all rows."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, np.ma.MaskedArray):
        sample_weight = sample_weight.filled(0)
    with refused_as("sample_weight", "numbers >= 0, one for each row of X"), np.errstate(all="ignore"):
        sample_weight, rows = without_tensor(sample_weight, "sample_weight"), np.empty(n_samples)
        weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    if not weights.any():
        raise ValueError("sample_weight: all weights are zero; at least one row needs a positive weight.")
    return _unless_equal(within_range(weights))


def _unless_equal(weights: np.ndarray | None) -> np.ndarray | None:
    return None if weights is None or (weights == weights[0]).all() else weights


def within_range(weights: np.ndarray) -> np.ndarray:
    """The weights (n,), divided by the largest if their sums or products could overflow float64."""
    largest = weights.max(initial=0.0)
    return weights if 1e-100 < largest < 1e100 or largest == 0 else weights / largest


def merge_equal_rows(rows: list[np.ndarray], weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows that are equal in every array (n_samples, ...) become one row with the summed weight, in a canonical order.

    A weight of k and k copies then lead to the same bits. Float32 sums over other numbers of rows differ in the last
    bit, and training amplifies it. Returns the position of the first of each set of equal rows, int64 (n_distinct,),
    and their summed weight, float64; None if there is nothing to merge and no weight.
    """
    n_samples = len(rows[0])
    blocks = [_ordered_bytes(block.reshape(n_samples, -1)) for block in rows if block.size]
    keys = np.ascontiguousarray(np.concatenate(blocks, axis=1))
    keys = keys.view(np.dtype((np.void, keys.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) == n_samples and weight is None:
        return None
    return first, np.bincount(inverse, weights=weight, minlength=len(first)).astype(np.float64)


def _ordered_bytes(block: np.ndarray) -> np.ndarray:
    """Numbers (n, d) -> bytes (n, d * itemsize) whose lexicographic order is that of the numbers.

    So the order of rows, and with it the training, is the same whatever the unit of a column.
    """
    if block.dtype.kind == "f":
        block = block + 0.0  # -0.0 becomes 0.0
    bits = np.ascontiguousarray(block).view(f"u{block.dtype.itemsize}")
    sign = bits.dtype.type(1 << (8 * bits.dtype.itemsize - 1))
    if block.dtype.kind == "f":  # sign and magnitude: negative numbers count downwards
        bits = np.where(bits & sign, ~bits, bits | sign)
    elif block.dtype.kind == "i":
        bits = bits ^ sign
    return bits.astype(bits.dtype.newbyteorder(">")).view(np.uint8)


def _as_array(y: Any) -> np.ndarray:
    """A list of targets as an array; of rows of unequal length, which are refused later, as an array of objects."""
    try:
        return np.asarray(y)
    except ValueError:
        return np.fromiter(y, dtype=object, count=len(y))
