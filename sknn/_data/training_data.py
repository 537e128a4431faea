"""The first half of a fit: X and y as given -> training and validation rows as tensors."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import check_consistent_length

from .._errors import level_of_caller, refused_as
from .drift import warn_of_other_scales
from .inputs import Inputs, RawRows
from .labelled_rows import MERGE_LIMIT, LabelledRows
from .queries import Queries
from .rows import Rows
from .scoring import validation_scorer
from .split import validation_split, validation_splits
from .targets import dense

__all__ = ["EncodedData", "TrainingData"]

# Kinds of targets of which equal rows may be merged: those of a query, or of a row to be generated, belong together.
_MERGED = ("classes", "multilabel", "real")
_ENOUGH_FOR_A_CONSTANT = 256  # rows for each network


@dataclasses.dataclass(frozen=True)
class EncodedData:
    """The rows of a fit as tensors, and what was learned about columns and targets."""

    train: Rows
    valid: Rows | None
    inputs: Inputs
    targets: Any  # ClassTargets, MultilabelTargets, RealTargets, RankingTargets or ItselfTargets
    n_copies: float | None  # how many rows the training rows stand for, if equal ones were merged; None: each for one
    # Link output of the validation rows -> score, higher is better; None where the loss is the score.
    validation_score: Callable[[np.ndarray], float] | None

    @property
    def resident(self) -> list[Rows]:
        """All rows that stay in memory during training."""
        return [self.train] if self.valid is None else [self.train, self.valid]

    def of_networks(self, n_networks: int) -> EncodedData:
        """The rows of the first networks of a committee."""
        parts = {name: getattr(self, name) for name in ("train", "valid")}
        fewer = {name: rows.of_networks(n_networks) for name, rows in parts.items() if rows is not None}
        return dataclasses.replace(self, **fewer)


class TrainingData:
    """Rows on their way from the caller to the network.

    The constructor checks the rows, learns the targets, reads X once, and merges equal rows of a small table. Then
    `hold_out` or `validate_on` may choose validation rows. `encode` learns scales from the others, and makes tensors.

    X is prepared for its `kind`. `inputs` is what an earlier fit learned about X, if this one continues it; else X is
    read with the `options` of its kind, and `leaves_out_idle` is for `RawRows.learn`. `merge` says whether equal rows
    of a small table may be merged: loss and score can weigh rows.
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        *,
        inputs: Inputs | None,
        kind: type[Inputs],
        options: Mapping[str, Any],
        leaves_out_idle: bool,
        learn_targets: Callable[[Any, np.ndarray | None], Any],  # (y, weight) -> targets
        class_weight: Callable[[Any, np.ndarray | None], np.ndarray | None],  # (y, weight) -> class weight of each row
        merge: bool,
    ) -> None:
        if y is None:
            raise ValueError("This estimator requires y to be passed, but the target y is None.")
        self.train_rows: np.ndarray | None = None  # positions; None for all
        self.valid_rows: np.ndarray | None = None
        self.shares: tuple[np.ndarray, np.ndarray] | None = None  # training and validation rows of each network
        self.valid: tuple[Any, LabelledRows] | None = None  # X of other validation rows, and their y
        self.n_copies: float | None = None
        self._inputs = inputs
        self._leaves_out_idle = leaves_out_idle
        self._class_weight = class_weight

        self.labels = LabelledRows(X, y, sample_weight, groups)
        self.targets = learn_targets(self.labels.y, self.labels.weight)  # refuses a bad y before X is read
        if self.targets.ndim == 1 and self.labels.flatten():
            # In the words of scikit-learn, which its checks look for, in a repr: no apostrophe.
            message = "A column-vector y was passed when a 1d array was expected. Flatten it, as by y.ravel()."
            warnings.warn(message, DataConversionWarning, stacklevel=level_of_caller())
        self.labels.weigh_classes(class_weight)
        X = self.labels.of(X)
        self.raw = kind.read_first(X, **options) if inputs is None else inputs.read(X)
        self._ignored_changes = {} if inputs is None else inputs.ignored_changes(X)
        if merge and self.targets.kind in _MERGED and self._merge() and self.targets.kind == "real":
            # Mean and spread of the merged rows: those of the copies differ in the last bit.
            self.targets = learn_targets(self.labels.y, self.labels.weight)

    def __len__(self) -> int:
        return len(self.labels)

    def _merge(self) -> bool:
        """Merge equal rows of a small table. Whether any row, or the order of rows, has changed."""
        keys = self.raw.keys() if len(self) <= MERGE_LIMIT else None
        if keys is None:
            return False
        y = dense(self.labels.y)
        keys.append(self.targets.encode(y) if self.targets.kind != "real" else self.targets.check(y))
        first = self.labels.merge(keys)
        if first is None:
            return False
        weight = self.labels.weight
        if weight is not None:  # in units of the smallest, since the unit of weights means nothing
            with np.errstate(over="ignore"):  # infinitely many are as good as very many
                self.n_copies = round(float(weight.sum() / weight.min()), 6)
        self.raw = self.raw.take(first)
        return True

    @property
    def n_independent(self) -> int:
        """Rows, or whole queries."""
        groups = self.labels.groups
        return len(self) if groups is None or self.targets.kind != "ranking" else len(np.unique(groups))

    def hold_out(self, fraction: float, seed: int, n_networks: int = 1) -> None:
        """Split off validation rows; each network of a committee holds out different ones."""
        labels = self.targets.encode(self.labels.y) if self.targets.kind == "classes" else None
        kwargs: dict[str, Any] = dict(fraction=fraction, seed=seed, labels=labels, groups=self.labels.groups)
        if n_networks == 1 and not self.targets.is_constant:
            self.train_rows, self.valid_rows = validation_split(len(self), **kwargs)
        else:
            train, valid = validation_splits(n_networks, len(self), **kwargs)
            # Of a target that never varies there is nothing to learn.
            most = _ENOUGH_FOR_A_CONSTANT if self.targets.is_constant else len(self)
            self.shares = train[:, :most], valid[:, :most]
            self.valid_rows = self.shares[1].ravel()

    def validate_on(self, X: Any, y: Any, sample_weight: Any, check_y: Callable[[Any], None]) -> None:
        """Use these rows for validation. `check_y` raises a ValueError for a target that the loss cannot take."""
        with refused_as("y_val", "targets like y", instead_of="y"):
            check_consistent_length(X, y)
        with refused_as("sample_weight_val", "numbers >= 0, one for each row of X_val", instead_of="sample_weight"):
            labels = LabelledRows(X, y, sample_weight)
        with refused_as("y_val", "targets like y", instead_of="y"):
            if self.targets.kind != "itself":
                self.targets.encode(labels.y)
            if self.targets.ndim == 1:
                labels.flatten()
            check_y(labels.y)
            labels.weigh_classes(self._class_weight)
        self.valid = labels.of(X), labels

    def encode(self, device: torch.device, scoring: Any) -> EncodedData:
        """Learn the inputs from the training rows, and encode all rows on their device."""
        inputs = self._inputs
        if inputs is None:
            inputs = self.raw.learn(self.train_rows, self.labels.weight, self._leaves_out_idle)
        else:
            warn_of_other_scales(inputs, self.raw, self.targets, self.labels.y, self._ignored_changes)
        rows = self._rows(inputs, self.raw, self.labels, self.train_rows, device)
        valid = None
        if self.shares is not None:
            rows, valid = rows.shared_out(self.shares[0]), rows.shared_out(self.shares[1])
        elif self.valid is not None:
            X, labels = self.valid
            with refused_as("X_val", f"{inputs.what} like X", instead_of="X"):
                valid = self._rows(inputs, inputs.read(X), labels, None, device)
        elif self.valid_rows is not None:
            valid = self._rows(inputs, self.raw, self.labels, self.valid_rows, device)
        score = None if valid is None else self._scorer(scoring)
        return EncodedData(rows, valid, inputs, self.targets, self.n_copies, score)

    def _rows(
        self, inputs: Inputs, raw: RawRows, labels: LabelledRows, rows: np.ndarray | None, device: torch.device
    ) -> Rows:
        """Encoded rows, with weights of mean one."""
        store = inputs.encode_rows(raw, rows)
        weight = labels.weight if rows is None or labels.weight is None else labels.weight[rows]
        if weight is not None:
            weight = torch.from_numpy((weight / weight.mean()).astype(np.float32))
        y = self.targets.encode(labels.y)
        y = y if rows is None else y[rows]
        queries = Queries(y[:, 1]) if self.targets.kind == "ranking" else None
        return Rows(store, torch.from_numpy(np.ascontiguousarray(y)), weight, device, queries=queries)

    def _scorer(self, scoring: Any) -> Callable[[np.ndarray], float] | None:
        """Raw validation prediction -> score, or None if the loss is the score."""
        if scoring in (None, "loss"):
            return None
        held_out, rows = (self.labels, self.valid_rows) if self.valid is None else (self.valid[1], slice(None))
        y = dense(held_out.y)
        if self.targets.kind == "classes":  # scikit-learn's scorers refuse numbers in object arrays
            y = self.targets.classes_[self.targets.encode(y)]
        weight = None if held_out.sample_weight is None else held_out.sample_weight[rows]
        return validation_scorer(scoring, self.targets, y[rows], weight)
