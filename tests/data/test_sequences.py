"""Sequences as callers pass them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from sknn._data.inputs import Inputs
from sknn._data.sequences import SequenceRows, SequenceScale, as_sequences, read_sequences


def no_inputs(rows: SequenceRows) -> Inputs:
    raise AssertionError("nothing is learned here")


def read(X):
    return read_sequences(as_sequences(X), no_inputs)


def test_arrays_and_lists_give_the_same_rows():
    X = np.random.RandomState(0).normal(size=(5, 3, 7))
    for other in (X, list(X), tuple(X), [torch.from_numpy(x) for x in X], [x.tolist() for x in X]):
        rows = read(other)
        assert rows.length == 7
        [(positions, values)] = rows.by_length(10)
        assert positions.tolist() == list(range(5))
        np.testing.assert_array_equal(values, X)


def test_rows_of_several_lengths_come_together_by_length():
    random = np.random.RandomState(0)
    X = [random.normal(size=(2, n)) for n in (4, 1, 4, 9, 4)]
    rows = read(X)
    assert rows.length is None
    seen = {}
    for positions, values in rows.by_length(2):
        assert len(positions) <= 2
        seen |= dict(zip(positions.tolist(), values, strict=True))
    assert len(seen) == 5
    for i, row in enumerate(X):
        np.testing.assert_array_equal(seen[i], row)
        np.testing.assert_array_equal(next(rows.take(np.array([i])).by_length(1))[1][0], row)


def test_center_and_scale_are_those_of_evenly_spaced_steps(monkeypatch):
    monkeypatch.setattr("sknn._data.sequences._STEPS_OF_SCALE", 20)
    random = np.random.RandomState(0)
    rows = read([random.normal(size=(1, n)) for n in (30, 2, 41, 1, 17)]).take(np.array([2, 0, 3, 4]))
    steps = np.concatenate([start + np.arange(n) for start, n in zip(rows.starts, rows.lengths, strict=True)])
    some = rows.values[steps[:: len(steps) // 20], 0]
    assert SequenceScale.learn(rows).center == np.median(some)


def test_a_one_dimensional_series_is_one_channel():
    rows = read([np.arange(4), np.arange(6.0)])
    assert rows.n_channels == 1
    assert rows.lengths.tolist() == [4, 6]


def test_keys_are_equal_for_equal_rows_only():
    rows = read([np.zeros((1, 3)), np.zeros((1, 4)), np.zeros((1, 3)), np.ones((1, 3))])
    parts = rows.keys()
    assert parts is not None
    keys = np.concatenate([part.reshape(4, -1) for part in parts], axis=1)
    assert (keys[0] == keys[2]).all()
    assert len(np.unique(keys, axis=0)) == 3


def test_gaps_are_filled_linearly_and_at_the_ends_by_the_nearest_value():
    scale = SequenceScale(np.array([7.0, 0.0]), np.ones(2))
    x = np.array([[[np.nan] * 5, [np.nan, 1.0, np.nan, 3.0, np.nan]]])
    assert scale.filled(x)[0].tolist() == [[7.0] * 5, [1.0, 1.0, 2.0, 3.0, 3.0]]


@pytest.mark.parametrize("values", [[3.0] * 6, [0.0] * 6, [np.nan] * 6, [0.0, 0.0, 0.0, 0.0, 0.0, 5e-324]])
def test_constant_and_missing_channels_have_a_finite_scale(values):
    scale = SequenceScale.learn(read(np.array(values)[None, None]))
    with np.errstate(over="ignore"):
        assert np.isfinite(scale.scaled(np.array([[[3.0, 4.0, 0.0]]]))).any()
    assert (scale.scale > 0).all()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([np.zeros((2, 5)), np.zeros((3, 5))], r"2 and 3 channels. Time seems to come first: transpose"),
        ([np.zeros((2, 5)), np.zeros((3, 6))], r"X\[0\] has the shape \(2, 5\) and X\[1\] \(3, 6\)"),
        ([np.zeros((2, 5)), np.zeros((2, 0))], r"X\[1\] has the shape \(2, 0\)"),
        ([np.zeros((2, 5)), np.zeros((2, 5, 1))], r"X\[1\] has the shape \(2, 5, 1\)"),
        ([[[1, None], [3, 4]]], r"X\[0\] is .*None.*; expected numbers, NaN for gaps"),
        (np.ones((4, 5, 2), dtype=object), r"dtype object; expected .*X.astype\(float\)"),
        ([[[1, 2], [3]]], r"X\[0\]: its channels differ in length"),
        ([np.zeros((2, 5)), "text"], r"X\[1\] is .* expected numbers"),
        ([np.zeros((2, 5)), None], r"X\[1\] is"),
        (np.zeros((2, 0, 5)), r"with a channel and a step at least"),
        (np.zeros((4, 5)), r"Pass series of one channel as X\[:, None\]"),
        (np.zeros((4, 5, 2, 2)), r"X has the shape \(4, 5, 2, 2\)"),
        (np.zeros((4, 5, 2), dtype=complex), r"expected numbers"),
        (pd.DataFrame({"a": [pd.Series([1.0, 2.0])]}), r"Stack the columns of a nested frame"),
        ([], r"0 sample"),
    ],
)
def test_what_are_no_sequences_is_refused(X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read(X)


def test_an_infinite_value_is_named_by_row_channel_and_step():
    X = [np.zeros((2, 3)), np.zeros((2, 5))]
    X[1][1, 4] = np.inf
    with pytest.raises(ValueError, match=r"X\[1\] has an infinite value in channel 1 at step 4"):
        read(X)
