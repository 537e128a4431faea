"""AdamW with orthogonal steps of the matrices between hidden layers."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sknn import NeuralClassifier
from sknn.modules import MLP, TabM
from sknn.optim import Muon, build_optimizer
from sknn.optim._muon import orthogonal


@pytest.mark.parametrize("shape", [(8, 8), (3, 12), (12, 3)])
def test_orthogonal_brings_singular_values_into_the_range_that_is_documented(shape: tuple[int, int]) -> None:
    matrices = torch.randn(5, *shape, generator=torch.Generator().manual_seed(0)) * torch.logspace(-6, 3, 5).view(
        5, 1, 1
    )
    values = torch.linalg.svdvals(orthogonal(matrices))
    given = torch.linalg.svdvals(matrices)
    kept = given > 0.01 * given.max(dim=1, keepdim=True).values
    assert values[kept].min() > 0.17
    assert values.max() < 1.97


def test_the_step_of_a_matrix_of_zeros_is_zero() -> None:
    assert torch.equal(orthogonal(torch.zeros(2, 4, 4)), torch.zeros(2, 4, 4))


def test_parameters_without_matrices_are_updated_as_by_adamw() -> None:
    weights = [nn.Parameter(torch.linspace(-1, 1, 6)) for _ in range(2)]
    ours, theirs = (
        Muon([weights[0]], lr=0.1, weight_decay=0.3),
        torch.optim.AdamW([weights[1]], lr=0.1, weight_decay=0.3),
    )
    for step in range(5):
        for weight, optimizer in zip(weights, (ours, theirs), strict=True):
            weight.grad = weight.detach() ** 2 - step
            optimizer.step()
    assert torch.allclose(*weights, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4), (2, 4), (4, 2)])
def test_one_buffer_of_several_matrices_is_updated_as_each_by_itself(shape: tuple[int, int]) -> None:
    draw = torch.Generator().manual_seed(0)
    start, gradients = torch.randn(3, *shape, generator=draw), torch.randn(5, 3, *shape, generator=draw)
    together, alone = nn.Parameter(start.flatten().clone()), [nn.Parameter(one.clone()) for one in start]
    optimizers = [
        Muon([{"params": [together], "matrices": shape}], lr=0.1),
        Muon([{"params": alone, "matrices": shape}], lr=0.1),
    ]
    for gradient in gradients:
        together.grad = gradient.flatten()
        for one, own in zip(alone, gradient, strict=True):
            one.grad = own
        for optimizer in optimizers:
            optimizer.step()
    assert torch.allclose(together.view(3, *shape), torch.stack(list(alone)), atol=1e-6)
    assert not torch.allclose(together.view(3, *shape), start, atol=0.05)


def test_auto_is_muon_for_the_blocks_of_tabm_and_adamw_elsewhere() -> None:
    tabm = TabM(4, 2, n_blocks=2, width=8)
    made, flat = build_optimizer("auto", {}, 0.01, [tabm])
    assert type(made) is Muon
    assert flat is not None
    of_matrices = [group for group in made.param_groups if group["matrices"] is not None]
    assert [group["matrices"] for group in of_matrices] == [(8, 8)]
    assert sum(p.numel() for p in of_matrices[0]["params"]) == 2 * 64
    assert type(build_optimizer("auto", {}, 0.01, [MLP(4, 2)])[0]) is torch.optim.AdamW
    assert type(build_optimizer("auto", {}, 0.01, [TabM(4, 2, n_blocks=0)])[0]) is torch.optim.AdamW


def test_a_fit_goes_on_after_a_pickle_with_the_moments_of_the_matrices() -> None:
    draw = np.random.RandomState(0)
    X, y = draw.randn(60, 3), draw.randint(2, size=60)
    params: dict[str, Any] = dict(max_epochs=2, warm_start=True, random_state=0, lr_schedule="constant")
    model = NeuralClassifier(**params).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    for one in (model, copy):
        one.fit(X, y)
    assert np.array_equal(model.predict_proba(X), copy.predict_proba(X))
    other = clone(model).set_params(optimizer=torch.optim.AdamW).fit(X, y)
    assert not np.array_equal(other.predict_proba(X), clone(model).fit(X, y).predict_proba(X))


@pytest.mark.parametrize(
    ("name", "value"), [("lr", -1.0), ("betas", (2.0, 0.9)), ("weight_decay", -1.0), ("eps", -1.0)]
)
def test_arguments_out_of_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match={"lr": "learning rate", "betas": "beta"}.get(name, name)):
        Muon([nn.Parameter(torch.zeros(2))], **{name: value})
