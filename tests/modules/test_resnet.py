"""Residual network, against its formula."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sknn.modules import ResNet


def test_resnet_equals_its_formula() -> None:
    resnet = ResNet(4, 2, n_blocks=2, width=6, hidden_size=5, activation=nn.Tanh)
    x = torch.randn(3, 4)
    stream = resnet.projection(x)
    for block in resnet.blocks:
        norm, first, _, second = block.branch
        stream = stream + second(torch.tanh(first(norm(stream))))
    norm, _, output = resnet.head
    torch.testing.assert_close(resnet(x), output(torch.tanh(norm(stream))))


def test_resnet_hidden_size_is_twice_the_width_by_default() -> None:
    assert ResNet(4, 2, width=6).blocks[0].branch[1].out_features == 12
    with pytest.raises(ValueError, match=r"n_blocks=-1 .*int >= 0"):
        ResNet(4, 2, n_blocks=-1)


def test_resnet_stream_keeps_its_variance_at_any_depth() -> None:
    resnet = ResNet(50, 1, n_blocks=30)
    with torch.no_grad():
        stream = resnet.projection(torch.randn(100, 50))
        ratio = resnet.blocks(stream).var() / stream.var()
    assert 0.8 < ratio < 1.5
