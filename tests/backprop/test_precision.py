"""Products in bfloat16: where they are used, and how far they are from float32."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sknn import NeuralClassifier
from sknn._backprop import precision as _precision
from sknn._backprop.chain import Chain
from sknn._backprop.layers import Bfloat16Linear, Linear
from sknn.modules import MLP, ResNet
from sknn.optim import FlatParameters, parameter_groups


def flatten(network: nn.Module) -> FlatParameters:
    return FlatParameters([group for group in parameter_groups([network]) if group])


def plain(in_features: int, out_features: int) -> nn.Module:
    return nn.Sequential(nn.Linear(in_features, 6), nn.ReLU(), nn.Linear(6, out_features))


def test_products_in_bfloat16_are_close_to_float32() -> None:
    torch.manual_seed(0)
    network = plain(40, 3)
    exact, x = copy.deepcopy(network), torch.randn(30, 40)
    gradients = []
    for net, precision in [(network, "bfloat16"), (exact, "float32")]:
        chain = Chain.of(net, flatten(net).parameters, precision)
        assert chain is not None
        with torch.no_grad():
            chain.backward(2 * chain.forward({"x": x}))
        gradients.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
    rounded, expected = gradients
    error = ((rounded - expected).norm() / expected.norm()).item()
    assert 1e-4 < error < 0.02  # 8 bits: 0.4 % a number


@pytest.mark.parametrize(("rows", "widths"), [(512, [512, 512, 512, 3]), (64, [512, 512, 512, 3]), (512, [512, 3])])
def test_auto_rounds_wide_hidden_layers_only(rows: int, widths: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_precision, "has_bfloat16_products", lambda: True)
    network = MLP(8, widths[-1], hidden_sizes=widths[:-1])
    chain = Chain.of(network, flatten(network).parameters, "auto", rows)
    assert chain is not None
    rounded = [isinstance(link, Bfloat16Linear) for link in chain.links if isinstance(link, Linear)]
    wide = rows == 512
    assert rounded == [False, *([wide] * (len(widths) - 2)), False]


@pytest.mark.parametrize(("module", "params"), [(MLP, {"hidden_sizes": (64,)}), (ResNet, {"width": 32})])
def test_fit_in_bfloat16_learns_and_is_another_fit(module: type[nn.Module], params: dict) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    y = X[:, 0] > 0
    made = NeuralClassifier(module, module_params=params, lr=0.01, max_epochs=6, random_state=0)
    fits = [clone(made).set_params(precision=precision).fit(X, y) for precision in ("bfloat16", "auto")]
    assert all(fit.score(X, y) > 0.9 for fit in fits)
    assert all(parameter.dtype == torch.float32 for parameter in fits[0].module_.parameters())
    assert fits[0].loss_curve_ != fits[1].loss_curve_
    np.testing.assert_allclose(fits[0].loss_curve_, fits[1].loss_curve_, atol=0.05)
