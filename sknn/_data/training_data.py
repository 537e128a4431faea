"""The first half of a fit: X and y as given -> training and validation rows as tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_consistent_length

from .._errors import refused_as
from .inputs import Inputs, as_table, take_rows
from .rows import Rows
from .sample_weight import MERGE_LIMIT, check_weights, merge_equal_rows, within_range
from .scalars import is_missing
from .scoring import validation_scorer
from .split import validation_split, validation_splits
from .targets import dense

__all__ = ["EncodedData", "TrainingData"]


@dataclass(frozen=True)
class EncodedData:
    """The rows of a fit as tensors, and what was learned about columns and targets.

    Attributes
    ----------
    train, valid : Rows
        `valid` is None without validation rows.
    inputs : Inputs
    targets : ClassTargets, MultilabelTargets or RealTargets
    n_copies : float or None
        How many rows the training rows stand for, if equal ones were merged.
    validation_score : callable or None
        Link output of the validation rows -> score, higher is better; None where the loss is the score.
    """

    train: Rows
    valid: Rows | None
    inputs: Inputs
    targets: Any
    n_copies: float | None
    validation_score: Callable[[np.ndarray], float] | None

    @property
    def resident(self) -> list[Rows]:
        """All rows that stay in memory during training."""
        return [self.train] if self.valid is None else [self.train, self.valid]


class TrainingData:
    """Rows on their way from the caller to the network.

    Parameters
    ----------
    X : as returned by `as_table`
    y : array-like
    sample_weight : array-like or None
    groups : array-like or None

    Attributes
    ----------
    X, y, weight, groups
        Rows with a positive weight; after `merge_equal_rows`, distinct ones.
    inputs : Inputs
    targets : ClassTargets, MultilabelTargets or RealTargets
    """

    def __init__(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> None:
        if y is None:
            raise ValueError("This estimator requires y to be passed, but the target y is None.")
        with refused_as("y", "one value for each row of X"):
            if isinstance(y, str | bytes | Mapping | Set):  # of these, len says nothing of rows
                raise TypeError(
                    f"y is a {type(y).__name__}, expected a list or an array of one value for each row of X."
                )
            check_consistent_length(X, y)
        self.X = X
        self.y = y.to_numpy() if hasattr(y, "to_numpy") and not isinstance(y, np.ndarray) else y
        self.groups = None if groups is None else _group_codes(groups, len(self))
        self.weight = check_weights(sample_weight, X)
        self.sample_weight = self.weight  # what scorers are given: class weights are for the loss alone
        self.n_copies: float | None = None  # rows that merged ones stand for
        self.valid: TrainingData | None = None
        self.train_rows: np.ndarray | None = None
        self.valid_rows: np.ndarray | None = None
        self.shares: tuple[np.ndarray, np.ndarray] | None = None  # training and validation rows of a committee
        if self.weight is not None and not self.weight.all():
            self._keep(np.flatnonzero(self.weight))

    def _keep(self, rows: np.ndarray) -> None:
        self.X = take_rows(self.X, rows)
        self.y = self.y[rows] if hasattr(self.y, "shape") else np.asarray(self.y)[rows]
        self.weight = None if self.weight is None else self.weight[rows]
        self.sample_weight = None if self.sample_weight is None else self.sample_weight[rows]
        self.groups = None if self.groups is None else self.groups[rows]

    def __len__(self) -> int:
        return self.X.shape[0]

    def learn(
        self,
        inputs: Inputs,
        learn_targets: Callable[[Any, np.ndarray | None], Any],
        extra_weight: Callable[[Any, np.ndarray | None], np.ndarray | None],
        *,
        merge: bool,
    ) -> None:
        """Columns, categories and targets; equal rows of a small table are merged.

        Parameters
        ----------
        inputs : Inputs
            New, or of an earlier fit that goes on.
        learn_targets : callable
            (y, weight) -> targets.
        extra_weight : callable
            (y, weight) -> class weight of each row, or None.
        merge : bool
            Whether equal rows of a small table may be merged: loss and score can weigh rows.
        """
        self.inputs = inputs
        self.targets = learn_targets(self.y, self.weight)  # refuses a bad y before the table is read
        self._weigh_classes(extra_weight)
        if not hasattr(inputs, "mode"):
            inputs.learn_columns(self.X)
        if merge and self._merge() and self.targets.kind == "real":  # mean and spread, to the bit, of the merged rows
            self.targets = learn_targets(self.y, self.weight)

    def _weigh_classes(self, extra_weight: Callable[[Any, np.ndarray | None], np.ndarray | None]) -> None:
        class_weight = extra_weight(self.y, self.weight)
        if class_weight is None:
            return
        class_weight = within_range(class_weight)
        self.weight = class_weight if self.weight is None else self.weight * class_weight
        if not self.weight.any():
            raise ValueError("class_weight: all rows have weight zero; give a class of y a positive weight.")
        if not self.weight.all():
            self._keep(np.flatnonzero(self.weight))

    def _merge(self) -> bool:
        targets = self.targets
        if len(self) > MERGE_LIMIT:
            return False
        rows = self.inputs.raw_rows(self.X)
        if rows is None:
            return False
        y = dense(self.y)
        keys = [targets.encode(y) if targets.kind != "real" else targets.check(y)]
        if self.groups is not None:
            keys.append(np.unique(self.groups, return_inverse=True)[1])
        merged = merge_equal_rows([*rows, *keys], self.weight)
        if merged is None:
            return False
        first, weight = merged
        self.n_copies = float(weight.sum())
        scored_by_weight = self.sample_weight is not None
        self._keep(first)
        self.weight = weight
        self.sample_weight = weight if scored_by_weight else None
        return True

    def hold_out(self, fraction: float, seed: int, n_splits: int = 1) -> None:
        """Split off validation rows, others for each network of a committee."""
        labels = self.targets.encode(self.y) if self.targets.kind == "classes" else None
        kwargs: dict[str, Any] = dict(fraction=fraction, seed=seed, labels=labels, groups=self.groups)
        if n_splits == 1:
            self.train_rows, self.valid_rows = validation_split(len(self), **kwargs)
        else:
            self.shares = validation_splits(n_splits, len(self), **kwargs)
            self.valid_rows = self.shares[1].ravel()

    def validate_on(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        extra_weight: Callable[[Any, np.ndarray | None], np.ndarray | None],
        check_y: Callable[[Any], None],
    ) -> None:
        """Use these rows for validation."""
        if y is None:
            raise ValueError("y_val is None: X_val and y_val belong together. Pass both, or neither.")
        with refused_as("y_val", "targets like y", instead_of="y"):
            check_consistent_length(X, y)
        with refused_as("sample_weight_val", "numbers >= 0, one for each row of X_val", instead_of="sample_weight"):
            self.valid = TrainingData(as_table(X), y, sample_weight)
        self.valid.inputs, self.valid.targets = self.inputs, self.targets
        with refused_as("y_val", "targets like y", instead_of="y"):
            self.targets.encode(self.valid.y)
            check_y(self.valid.y)
            self.valid._weigh_classes(extra_weight)

    def encode(self, device: torch.device, scoring: Any) -> EncodedData:
        """The data as tensors, and what `scoring` means for the validation rows."""
        train, valid = self._encoded_rows(device)
        score = None if valid is None else self.scorer(scoring)
        return EncodedData(train, valid, self.inputs, self.targets, self.n_copies, score)

    def _encoded_rows(self, device: torch.device) -> tuple[Rows, Rows | None]:
        """Training rows, and validation rows or None, on their device."""
        if self.inputs.encoder is None:
            self.inputs.learn_scales(self.X, self.train_rows, self.weight)
        y = self.targets.encode(self.y)
        train = self._rows(self.train_rows, y, device)
        if self.shares is not None:
            return train.shared_out(self.shares[0]), train.shared_out(self.shares[1])
        if self.valid is not None:
            with refused_as("X_val", "a table like X", instead_of="X"):
                return train, self.valid._rows(None, self.targets.encode(self.valid.y), device)
        return train, None if self.valid_rows is None else self._rows(self.valid_rows, y, device)

    def _rows(self, rows: np.ndarray | None, y: np.ndarray, device: torch.device) -> Rows:
        """Encoded rows, with weights of mean one."""
        x_num, x_cat = self.inputs.encode(self.X, rows)
        weight = self.weight if self.weight is None or rows is None else self.weight[rows]
        if weight is not None:
            weight = torch.from_numpy((weight / weight.mean()).astype(np.float32))
        targets = torch.from_numpy(np.ascontiguousarray(y if rows is None else y[rows]))
        return Rows(x_num, x_cat, targets, weight, device)

    def scorer(self, scoring: Any) -> Callable[[np.ndarray], float] | None:
        """Raw validation prediction -> score, or None where the loss is the score."""
        if scoring in (None, "loss"):
            return None
        held_out = self if self.valid is None else self.valid
        rows = self.valid_rows if self.valid is None else slice(None)
        y = dense(held_out.y)
        if self.targets.kind == "classes":  # scikit-learn's scorers refuse numbers in object arrays
            y = self.targets.classes_[self.targets.encode(y)]
        weight = None if held_out.sample_weight is None else held_out.sample_weight[rows]
        return validation_scorer(scoring, self.targets, y[rows], weight)


def _group_codes(groups: Any, n_samples: int) -> np.ndarray:
    """Groups as int64 codes (n_samples,), in the order of the groups where they have one.

    Raises
    ------
    ValueError, TypeError
        Not one value for each row, or missing values.
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
            raise ValueError(f"groups: {n_missing} of {n_samples} rows have none. Give these a group of their own.")
        known = list(dict.fromkeys(items))
        with contextlib.suppress(TypeError):  # strings among numbers: in the order of the rows
            known = sorted(known)
        code_of = {group: code for code, group in enumerate(known)}
        return np.fromiter(map(code_of.__getitem__, items), dtype=np.int64, count=n_samples)
