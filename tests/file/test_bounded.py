"""Files that describe far larger networks than theirs are refused before anything large is built."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import pytest
from sklearn.base import clone
from torch import nn

import sknn
from benchmarks.reliability import _file_faults_content as of_content
from benchmarks.reliability import _file_faults_work as of_work
from benchmarks.reliability._file_parts import Parts
from sknn import NeuralClassifier
from sknn._file import bounded
from sknn._file.bounded import _limited
from sknn.exceptions import UntrustedFileError

from .subjects import FEW, X, Y, check_refused


def test_sizes_that_no_model_has(files, tmp_path, canary, monkeypatch):
    monkeypatch.setattr(bounded, "_PARTS_BESIDE", 200)
    tracemalloc.start()
    try:
        check_refused(of_content.sizes(Parts(files["table"])), tmp_path, 25)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


class Sized(nn.Module):
    """As large as its argument says; and not to be built on the meta device."""

    def __init__(self, in_features, out_features, width=4):
        super().__init__()
        self.first, self.last = nn.Linear(in_features, width), nn.Linear(width, out_features)
        self.factor = float(self.first.weight.sum().item() * 0.0 + 1.0)

    def forward(self, x):
        return self.last(self.first(x).relu()) * self.factor


def test_a_users_module_needs_numbers_while_it_is_built_and_is_limited(tmp_path):
    model = NeuralClassifier(Sized, max_epochs=2, random_state=0).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    np.testing.assert_array_equal(sknn.load(tmp_path / "m", trusted=[Sized]).predict_proba(X), model.predict_proba(X))
    params = {"$": "dict", "items": [["width", 30_000_000]]}
    parts = Parts((tmp_path / "m").read_bytes())
    (tmp_path / "m").write_bytes(
        parts.changed("estimators/0.json", lambda v: v["parameters"].update(module_params=params))
    )
    with pytest.raises(UntrustedFileError, match="far larger than the file"):
        sknn.load(tmp_path / "m", trusted=[Sized])


def test_limits_hold_for_the_thread_that_loads(monkeypatch):
    """Networks that other threads build at the same time are not counted."""
    monkeypatch.setattr(bounded, "_PARTS_BESIDE", 200)
    problems = []

    def build():
        try:
            nn.Sequential(*(nn.Linear(1, 1) for _ in range(300)))
        except UntrustedFileError as error:
            problems.append(error)

    with _limited({}, "here", bytes_too=True):
        thread = threading.Thread(target=build)
        thread.start()
        thread.join()
    assert not problems
    with pytest.raises(UntrustedFileError, match="far larger"), _limited({}, "here", bytes_too=True):
        nn.Sequential(*(nn.Linear(1, 1) for _ in range(300)))
    assert not nn.modules.module._global_parameter_registration_hooks


@pytest.mark.parametrize("layer", [nn.ConstantPad1d((0, 3), 0.0), nn.Upsample(scale_factor=4)], ids=["pad", "upsample"])
def test_layers_with_far_too_large_outputs(layer, tmp_path):
    network = nn.Sequential(nn.Unflatten(1, (1, 4)), layer, nn.AdaptiveAvgPool1d(3), nn.Flatten())
    sknn.save(
        NeuralClassifier(nn.Sequential(network, nn.Linear(3, 3)), max_epochs=1, random_state=0).fit(X, Y),
        tmp_path / "m",
    )
    text = '{"$":"tuple","items":[0,3]}' if isinstance(layer, nn.ConstantPad1d) else '"scale_factor":4.0'
    huge = '{"$":"tuple","items":[0,30000000000]}' if isinstance(layer, nn.ConstantPad1d) else '"scale_factor":1e10'
    parts = Parts((tmp_path / "m").read_bytes())
    content = parts.parts["estimators/0.json"].decode()
    assert content.count(text) == 1
    (tmp_path / "m").write_bytes(parts.replaced("estimators/0.json", content.replace(text, huge).encode()))
    with pytest.raises(UntrustedFileError, match="for a few rows than any model|larger than in any layer"):
        sknn.load(tmp_path / "m")


def test_layers_that_take_hours(tmp_path):
    check_refused(of_work.layers(tmp_path), tmp_path, 6)


def test_pooling_of_much_by_large_windows(tmp_path):
    network = nn.Sequential(
        nn.Unflatten(1, (1, 4)),
        nn.Upsample(8),
        nn.MaxPool1d(3, 1),
        nn.AdaptiveMaxPool1d(3),
        nn.Flatten(),
        nn.Linear(3, 3),
    )
    sknn.save(NeuralClassifier(network, preprocessing=False, n_networks=1, max_epochs=1).fit(X, Y), tmp_path / "m")

    def widen(value):
        layers = {child["class"]: child["arguments"] for _, child in value["parameters"]["module"]["children"]}
        layers["torch.nn.Upsample"]["size"] = 2**18
        layers["torch.nn.MaxPool1d"]["kernel_size"] = 2**16

    (tmp_path / "m").write_bytes(Parts((tmp_path / "m").read_bytes()).changed("estimators/0.json", widen))
    with pytest.raises(UntrustedFileError, match="memory or time"):
        sknn.load(tmp_path / "m")


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
