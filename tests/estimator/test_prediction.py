"""Predictions in chunks of rows, and their limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from sknn import NeuralClassifier
from sknn._estimator import prediction
from sknn.modules import MLP

SMALL = {"module": MLP, "max_epochs": 1, "random_state": 0}


def test_a_probability_of_zero_has_a_logarithm_without_a_warning():
    X = np.random.default_rng(0).normal(size=(30, 3))
    model = NeuralClassifier(
        **SMALL, module_params={"hidden_sizes": ()}, criterion_params={"temperature_scaling": False}
    ).fit(X, np.arange(30) % 2)
    with torch.no_grad():
        model.module_.layers[-1].weight.mul_(0.0)
        model.module_.layers[-1].bias.copy_(torch.tensor([0.0, 1000.0]))
    assert model.predict_log_proba(X)[0].tolist() == [-np.inf, 0.0]


def test_of_many_classes_fewer_rows_are_predicted_at_once(monkeypatch: pytest.MonkeyPatch):
    sizes = []
    one_chunk = prediction._one_chunk
    monkeypatch.setattr(
        prediction, "_one_chunk", lambda net, x, answer: (sizes.append(len(x)), one_chunk(net, x, answer))[1]
    )
    rows = np.random.default_rng(0).normal(size=(2000, 2))
    model = NeuralClassifier(**SMALL, module_params={"hidden_sizes": (8,)}, early_stopping=False).fit(
        rows, np.arange(2000) % 1000
    )
    together = model.predict_proba(rows)
    assert max(sizes) * 1000 * 8 <= 2**22
    np.testing.assert_array_equal(model.predict_proba(rows[1990:]), together[1990:])


@pytest.mark.parametrize("dtype", [int, bool, float, str])
@pytest.mark.parametrize("shape", [(40,), (40, 2)], ids=["labels", "indicators"])
def test_score_reads_labels_in_object_arrays_as_fit_does(dtype, shape):
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = (X.ravel()[: np.prod(shape)] > 0).reshape(shape).astype(dtype)
    if dtype is str and len(shape) == 2:
        return
    model = NeuralClassifier(**SMALL).fit(X, y.astype(object))
    expected = model.score(X, y, np.arange(40))
    for given in (y.astype(object), pd.DataFrame(y).astype(object).squeeze(), y.tolist()):
        assert model.score(X, given, np.arange(40)) == expected
    if len(shape) == 1:
        with pytest.raises(ValueError, match="y contains NaN or None in 1 of 40 rows"):
            model.score(X, [None, *y.tolist()[1:]])
