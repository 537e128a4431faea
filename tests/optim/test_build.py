"""Which parameters decay, and which optimizers are flat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sknn import NeuralClassifier
from sknn.optim import build_optimizer, parameter_groups


def named_groups(module: nn.Module) -> tuple[set[str], set[str]]:
    names = {id(parameter): name for name, parameter in module.named_parameters(remove_duplicate=False)}
    decayed, undecayed = parameter_groups([module])
    return {names[id(p)] for p in decayed}, {names[id(p)] for p in undecayed}


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(3), nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.InstanceNorm1d(3, affine=True), nn.RMSNorm(3)],
    ids=lambda norm: type(norm).__name__,
)  # fmt: skip
def test_norms_and_biases_do_not_decay(norm: nn.Module) -> None:
    decayed, undecayed = named_groups(nn.Sequential(nn.Linear(2, 3), norm))
    assert decayed == {"0.weight"}
    assert undecayed == {"0.bias"} | {f"1.{name}" for name, _ in norm.named_parameters()}


def test_every_kind_of_layer_has_its_weights_decayed_and_its_biases_not() -> None:
    module = nn.ModuleDict(
        {
            "conv": nn.Conv1d(2, 3, 2),
            "lstm": nn.LSTM(2, 3),
            "embedding": nn.Embedding(4, 2),
            "attention": nn.MultiheadAttention(4, 2),
            "bilinear": nn.Bilinear(2, 2, 2),
        }
    )
    decayed, undecayed = named_groups(module)
    assert all("bias" in name for name in undecayed)
    assert not any("bias" in name for name in decayed)
    assert {"conv.weight", "lstm.weight_hh_l0", "embedding.weight", "attention.in_proj_weight"} <= decayed
    assert {"conv.bias", "lstm.bias_ih_l0", "attention.in_proj_bias", "attention.out_proj.bias"} <= undecayed
    assert len(decayed) + len(undecayed) == len(list(module.parameters()))


def test_a_lone_number_does_not_decay() -> None:
    module = nn.Module()
    module.temperature = nn.Parameter(torch.tensor(1.0))
    module.table = nn.Parameter(torch.ones(2))
    assert named_groups(module) == ({"table"}, {"temperature"})


def test_shared_parameters_appear_once() -> None:
    module = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    module[1].weight = module[0].weight
    decayed, undecayed = parameter_groups([module, module])
    assert [id(p) for p in decayed] == [id(module[0].weight)]
    assert undecayed == []


def test_frozen_parameters_are_left_out() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    module[0].requires_grad_(False)
    assert named_groups(module) == ({"1.weight"}, {"1.bias"})


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.ASGD], ids=["flat", "not flat"])
def test_weight_decay_reaches_weights_only(optimizer: type) -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
    built, flat = build_optimizer(optimizer, {"weight_decay": 0.5}, 0.1, [module])
    assert [group["weight_decay"] for group in built.param_groups] == [0.5, 0.0]
    assert (flat is not None) == (optimizer is torch.optim.AdamW)


def test_a_network_of_biases_only_does_not_decay() -> None:
    built, _ = build_optimizer(torch.optim.SGD, {"weight_decay": 0.5}, 0.1, [nn.LayerNorm(3)])
    assert [group["weight_decay"] for group in built.param_groups] == [0.0]


def test_an_optimizer_without_weight_decay_gets_one_group() -> None:
    class Plain(torch.optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

    built, flat = build_optimizer(Plain, {}, 0.1, [nn.Linear(2, 3)])
    assert [len(group["params"]) for group in built.param_groups] == [2]
    assert flat is None


def test_nothing_to_train_is_an_error_with_the_modules_name() -> None:
    with pytest.raises(ValueError, match=r"Flatten has no parameters .*requires_grad=True"):
        build_optimizer(torch.optim.SGD, {}, 0.1, [nn.Flatten()])


@pytest.mark.parametrize("params", [{"momentum": -1.0}, {"nesterov": True}, {"speed": 3}])
def test_what_the_optimizer_refuses_is_named(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"SGD refuses lr=0\.1, optimizer_params=.*{next(iter(params))}"):
        build_optimizer(torch.optim.SGD, params, 0.1, [nn.Linear(2, 3)])


def test_sparse_gradients_and_mixed_dtypes_are_not_flattened() -> None:
    modules = [nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()), nn.Embedding(4, 2, sparse=True)]
    for module in modules:
        _, flat = build_optimizer(torch.optim.SGD, {}, 0.1, [module])
        assert flat is None


@pytest.mark.parametrize(
    ("optimizer", "params", "problem"),
    [
        (torch.optim.AdamW, {}, "AdamW does not take the sparse gradients"),
        (torch.optim.Adafactor, {}, "Adafactor does not take the sparse gradients"),
        (torch.optim.SGD, {"weight_decay": 0.1}, r"weight_decay=0\.1 does not go with the sparse gradients"),
        (torch.optim.SparseAdam, {}, "SparseAdam takes no other gradients than the sparse ones"),
    ],
)
def test_an_optimizer_that_cannot_use_sparse_gradients_is_refused(
    optimizer: type, params: dict[str, Any], problem: str
) -> None:
    network = nn.Sequential(nn.EmbeddingBag(4, 2, sparse=True), nn.Linear(2, 2))
    with pytest.raises(ValueError, match=rf"optimizer: {problem} of EmbeddingBag.*SGD or Adagrad"):
        build_optimizer(optimizer, params, 0.1, [network])
    network[0].requires_grad_(False)
    if optimizer is not torch.optim.SparseAdam:
        build_optimizer(optimizer, params, 0.1, [network])


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adagrad, torch.optim.LBFGS, torch.optim.SparseAdam])
def test_an_optimizer_that_takes_sparse_gradients_is_made(optimizer: type) -> None:
    made, _ = build_optimizer(optimizer, {}, 0.1, [nn.Embedding(4, 2, sparse=True)])
    assert type(made) is optimizer


def test_a_subclass_of_an_optimizer_is_not_flattened() -> None:
    class LayerWise(torch.optim.SGD):
        """May treat each parameter by its shape."""

    _, flat = build_optimizer(LayerWise, {}, 0.1, [nn.Linear(2, 3)])
    assert flat is None


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD, torch.optim.Adagrad])
def test_complex_parameters_are_trained(optimizer: type) -> None:
    class Spectrum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, 2, dtype=torch.complex64))

        def forward(self, x: Tensor) -> Tensor:
            return (x.to(self.weight.dtype) @ self.weight).abs()

    X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    model = NeuralClassifier(Spectrum, optimizer=optimizer, max_epochs=2, random_state=0).fit(X, X[:, 0] > 0)
    weight = model.module_.weight.detach()
    assert weight.is_complex()
    assert not torch.equal(weight, torch.ones_like(weight))
