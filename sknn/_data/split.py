"""Training and validation rows: random, stratified, or by group."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

__all__ = ["validation_split", "validation_splits"]


def validation_split(
    n_samples: int,
    *,
    fraction: float,
    seed: int,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted positions of training and validation rows.

    `fraction` is a share of the rows, or of the `groups` (n_samples,), which are never on both sides. `labels` int64
    (n_samples,) are class codes to stratify by; classes too rare to be on both sides stay in the training rows.
    """
    rows = np.arange(n_samples)
    if groups is not None:
        if len(np.unique(groups)) < 2:
            raise ValueError(
                "groups: early stopping needs at least 2 groups to hold one out, got 1. "
                "Set early_stopping=False or pass X_val and y_val."
            )
        splitter = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
        train, valid = next(splitter.split(rows, groups=groups))
        return np.sort(train), np.sort(valid)
    if n_samples < 2:
        raise ValueError(
            f"early_stopping needs at least 2 rows to hold some out, got n_samples={n_samples}. "
            "Set early_stopping=False or pass X_val and y_val."
        )
    if labels is not None:
        return _stratified(rows, labels, fraction, seed)
    train, valid = next(ShuffleSplit(1, test_size=_n_held_out(n_samples, fraction), random_state=seed).split(rows))
    return np.sort(train), np.sort(valid)


def validation_splits(
    n_networks: int,
    n_samples: int,
    *,
    fraction: float,
    seed: int,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """As `validation_split` for several networks, one row of positions (n_networks, ...) for each.

    No row is held out twice if there are enough rows. If groups are of different sizes, rows are repeated to fill the
    shorter splits.
    """
    rest = np.arange(n_samples)
    valid: list[np.ndarray] = []
    for i in range(n_networks):
        share = fraction * n_samples / max(1, len(rest))
        too_few = len(rest) < 2 or (groups is not None and len(np.unique(groups[rest])) < 2)
        if i and (too_few or share >= 1):  # nothing is left to hold out: take what another network holds out
            valid.append(valid[i % len(valid)])
            continue
        left, held_out = validation_split(
            len(rest),
            fraction=share,
            seed=seed + i,
            labels=None if labels is None else labels[rest],
            groups=None if groups is None else groups[rest],
        )
        valid.append(rest[held_out])
        rest = rest[left]
    train = [np.setdiff1d(np.arange(n_samples), held_out) for held_out in valid]
    return _rectangular(train), _rectangular(valid)


def _rectangular(rows: list[np.ndarray]) -> np.ndarray:
    longest = max(map(len, rows))
    return np.stack([np.resize(positions, longest) for positions in rows])


def _n_held_out(n_samples: int, fraction: float) -> int:
    return min(max(1, round(fraction * n_samples)), n_samples - 1)


def _stratified(rows: np.ndarray, labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A split stratified by the classes with at least two rows.

    If they have too few rows, it is a random one with at least one row of each class on the training side.
    """
    frequent = np.bincount(labels)[labels] >= 2
    candidates = rows[frequent]
    n_classes = len(np.unique(labels[frequent]))
    n_held_out = _n_held_out(len(rows), fraction)
    if n_classes >= 2 and n_held_out >= n_classes and len(candidates) - n_held_out >= n_classes:
        splitter = StratifiedShuffleSplit(1, test_size=n_held_out, random_state=seed)
        valid = candidates[next(splitter.split(candidates, labels[frequent]))[1]]
    else:
        order = np.random.RandomState(seed).permutation(rows)
        free = np.delete(order, np.unique(labels[order], return_index=True)[1])
        valid = (free if len(free) else order)[:n_held_out]  # none is free if there are as many classes as rows
    return np.setdiff1d(rows, valid), np.sort(valid)
