"""Every way to copy or save an estimator gives one that predicts, and trains on, as the original."""

from __future__ import annotations

import copy
import importlib
import os
import pickle
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier, StackingRegressor, VotingClassifier
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

import sknn._versions
from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP

X, Y = load_iris(return_X_y=True)


def small(kind: type = NeuralClassifier, **params: Any) -> Any:
    return kind(
        **{"module": MLP, "module_params": {"hidden_sizes": (8,)}, "max_epochs": 2, "random_state": 0, **params}
    )


def by_joblib(**kwargs: Any) -> Any:
    def copied(model: Any, folder: Path) -> Any:
        mmap = kwargs.get("mmap_mode")
        joblib.dump(model, folder / "model", compress=kwargs.get("compress", 0))
        return joblib.load(folder / "model", mmap_mode=mmap)

    return copied


WAYS = {
    **{
        f"pickle {p}": lambda m, _, p=p: pickle.loads(pickle.dumps(m, p)) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
    "cloudpickle": lambda m, _: cloudpickle.loads(cloudpickle.dumps(m)),
    "deepcopy": lambda m, _: copy.deepcopy(m),
    "copy": lambda m, _: copy.copy(m),
    "joblib": by_joblib(),
    "joblib, compressed": by_joblib(compress=3),
    "joblib, mapped": by_joblib(mmap_mode="r"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor])
def test_every_way_keeps_predictions_and_parameters(way, kind, tmp_path):
    for params in ({}, {"module": kind().module, "module_params": None}):
        model = small(kind, **params).fit(X, Y)
        again = WAYS[way](model, tmp_path)
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        assert again.get_params() == model.get_params()
        assert set(vars(again)) == set(vars(model))
    untrained = WAYS[way](small(kind), tmp_path)
    np.testing.assert_array_equal(untrained.fit(X, Y).predict(X), small(kind).fit(X, Y).predict(X))


INSIDE = {
    "pipeline": lambda: make_pipeline(StandardScaler(), small()),
    "search": lambda: GridSearchCV(small(), {"lr": [1e-3, 1e-2]}, cv=2),
    "stacking": lambda: StackingClassifier([("net", small())], LogisticRegression(), cv=2),
    "stacking of numbers": lambda: StackingRegressor([("net", small(NeuralRegressor))], cv=2),
    "voting": lambda: VotingClassifier([("net", small()), ("linear", LogisticRegression(max_iter=500))], voting="soft"),
    "calibrated": lambda: CalibratedClassifierCV(small(), cv=2),
    "bagging": lambda: BaggingClassifier(small(), n_estimators=2, random_state=0),
    "several outputs": lambda: MultiOutputRegressor(small(NeuralRegressor)),
}


@pytest.mark.parametrize("name", INSIDE)
def test_inside_other_estimators(name, tmp_path):
    y = np.column_stack([Y, Y]) if name == "several outputs" else Y
    model = INSIDE[name]().fit(X, y)
    for way in ("pickle 4", "joblib, mapped", "deepcopy"):
        np.testing.assert_array_equal(WAYS[way](model, tmp_path).predict(X), model.predict(X))


OPTIMIZERS = {
    "AdamW": {},
    "TabM": {"module": NeuralClassifier().module, "module_params": None},
    "momentum": {"optimizer": torch.optim.SGD, "optimizer_params": {"momentum": 0.9}},
    "RMSprop": {"optimizer": torch.optim.RMSprop},
    "not flat": {"optimizer": torch.optim.Rprop},
    "LBFGS": {"optimizer": torch.optim.LBFGS, "lr": 0.1, "batch_size": 150},
    "schedule": {"lr_schedule": torch.optim.lr_scheduler.StepLR, "lr_schedule_params": {"step_size": 1}},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_with_warm_start_a_loaded_model_trains_on_to_the_same_bits(name):
    model = small(warm_start=True, **OPTIMIZERS[name]).fit(X, Y)
    again, deep = pickle.loads(pickle.dumps(model)), copy.deepcopy(model)
    twice = pickle.loads(pickle.dumps(again))
    expected = model.fit(X, Y).partial_fit(X, Y).predict_proba(X)
    for other in (again, deep, twice):
        np.testing.assert_array_equal(other.fit(X, Y).partial_fit(X, Y).predict_proba(X), expected)


def test_the_optimizer_is_kept_for_a_warm_start_only():
    model = small(module_params={"hidden_sizes": (64, 64)}).fit(X, Y)
    n_bytes = 4 * sum(parameter.numel() for parameter in model.module_.parameters())
    assert len(pickle.dumps(model)) < n_bytes + 20_000
    model.set_params(warm_start=True)
    assert 3 * n_bytes < len(pickle.dumps(model)) < 3 * n_bytes + 25_000
    model.set_params(warm_start=False)
    assert len(pickle.dumps(model)) < n_bytes + 20_000


class Freezes(Callback):
    """Freezes the first layer."""

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Freeze."""
        next(net.module_.parameters()).requires_grad_(False)


def test_a_state_of_other_parameters_is_not_taken_and_that_is_said():
    model = small(warm_start=True, callbacks=[Freezes()]).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    with pytest.warns(UserWarning, match="The optimizer begins anew"):
        again.fit(X, Y)
    assert again.n_iter_ == 4


@pytest.mark.parametrize(
    "package", [sknn._versions, torch, __import__("sklearn")], ids=lambda package: package.__name__
)
def test_another_version_is_told_once(package, monkeypatch):
    model = small().fit(X, Y)
    present = package.__version__
    data = pickle.dumps(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pickle.loads(data)
        monkeypatch.setattr(package, "__version__", f"{present}+another.build" if package is torch else present)
        pickle.loads(data)
    monkeypatch.setattr(package, "__version__", "0.0.1")
    with pytest.warns(
        InconsistentVersionWarning, match="NeuralClassifier from version .*when using version .*0.0.1"
    ) as caught:
        again = pickle.loads(data)
    assert len(caught) == 1
    assert set(vars(again)) == set(vars(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_a_file_without_versions_loads():
    model = small().fit(X, Y)
    state = model.__getstate__()
    del state["_versions"]
    again = NeuralClassifier.__new__(NeuralClassifier)
    again.__setstate__(state)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


USERS = """
    import functools
    import torch
    from sknn import NeuralClassifier, NeuralRegressor
    from sknn.losses import Loss
    from skorch.callbacks import Callback

    class Net(torch.nn.Module):
        def __init__(self, in_features, out_features, width=8):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Linear(in_features, width), torch.nn.Tanh(), torch.nn.Linear(width, out_features))
        def forward(self, x):
            return self.layers(x)

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            self.seen = getattr(self, "seen", 0) + 1

    class Quartic(torch.nn.Module):
        def forward(self, prediction, y):
            return ((prediction - y) ** 4).mean()

    def models():
        base = dict(max_epochs=2, random_state=0)
        yield NeuralClassifier(Net, callbacks=[Watch()], **base)
        yield NeuralClassifier(functools.partial(Net, width=5), **base)
        yield NeuralClassifier(Net(4, 3), **base)
        yield NeuralRegressor(Net, criterion=Quartic, **base)
"""
LOAD = """
import sys, joblib, numpy as np
try:
    joblib.load("0.joblib")
except ModuleNotFoundError as error:
    print(error)
sys.path.insert(0, "importable")
X = np.load("X.npy")
for i in range(4):
    np.testing.assert_array_equal(joblib.load(f"{i}.joblib").predict(X), np.load(f"{i}.npy"))
"""


def test_modules_of_a_file_load_where_it_is_importable_and_are_missed_by_name_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "importable").mkdir()
    (tmp_path / "importable" / "users_of_a_test.py").write_text(textwrap.dedent(USERS))
    monkeypatch.syspath_prepend(tmp_path / "importable")
    models = importlib.import_module("users_of_a_test").models()
    np.save(tmp_path / "X.npy", X)
    for i, model in enumerate(models):
        joblib.dump(model.fit(X, Y), tmp_path / f"{i}.joblib")
        np.save(tmp_path / f"{i}.npy", model.predict(X))
    done = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "No module named 'users_of_a_test'" in done.stdout
