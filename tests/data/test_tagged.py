"""Rows of X with a value beside each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sknn._data.containers import take_rows
from sknn._data.tagged import Tagged, untagged


def test_rows_are_taken_with_their_tags():
    X = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    rows = take_rows(Tagged(X, np.array([7, 8, 9])), np.array([2, 0]))
    assert rows.shape == (2, 2)
    assert len(rows) == 2
    assert untagged(rows)["b"].tolist() == ["z", "x"]
    assert rows.tags.tolist() == [9, 7]


def test_rows_without_tags_are_themselves():
    X = np.zeros((2, 3))
    assert untagged(X) is X
