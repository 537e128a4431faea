"""What the benchmark of explanations measures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

# A bare `pytest`, unlike `python -m pytest`, does not look for modules here.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

pytest.importorskip("shap", exc_type=ImportError)

from benchmarks.explanations import area_between_deletions, baseline_of, coalitions, exact_shapley_values

ROWS = pd.DataFrame({"a": [1.0, 2.0, -1.0], "b": [3.0, -1.0, 2.0], "name": ["x", "y", "x"]})
BASELINE = pd.DataFrame({"a": [0.0], "b": [0.0], "name": ["y"]})


def score(X):
    return (X["a"] * X["b"] + X["a"] + 2 * (X["name"] == "x")).to_numpy(dtype=float)


def test_exact_shapley_values_share_an_interaction():
    values = exact_shapley_values(score, ROWS, BASELINE)
    product, is_x = (ROWS["a"] * ROWS["b"]).to_numpy(), (ROWS["name"] == "x").to_numpy()
    np.testing.assert_allclose(values, np.column_stack([product / 2 + ROWS["a"], product / 2, 2.0 * is_x]))


def test_good_attributions_have_the_larger_area():
    values = exact_shapley_values(score, ROWS, BASELINE)
    area = area_between_deletions(score, ROWS, BASELINE, values)
    assert area > 0
    assert area_between_deletions(score, ROWS, BASELINE, -values) == pytest.approx(-area)


def test_a_coalition_has_the_values_of_the_row_where_columns_are_present():
    present = np.array([[True, False, False], [False, True, True]])
    found = coalitions(ROWS[:1], BASELINE, present)
    assert found.to_numpy().tolist() == [[1.0, 0.0, "y"], [0.0, 3.0, "x"]]


def test_the_baseline_is_a_median_row():
    assert baseline_of(ROWS).to_numpy().tolist() == [[1.0, 2.0, "x"]]
