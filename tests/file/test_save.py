"""What can be saved, what cannot, and how the file is written."""

from __future__ import annotations

import copy
import os
import re
import sys
from unittest import mock

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback, EpochScoring
from torch import nn

import sknn
from sknn import NeuralClassifier, losses
from sknn.modules import MLP

from .subjects import FEW, SMALL_TABM, X, Y, classifier, fitted, saved


class Plain:
    """Neither a network nor a value."""


class Forgetful(nn.Module):
    """A module that learns outside of its parameters and buffers."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear, self.factor = nn.Linear(in_features, out_features), 1.0

    def forward(self, x):
        if self.training:
            self.factor += 1.0
        return self.linear(x) * self.factor


class Traceless(Callback):
    """A callback with its argument under another name."""

    def __init__(self, period=5):
        self._every = period


class Doubling(Callback):
    """A callback that changes its argument."""

    def __init__(self, period=5):
        self.period = 2 * period


class NoTrace(nn.Module):
    """A module that does not keep its argument."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.Linear(width, 3))

    def forward(self, x):
        return self.layers(x)


def shared() -> nn.Module:
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(4, 3))


REFUSED = {
    "lambda": ({"scoring": lambda e, X, y: 0.5}, "scoring is .*which a file cannot name"),
    "instance": ({"callbacks": [EpochScoring(lambda net, X, y: 0.5, use_caching=False)]}, r"callbacks\[0\]"),
    "changed argument": ({"callbacks": [Doubling(3)]}, "Doubling"),
    "no trace of a default": ({"criterion": losses.LogLoss(), "callbacks": [Traceless(3)]}, "Traceless"),
    "no trace": ({"module": NoTrace(5)}, "module is an instance of NoTrace.*Pass the class"),
    "shared weights": ({"module": shared()}, "module uses the same weights"),
    "forgetful": ({"module": Forgetful}, "predictions of Forgetful change by.*parameters and buffers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_stored_is_named(name, tmp_path):
    params, message = REFUSED[name]
    model = NeuralClassifier(**{"module": MLP, **FEW, "lr": 1e-3, **params}).fit(X, Y)
    (tmp_path / "m").write_bytes(b"what was there")
    with pytest.raises(TypeError, match=message):
        sknn.save(model, tmp_path / "m")
    assert os.listdir(tmp_path) == ["m"]
    assert (tmp_path / "m").read_bytes() == b"what was there"


def test_attributes_that_are_not_data(tmp_path):
    model = copy.copy(fitted("boolean classes")[0])
    model.helper_ = Plain()
    with pytest.raises(TypeError, match="the attribute helper_ is a .*Plain"):
        sknn.save(model, tmp_path / "m")
    model.helper_ = loop = []
    loop.append(loop)
    with pytest.raises(TypeError, match="contains itself"):
        sknn.save(model, tmp_path / "m")


def test_what_is_not_fitted(tmp_path):
    with pytest.raises(NotFittedError, match="NeuralClassifier is not fitted"):
        sknn.save(NeuralClassifier(), tmp_path / "m")
    for thing in (NeuralClassifier, nn.Linear(1, 1), "model", None):
        with pytest.raises(TypeError, match="expected a fitted estimator"):
            sknn.save(thing, tmp_path / "m")
    assert not os.listdir(tmp_path)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    model = classifier().fit(X, Y)
    sknn.save(model, tmp_path / "m")
    before = (tmp_path / "m").read_bytes()
    for name in ("fsync", "replace"):
        with (
            mock.patch.object(os, name, side_effect=OSError(28, "No space left on device")),
            pytest.raises(OSError, match="space"),
        ):
            sknn.save(model.partial_fit(X, Y), tmp_path / "m")
        assert os.listdir(tmp_path) == ["m"]
        assert (tmp_path / "m").read_bytes() == before


def test_paths(tmp_path):
    model = classifier().fit(X, Y)
    with pytest.raises(FileNotFoundError, match="folder .* does not exist"):
        sknn.save(model, tmp_path / "nowhere" / "m")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        sknn.save(model, tmp_path)
    with pytest.raises(FileNotFoundError):
        sknn.load(tmp_path / "nowhere")
    sknn.save(model, str(tmp_path / "target"))
    (tmp_path / "link").symlink_to("target")
    sknn.save(model.partial_fit(X, Y), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert sknn.load(str(tmp_path / "link")).n_iter_ == sknn.load(tmp_path / "target").n_iter_ == 3


def test_no_row_is_in_the_file(tmp_path):
    canary = 1234.56789012345
    table = np.random.default_rng(0).normal(size=(400, 4))
    table[7, 2] = canary
    for model in (
        NeuralClassifier(**SMALL_TABM),
        classifier(preprocessing=False, lr=1e-5, gradient_health=None),
    ):
        sknn.save(model.fit(table, (table[:, 0] > 0).astype(int)), tmp_path / "m")
        data = (tmp_path / "m").read_bytes()
        for kind in (np.float64, np.float32):
            assert kind(canary).tobytes() not in data
            assert table[3:5].astype(kind).tobytes() not in data
        assert repr(canary).encode() not in data


def test_saving_changes_nothing(tmp_path):
    """Neither the model nor the generators of random numbers."""
    model, twin = (classifier().fit(X, Y) for _ in range(2))
    states = torch.get_rng_state(), np.random.get_state()[1].tolist()
    sknn.save(model, tmp_path / "m")
    sknn.load(tmp_path / "m")
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == np.random.get_state()[1].tolist()
    np.testing.assert_array_equal(model.partial_fit(X, Y).predict_proba(X), twin.partial_fit(X, Y).predict_proba(X))


def test_missing_extras_are_named(tmp_path):
    model = fitted("boolean classes")[0]
    missing = mock.patch.dict(sys.modules, {"safetensors.torch": None, "safetensors": None})
    with missing, pytest.raises(ImportError, match=re.escape('pip install "sknn[files]"')):
        sknn.save(model, tmp_path / "m")
    assert not os.listdir(tmp_path)


def test_a_saved_model_is_small_beside_its_weights():
    n_bytes = sum(p.numel() * 4 for p in fitted("boolean classes")[0].module_.parameters())
    assert len(saved("boolean classes")) < n_bytes + 30_000


def test_paths_that_name_no_file(tmp_path):
    model = fitted("boolean classes")[0]
    with pytest.raises(FileNotFoundError, match="path='' is empty"):
        sknn.save(model, "")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="'.*a' is a link that leads to itself"):
        sknn.save(model, tmp_path / "a")
    assert (tmp_path / "a").is_symlink()
