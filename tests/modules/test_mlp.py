"""Multilayer perceptron: which layers it consists of."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sknn.modules import MLP


def test_mlp_without_hidden_layers_is_linear() -> None:
    mlp = MLP(4, 2, hidden_sizes=())
    x = torch.randn(3, 4)
    linear = mlp.layers[0]
    assert len(mlp.layers) == 1
    torch.testing.assert_close(mlp(x), x @ linear.weight.T + linear.bias)


def test_mlp_layers_come_in_order() -> None:
    mlp = MLP(4, 2, hidden_sizes=(8, 6), activation=nn.Tanh, dropout=0.1, norm=nn.LayerNorm)
    kinds = [nn.Linear, nn.LayerNorm, nn.Tanh, nn.Dropout] * 2 + [nn.Linear]
    assert [type(layer) for layer in mlp.layers] == kinds
    assert [layer.out_features for layer in mlp.layers if isinstance(layer, nn.Linear)] == [8, 6, 2]


def test_mlp_refuses_hidden_sizes_that_are_no_sizes() -> None:
    with pytest.raises(TypeError, match="hidden_sizes=64 is a int; expected a sequence of ints"):
        MLP(4, 2, hidden_sizes=64)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"hidden_sizes\[1\]=0 "):
        MLP(4, 2, hidden_sizes=(8, 0))


def test_mlp_has_no_bias_that_batch_norm_would_cancel() -> None:
    mlp = MLP(4, 2, hidden_sizes=(8,), norm=nn.BatchNorm1d)
    assert mlp.layers[0].bias is None
