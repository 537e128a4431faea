"""y, weights and groups of the rows that count stay with their rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from sknn._data.labelled_rows import LabelledRows, group_codes

X = np.arange(12.0).reshape(6, 2)
Y = np.array(list("abcabc"))


def test_rows_of_weight_zero_are_dropped_with_all_that_belongs_to_them() -> None:
    weight = np.array([0, 2, 0, 4, 6, 0.0])
    rows = LabelledRows(X, Y, weight, groups=[3, 1, 3, 2, 1, 1])
    assert rows.positions.tolist() == [1, 3, 4]
    assert (len(rows), rows.y.tolist(), rows.groups.tolist()) == (3, ["b", "a", "b"], [0, 1, 0])
    assert rows.weight.tolist() == rows.sample_weight.tolist() == [2, 4, 6]
    assert rows.of(X).tolist() == X[[1, 3, 4]].tolist()
    rows.keep(np.array([2, 0]))
    assert (rows.positions.tolist(), rows.y.tolist(), rows.weight.tolist()) == ([4, 1], ["b", "b"], [6, 2])


def test_all_rows_are_the_table_itself() -> None:
    rows = LabelledRows(X, Y)
    assert rows.of(X) is X
    assert rows.weight is rows.sample_weight is rows.groups is rows.positions is None


@pytest.mark.parametrize(
    "y",
    [list(Y), pd.Series(Y, index=[5, 5, 1, 0, 2, 2]), scipy.sparse.csr_array(np.eye(6))],
    ids=["list", "series", "csr"],
)
def test_targets_of_every_kind_are_taken_by_position(y: object) -> None:
    rows = LabelledRows(X, y, np.array([0, 1, 1, 2, 0, 1.0]))
    expected = np.eye(6)[[1, 2, 3, 5]].tolist() if scipy.sparse.issparse(y) else Y[[1, 2, 3, 5]].tolist()
    assert (rows.y.toarray() if scipy.sparse.issparse(rows.y) else rows.y).tolist() == expected


def test_another_number_of_targets_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^y: .*inconsistent numbers of samples: \[6, 5\]"):
        LabelledRows(X, Y[:5])
    with pytest.raises(TypeError, match="^y is a dict, expected a list or an array"):
        LabelledRows(X, dict.fromkeys(range(6)))


def test_missing_groups_are_counted() -> None:
    with pytest.raises(ValueError, match="^groups: 2 of 3 values are missing"):
        group_codes([None, "a", np.nan], 3)
    with pytest.raises(ValueError, match=r"^groups has shape \(2,\), expected \(3,\)"):
        group_codes([1, 2], 3)
    assert group_codes(["b", 1, "b"], 3).tolist() == [0, 1, 0]
