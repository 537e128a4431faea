"""The network for texts."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from sknn.modules import TextNet


def texts(lengths: list[int], n_codes: int = 50) -> tuple[Tensor, Tensor]:
    """Codes and weights of texts of so many n-grams, padded with zeros."""
    exists = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    codes = torch.randint(1, n_codes, exists.shape)
    return codes * exists, torch.rand(exists.shape) * exists


@pytest.fixture(params=[0, 4])
def net(request) -> TextNet:
    torch.manual_seed(0)
    made = TextNet(50, 3, embedding_size=request.param)
    torch.nn.init.normal_(made.weight)
    return made


def test_scores_are_sums_of_weights(net):
    x, x_weight = texts([5, 2])
    scores = net.eval()(x, x_weight)
    expected = torch.einsum("bn,bnc->bc", x_weight, net.weight[x]) + net.bias
    if net.embedding is not None:
        expected = expected + net.deep(torch.einsum("bn,bnc->bc", x_weight, net.embedding[x]))
    torch.testing.assert_close(scores, expected)


def test_padding_and_other_texts_change_nothing(net):
    x, x_weight = texts([7, 1, 3])
    together = net.eval()(x, x_weight)
    for i, n in enumerate((7, 1, 3)):
        torch.testing.assert_close(net(x[i : i + 1, :n], x_weight[i : i + 1, :n])[0], together[i])


def test_a_text_without_known_ngrams_gets_the_bias():
    net = TextNet(5, 2).eval()
    torch.nn.init.normal_(net.bias)
    assert torch.equal(net(torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 1))[0], net.bias)


def test_gradients_are_those_of_a_plain_sum(net):
    net.double()
    x, x_weight = texts([6, 4, 1])
    x_weight = x_weight.double().requires_grad_()
    net.eval()  # no dropout
    parameters = [*net.parameters(), x_weight]
    found = torch.autograd.grad(net(x, x_weight).square().sum(), parameters)
    scores = (x_weight.unsqueeze(2) * net.weight[x]).sum(1) + net.bias
    if net.embedding is not None:
        scores = scores + net.deep((x_weight.unsqueeze(2) * net.embedding[x]).sum(1))
    for one, other in zip(found, torch.autograd.grad(scores.square().sum(), parameters), strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_have_the_same_bits_whatever_the_threads(net):
    x, x_weight = texts([3000, 2500] * 32)
    gradients = []
    threads = torch.get_num_threads()
    try:
        for n in (1, 3):
            torch.set_num_threads(n)
            net.zero_grad()
            net.eval()(x, x_weight).square().sum().backward()
            gradients.append([p.grad.clone() for p in net.parameters()])
    finally:
        torch.set_num_threads(threads)
    assert all(map(torch.equal, *gradients))


def test_ngrams_are_dropped_in_training_only(net):
    x, x_weight = texts([9, 9])
    net.train()
    assert not torch.equal(net(x, x_weight), net(x, x_weight))
    net.eval()
    assert torch.equal(net(x, x_weight), net(x, x_weight))
    again = copy.deepcopy(net)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(x, x_weight), net(x, x_weight))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_features": 0}, "in_features=0 is out of range"),
        ({"dropout": 1.0}, "dropout=1.0 is out of range"),
        ({"embedding_size": -1}, "embedding_size=-1 is out of range"),
        ({"hidden_size": 2.5}, "hidden_size=2.5 is a float"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        TextNet(**{"in_features": 5, "out_features": 2, **arguments})
