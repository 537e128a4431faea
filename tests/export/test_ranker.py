"""Rankers are exported for the rows of one query: numbers relative to these are in the graph."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from sknn import NeuralRanker, export_numpy
from sknn._data.ranking_inputs import relative_to_query
from sknn._export.relative import relative_to_one_query
from sknn.modules import MLP, TabM

from .exported import QUICK, SMALL, Exported

RANDOM = np.random.default_rng(0)
QID = np.repeat(np.arange(12), RANDOM.integers(4, 10, 12))
N = len(QID)
TABLE = pd.DataFrame(
    {
        "price": RANDOM.normal(size=N) * 100,
        "stars": RANDOM.integers(1, 6, N),
        "gaps": np.where(RANDOM.random(N) < 0.2, np.nan, RANDOM.normal(size=N)),
        "kind": RANDOM.choice(["a", "b", "c"], N),
        "since": pd.Timestamp("2024-02-29") + pd.to_timedelta(RANDOM.integers(0, 9999, N), unit="min"),
    }
)
Y = RANDOM.integers(0, 4, N)


@pytest.mark.parametrize("module", [MLP, TabM])
def test_both_exports_score_a_query_as_the_estimator_does(module, tmp_path):
    params = {**QUICK, "module_params": SMALL[module], "n_networks": 2, "early_stopping": True}
    model = NeuralRanker(module, **params).fit(TABLE, Y, qid=QID)
    exported = Exported(model, tmp_path)
    queries = [TABLE[QID == 3], TABLE[QID == 7], TABLE[:1], pd.concat([TABLE[:3]] * 4), pd.concat([TABLE] * 4)]
    for rows in queries:
        expected = model.predict(rows, qid=np.zeros(len(rows)))
        np.testing.assert_allclose(exported.numpy.predict(rows), expected, atol=1e-5)
        np.testing.assert_allclose(exported.onnx(rows)["score"], expected, atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_numbers_relative_to_one_query_are_those_of_the_estimator(n):
    x = np.column_stack(
        [
            RANDOM.normal(size=n),
            RANDOM.integers(0, 3, n),
            np.full(n, 0.1),
            1e6 + np.arange(n) // 2,
            1e-9 * RANDOM.normal(size=n),
        ]
    ).astype(np.float32)
    expected = relative_to_query(x, np.zeros(n, dtype=np.int64))
    torch.testing.assert_close(relative_to_one_query(torch.from_numpy(x)), expected, rtol=0, atol=1e-6)


def test_other_kinds_of_data_are_refused(tmp_path):
    texts = [f"{'good' if i % 2 else 'bad'} {i % 5}" for i in range(N)]
    model = NeuralRanker(max_epochs=1, random_state=0).fit(texts, Y, qid=QID)
    with pytest.raises(ValueError, match="serves tables and arrays of numbers"):
        export_numpy(model, tmp_path / "model.npz")


def test_a_level_is_refused(tmp_path):
    model = NeuralRanker(MLP, **QUICK).fit(TABLE, Y, qid=QID)
    with pytest.raises(ValueError, match="so no intervals"):
        export_numpy(model, tmp_path / "model.npz", confidence_level=0.9)
