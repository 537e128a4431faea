"""Numbers of each column as positions among those of the training rows, and back."""

from __future__ import annotations

import numpy as np

__all__ = ["QuantileGrid"]

_LEAST, _MOST = 1024, 4096


class QuantileGrid:
    """Quantiles of columns of numbers: a number <-> the share of the training rows below it.

    Only numbers that occur in the training rows come back. Missing numbers are NaN.

    Parameters
    ----------
    grid : ndarray float64 (n_quantiles, n_columns)
        Ascending numbers of the training rows, of equal shares; NaN for a column without any.
    """

    def __init__(self, grid: np.ndarray) -> None:
        self.grid = grid
        # Different numbers of each column, and the shares of the rows below and up to them.
        self._steps = [_steps(column) for column in grid.T]

    @classmethod
    def learn(cls, numbers: np.ndarray) -> QuantileGrid:
        """Of numbers float64 (n_rows, n_columns)."""
        size = int(np.clip(len(numbers), _LEAST, _MOST))
        shares = (np.arange(size) + 0.5) / size
        grid = np.full((size, numbers.shape[1]), np.nan)
        for i, column in enumerate(numbers.T):
            present = column[~np.isnan(column)]
            if len(present):
                grid[:, i] = np.quantile(present, shares, method="inverted_cdf")
        return cls(grid)

    def positions(self, numbers: np.ndarray) -> np.ndarray:
        """Positions in (0, 1), float64 (n_rows, n_columns): the middle of those of equal numbers; NaN for missing."""
        found = np.full(numbers.shape, np.nan)
        for i, (values, low, high) in enumerate(self._steps):
            if len(values):
                found[:, i] = np.interp(numbers[:, i], values, (low + high) / 2)
        found[np.isnan(numbers)] = np.nan
        return found

    def spread_positions(self, numbers: np.ndarray) -> np.ndarray:
        """As `positions`, where equal numbers are spread evenly over those that they share."""
        found = self.positions(numbers)
        random = np.random.RandomState(0)
        for i, (values, low, high) in enumerate(self._steps):
            if len(values):
                place = np.searchsorted(values, numbers[:, i]).clip(max=len(values) - 1)
                known = values[place] == numbers[:, i]
                share = random.uniform(0.02, 0.98, len(numbers))
                found[known, i] = (low[place] + (high - low)[place] * share)[known]
        return found

    def numbers(self, positions: np.ndarray) -> np.ndarray:
        """The numbers at positions in [0, 1], float64 (n_rows, n_columns); NaN where a column has none."""
        size = len(self.grid)
        place = np.clip((positions * size).astype(np.int64), 0, size - 1)
        return np.take_along_axis(self.grid, place, axis=0)


def _steps(column: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, first, counts = np.unique(column[~np.isnan(column)], return_index=True, return_counts=True)
    return values, first / len(column), (first + counts) / len(column)
