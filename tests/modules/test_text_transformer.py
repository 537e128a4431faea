"""The transformer for texts."""

from __future__ import annotations

import copy

import pytest
import torch

from sknn.modules import TextTransformer


@pytest.fixture
def net() -> TextTransformer:
    torch.manual_seed(0)
    return TextTransformer(30, 3, width=8, n_heads=2, max_tokens=12)


def texts(lengths: list[int], longest: int) -> tuple[torch.Tensor, torch.Tensor]:
    n = torch.tensor(lengths)
    return torch.randint(1, 30, (len(n), longest)) * (torch.arange(longest) < n[:, None]), n


@pytest.mark.parametrize("with_gradient", [True, False])
def test_padding_and_other_texts_change_nothing(net, with_gradient):
    x, lengths = texts([9, 1, 4], 12)
    with torch.set_grad_enabled(with_gradient):
        together = net.eval()(x, lengths)
        for i, n in enumerate(lengths.tolist()):
            torch.testing.assert_close(net(x[i : i + 1, :n], lengths[i : i + 1])[0], together[i], rtol=1e-4, atol=1e-6)


def test_order_of_words_matters(net):
    x, lengths = texts([6], 6)
    assert not torch.allclose(net.eval()(x, lengths), net(x.flip(1), lengths))


def test_words_are_lost_in_training_only(net):
    x, lengths = texts([6, 2], 6)
    assert not torch.equal(net(x, lengths), net(x, lengths))
    again = copy.deepcopy(net.eval())
    assert torch.equal(net(x, lengths), again(x, lengths))


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="width=10 is not a multiple of n_heads=4"):
        TextTransformer(5, 2, width=10)
    with pytest.raises(ValueError, match="word_dropout=1.0 is out of range"):
        TextTransformer(5, 2, word_dropout=1.0)
