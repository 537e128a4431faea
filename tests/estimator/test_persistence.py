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
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EpochScoring

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP

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
    assert len(data) < weights + 90_000  # Adam's moments would be two more copies of the weights


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


CANARIES = (1234.56789012345, 4321.98765432101)  # a training row; one that may be held out


def table_with_canaries(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(n, 4))
    table[7, 2], table[n - 3, 2] = CANARIES
    return table, (table[:, 0] > 0).astype(int)


def canaries_in(data: bytes) -> list[float]:
    return [value for value in CANARIES for kind in (np.float64, np.float32) if kind(value).tobytes() in data]


WAYS = {
    "default": ({}, {}),
    "quantile": ({"criterion": "quantile"}, {}),
    "momentum": ({"optimizer": torch.optim.SGD, "optimizer_params": {"momentum": 0.9}}, {}),
    "LBFGS": ({"optimizer": torch.optim.LBFGS, "lr": 0.1, "batch_size": 400}, {}),
    "schedule class": ({"lr_schedule": torch.optim.lr_scheduler.OneCycleLR}, {}),
    "scoring": ({"scoring": "r2", "early_stopping": True}, {}),
    "cached scores": ({"callbacks": [EpochScoring("r2", use_caching=True)]}, {}),
    "scores of training": ({"callbacks": [EpochScoring("r2", on_train=True)]}, {}),
    "scores": ({"callbacks": [EpochScoring("r2", use_caching=False)]}, {}),
    "deadline": ({"max_time": 60}, {}),
    "untouched": ({"preprocessing": False}, {}),
    "X_val": ({}, {"X_val": table_with_canaries()[0], "y_val": table_with_canaries()[1]}),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_row_and_no_moments_whatever_the_training(way):
    params, fit_params = WAYS[way]
    table, y = table_with_canaries()
    model = NeuralRegressor(MLP, max_epochs=1, module_params={"hidden_sizes": (64, 64)}, random_state=0, **params)
    model.fit(table, y, **fit_params)
    data = pickle.dumps(model)
    # The user's X_val is no attribute, so that nothing but the fitted state could hold it.
    assert canaries_in(data) == []
    n_bytes = 4 * sum(p.numel() for p in model.module_.parameters())
    assert len(data) < n_bytes + 20_000
    np.testing.assert_array_equal(pickle.loads(data).predict(table), model.predict(table))


def test_the_canaries_would_be_found():
    table, _ = table_with_canaries()
    assert canaries_in(pickle.dumps(table)) == list(CANARIES)
    assert canaries_in(pickle.dumps(torch.tensor(table, dtype=torch.float32))) == list(CANARIES)


def test_a_sparse_table_and_images_leave_no_rows():
    table, y = table_with_canaries()
    for X in (sparse.csr_array(table), table.reshape(-1, 2, 2)):
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
        assert canaries_in(pickle.dumps(NeuralClassifier(network, max_epochs=1).fit(X, y))) == []


@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_an_mlp_of_a_small_table_is_small(estimator):
    model = estimator(MLP, max_epochs=1).fit(X, Y)
    assert len(pickle.dumps(model)) < 300_000  # 2 hidden layers of 256: 66,000 weights of 4 bytes
    assert sum(p.numel() for p in model.module_.parameters()) < 70_000


SAVE = {"joblib": joblib.dump, "pickle": lambda model, path: path.write_bytes(pickle.dumps(model)),
        "cloudpickle": lambda model, path: path.write_bytes(cloudpickle.dumps(model))}  # fmt: skip


def test_a_new_process_predicts_the_same(tmp_path):
    """Mixed tables of every way to save, and a search; one process for all, since importing torch takes seconds."""
    frame, y = mixed_table()
    classifier = NeuralClassifier(max_epochs=2, random_state=0).fit(frame, y)
    regressor = NeuralRegressor(max_epochs=2, random_state=0).fit(frame, (y == "yes") * 5.0)
    for name, save in SAVE.items():
        save(classifier, tmp_path / f"classifier.{name}")
        save(regressor, tmp_path / f"regressor.{name}")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), NeuralClassifier(max_epochs=2, random_state=0)),
        {"neuralclassifier__module__dropout": [0.0, 0.1]},
        cv=2,
    ).fit(X, Y)
    joblib.dump(search, tmp_path / "search.joblib")
    np.save(tmp_path / "X.npy", X)
    frame.to_pickle(tmp_path / "frame.pkl")
    script = (
        "import sys, joblib, numpy, pandas, pickle\n"
        "from pathlib import Path\n"
        "folder = Path(sys.argv[1])\n"
        "frame = pandas.read_pickle(folder / 'frame.pkl')\n"
        "for path in [*folder.glob('classifier.*'), *folder.glob('regressor.*')]:\n"
        "    if path.suffix == '.npy': continue\n"
        "    model = joblib.load(path) if path.suffix == '.joblib' else pickle.loads(path.read_bytes())\n"
        "    numpy.save(folder / (path.name + '.npy'), model.predict(frame), allow_pickle=True)\n"
        "    assert model.predict(frame[:1]).shape == (1,)\n"
        "search = joblib.load(folder / 'search.joblib')\n"
        "numpy.save(folder / 'search.npy', search.predict_proba(numpy.load(folder / 'X.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=120)
    for name in SAVE:
        found = np.load(tmp_path / f"classifier.{name}.npy", allow_pickle=True)
        np.testing.assert_array_equal(found, classifier.predict(frame))
        found = np.load(tmp_path / f"regressor.{name}.npy", allow_pickle=True)
        np.testing.assert_allclose(found, regressor.predict(frame), rtol=1e-6)
    np.testing.assert_allclose(np.load(tmp_path / "search.npy"), search.predict_proba(X), rtol=1e-6)


def test_saving_leaves_the_model_as_it_was():
    model = NeuralClassifier(max_epochs=2, random_state=0).fit(X, Y)
    pickle.dumps(model)
    assert model.net_.optimizer_ is not None
    twin = NeuralClassifier(max_epochs=2, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(model.partial_fit(X, Y).predict_proba(X), twin.partial_fit(X, Y).predict_proba(X))


def test_deepcopy_shares_nothing():
    model = NeuralClassifier(max_epochs=2, random_state=0).fit(X, Y)
    before = model.predict_proba(X)
    again = copy.deepcopy(model).partial_fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert not np.array_equal(again.predict_proba(X), before)


def test_a_model_of_a_gpu_is_written_with_tensors_of_the_cpu():
    """The meta device stands in for a GPU: what is written must not hold a tensor of it."""
    model = NeuralClassifier(max_epochs=2, random_state=0).fit(X, Y)
    expected = model.predict_proba(X)
    network, criterion = model.net_.module_, model.net_.criterion_
    on_gpu = copy.deepcopy(network).to("meta")
    model.net_.device = "cuda"

    def to_cpu(module: torch.nn.Module) -> torch.nn.Module:
        return network if any(p.is_meta for p in module.parameters()) else module

    model.net_.module_ = on_gpu
    with mock.patch.object(torch.nn.Module, "cpu", autospec=True, side_effect=to_cpu):
        data = pickle.dumps(model)
    assert b"meta" not in data
    again = pickle.loads(data)
    assert {p.device.type for p in again.module_.parameters()} == {"cpu"}
    assert criterion is model.net_.criterion_
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    again.partial_fit(X, Y)


def test_a_net_is_moved_to_where_it_trains_on():
    """The meta device stands in for a GPU that is back."""
    net = NeuralClassifier(MLP, max_epochs=1, random_state=0).fit(X, Y).net_
    optimizer = net.optimizer_
    net._move_to(torch.device("cpu"))
    assert net.optimizer_ is optimizer
    net._move_to(torch.device("meta"))
    assert {p.device.type for p in net.module_.parameters()} == {"meta"} == {net.device}
    assert net.optimizer_ is None
    assert net.pickled_optimizer is not None


class Normed(torch.nn.Module):
    """Layers that torch refuses to pickle."""

    def __init__(self, in_features, out_features):
        super().__init__()
        parametrizations = torch.nn.utils.parametrizations
        self.first = parametrizations.weight_norm(torch.nn.Linear(in_features, 8))
        self.second = parametrizations.spectral_norm(torch.nn.Linear(8, out_features))

    def forward(self, x):
        return self.second(self.first(x).relu())


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)),
                                    lambda m: pickle.loads(cloudpickle.dumps(m))])  # fmt: skip
def test_layers_whose_weights_are_computed_are_pickled(copier):
    model = NeuralClassifier(Normed, max_epochs=2, random_state=0).fit(X, Y)
    again = copier(model)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(copier(again.partial_fit(X, Y)).predict_proba(X), again.predict_proba(X))
    assert torch.nn.utils.parametrize.is_parametrized(again.module_.first, "weight")
    assert not np.array_equal(again.predict_proba(X), model.predict_proba(X))


class Pickles(EpochScoring):
    def on_epoch_end(self, net, **kwargs):
        self.size_ = len(pickle.dumps(net))


def test_a_callback_may_pickle_the_net_in_the_middle_of_a_training():
    model = NeuralClassifier(MLP, max_epochs=2, callbacks=[Pickles("accuracy")], random_state=0).fit(X, Y)
    weights = sum(p.numel() for p in model.module_.parameters()) * 4
    assert weights < dict(model.net_.callbacks_)["Pickles"].size_ < 8 * weights
