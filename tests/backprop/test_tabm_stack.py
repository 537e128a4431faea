"""TabM and committees of it, differentiated by hand, against automatic differentiation."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._backprop.by_hand import gradient_by_hand
from sknn._backprop.tabm_stack import TabMStack
from sknn._network.build import build_network
from sknn._network.table_network import committee_of
from sknn.modules import MLP, Committee, TabM
from sknn.modules._linear_path import LinearPath
from sknn.modules.tabm import SharedLayer
from sknn.optim import FlatParameters, parameter_groups

SMALL = {"width": 16, "n_members": 2, "n_bins": 8}


def flatten(network: nn.Module) -> FlatParameters:
    return FlatParameters([group for group in parameter_groups([network]) if group])


def network_of(
    n_networks: int, in_features: int, cat_cardinalities: tuple[int, ...] = (), **params: Any
) -> tuple[nn.Module, dict[str, Tensor]]:
    """A network with random weights, and a batch for it."""
    torch.manual_seed(0)
    network = build_network(
        TabM,
        {**SMALL, **params},
        in_features=in_features,
        in_shape=(in_features,),
        cat_cardinalities=cat_cardinalities,
        out_features=3,
        n_networks=n_networks,
    )
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    for part in network.modules():  # each network has its own scales, columns with curves, knots, and linear model
        if isinstance(part, TabM):
            part.knots.copy_(torch.randn(part.knots.shape).sort(1).values)
            nn.init.uniform_(part.scale)
            part.curved.copy_(torch.randperm(in_features)[: len(part.curved)].sort().values)
        elif isinstance(part, LinearPath):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    inputs = {"x": torch.randn(24, in_features)}
    if cat_cardinalities:
        inputs["x_cat"] = torch.stack([torch.randint(0, size, (24,)) for size in cat_cardinalities], dim=1)
    return network, inputs


@pytest.mark.parametrize("own_rows", [True, False], ids=["own rows", "all rows"])
@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize(
    ("in_features", "cat_cardinalities", "params"),
    [
        (4, (), {}),
        (4, (), {"n_bins": 0}),
        (5, (), {"n_curved": 2}),
        (4, (), {"n_blocks": 0}),
        (2, (3,), {}),
        (3, (40, 3, 30), {"n_curved": 2}),
        (2, (40,), {"n_bins": 0}),
        (0, (4, 50), {}),
        (4, (), {"dropout": 0.3}),
        (2, (40, 3), {"dropout": 0.3}),
        (4, (), {"activation": nn.ReLU}),
        (4, (), {"activation": nn.ReLU, "dropout": 0.3}),
        (4, (), {"width": 15}),
    ],
)
def test_the_same_gradients_as_by_automatic_differentiation(
    in_features: int, cat_cardinalities: tuple[int, ...], params: dict[str, Any], n_networks: int, own_rows: bool
) -> None:
    network, inputs = network_of(n_networks, in_features, cat_cardinalities, **params)
    reference = copy.deepcopy(network)
    stack = TabMStack.of(network, flatten(network))
    assert stack is not None

    def rows_of(network: nn.Module) -> Any:
        committee = committee_of(network)
        return committee.own_rows() if committee is not None and own_rows else nullcontext()

    for n_rows in (24, 12, 24):
        batch = {name: values[:n_rows] for name, values in inputs.items()}
        reference.zero_grad()
        torch.manual_seed(1)  # categories are masked
        with rows_of(reference):
            expected = reference(*batch.values())
        expected.square().sum().backward()
        if not stack.covers_all:
            for parameter in network.parameters():
                parameter.grad.zero_()
        torch.manual_seed(1)
        with rows_of(network), torch.no_grad():
            raw = stack.forward(batch)
            torch.testing.assert_close(raw, expected)
            stack.backward(2 * raw)
        for (name, got), wanted in zip(network.named_parameters(), reference.parameters(), strict=True):
            torch.testing.assert_close(got.grad, wanted.grad, rtol=1e-4, atol=1e-4, msg=lambda m, name=name: name + m)


@pytest.mark.parametrize("own_rows", [True, False], ids=["own rows", "all rows"])
@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize(
    ("cat_cardinalities", "params"), [((), {}), ((40, 3), {"n_curved": 2}), ((3,), {"n_bins": 0}), ((40,), {})]
)
def test_the_same_scores_as_of_the_network_in_evaluation_mode(
    cat_cardinalities: tuple[int, ...], params: dict[str, Any], n_networks: int, own_rows: bool
) -> None:
    network, inputs = network_of(n_networks, 4, cat_cardinalities, dropout=0.3, **params)
    stack = TabMStack.of(network, flatten(network))  # in training mode
    assert stack is not None
    committee = committee_of(network)
    with torch.no_grad(), committee.own_rows() if committee is not None and own_rows else nullcontext():
        network.eval()
        torch.testing.assert_close(stack.forward(inputs), network(*inputs.values()))
        torch.manual_seed(1)
        dropped = stack.forward(inputs) if network.train() is network else None
        torch.manual_seed(1)
        torch.testing.assert_close(dropped, network(*inputs.values()))


class OwnTabM(TabM):
    """Of a user, who may have written another forward."""


class OwnReLU(nn.ReLU):
    """Of a user, and who knows what it does."""


def hooked() -> nn.Module:
    network = TabM(4, 1, **SMALL)
    network.blocks[0].register_forward_hook(lambda module, args, output: output * 2)
    return network


def hooked_weight() -> nn.Module:
    network = TabM(4, 1, **SMALL)
    network.gain.register_hook(lambda gradient: 2 * gradient)
    return network


def frozen() -> nn.Module:
    network = TabM(4, 1, **SMALL)
    network.gain.requires_grad_(False)
    return network


def partly_in_evaluation() -> nn.Module:
    network = TabM(4, 1, **SMALL)
    network.blocks[0].eval()
    return network


class OwnLayer(SharedLayer):
    """Of a user, in a network of ours."""


def own_layer() -> nn.Module:
    network = TabM(4, 1, **SMALL)
    network.blocks[0].__class__ = OwnLayer
    return network


def no_layer() -> nn.Module:
    network = TabM(4, 1, **SMALL)
    network.blocks[0] = nn.Identity()
    return network


@pytest.mark.parametrize(
    "make",
    [
        lambda: TabM(4, 1, **SMALL).double(),
        lambda: TabM(4, 1, **SMALL, activation=nn.GELU),
        lambda: TabM(4, 1, **SMALL, activation=OwnReLU),
        lambda: OwnTabM(4, 1, **SMALL),
        lambda: Committee([TabM(4, 1, **SMALL), OwnTabM(4, 1, **SMALL)]),
        lambda: Committee([TabM(4, 1, **SMALL), TabM(4, 1, n_members=2)]),
        lambda: Committee([MLP(4, 1), MLP(4, 1)]),
        *(hooked, hooked_weight, frozen, partly_in_evaluation, own_layer, no_layer),
    ],
)
def test_what_is_not_known_is_left_to_automatic_differentiation(make: Any) -> None:
    network = make()
    assert gradient_by_hand(network, flatten(network), "float32", 0) is None


def test_losses_with_weights_of_their_own_are_left_to_automatic_differentiation() -> None:
    network, loss = TabM(4, 1, **SMALL), nn.Linear(1, 1)
    assert TabMStack.of(network, FlatParameters(parameter_groups([network, loss]))) is None


def table(n_rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the epochs of a fit are differentiated by."""
    found = []

    def noted(*args: Any) -> Any:
        found.append(gradient_by_hand(*args))
        return found[-1]

    monkeypatch.setattr("sknn._training.steps.gradient_by_hand", noted)
    return found


class Watch(Callback):
    """Looks at every step, and changes nothing."""

    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        """Look."""
        assert all(parameter.grad is not None for _, parameter in named_parameters)


@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize("weighted", [True, False])
def test_a_fit_learns_the_same_by_hand(
    stacks: list[Any], n_networks: int, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = table()
    weight = np.random.default_rng(1).random(len(y)) + 0.5 if weighted else None
    params = {"max_epochs": 2, "module_params": SMALL, "n_networks": n_networks, "random_state": 0}
    by_hand = NeuralClassifier(**params).fit(X, y, weight)
    assert [type(stack) for stack in stacks] == [TabMStack] * 2
    watched = NeuralClassifier(**params, callbacks=[Watch()]).fit(X, y, weight)
    assert watched.loss_curve_ == by_hand.loss_curve_
    np.testing.assert_array_equal(watched.predict_proba(X), by_hand.predict_proba(X))
    stacks.clear()
    monkeypatch.setattr(TabMStack, "of", lambda *args: None)
    automatic = NeuralClassifier(**params).fit(X, y, weight)
    assert stacks == [None] * 2
    np.testing.assert_allclose(by_hand.loss_curve_, automatic.loss_curve_, rtol=1e-3)
    np.testing.assert_allclose(by_hand.predict_proba(X), automatic.predict_proba(X), atol=5e-3)


class HooksNetwork(Callback):
    """Registers a hook between the training steps and the validation of the first epoch."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin to count."""
        self.calls = 0
        self.calls_of_batches: list[int] = []

    def on_batch_begin(self, net: Any, batch: Any, training: bool, **kwargs: Any) -> None:
        """Register it."""
        if not training and len(net.history) == 1:
            committee = committee_of(net.module_)
            assert committee is not None
            committee.networks[0].register_forward_hook(self.count)
        self.calls_before = self.calls

    def on_batch_end(self, net: Any, batch: Any, training: bool, **kwargs: Any) -> None:
        """Note the calls of a validation batch."""
        if not training:
            self.calls_of_batches.append(self.calls - self.calls_before)

    def count(self, network: nn.Module, given: Any, output: Any) -> None:
        """A forward hook."""
        self.calls += 1


def test_hooks_of_a_network_see_its_validation_rows() -> None:
    X, y = table()
    hooks = HooksNetwork()
    params = {"max_epochs": 2, "module_params": SMALL, "early_stopping": True, "random_state": 0}
    NeuralClassifier(**params, callbacks=[hooks]).fit(X, y)
    assert hooks.calls_of_batches == [1, 1]


def test_validation_computes_a_committee_as_one_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    in_training: list[bool] = []
    forward = TabMStack.forward

    def compared(self: TabMStack, inputs: dict[str, Tensor]) -> Tensor:
        assert self.committee is not None
        raw = forward(self, inputs)
        torch.testing.assert_close(raw, self.committee(inputs["x"]))
        in_training.append(self.committee.training)
        return raw

    monkeypatch.setattr(TabMStack, "forward", compared)
    X, y = table()
    NeuralClassifier(max_epochs=3, module_params=SMALL, early_stopping=True, random_state=0).fit(X, y)
    assert in_training.count(False) == 3  # a batch an epoch


def test_bfloat16_is_differentiated_automatically(stacks: list[Any]) -> None:
    X, y = table()
    params = {"max_epochs": 2, "module_params": SMALL, "precision": "bfloat16", "random_state": 0}
    assert NeuralRegressor(**params).fit(X, y).n_iter_ == 2
    assert stacks == [None] * 2


@pytest.mark.parametrize("params", [{}, {"n_networks": 1, "batch_size": 128}])
def test_the_same_bits_on_one_thread_and_on_two(monkeypatch: pytest.MonkeyPatch, params: dict[str, Any]) -> None:
    monkeypatch.setattr("sknn._threads._WORK_PER_THREAD", 1)
    X, y = table(300)
    before, fitted = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            fitted.append(NeuralClassifier(max_epochs=1, random_state=0, **params).fit(X, y).predict_proba(X))
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(*fitted)
