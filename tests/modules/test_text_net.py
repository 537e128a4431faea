"""The network for texts."""

from __future__ import annotations

import copy
import warnings
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import Tensor

from sknn import NeuralClassifier, NeuralRegressor
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
    for values in (made.weight, made.factor, made.ratios, made.starts):
        torch.nn.init.normal_(values)
    return made


def plain_scores(net: TextNet, x: Tensor, x_weight: Tensor) -> Tensor:
    """What the network is said to compute, of gathered weights."""
    table = net.ratios * (net.starts + net.factor)
    own, other = ((x_weight.unsqueeze(2) * weight[x]).sum(1) for weight in (net.weight, table))
    own = own + net.bias
    if net.embedding is not None:
        own = own + net.deep((x_weight.unsqueeze(2) * net.embedding[x]).sum(1))
    return torch.stack([own, other + net.factor_bias], 1)


def test_scores_are_sums_of_weights(net):
    x, x_weight = texts([5, 2])
    torch.testing.assert_close(net.eval()(x, x_weight), plain_scores(net, x, x_weight))


def test_padding_and_other_texts_change_nothing(net):
    x, x_weight = texts([7, 1, 3])
    together = net.eval()(x, x_weight)
    for i, n in enumerate((7, 1, 3)):
        torch.testing.assert_close(net(x[i : i + 1, :n], x_weight[i : i + 1, :n])[0], together[i])


def test_a_text_without_known_ngrams_gets_the_bias():
    net = TextNet(5, 2).eval()
    torch.nn.init.normal_(net.bias)
    torch.nn.init.normal_(net.factor_bias)
    scores = net(torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 1))[0]
    assert torch.equal(scores, torch.stack([net.bias, net.factor_bias]))


def test_gradients_are_those_of_a_plain_sum(net):
    net.double()
    x, x_weight = texts([6, 4, 1])
    x_weight = x_weight.double().requires_grad_()
    net.eval()  # no dropout
    parameters = [*net.parameters(), x_weight]
    found = torch.autograd.grad(net(x, x_weight).square().sum(), parameters)
    scores = plain_scores(net, x, x_weight)
    for one, other in zip(found, torch.autograd.grad(scores.square().sum(), parameters), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("weighted", [False, True])
def test_ratios_are_those_of_naive_bayes(weighted):
    x = torch.tensor([[1, 2], [1, 0], [2, 3], [3, 0], [1, 3]])
    labels = torch.tensor([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]], dtype=torch.float32)
    weight = torch.tensor([1.0, 2.0, 1.0, 1.0, 0.0]) if weighted else None
    net = TextNet(4, 3)
    given = [
        ((x[part], torch.ones(x[part].shape)), labels[part], None if weight is None else weight[part])
        for part in (slice(0, 2), slice(2, 5))
    ]
    assert net.fit_start(Mock(target="classes", batches=lambda: given)) is net
    w = torch.ones(5) if weight is None else weight
    for code in (1, 2, 3):
        has = (x == code).any(1)
        for label in (0, 1):
            is_label = labels[:, label] == 1
            inside = (w[has & is_label].sum() + 1) / (w[is_label].sum() + 2)
            outside = (w[has & ~is_label].sum() + 1) / (w[~is_label].sum() + 2)
            torch.testing.assert_close(net.ratios[code, label], 0.3 * torch.log(inside / outside))
    assert net.starts.tolist() == [1, 1, 0]  # a label that no text has is learned from 0
    assert (net.ratios[:, 2] == 1).all()
    assert (net.ratios[0] == 1).all()


def test_real_targets_leave_the_ratios():
    net = TextNet(4, 3)
    net.fit_start(Mock(target="real", batches=None))
    assert (net.ratios == 1).all()


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


def test_labels_reach_the_network_and_numbers_do_not():
    X = [f"{color} text {i}" for i in range(20) for color in ("red", "blue")]
    y = np.arange(40) % 2
    model = NeuralClassifier(max_epochs=1, random_state=0).fit(X, y)
    assert model.module_.starts.tolist() == [1, 1]
    words = dict(zip(("red", "blue"), model.predict_proba(["red", "blue"])[:, 0], strict=True))
    assert words["red"] > 0.5 > words["blue"]
    several = NeuralClassifier(max_epochs=1, n_networks=2, early_stopping=True, random_state=0).fit(X, y)
    assert all(network.starts.tolist() == [1, 1] for network in several.module_.networks)
    one_score = NeuralClassifier(criterion=torch.nn.BCEWithLogitsLoss, max_epochs=1, random_state=0).fit(X, y)
    assert one_score.module_.starts.tolist() == [1]
    assert one_score.predict(["red", "blue"]).tolist() == [0, 1]
    labels = NeuralClassifier(max_epochs=1, random_state=0).fit(X, np.c_[y, 1 - y, y])
    assert labels.predict(["red", "blue"]).tolist() == [[0, 1, 0], [1, 0, 1]]
    assert NeuralRegressor(max_epochs=1, random_state=0).fit(X, y.astype(float)).module_.starts.tolist() == [0]


def test_two_classes_raise_no_warning():
    X = ["a fine film", "a dull film", "finely acted", "badly acted"] * 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NeuralClassifier(random_state=0).fit(X, ["good", "bad"] * 20)
