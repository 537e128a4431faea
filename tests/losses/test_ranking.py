"""Ranking losses: values by hand, gradients, members, ties, long queries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from sknn.losses import ApproxNDCG, LambdaRank, ListNet, Pointwise, RankingLoss, RankNet
from sknn.metrics import ndcg_by_query

LOSSES = [ApproxNDCG, LambdaRank, ListNet, RankNet, Pointwise]
each_loss = pytest.mark.parametrize("kind", LOSSES, ids=lambda kind: kind.__name__)


def targets(relevance: list[float], queries: list[int]) -> Tensor:
    """y (n, 3) in float64."""
    y = torch.tensor([relevance, queries], dtype=torch.float64)
    return torch.cat([y, (y[:1] - y[0].mean()) / y[0].std()]).T.contiguous()


Y = targets([2, 0, 1, 0, 3, 3, 1, 0], [0, 0, 0, 1, 1, 1, 1, 2])
SCORES = torch.tensor([0.3, -0.2, 1.4, 0.9, -0.7, 0.1, 0.5, 2.0], dtype=torch.float64)[:, None]
WEIGHT = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0, 0.2, 1.0, 1.0], dtype=torch.float64)


def test_listnet_by_hand():
    gains = np.array([3, 0, 1]) / 4
    log_share = np.array([0.3, -0.2, 1.4]) - np.log(np.exp([0.3, -0.2, 1.4]).sum())
    assert ListNet()(SCORES[:3], Y[:3]).item() == pytest.approx(-(gains * log_share).sum())


def test_ranknet_by_hand():
    pairs = [(0.3, -0.2), (0.3, 1.4), (1.4, -0.2)]
    expected = np.mean([math.log1p(math.exp(-(better - worse))) for better, worse in pairs])
    assert RankNet()(SCORES[:3], Y[:3]).item() == pytest.approx(expected)


def test_lambdarank_by_hand():
    discount = 1 / np.log2([2, 3, 4])  # ranks: 1.4, 0.3, -0.2
    gain = {0.3: 3, -0.2: 0, 1.4: 1}
    place = {1.4: 0, 0.3: 1, -0.2: 2}
    best = 3 * discount[0] + discount[1]
    expected = sum(
        abs(gain[a] - gain[b]) / best * abs(discount[place[a]] - discount[place[b]]) * math.log1p(math.exp(-(a - b)))
        for a, b in [(0.3, -0.2), (0.3, 1.4), (1.4, -0.2)]
    )
    assert LambdaRank()(SCORES[:3], Y[:3]).item() == pytest.approx(expected)


def test_approx_ndcg_tends_to_ndcg():
    loss = ApproxNDCG(temperature=1e-3)(SCORES[:7], Y[:7]).item()
    exact = ndcg_by_query(Y[:7, 0], SCORES[:7, 0], Y[:7, 1].long(), k=None)
    assert loss == pytest.approx(1 - exact.mean(), abs=1e-6)


def test_pointwise_is_a_mean_over_queries_of_squared_errors():
    errors = (SCORES[:, 0] - Y[:, 2]).square()
    expected = (errors[:3].mean() + errors[3:7].mean() + errors[7:].mean()) / 3
    assert Pointwise()(SCORES, Y).item() == pytest.approx(expected.item())


@each_loss
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_gradients(kind, weight):
    loss = kind()
    assert torch.autograd.gradcheck(lambda raw: loss(raw, Y, weight), SCORES.clone().requires_grad_())


@each_loss
def test_members_rank_by_themselves(kind):
    members = torch.stack([SCORES, SCORES.flip(0), 2 * SCORES], dim=1)
    expected = torch.stack([kind()(members[:, i], Y) for i in range(3)]).mean()
    assert kind()(members, Y).item() == pytest.approx(expected.item())


@each_loss
def test_a_constant_added_to_a_query_changes_nothing_but_pointwise(kind):
    moved = SCORES + 5 * Y[:, 1:2]
    same = math.isclose(kind()(moved, Y).item(), kind()(SCORES, Y).item(), rel_tol=1e-9)
    assert same == (kind is not Pointwise)


@each_loss
def test_equal_scores_have_a_finite_loss_and_gradients_that_order(kind):
    raw = torch.zeros(3, 1, dtype=torch.float64, requires_grad=True)
    loss = kind()(raw, Y[:3])
    loss.backward()
    assert math.isfinite(loss.item())
    if kind is not LambdaRank:  # equal scores have ranks there, those of the rows
        assert raw.grad[0] < raw.grad[1]  # the most relevant row rises


@each_loss
def test_rows_of_no_query_count_for_nothing(kind):
    filled_up = torch.cat([Y, torch.tensor([[5.0, -1.0, 0.0]], dtype=torch.float64)])
    raw = torch.cat([SCORES, torch.full((1, 1), 7.0, dtype=torch.float64)]).requires_grad_()
    loss = kind()(raw, filled_up)
    loss.backward()
    assert loss.item() == pytest.approx(kind()(SCORES, Y).item())
    assert raw.grad[-1] == 0


@pytest.mark.parametrize("kind", LOSSES[:-1], ids=lambda kind: kind.__name__)
def test_queries_without_an_order_do_not_count(kind):
    alike = targets([1, 1, 2, 2, 0], [5, 5, 6, 7, 7])
    raw = torch.randn(5, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert kind()(raw, alike).item() == pytest.approx(kind()(raw[3:], alike[3:]).item())
    raw.requires_grad_()
    nothing = kind()(raw, targets([1, 1, 0, 2, 3], [0, 0, 1, 2, 3]))
    nothing.backward()
    assert nothing.item() == 0
    assert not raw.grad.any()


@each_loss
def test_the_weight_of_a_query_scales_its_loss(kind):
    weight = torch.where(Y[:, 1] == 0, 3.0, 1.0)
    queries = [Y[:, 1] == i for i in range(3)]
    apart = [kind()(SCORES[rows], Y[rows]).item() for rows in queries]
    n = 3 if kind is Pointwise else 2  # the third query has one row
    assert kind()(SCORES, Y, weight).item() == pytest.approx((3 * apart[0] + apart[1] + apart[2]) / n)


@each_loss
def test_many_pairs_are_compared_in_parts(kind, monkeypatch):
    def value_and_gradient():
        raw = torch.stack([SCORES, SCORES.flip(0)], dim=1).requires_grad_()
        loss = kind()(raw, Y, WEIGHT)
        return loss.detach(), torch.autograd.grad(loss, raw)[0]

    expected = value_and_gradient()
    monkeypatch.setattr("sknn.losses._ranking._PAIRS_AT_ONCE", 1)
    torch.testing.assert_close(value_and_gradient(), expected)


def test_gains_do_not_overflow():
    y = targets([2000, 0, 1999], [0, 0, 0])
    for kind in LOSSES[:-1]:
        assert math.isfinite(kind()(SCORES[:3], y).item())


def test_a_loss_of_the_users():
    class Hinge(RankingLoss):
        name = "hinge"

        def of_lists(self, lists):
            pairs = (1 + lists.scores[..., None, :] - lists.scores[..., :, None]).clamp(min=0)
            return (pairs * lists.is_better).sum((-2, -1))

    assert Hinge()(SCORES[:3], Y[:3]).item() == pytest.approx(0.5 + 2.1 + 0.0)


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [(ApproxNDCG, {"temperature": 0.0}, "temperature=0.0"), (RankNet, {"max_list_size": 1}, "max_list_size=1")],
)
def test_bad_parameters_are_refused(kind, params, message):
    with pytest.raises(ValueError, match=message):
        kind(**params)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="raw_prediction has shape"):
        RankNet()(SCORES, Y[:, :2])
    with pytest.raises(NotImplementedError, match="a row has no loss of its own"):
        RankNet().pointwise(SCORES, Y)
