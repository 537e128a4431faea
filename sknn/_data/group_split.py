"""Whole groups of rows for validation."""

from __future__ import annotations

import numpy as np

__all__ = ["Groups"]


class Groups:
    """The groups of a table, handed out to the networks of a committee for validation, each at most once.

    Parameters
    ----------
    groups : ndarray (n_samples,)
    labels : ndarray int64 (n_samples,) or None
        Class codes. A class is lost if all its rows are held out.
    """

    def __init__(self, groups: np.ndarray, labels: np.ndarray | None) -> None:
        codes = np.unique(groups, return_inverse=True)[1]
        sizes = np.bincount(codes)
        if len(sizes) < 2:
            raise ValueError(
                "groups: early stopping needs at least 2 groups to hold one out, got 1. "
                "Set early_stopping=False or pass X_val and y_val."
            )
        self.order = np.argsort(codes, kind="stable")  # the rows of the first group, then those of the second, ...
        self.bounds = np.concatenate([[0], np.cumsum(sizes)])
        self.sizes = sizes
        # Without labels all rows are one class, which is never lost: some group stays on the training side.
        self.labels = np.zeros(len(codes), dtype=np.int64) if labels is None else labels
        self.rows_per_class = np.bincount(self.labels)
        self.free = np.arange(len(sizes))
        self.none_fits = False  # whether each group is too large, or all of a class, for the first network

    def hold_out(self, n_rows: float, seed: int) -> np.ndarray:
        """Sorted positions of the rows of some free groups, about `n_rows`; empty if earlier ones should be used again.

        Groups in random order are taken while each brings the number of rows nearer to `n_rows` and loses no class. If
        there is none for the first network, each takes the group that loses the fewest classes, of those the smallest.
        """
        taken: list[int] = []
        n_taken, left = 0, self.rows_per_class.copy()
        candidates = np.random.RandomState(seed).permutation(self.free).tolist()
        for group in candidates:
            if n_taken >= n_rows:
                break
            size, own = self.sizes[group], self._rows_per_class(group)
            if abs(n_taken + size - n_rows) < n_rows - n_taken and not ((left == own) & (own > 0)).any():
                taken.append(group)
                n_taken, left = n_taken + size, left - own
        if len(candidates) == len(self.sizes):
            self.none_fits = not taken
        if self.none_fits:
            taken = self._least_harmful(candidates)
        self.free = np.setdiff1d(self.free, taken, assume_unique=True)
        return np.sort(np.concatenate([np.empty(0, np.int64), *map(self._rows, taken)]))

    def _least_harmful(self, candidates: list[int]) -> list[int]:
        """One of the groups that do not fit; nothing if each has most of the rows, since the others are too few."""
        small = [group for group in candidates if 2 * self.sizes[group] <= len(self.labels)]
        return [min(small, key=lambda group: (self._n_lost(group), self.sizes[group]))] if small else []

    def _n_lost(self, group: int) -> int:
        """Classes that have rows in this group only."""
        own = self._rows_per_class(group)
        return int(((self.rows_per_class == own) & (own > 0)).sum())

    def _rows(self, group: int) -> np.ndarray:
        return self.order[self.bounds[group] : self.bounds[group + 1]]

    def _rows_per_class(self, group: int) -> np.ndarray:
        return np.bincount(self.labels[self._rows(group)], minlength=len(self.rows_per_class))
