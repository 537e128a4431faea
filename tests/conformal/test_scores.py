"""Scores of held-out rows, corrected for the mean over networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sknn._conformal.scores import ConformalScores, class_scores, committee_ratio, quantile_scores

N = 20_000


def networks(n_networks, own=0.5):
    """Predictions whose errors have a common part of spread 1, and one of each network."""
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(N, 1, 1, generator=generator)
    return common + own * torch.randn(N, n_networks, 1, generator=generator)


def holders(n_networks):
    has_learned = torch.ones(N, n_networks, dtype=torch.bool)
    has_learned[torch.arange(N), torch.arange(N) % n_networks] = False
    return has_learned


@pytest.mark.parametrize("n_networks", [3, 8])
def test_the_ratio_is_that_of_a_mean_of_networks(n_networks):
    by_network, y, has_learned = networks(n_networks), torch.zeros(N, 1), holders(n_networks)
    values = by_network[torch.arange(N), torch.arange(N) % n_networks]
    ratio = committee_ratio(values, by_network, y, has_learned, torch.ones(N))
    expected = by_network.mean(dim=1).square().mean().sqrt() / values.square().mean().sqrt()
    assert ratio.item() == pytest.approx(expected.item(), rel=0.02)


@pytest.mark.parametrize("n_networks", [1, 2])
def test_too_few_networks_are_not_corrected(n_networks):
    by_network = networks(n_networks)
    ratio = committee_ratio(by_network[:, 0], by_network, torch.zeros(N, 1), holders(n_networks), torch.ones(N))
    assert ratio.tolist() == [1.0]
    scores = torch.rand(N, n_networks, generator=torch.Generator().manual_seed(0))
    assert torch.equal(class_scores(scores[:, 0], scores, holders(n_networks)), scores[:, 0])


def test_rows_that_no_network_has_learned_are_not_corrected():
    by_network, none = networks(4), torch.zeros(N, 4, dtype=torch.bool)
    assert committee_ratio(by_network.mean(1), by_network, torch.zeros(N, 1), none, torch.ones(N)).tolist() == [1.0]


def test_scores_of_classes_are_those_of_mean_probabilities():
    scores = torch.sigmoid(3 * networks(8, own=0.7)[:, :, 0] - 3)
    of_holder = scores[torch.arange(N), torch.arange(N) % 8]
    corrected = class_scores(of_holder, scores, holders(8))
    for level in (0.5, 0.8, 0.9, 0.95):
        single, mean, found = (values.quantile(level).item() for values in (of_holder, scores.mean(1), corrected))
        assert abs(found - mean) < 0.3 * (mean - single) if mean > single else found >= single
    order = of_holder.argsort(stable=True)
    assert (corrected[order].diff() >= 0).all()


def test_scores_of_quantiles_are_distances_beyond_the_outermost():
    values = torch.tensor([[3.0, 2.0, 1.0]] * 3)
    y = torch.tensor([[0.5], [2.5], [7.0]])
    assert quantile_scores(values, y, (2, 0)).ravel().tolist() == [0.5, -0.5, 4.0]


GOOD = {
    "scores": np.zeros((4, 1), np.float32),
    "weight": np.ones(4, np.float32),
    "labels": np.zeros(4, np.int32),
    "codes": np.zeros((4, 2), np.uint8),
    "spread": None,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scores", np.full((4, 1), np.inf, np.float32)),
        ("scores", np.zeros(4, np.float32)),
        ("weight", np.ones(3, np.float32)),
        ("weight", -np.ones(4, np.float32)),
        ("weight", np.zeros(4, np.float32)),
        ("labels", np.zeros(5, np.int32)),
        ("codes", np.zeros((4, 2), np.int64)),
        ("codes", np.zeros((3, 2), np.uint8)),
    ],
)
def test_scores_that_do_not_fit_together_are_refused(name, value):
    ConformalScores(**GOOD)
    with pytest.raises(ValueError, match=f"{name} must be"):
        ConformalScores(**{**GOOD, name: value})
