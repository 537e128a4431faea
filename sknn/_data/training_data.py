"""The first half of a fit: X and y as given -> training and validation rows as tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_consistent_length

from .._errors import refused_as
from .inputs import Inputs, RawRows
from .labelled_rows import LabelledRows
from .rows import Rows
from .sample_weight import MERGE_LIMIT, merge_equal_rows
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

    The constructor checks the rows, learns the targets, reads X once, and merges equal rows of a small table. Then
    `hold_out` or `validate_on` may choose validation rows, and `encode` makes tensors.

    Parameters
    ----------
    X : as returned by `as_table`
    y : array-like
    sample_weight, groups : array-like or None
    inputs : Inputs or None
        What an earlier fit learned about X, if this one continues it.
    read_first : callable
        X -> `RawRows` of a new fit.
    learn_targets : callable
        (y, weight) -> targets.
    class_weight : callable
        (y, weight) -> class weight of each row, or None.
    merge : bool
        Whether equal rows of a small table may be merged: loss and score can weigh rows.

    Attributes
    ----------
    targets : ClassTargets, MultilabelTargets or RealTargets
    n_copies : float or None
        Number of rows that the merged rows stand for; None if none were merged.
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        *,
        inputs: Inputs | None,
        read_first: Callable[[Any], RawRows],
        learn_targets: Callable[[Any, np.ndarray | None], Any],
        class_weight: Callable[[Any, np.ndarray | None], np.ndarray | None],
        merge: bool,
    ) -> None:
        if y is None:
            raise ValueError("This estimator requires y to be passed, but the target y is None.")
        self.train_rows: np.ndarray | None = None  # positions; None for all
        self.valid_rows: np.ndarray | None = None
        self.shares: tuple[np.ndarray, np.ndarray] | None = None  # training and validation rows of each network
        self.valid: tuple[RawRows, LabelledRows] | None = None  # validation rows that are not among the rows
        self.n_copies: float | None = None
        self._known_inputs = inputs
        self._class_weight = class_weight

        self.labels = LabelledRows(X, y, sample_weight, groups)
        self.targets = learn_targets(self.labels.y, self.labels.weight)  # refuses a bad y before X is read
        self.labels.weigh_classes(class_weight)
        self.raw: RawRows | None = (read_first if inputs is None else inputs.read)(self.labels.of(X))
        if merge and self._merge() and self.targets.kind == "real":
            # Mean and spread of the merged rows: those of the copies differ in the last bit.
            self.targets = learn_targets(self.labels.y, self.labels.weight)

    def __len__(self) -> int:
        return len(self.labels)

    def _merge(self) -> bool:
        """Merge equal rows of a small table; whether there were any, or weights."""
        if len(self) > MERGE_LIMIT:
            return False
        assert self.raw is not None
        rows = self.raw.keys()
        if rows is None:
            return False
        labels, targets, y = self.labels, self.targets, dense(self.labels.y)
        rows.append(targets.encode(y) if targets.kind != "real" else targets.check(y))
        if labels.groups is not None:
            rows.append(np.unique(labels.groups, return_inverse=True)[1])
        merged = merge_equal_rows(rows, labels.weight)
        if merged is None:
            return False
        first, weight = merged
        self.n_copies = float(weight.sum())
        self.raw = self.raw.take(first)
        labels.keep(first)
        labels.weight = weight
        labels.sample_weight = None if labels.sample_weight is None else weight
        return True

    def hold_out(self, fraction: float, seed: int, n_networks: int = 1) -> None:
        """Split off validation rows; each network of a committee holds out different ones."""
        labels = self.targets.encode(self.labels.y) if self.targets.kind == "classes" else None
        kwargs: dict[str, Any] = dict(fraction=fraction, seed=seed, labels=labels, groups=self.labels.groups)
        if n_networks == 1:
            self.train_rows, self.valid_rows = validation_split(len(self), **kwargs)
        else:
            self.shares = validation_splits(n_networks, len(self), **kwargs)
            self.valid_rows = self.shares[1].ravel()

    def validate_on(self, X: Any, y: Any, sample_weight: Any, check_y: Callable[[Any], None]) -> None:
        """Use these rows for validation.

        Parameters
        ----------
        X : as returned by `as_table`
        y : array-like
        sample_weight : array-like or None
        check_y : callable
            Raises a ValueError for a target that the loss cannot take.
        """
        with refused_as("y_val", "targets like y", instead_of="y"):
            check_consistent_length(X, y)
        with refused_as("sample_weight_val", "numbers >= 0, one for each row of X_val", instead_of="sample_weight"):
            labels = LabelledRows(X, y, sample_weight)
        with refused_as("y_val", "targets like y", instead_of="y"):
            self.targets.encode(labels.y)
            check_y(labels.y)
            labels.weigh_classes(self._class_weight)
        with refused_as("X_val", "a table like X", instead_of="X"):
            self.valid = self.inputs.read(labels.of(X)), labels

    @cached_property
    def inputs(self) -> Inputs:
        """What was learned about X. Scales are those of the training rows, so choose the validation rows first."""
        if self._known_inputs is not None:
            return self._known_inputs
        assert self.raw is not None
        return self.raw.learn(self.train_rows, self.labels.weight)

    def encode(self, device: torch.device, scoring: Any) -> EncodedData:
        """The data as tensors, and what `scoring` means for the validation rows. It can be called once."""
        assert self.raw is not None
        train, valid = self._encode(self.raw, device)
        self.raw = None  # not held while the network is trained
        score = None if valid is None else self.scorer(scoring)
        return EncodedData(train, valid, self.inputs, self.targets, self.n_copies, score)

    def _encode(self, raw: RawRows, device: torch.device) -> tuple[Rows, Rows | None]:
        """Training rows, and validation rows or None, on their device."""
        train = self._rows(raw, self.labels, self.train_rows, device)
        if self.shares is not None:
            return train.shared_out(self.shares[0]), train.shared_out(self.shares[1])
        if self.valid is not None:
            with refused_as("X_val", "a table like X", instead_of="X"):
                return train, self._rows(*self.valid, None, device)
        return train, None if self.valid_rows is None else self._rows(raw, self.labels, self.valid_rows, device)

    def _rows(self, raw: RawRows, labels: LabelledRows, rows: np.ndarray | None, device: torch.device) -> Rows:
        """Encoded rows, with weights of mean one."""
        x_num, x_cat = self.inputs.encode_rows(raw, rows)
        y, weight = self.targets.encode(labels.y), labels.weight
        if rows is not None:
            y, weight = y[rows], None if weight is None else weight[rows]
        if weight is not None:
            weight = torch.from_numpy((weight / weight.mean()).astype(np.float32))
        return Rows(x_num, x_cat, torch.from_numpy(np.ascontiguousarray(y)), weight, device)

    def scorer(self, scoring: Any) -> Callable[[np.ndarray], float] | None:
        """Raw validation prediction -> score, or None if the loss is the score."""
        if scoring in (None, "loss"):
            return None
        held_out, rows = (self.labels, self.valid_rows) if self.valid is None else (self.valid[1], slice(None))
        y = dense(held_out.y)
        if self.targets.kind == "classes":  # scikit-learn's scorers refuse numbers in object arrays
            y = self.targets.classes_[self.targets.encode(y)]
        weight = None if held_out.sample_weight is None else held_out.sample_weight[rows]
        return validation_scorer(scoring, self.targets, y[rows], weight)
