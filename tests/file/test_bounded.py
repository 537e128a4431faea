"""A network is compared with the tensors of the file before it takes memory; frozen layers stay frozen."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from sklearn.base import clone
from torch import nn

import sknn
from benchmarks.reliability._file_parts import Parts
from sknn import NeuralClassifier
from sknn.exceptions import DamagedFileError

from .subjects import FEW, SMALL_TABM, X, Y


def test_a_network_that_differs_from_its_tensors_takes_no_memory(files, tmp_path):
    parts, huge = Parts(files["table"]), 10**9
    tracemalloc.start()
    try:
        for params in ({"width": huge}, {"n_bins": huge}, {"numeric_embedding_size": huge}):
            items = {"$": "dict", "items": [*map(list, {**SMALL_TABM["module_params"], **params}.items())]}
            (tmp_path / "m").write_bytes(parts.changed("estimators/0.json", _with_params(items)))
            with pytest.raises(DamagedFileError, match=r"tensor .* has shape|do not match|not match"):
                sknn.load(tmp_path / "m")
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


def _with_params(params):
    return lambda value: value["parameters"].update(module_params=params)


class Sized(nn.Module):
    """Not to be built on the meta device."""

    def __init__(self, in_features, out_features, width=4):
        super().__init__()
        self.first, self.last = nn.Linear(in_features, width), nn.Linear(width, out_features)
        self.factor = float(self.first.weight.sum().item() * 0.0 + 1.0)

    def forward(self, x):
        return self.last(self.first(x).relu()) * self.factor


def test_a_users_module_may_need_numbers_while_it_is_built(tmp_path):
    model = NeuralClassifier(Sized, max_epochs=2, random_state=0).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    np.testing.assert_array_equal(sknn.load(tmp_path / "m", trusted=[Sized]).predict_proba(X), model.predict_proba(X))


def test_frozen_layers_stay_frozen(tmp_path):
    network = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    network[0].requires_grad_(False)
    model = NeuralClassifier(network, **FEW).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    for frozen in (again.module[0], again.module_[0], clone(again).fit(X, Y).module_[0]):
        assert not frozen.weight.requires_grad
    np.testing.assert_array_equal(again.partial_fit(X, Y).module_[0].weight.detach(), network[0].weight.detach())
    assert again.module_[2].weight.requires_grad
