"""Which files are read without a child process: those whose work is in proportion to their size."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
import safetensors.torch
from torch import nn

import sknn
from benchmarks.reliability._file_parts import Parts
from sknn import NeuralClassifier
from sknn._file.cost import is_cheap
from sknn.exceptions import UntrustedFileError
from sknn.modules import MLP, FTTransformer, ResNet

from .subjects import FEW, X, Y, saved

_JSON = "estimators/0.json"


@pytest.fixture
def tried(monkeypatch):
    """Names of the parts that would have been tried in a child process."""
    found = []

    def refuse(parts, *_):
        found.extend(parts)
        raise UntrustedFileError("this file would be tried in a child process")

    monkeypatch.setattr(sys.modules["sknn._file.load"], "try_in_child", refuse)
    return found


DIRECT = {
    "default": lambda: NeuralClassifier(**FEW),
    "mlp": lambda: NeuralClassifier(MLP, module_params={"hidden_sizes": [4, 5], "activation": nn.SiLU, "norm": nn.LayerNorm}, **FEW),
    "resnet": lambda: NeuralClassifier(ResNet, n_networks=2, **FEW),
    "few columns": lambda: NeuralClassifier(FTTransformer, module_params={"n_blocks": 1}, **FEW),
    "linear": lambda: NeuralClassifier(nn.Linear, **FEW),
    "torch's loss": lambda: NeuralClassifier(MLP, criterion=nn.CrossEntropyLoss(), **FEW),
    "layers": lambda: NeuralClassifier(
        nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.Dropout(0.1), nn.Linear(5, 3)), **FEW),
}  # fmt: skip


@pytest.mark.parametrize("name", DIRECT)
def test_usual_files_need_no_child(name, tmp_path, tried):
    model = DIRECT[name]().fit(X, Y)
    sknn.save(model, tmp_path / "m")
    np.testing.assert_array_equal(sknn.load(tmp_path / "m").predict_proba(X), model.predict_proba(X))
    assert not tried


def _params(**params):
    return lambda value: value["parameters"].update(module_params={"$": "dict", "items": [*map(list, params.items())]})


OTHERS = {
    "members": _params(n_members=10**9),
    "blocks": _params(n_blocks=10**5),
    "hidden layers": _params(hidden_sizes={"$": "tuple", "items": [1] * 10_000}),
    "a range": _params(hidden_sizes={"$": "range", "parts": [1, 50_000, 1]}),
    "an activation": _params(activation={"$": "name", "name": "torch.nn.Upsample"}),
    "a partial": _params(activation={"$": "partial", "func": {"$": "name", "name": "torch.nn.ReLU"}, "args": [], "keywords": {}}),
    "a row": lambda value: value["fitted"]["inputs"].update(row_shape=[2**31 - 1]),
    "an image": lambda value: value["fitted"]["inputs"].update(row_shape=[2, 2]),
    "sequences": lambda value: value["fitted"]["inputs"].update(kind="sequence", row_shape=[1]),
    "networks": lambda value: value["fitted"]["net"].update(n_networks=10**6),
    "a module": lambda value: value["parameters"].update(module={"$": "name", "name": "torch.nn.LSTM"}),
    "what fit used": lambda value: value["fitted"]["built_with"].update(module={"$": "name", "name": "torch.nn.LSTM"}),
    "a loss": lambda value: value["parameters"].update(criterion={"$": "name", "name": "torch.nn.LSTM"}),
    "a layer that is not used": lambda value: value["parameters"].update(
        callbacks=[{"$": "layer", "class": "torch.nn.LSTM", "arguments": {}, "children": [], "state": {}, "training": True, "frozen": []}]),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_tried_first(name, tmp_path, tried):
    (tmp_path / "m").write_bytes(Parts(saved("mixed table")).changed(_JSON, OTHERS[name]))
    with pytest.raises(UntrustedFileError, match="in a child process"):
        sknn.load(tmp_path / "m")
    assert tried == ["estimators/0.json", "estimators/0.safetensors"]


def test_wide_attention_and_convolutions_are_tried_first(tmp_path, tried):
    (tmp_path / "m").write_bytes(saved("images"))
    with pytest.raises(UntrustedFileError, match="in a child process"):
        sknn.load(tmp_path / "m")
    assert sknn.load(tmp_path / "m", max_memory=None, max_seconds=None).n_iter_ == 2
    wide = Parts(saved("ft")).changed(_JSON, lambda value: value["fitted"]["inputs"].update(row_shape=[3000]))
    (tmp_path / "m").write_bytes(wide)
    with pytest.raises(UntrustedFileError, match="in a child process"):
        sknn.load(tmp_path / "m")


def test_layers_without_inputs_that_have_many_outputs_are_tried_first(tmp_path, tried):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = [nn.Linear(4, 0), nn.Linear(0, 3, bias=False), nn.Linear(3, 0, bias=False), nn.Linear(0, 3)]
        sknn.save(NeuralClassifier(nn.Sequential(*layers), **FEW).fit(X, Y), tmp_path / "m")
        sknn.load(tmp_path / "m")
    data = (tmp_path / "m").read_bytes()
    value, tensors = Parts(data).json(_JSON), Parts(data).parts["estimators/0.safetensors"]
    assert is_cheap(value, tensors)
    assert not is_cheap(value, resized(tensors, 10**8))


def resized(tensors, size):
    """Tensors without numbers, one of whose dimensions is `size` instead of 3."""
    found = safetensors.torch.load(tensors)
    wide = {
        name: t.new_empty([n if n != 3 else size for n in t.shape]) if t.numel() == 0 else t
        for name, t in found.items()
    }
    return safetensors.torch.save(wide)


def test_all_names_that_are_not_trusted_are_listed(tmp_path):
    def edit(value):
        value["parameters"].update(
            scoring={"$": "name", "name": "package.score"}, module={"$": "name", "name": "package.Net"}
        )

    (tmp_path / "m").write_bytes(Parts(saved("mixed table")).changed(_JSON, edit))
    with pytest.raises(
        UntrustedFileError, match=r"trusted=\['package.score', 'package.Net'\]|package.Net', 'package.score"
    ):
        sknn.load(tmp_path / "m")
