"""Derivatives by hand against automatic differentiation."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._backprop.chain import Chain
from sknn._network.build import build_network
from sknn.losses import Huber, LogLoss, MultilabelLogLoss, Quantile, SquaredError
from sknn.modules import MLP, ResNet
from sknn.optim import FlatParameters, parameter_groups

ACTIVATIONS = [nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Mish, nn.SELU, nn.Tanh, nn.Sigmoid]


def flatten(network: nn.Module) -> FlatParameters:
    return FlatParameters([group for group in parameter_groups([network]) if group])


def chain_of(network: nn.Module) -> Chain | None:
    return Chain.of(network, flatten(network).parameters)


def assert_same_gradients(network: nn.Module, inputs: dict[str, Tensor], n_steps: int = 2) -> None:
    """Of the sum of squares of the raw prediction, for batches of different sizes one after another."""
    reference = copy.deepcopy(network)
    chain = chain_of(network)
    assert chain is not None
    for n_rows in [len(inputs["x"]), len(inputs["x"]) - 3][:n_steps]:
        batch = {name: values[:n_rows] for name, values in inputs.items()}
        reference.zero_grad()
        torch.manual_seed(0)
        expected = reference(*batch.values())
        expected.square().sum().backward()
        if not chain.covers_all:
            for parameter in network.parameters():
                parameter.grad.zero_()
        torch.manual_seed(0)
        with torch.no_grad():
            raw = chain.forward(batch)
            torch.testing.assert_close(raw, expected)
            chain.backward(2 * raw)
        for got, wanted in zip(network.parameters(), reference.parameters(), strict=True):
            torch.testing.assert_close(got.grad, wanted.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("norm", [None, nn.LayerNorm])
def test_mlp(activation: type[nn.Module], dropout: float, norm: type[nn.Module] | None) -> None:
    if activation is nn.SELU and dropout:
        pytest.skip("AlphaDropout is differentiated automatically")
    torch.manual_seed(1)
    network = MLP(5, 3, hidden_sizes=(8, 7), activation=activation, dropout=dropout, norm=norm)
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    assert_same_gradients(network, {"x": torch.randn(16, 5)})


@pytest.mark.parametrize("takes_categories", [True, False])
def test_categories_in_front(takes_categories: bool) -> None:
    torch.manual_seed(1)
    if takes_categories:
        network = build_network(MLP, {}, in_features=2, in_shape=(2,), cat_cardinalities=[3, 40], out_features=2)
    else:
        network = build_network(plain, {}, in_features=2, in_shape=(2,), cat_cardinalities=[3, 40], out_features=2)
    codes = torch.stack([torch.randint(1, 3, (20,)), torch.randint(1, 40, (20,))], dim=1)
    assert_same_gradients(network, {"x": torch.randn(20, 2), "x_cat": codes})


def plain(in_features: int, out_features: int) -> nn.Module:
    return nn.Sequential(nn.Linear(in_features, 6), nn.ReLU(), nn.Linear(6, out_features))


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Linear(4, 3)],
        [nn.Linear(4, 3, bias=False), nn.ReLU()],
        [nn.Linear(4, 5), nn.Tanh(), nn.ReLU(), nn.Linear(5, 3), nn.Sigmoid()],
        [nn.Linear(4, 5), nn.LayerNorm(5, elementwise_affine=False), nn.ReLU(), nn.Linear(5, 3), nn.Dropout(0.5)],
        [nn.Linear(4, 5), nn.Sequential(nn.LeakyReLU(0.3), nn.Linear(5, 5)), nn.GELU("tanh"), nn.Linear(5, 3)],
        [nn.Linear(4, 5), nn.ReLU(inplace=True), nn.LayerNorm(5, bias=False), nn.Linear(5, 3)],
        [nn.Linear(4, 5), nn.SiLU(inplace=True), nn.Linear(5, 3)],
        [nn.Linear(4, 5), nn.ReLU(), nn.ReLU(), nn.Linear(5, 3), nn.Linear(3, 2)],
    ],
)
def test_sequential(layers: list[nn.Module]) -> None:
    assert_same_gradients(nn.Sequential(*layers), {"x": torch.randn(12, 4)})


class Own(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class OwnLinear(nn.Linear):
    pass


def hooked() -> nn.Module:
    network = plain(4, 2)
    network[0].register_forward_hook(lambda module, args, output: output * 2)
    return network


def hooked_weight() -> nn.Module:
    network = plain(4, 2)
    network[0].weight.register_hook(lambda gradient: 2 * gradient)
    return network


def parametrized() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 2)))


def frozen() -> nn.Module:
    network = plain(4, 2)
    network[0].weight.requires_grad_(False)
    return network


def replaced() -> nn.Module:
    network = plain(4, 2)
    network[1].forward = torch.tanh
    return network


def tied() -> nn.Module:
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer)


def tied_weights() -> nn.Module:
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    network[2].weight = network[0].weight
    return network


OTHERS: dict[str, Any] = {
    "a subclass": lambda: Own(nn.Linear(4, 2)),
    "a subclass of a layer": lambda: nn.Sequential(OwnLinear(4, 2)),
    "a hook": hooked,
    "a hook on a weight": hooked_weight,
    "a parametrization": parametrized,
    "a frozen weight": frozen,
    "another forward": replaced,
    "a layer used twice": tied,
    "a weight used twice": tied_weights,
    "residuals": lambda: ResNet(4, 2),
    "batch norm": lambda: MLP(4, 2, norm=nn.BatchNorm1d),
    "a layer that is not known": lambda: nn.Sequential(nn.Linear(4, 2), nn.Softplus()),
    "no linear layer first": lambda: nn.Sequential(nn.ReLU(), nn.Linear(4, 2)),
    "evaluation mode": lambda: plain(4, 2).eval(),
    "float64": lambda: plain(4, 2).double(),
    "nothing": lambda: nn.Sequential(),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_networks_are_differentiated_automatically(what: str) -> None:
    network = OTHERS[what]()
    parameters = [p for group in parameter_groups([network]) for p in group]
    if parameters:
        flatten(network)
    assert Chain.of(network, parameters) is None


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (LogLoss(), torch.tensor([0, 2, 1, 1])),
        (LogLoss(label_smoothing=0.2), torch.tensor([0, 2, 1, 1])),
        (MultilabelLogLoss(), torch.eye(4, 3)),
        (SquaredError(), torch.randn(4, 3)),
        (Huber(), torch.randn(4, 3)),
        (Quantile(0.3), torch.randn(4, 3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_gradient_of_the_loss(loss: Any, y: Tensor, weighted: bool) -> None:
    weight = torch.tensor([0.5, 2.0, 0.0, 1.0]) if weighted else None
    raw = torch.randn(4, 3, requires_grad=True)
    expected = loss(raw, y, weight)
    expected.backward()
    value, gradient = loss.value_and_gradient(raw.detach(), y, weight)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradient, raw.grad)
    assert not value.requires_grad
    assert not gradient.requires_grad


def test_a_loss_derived_from_ours_is_not_mistaken_for_it() -> None:
    class Doubled(SquaredError):
        def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
            return 2 * super().pointwise(raw_prediction, y)

    y = torch.zeros(2, 1)
    value, gradient = Doubled().value_and_gradient(torch.ones(2, 1), y)
    assert value == 2
    torch.testing.assert_close(gradient, torch.full((2, 1), 2.0))


@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_fit_is_the_same_with_and_without(estimator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 4))
    y = (X[:, 0] > 0).astype(int) if estimator is NeuralClassifier else X[:, 0] ** 2
    params = {"module_params": {"hidden_sizes": (8, 8), "dropout": 0.2}, "max_epochs": 5, "random_state": 0}
    params["module"] = MLP
    by_hand = estimator(**params).fit(X, y)
    monkeypatch.setattr(Chain, "of", classmethod(lambda cls, *args: None))
    automatic = estimator(**params).fit(X, y)
    np.testing.assert_allclose(by_hand.loss_curve_, automatic.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(by_hand.predict(X), automatic.predict(X), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", [LogLoss, SquaredError])
def test_hooks_and_patches_of_a_loss_count(kind: Any) -> None:
    y = torch.tensor([0, 1]) if kind is LogLoss else torch.zeros(2, 2)
    plain = kind().value_and_gradient(torch.ones(2, 2), y)[0]
    hooked, patched = kind(), kind()
    hooked.register_forward_hook(lambda module, args, output: 3 * output)
    patched.pointwise = lambda raw, y: 3 * kind.pointwise(patched, raw, y)
    for loss in (hooked, patched):
        torch.testing.assert_close(loss.value_and_gradient(torch.ones(2, 2), y)[0], 3 * plain)


def test_dropout_left_on_is_obeyed_at_predict() -> None:
    model = NeuralRegressor(MLP, module_params={"dropout": 0.5}, max_epochs=1, random_state=0)
    model.fit(np.eye(4), np.arange(4.0))
    np.testing.assert_array_equal(model.predict(np.eye(4)), model.predict(np.eye(4)))
    for layer in model.module_.modules():
        if isinstance(layer, nn.Dropout):
            layer.train()
    assert (model.predict(np.eye(4)) != model.predict(np.eye(4))).any()


def test_compile_trains_through_torch_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    calls: list[int] = []

    def fake_compile(module: nn.Module) -> Any:
        compiled.append(module)
        return lambda *inputs: calls.append(1) or module(*inputs)

    monkeypatch.setattr(torch, "compile", fake_compile)
    model = NeuralClassifier(max_epochs=2, compile=True, random_state=0).fit(np.eye(4), [0, 1, 0, 1])
    assert compiled == [model.module_]
    assert len(calls) == 2
    model.predict(np.eye(4))
    assert len(calls) == 2
    assert pickle.loads(pickle.dumps(model)).net_.run is None


def test_a_fitted_network_holds_no_chain() -> None:
    model = NeuralClassifier(MLP, max_epochs=1).fit(np.eye(4), [0, 1, 0, 1])
    assert model.net_.run is None
