"""Numbers as positions among those of the training rows, and back."""

from __future__ import annotations

import numpy as np
import pytest

from sknn._data.quantile_grid import QuantileGrid

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("n", [3, 500, 9000])
def test_numbers_of_the_training_rows_come_back(n):
    numbers = np.column_stack([RANDOM.normal(size=n), RANDOM.integers(0, 3, n), np.full(n, 7.0)])
    grid = QuantileGrid.learn(numbers)
    again = grid.numbers(grid.positions(numbers))
    np.testing.assert_array_equal(again[:, 1:], numbers[:, 1:])
    if n <= 500:
        np.testing.assert_array_equal(again[:, 0], numbers[:, 0])
    assert np.isin(again, numbers).all()
    assert np.abs(again[:, 0] - numbers[:, 0]).max() < 0.5


def test_positions_ascend_and_lie_in_the_middle_of_ties():
    grid = QuantileGrid.learn(np.repeat([[1.0], [2.0], [9.0]], [25, 50, 25], axis=0))
    np.testing.assert_allclose(grid.positions(np.array([[1.0], [2.0], [9.0]])).ravel(), [0.125, 0.5, 0.875], atol=0.01)
    spread = grid.spread_positions(np.full((400, 1), 2.0)).ravel()
    assert 0.25 < spread.min() < 0.32
    assert 0.68 < spread.max() < 0.75


def test_gaps_and_columns_without_numbers():
    grid = QuantileGrid.learn(np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]]))
    positions = grid.positions(np.array([[np.nan, np.nan], [3.0, 5.0]]))
    assert np.isnan(positions).tolist() == [[True, True], [False, True]]
    assert np.isnan(grid.numbers(np.array([[0.1, 0.5]]))).tolist() == [[False, True]]
