"""Rows of probabilities sum to one in float64, where they did so in float32."""

from __future__ import annotations

import numpy as np

from sknn._data.probabilities import sum_to_one
from sknn._export.numpy import standalone


def test_only_the_rounding_of_float32_is_removed():
    rounded = np.random.default_rng(0).dirichlet(np.ones(1000), 5).astype(np.float32).astype(np.float64)
    scores = np.array([[0.2, 0.3], [2.0, 0.5], [0.0, 0.0]])
    assert (np.abs(sum_to_one(rounded).sum(axis=1) - 1) < 1e-14).all()
    np.testing.assert_array_equal(sum_to_one(scores.copy()), scores)


def test_the_exported_predictor_uses_the_same_lines():
    assert "sum_to_one(probabilities)" in standalone.source()
    assert standalone.source().count("_ROUNDING_OF_SUM = ") == 1
