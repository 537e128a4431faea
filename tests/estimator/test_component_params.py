"""``module__dropout`` and ``module_params["dropout"]`` are one parameter."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import pytest
import torch
from sklearn.base import clone
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._estimator.components import FILLED_IN, accepted_params
from sknn.losses import Huber
from sknn.modules import MLP, ResNet, TabM
from sknn.optim import Muon


class OpenEnded(nn.Module):
    def __init__(self, in_features: int, out_features: int, width: int = 3, **options: Any) -> None:
        super().__init__()


def make_net(in_features: int, out_features: int, width: int = 6) -> nn.Module:
    return nn.Linear(in_features, out_features)


# ------------------------------------------------------------------ get


def test_defaults_in_use_are_listed() -> None:
    params = NeuralClassifier(TabM, module_params={"dropout": 0.5}).get_params()
    defaults = {
        f"module__{name}": parameter.default
        for name, parameter in inspect.signature(TabM).parameters.items()
        if name not in FILLED_IN["module"]
    }
    assert {name: value for name, value in params.items() if name.startswith("module__")} == {
        **defaults,
        "module__dropout": 0.5,
    }
    assert params["criterion__label_smoothing"] == "auto"
    # Which network "auto" is, X decides.
    params = NeuralClassifier(module_params={"dropout": 0.5}).get_params()
    assert [name for name in params if name.startswith("module__")] == ["module__dropout"]
    assert params["optimizer__weight_decay"] == inspect.signature(Muon).parameters["weight_decay"].default


def test_shallow_parameters_are_the_constructors() -> None:
    assert set(NeuralClassifier().get_params(deep=False)) == set(inspect.signature(NeuralClassifier).parameters)


@pytest.mark.parametrize("kind", ["module", "criterion", "optimizer"])
def test_what_fit_fills_in_is_no_parameter(kind: str) -> None:
    names = {name for name in NeuralClassifier(TabM).get_params() if name.startswith(f"{kind}__")}
    assert names
    assert not names & {f"{kind}__{filled}" for filled in FILLED_IN[kind]}


def test_required_parameters_without_a_value_are_not_listed() -> None:
    class Needs(nn.Module):
        def __init__(self, in_features: int, hidden_size: int) -> None:
            super().__init__()

    assert "module__hidden_size" not in NeuralClassifier(Needs).get_params()
    assert NeuralClassifier(Needs, module_params={"hidden_size": 2}).get_params()["module__hidden_size"] == 2


@pytest.mark.parametrize(
    ("component", "expected", "open_ended"),
    [
        (make_net, {"width": 6}, False),
        (partial(make_net, width=9), {"width": 9}, False),
        (OpenEnded, {"width": 3}, True),
        (nn.Linear(2, 3), {}, False),
        (nn.Sequential(), {}, False),
    ],
    ids=["function", "partial", "open-ended", "instance", "empty instance"],
)
def test_what_a_module_accepts(component: Any, expected: dict[str, Any], open_ended: bool) -> None:
    assert accepted_params("module", component) == (expected, open_ended)


def test_an_instance_with_an_attribute_func_accepts_nothing() -> None:
    network = nn.Linear(2, 3)
    network.func = torch.relu
    assert accepted_params("module", network) == ({}, False)


def test_a_loss_by_name_accepts_what_its_class_does() -> None:
    assert accepted_params("criterion", "huber") == accepted_params("criterion", Huber) == ({"delta": 1.0}, False)
    assert accepted_params("criterion", "no such loss") == ({}, False)


# ------------------------------------------------------------------ set


def test_setting_one_writes_a_new_dictionary_and_keeps_the_others() -> None:
    given = {"dropout": 0.1, "width": 8}
    model = NeuralClassifier(module_params=given)
    assert model.set_params(module__dropout=0.3) is model
    assert model.module_params == {"dropout": 0.3, "width": 8}
    assert given == {"dropout": 0.1, "width": 8}


def test_a_clone_keeps_its_own() -> None:
    model = NeuralClassifier(module_params={"dropout": 0.1})
    copy = clone(model).set_params(module__dropout=0.4)
    assert model.get_params()["module__dropout"] == 0.1
    assert copy.get_params()["module__dropout"] == 0.4


def test_components_and_their_parameters_can_be_set_together_in_any_order() -> None:
    for names in (["module__n_blocks", "module"], ["module", "module__n_blocks"]):
        values = {"module": ResNet, "module__n_blocks": 1}
        model = NeuralClassifier().set_params(**{name: values[name] for name in names})
        assert (model.module, model.module_params) == (ResNet, {"n_blocks": 1})


def test_a_dictionary_and_one_of_its_parameters_can_be_set_together() -> None:
    model = NeuralClassifier().set_params(module_params={"dropout": 0.1, "width": 4}, module__dropout=0.2)
    assert model.module_params == {"dropout": 0.2, "width": 4}


def test_get_params_goes_through_set_params() -> None:
    """Defaults are then written out; what is in use stays the same."""
    model = NeuralClassifier(module_params={"dropout": 0.1}, optimizer=torch.optim.SGD, criterion=nn.CrossEntropyLoss)
    params = model.get_params()
    again = model.set_params(**params).get_params()
    assert {name: again[name] for name in params if "_params" not in name} == {
        name: params[name] for name in params if "_params" not in name
    }
    model.set_params(max_epochs=1).fit([[0.0], [1.0], [2.0]], [0, 1, 1])


@pytest.mark.parametrize(
    ("estimator", "params", "message"),
    [
        (NeuralClassifier(), {"module__droput": 0.1}, r"'droput' for module 'auto'.*\['activation', .*'dropout'"),
        (NeuralClassifier(), {"optimizer__lr": 0.1}, r"'lr' for optimizer 'auto'.*estimator's own parameter lr"),
        (NeuralClassifier(), {"module__in_features": 3}, r"'in_features' for module 'auto'.*filled in from the data"),
        (NeuralRegressor(criterion="huber"), {"criterion__beta": 1.0}, r"'beta' for criterion 'huber'.*\['delta'\]"),
        (NeuralClassifier(nn.Linear(2, 3)), {"module__bias": False}, r"instance of Linear.*Pass the class, module=Linear"),
        (NeuralClassifier(partial(make_net)), {"module__depth": 1}, r"'depth' for module .*make_net.*\['width'\]"),
        (NeuralClassifier(), {"modul__dropout": 0.1}, r"Invalid parameter 'modul' for estimator NeuralClassifier"),
        (NeuralClassifier(), {"learning_rate": 0.1}, r"Invalid parameter 'learning_rate' .*'lr'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_an_unknown_name_is_named_with_the_valid_ones(estimator: Any, params: dict[str, Any], message: str) -> None:
    before = estimator.get_params()
    with pytest.raises(ValueError, match=message):
        estimator.set_params(**params)
    assert estimator.get_params() == before


@pytest.mark.parametrize("kind", ["module", "criterion", "optimizer"])
def test_an_unknown_name_in_the_dictionary_is_found_at_fit(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"'colour' for {kind} "):
        NeuralClassifier(**{f"{kind}_params": {"colour": 1}}).fit([[0.0], [1.0]], [0, 1])


def test_an_open_ended_module_takes_any_name() -> None:
    model = NeuralClassifier(OpenEnded).set_params(module__anything=1)
    assert model.module_params == {"anything": 1}


def test_parameters_reach_the_components() -> None:
    model = NeuralRegressor(
        MLP, module_params={"hidden_sizes": (7,)}, criterion="huber", criterion_params={"delta": 0.3},
        optimizer_params={"betas": (0.8, 0.9)}, max_epochs=1,
    ).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])  # fmt: skip
    assert next(model.module_.parameters()).shape == (7, 1)
    assert model.net_.criterion_.delta == 0.3
    assert model.net_.optimizer_.param_groups[0]["betas"] == (0.8, 0.9)


@pytest.mark.parametrize("part", ["module", "criterion", "optimizer"])
def test_keys_that_are_no_names_are_refused(part):
    model = NeuralClassifier(**{f"{part}_params": {3: 0.5}})
    with pytest.raises(TypeError, match=f"^{part}_params has the key 3, expected names of parameters"):
        model.fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
