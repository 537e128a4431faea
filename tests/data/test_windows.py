"""Windows over the rows of a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sknn import windows


def reference(table, length, horizon, groups, step):
    """Row by row: windows and the rows of their targets."""
    X, y = [], []
    groups = np.zeros(len(table)) if groups is None else np.asarray(groups)
    for group in pd.unique(groups):
        rows = np.flatnonzero(groups == group)
        for first in range(0, len(rows) - length - horizon + 1, step):
            X.append(table[rows[first : first + length]].T)
            y.append(table[rows[first + length - 1 + horizon]])
    return np.array(X), np.array(y)


@pytest.mark.parametrize("groups", [None, [1] * 9 + [0] * 4 + [5] * 7])
@pytest.mark.parametrize(("length", "horizon", "step"), [(1, 1, 1), (3, 1, 1), (4, 2, 1), (3, 3, 2), (5, 1, 4)])
def test_windows_are_those_of_a_loop_over_rows(groups, length, horizon, step):
    table = np.random.RandomState(0).normal(size=(20, 3))
    X, y = windows(table, length, horizon, groups=groups, step=step)
    expected, expected_targets = reference(table, length, horizon, groups, step)
    np.testing.assert_array_equal(X, expected)
    np.testing.assert_array_equal(y, expected_targets)


def test_random_windows_see_no_row_of_another_group_or_of_the_future():
    random = np.random.RandomState(0)
    for _ in range(200):
        n_rows, length, horizon, step = random.randint(1, 40), *random.randint([1, 0, 1], [6, 4, 4])
        groups = np.array(["b", "c", "a"])[np.sort(random.randint(3, size=n_rows))]
        table = np.column_stack([np.arange(n_rows), random.normal(size=(n_rows, 2))])
        targets = [int(i) for i in random.permutation([1, 2])[: random.randint(1, 3)]]
        frame = pd.DataFrame(table, columns=["time", "x", "y"], index=random.permutation(n_rows))
        expected, expected_targets = reference(table, length, horizon, groups, step)
        if not len(expected):
            with pytest.raises(ValueError, match="consecutive rows"):
                windows(table, length, horizon, groups, targets, step)
            continue
        channels = [i for i in range(3) if horizon or i not in targets]
        names = [frame.columns[i] for i in targets]
        for given, wanted in ((table, targets), (frame, names), (pl.from_pandas(frame), names)):
            X, y = windows(given, length, horizon, groups, wanted, step)
            np.testing.assert_array_equal(X, expected[:, channels])
            np.testing.assert_array_equal(y, expected_targets[:, targets])


def test_no_window_contains_the_time_of_its_targets_or_a_later_one():
    time = np.arange(50.0)[:, None]
    for horizon in (1, 4):
        X, y = windows(time, 6, horizon)
        assert (y - X.max(axis=(1, 2))[:, None] == horizon).all()


def test_with_horizon_0_the_targets_are_not_in_the_sequences():
    frame = pd.DataFrame({"sonar": np.arange(8.0), "speed": -np.arange(8.0)})
    X, y = windows(frame, 3, horizon=0, targets="speed")
    assert X.shape == (6, 1, 3)
    assert y.tolist() == (-X[:, 0, -1]).tolist()


def test_targets_are_named_by_column_or_position():
    frame = pd.DataFrame({"a": np.arange(6.0), "b": np.arange(6.0) * 2, 7: np.arange(6.0) * 3})
    assert windows(frame[["a", "b"]], 2, targets=["b", "a"])[1][0].tolist() == [4.0, 2.0]
    assert windows(frame[["a", "b"]], 2, targets="b")[1].shape == (4,)
    assert windows(frame[["a", "b"]], 2, targets=-1)[1][0] == 4.0
    assert windows(frame[["a", "b"]].to_numpy(), 2, targets=[1])[1].shape == (4, 1)


def test_gaps_stay_gaps_and_float32_stays_float32():
    table = np.arange(8, dtype=np.float32)[:, None]
    table[3] = np.nan
    X, y = windows(table, 2)
    assert X.dtype == y.dtype == np.float32
    assert np.isnan(X).sum() == 2
    assert np.isnan(y).sum() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 0}, "length=0 is out of range"),
        ({"length": 2.0}, "length=2.0 is a float"),
        ({"horizon": -1}, "horizon=-1 is out of range; expected an int >= 0"),
        ({"step": 0}, "step=0 is out of range"),
        ({"length": 10}, "need 11 consecutive rows, but the table has 10"),
        ({"length": 5, "groups": [0] * 5 + [1] * 5}, "no group has more than 5"),
        ({"groups": [0, 1] * 5}, "Sort the table by group and time"),
        ({"groups": [0]}, "groups has shape"),
        ({"targets": 3}, "there is no column 3"),
        ({"targets": []}, "names no column"),
        ({"targets": [0, 0]}, "or one twice"),
        ({"horizon": 0}, "there is no other column"),
        ({"table": np.zeros(5)}, "expected numbers of shape"),
        ({"table": pd.DataFrame({"name": ["a"] * 10})}, "the column 'name' is of type"),
    ],
)
def test_what_cannot_be_cut_is_refused(changes, message):
    arguments = {"table": np.zeros((10, 2)), "length": 2, **changes}
    with pytest.raises((ValueError, TypeError), match=message):
        windows(**arguments)
