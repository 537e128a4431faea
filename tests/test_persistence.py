"""Fitted estimators are pickled small, without the data, and predict the same elsewhere."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from unittest import mock

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralClassifier, NeuralRegressor

X, Y = load_iris(return_X_y=True)


def mixed_table(n: int = 300):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=n), "b": rng.choice(["x", "y", None], n), "c": rng.normal(size=n)})
    return frame, np.where(frame["b"].eq("x") ^ (frame["a"] > 0), "yes", "no")


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("fitted", [True, False])
def test_copies_predict_the_same(copier, fitted):
    frame, y = mixed_table()
    model = NeuralClassifier(max_epochs=3, random_state=0)
    if not fitted:
        model = copier(model)
    model.fit(frame, y)
    again = copier(model) if fitted else model
    np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert again.loss_curve_ == model.loss_curve_


def test_cloudpickle_carries_a_module_defined_on_the_spot():
    class Local(torch.nn.Module):
        def __init__(self, in_features, out_features):
            super().__init__()
            self.layer = torch.nn.Linear(in_features, out_features)

        def forward(self, x):
            return self.layer(x)

    model = NeuralClassifier(Local, max_epochs=2, random_state=0).fit(X, Y)
    again = pickle.loads(cloudpickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_a_pipeline_in_a_search_loads_in_a_new_process(tmp_path):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), NeuralClassifier(max_epochs=2, random_state=0)),
        {"neuralclassifier__module__dropout": [0.0, 0.1]},
        cv=2,
    ).fit(X, Y)
    joblib.dump(search, tmp_path / "search.joblib")
    np.save(tmp_path / "X.npy", X)
    script = (
        "import sys, joblib, numpy as np\n"
        "from pathlib import Path\n"
        "folder = Path(sys.argv[1])\n"
        "model = joblib.load(folder / 'search.joblib')\n"
        "np.save(folder / 'p.npy', model.predict_proba(np.load(folder / 'X.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=120)
    np.testing.assert_allclose(np.load(tmp_path / "p.npy"), search.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_the_file_holds_no_rows_and_no_optimizer(estimator):
    rng = np.random.default_rng(0)
    canary = 1234.56789012345
    table = rng.normal(size=(400, 4))
    table[7, 2] = canary
    y = rng.integers(0, 2, 400) if estimator is NeuralClassifier else rng.normal(size=400)
    model = estimator(max_epochs=2, random_state=0).fit(table, y)
    data = pickle.dumps(model)
    for kind in (np.float64, np.float32):
        assert kind(canary).tobytes() not in data
        assert table[3:5].astype(kind).tobytes() not in data
    weights = sum(p.numel() for p in model.module_.parameters()) * 4
    assert len(data) < weights + 60_000  # Adam's moments would be two more copies of the weights


def test_a_loaded_model_trains_on():
    model = NeuralClassifier(max_epochs=3, random_state=0).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    before = again.predict_proba(X)
    again.partial_fit(X, Y)
    assert again.n_iter_ == 4
    assert not np.array_equal(again.predict_proba(X), before)


def test_a_model_of_another_device_loads_on_the_cpu():
    model = NeuralClassifier(max_epochs=2, random_state=0).fit(X, Y)
    expected = model.predict_proba(X)
    model.net_.device = "cuda"
    with mock.patch.object(torch.nn.Module, "cpu", autospec=True, side_effect=lambda module: module) as to_cpu:
        data = pickle.dumps(model)
    assert to_cpu.call_count >= 2  # network and criterion
    again = pickle.loads(data)
    assert again.net_.device == "cpu"
    np.testing.assert_array_equal(again.predict_proba(X), expected)


def test_a_clone_has_the_parameters_and_nothing_fitted():
    model = NeuralClassifier(max_epochs=2, module_params={"dropout": 0.1}, callbacks=[]).fit(X, Y)
    again = clone(model)
    assert again.get_params() == model.get_params()
    assert not hasattr(again, "net_")
    again.set_params(module__dropout=0.5)
    assert model.module_params == {"dropout": 0.1}
