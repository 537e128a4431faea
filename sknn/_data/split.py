"""Training and validation rows: random, stratified, or by group."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from .group_split import Groups

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

    `fraction` is a share of the rows. Rows of one of the `groups` (n_samples,) are never on both sides, so that the
    share is met as nearly as whole groups allow. `labels` int64 (n_samples,) are class codes: rows without groups are
    stratified by them, and every class has rows on the training side unless groups or too few rows do not allow it.
    """
    train, valid = validation_splits(1, n_samples, fraction=fraction, seed=seed, labels=labels, groups=groups)
    return train[0], valid[0]


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

    No row is held out twice if there are enough rows; otherwise networks hold out what earlier ones hold out. If groups
    are of different sizes, rows are repeated to fill the shorter splits.
    """
    if groups is None and n_samples < 2:
        raise ValueError(
            f"early_stopping needs at least 2 rows to hold some out, got n_samples={n_samples}. "
            "Set early_stopping=False or pass X_val and y_val."
        )
    by_group = None if groups is None else Groups(groups, labels)
    rest, is_left = np.arange(n_samples), np.ones(n_samples, dtype=bool)
    distinct: list[np.ndarray] = []
    while len(distinct) < n_networks:
        if by_group is not None:
            held_out = by_group.hold_out(fraction * n_samples, seed + len(distinct))
        else:
            share = fraction * n_samples / max(1, len(rest))
            if distinct and (len(rest) < 2 or share >= 1):
                break
            held_out = _held_out(rest, share, seed + len(distinct), labels, is_first=not distinct)
        if not len(held_out):
            break
        distinct.append(held_out)
        is_left[held_out] = False
        rest = np.flatnonzero(is_left)
    valid = [distinct[i % len(distinct)] for i in range(n_networks)]
    train = [_others(held_out, n_samples) for held_out in valid]
    return _rectangular(train), _rectangular(valid)


def _others(rows: np.ndarray, n_samples: int) -> np.ndarray:
    """Sorted positions that are not among `rows`."""
    is_other = np.ones(n_samples, dtype=bool)
    is_other[rows] = False
    return np.flatnonzero(is_other)


def _rectangular(rows: list[np.ndarray]) -> np.ndarray:
    if len(rows) == 1:
        return rows[0][None]  # no copy of many rows
    longest = max(map(len, rows))
    return np.stack([np.resize(positions, longest) for positions in rows])


def _held_out(rows: np.ndarray, share: float, seed: int, labels: np.ndarray | None, *, is_first: bool) -> np.ndarray:
    """A share of the `rows`, sorted; stratified by `labels`, which are those of all rows, not only of `rows`.

    Empty if each class has one row, unless this is the first network.
    """
    n_held_out = min(max(1, round(share * len(rows))), len(rows) - 1)
    if labels is not None:
        valid = _stratified(labels[rows], n_held_out, seed)
        if len(valid) or not is_first:
            return np.sort(rows[valid])
    splitter = ShuffleSplit(1, test_size=n_held_out, random_state=seed)
    return np.sort(rows[next(splitter.split(rows))[1]])


def _stratified(labels: np.ndarray, n_held_out: int, seed: int) -> np.ndarray:
    """Positions held out, stratified by the classes with at least two rows.

    If they have too few rows, it is a random choice. A row of each class stays on the training side: none may be held
    out if there are as many classes as rows.
    """
    n_samples = len(labels)
    candidates = np.flatnonzero(np.bincount(labels)[labels] >= 2)
    n_classes = len(np.unique(labels[candidates]))
    if n_classes >= 2 and n_held_out >= n_classes and len(candidates) - n_held_out >= n_classes:
        splitter = StratifiedShuffleSplit(1, test_size=n_held_out, random_state=seed)
        train, valid = (candidates[part] for part in next(splitter.split(candidates, labels[candidates])))
        # Where little is left for training, a rare class may have no share of it.
        lost = valid[~np.isin(labels[valid], labels[train])]
        return np.setdiff1d(valid, lost[np.unique(labels[lost], return_index=True)[1]])
    order = np.random.RandomState(seed).permutation(n_samples)
    free = np.delete(order, np.unique(labels[order], return_index=True)[1])
    return free[:n_held_out]
