"""Which classes and functions a file may use, and what `trusted` changes."""

from __future__ import annotations

import functools
import random
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

import sknn
from benchmarks.reliability import _file_faults_content as of_content
from benchmarks.reliability._file_parts import Parts
from sknn import NeuralClassifier, NeuralRegressor, losses
from sknn._file.names import Trust, known_names
from sknn.exceptions import DamagedFileError, UntrustedFileError
from sknn.modules import MLP

from .subjects import FEW, NUMBERS, X, Y, check_refused


def test_names_that_are_not_trusted(files, tmp_path, canary):
    check_refused(of_content.names(Parts(files["table"]), random.Random(0)), tmp_path, 60)


def test_known_names_are_classes_of_data_layers_and_training_only():
    packages = ("torch.nn", "torch.optim", "sknn.", "skorch.callbacks", "builtins", "numpy", "torch.relu", "torch.tanh",
                "torch.sigmoid")  # fmt: skip
    for name, thing in known_names().items():
        assert name.startswith(packages), name
        assert callable(thing)
        assert Trust().find(name, "here") is thing
    for name in (
        "torch.nn.Transformer",
        "skorch.callbacks.Checkpoint",
        "builtins.eval",
        "builtins.type",
        "numpy.object_",
        "sknn.losses.make_loss",
    ):
        with pytest.raises(UntrustedFileError):
            Trust().find(name, "here")


def test_trusted_paths_are_imported_only_when_a_file_names_them(tmp_path, canary, files):
    (tmp_path / "m").write_bytes(files["table"])
    sknn.load(tmp_path / "m", trusted=["canary_module.Payload"])
    with pytest.raises(DamagedFileError, match="is not the path of a class or function"):
        Trust(["os.no_such"]).find("os.no_such", "here")
    with pytest.raises(DamagedFileError, match="is not the path of a class or function"):
        Trust(["os.path"]).find("os.path", "here")


class OwnModule(nn.Module):
    """A user's module, with a buffer that training changes."""

    def __init__(self, in_features, out_features, width=8):
        super().__init__()
        self.norm = nn.BatchNorm1d(in_features)
        self.layers = nn.Sequential(nn.Linear(in_features, width), nn.Tanh(), nn.Linear(width, out_features))

    def forward(self, x):
        return self.layers(self.norm(x))


class OwnLoss(losses.Loss):
    """A user's loss, with something learned."""

    name = "own"
    targets = frozenset({"real"})

    def __init__(self, power=2.0):
        super().__init__()
        self.power = power
        self.register_buffer("seen", torch.zeros(()))

    def pointwise(self, raw_prediction, y):
        self.seen += 1
        return (raw_prediction - y).abs().pow(self.power).mean(dim=1)


class OwnClassifier(NeuralClassifier):
    """A user's estimator."""


def test_a_users_module_is_loaded_where_it_is_trusted(tmp_path):
    model = NeuralClassifier(OwnModule, module_params={"width": 5}, **FEW).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    for trusted in ([OwnModule], [f"{OwnModule.__module__}.OwnModule"], (OwnModule, print)):
        again = sknn.load(tmp_path / "m", trusted=trusted)
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        assert type(again.module_) is OwnModule
    with pytest.raises(UntrustedFileError, match=r"OwnModule, which is not trusted.*trusted=\[OwnModule\]"):
        sknn.load(tmp_path / "m")
    with pytest.raises(UntrustedFileError, match="OwnModule"):
        sknn.load(tmp_path / "m", trusted=[OwnLoss, "OwnModule", "tests.OwnModule"])
    # In the script that saved it, the class was in __main__.
    with mock.patch.object(OwnModule, "__module__", "__main__"):
        sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m", trusted=[OwnModule])
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_a_users_loss_and_estimator(tmp_path):
    model = NeuralRegressor(MLP, criterion=OwnLoss, criterion_params={"power": 1.5}, **FEW).fit(X, NUMBERS)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m", trusted=[OwnLoss])
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.net_.criterion_.seen == model.net_.criterion_.seen > 0
    own = OwnClassifier(MLP, **FEW).fit(X, Y)
    own.note_ = {"any": ("plain", 1, None, float("nan"))}
    sknn.save(own, tmp_path / "own")
    with pytest.raises(UntrustedFileError, match="OwnClassifier"):
        sknn.load(tmp_path / "own")
    loaded = sknn.load(tmp_path / "own", trusted=[OwnClassifier])
    assert type(loaded) is OwnClassifier
    assert str(loaded.note_) == str(own.note_)


@pytest.mark.parametrize("trusted", [True, "everything", b"x", None, 3])
def test_it_is_not_possible_to_trust_everything(trusted, tmp_path):
    with pytest.raises(TypeError, match="trusted"):
        sknn.load(tmp_path / "m", trusted=trusted)


@pytest.mark.parametrize("trusted", [[1], [nn.ReLU()], [None]])
def test_trusted_holds_classes_functions_and_paths(trusted, tmp_path):
    with pytest.raises(TypeError, match="trusted contains"):
        sknn.load(tmp_path / "m", trusted=trusted)


def factory(in_features, out_features, *, width=6):
    """A user's function that makes a network."""
    return nn.Sequential(nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, out_features))


@pytest.mark.parametrize("module", [factory, functools.partial(factory, width=3), functools.partial(MLP, hidden_sizes=(5,))],
                         ids=["function", "partial of a function", "partial of a class"])  # fmt: skip
def test_functions_that_make_networks(module, tmp_path):
    model = NeuralClassifier(module, **FEW).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m", trusted=[factory])
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    if "factory" in repr(module):
        with pytest.raises(UntrustedFileError, match="factory"):
            sknn.load(tmp_path / "m")


CALLS = []


def own_network(in_features, out_features):
    CALLS.append((in_features, out_features))
    return nn.Linear(in_features, out_features)


def test_a_function_of_the_user_is_called_once(tmp_path):
    sknn.save(NeuralClassifier(own_network, max_epochs=1, random_state=0, n_networks=1).fit(X, Y), tmp_path / "m")
    CALLS.clear()
    with pytest.raises(UntrustedFileError, match="own_network"):
        sknn.load(tmp_path / "m", trusted=["os.system"])
    assert not CALLS
    sknn.load(tmp_path / "m", trusted=[own_network])
    assert len(CALLS) == 1
