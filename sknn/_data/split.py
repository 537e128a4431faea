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
    """Positions of training and validation rows.

    Parameters
    ----------
    n_samples : int
    fraction : float in (0, 1)
        Share of rows (of groups, where `groups` is given) that is held out.
    seed : int
    labels : ndarray int64 (n_samples,) or None
        Class codes to stratify by. Classes too rare to be on both sides stay in the training rows.
    groups : ndarray (n_samples,) or None
        Rows of one group are never on both sides.

    Returns
    -------
    train, valid : ndarray int64, sorted

    Raises
    ------
    ValueError
        Too few rows or groups to hold any out.
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
        stratified = _stratified(rows, labels, fraction, seed)
        if stratified is not None:
            return stratified
        return _keeping_every_class(rows, labels, fraction, seed)
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
    """Positions of training and validation rows of several networks. No row is held out twice if there are enough rows.

    As `validation_split`, with one row of positions for each network.

    Returns
    -------
    train, valid : ndarray int64 (n_networks, n_train), (n_networks, n_valid)
        If groups are of different sizes, rows are repeated to fill the shorter splits.

    Raises
    ------
    ValueError
        Too few rows or groups to hold any out.
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


def _keeping_every_class(
    rows: np.ndarray, labels: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A random split with at least one row of each class on the training side."""
    order = np.random.RandomState(seed).permutation(rows)
    _, first = np.unique(labels[order], return_index=True)
    free = np.delete(order, first)
    if not len(free):  # as many classes as rows
        free = order
    valid = np.sort(free[: _n_held_out(len(rows), fraction)])
    return np.setdiff1d(rows, valid), valid


def _stratified(
    rows: np.ndarray, labels: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """A stratified split of the classes with at least two rows, or None if they have too few rows."""
    frequent = np.bincount(labels)[labels] >= 2
    candidates = rows[frequent]
    n_classes = len(np.unique(labels[frequent]))
    n_held_out = _n_held_out(len(rows), fraction)
    if n_classes < 2 or n_held_out < n_classes or len(candidates) - n_held_out < n_classes:
        return None
    splitter = StratifiedShuffleSplit(1, test_size=n_held_out, random_state=seed)
    _, valid = next(splitter.split(candidates, labels[frequent]))
    valid = np.sort(candidates[valid])
    return np.setdiff1d(rows, valid), valid
