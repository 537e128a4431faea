"""Errors of a network that are found before training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._network.checks import check_network

from .subjects import X, Y


@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_a_wrong_output_width_is_named(estimator: Any) -> None:
    y, expected = (Y, r"\(batch, 3\)") if estimator is NeuralClassifier else (X[:, 0], r"\(batch, 1\)")
    with pytest.raises(
        ValueError, match=rf"Linear returned shape \(\d+, 7\) for \d+ rows, expected {expected}.*out_features"
    ):
        estimator(nn.Linear(5, 7)).fit(X, y)


def test_a_wrong_input_width_is_named_with_the_shape() -> None:
    with pytest.raises(ValueError, match=r"Linear failed on an input of shape \(\d+, 5\).*first layer needs the width"):
        NeuralClassifier(nn.Linear(4, 3)).fit(X, Y)


def test_an_output_that_is_no_tensor_is_named() -> None:
    class Dictionary(nn.Linear):
        def forward(self, x: Tensor) -> Any:
            return {"scores": super().forward(x)}

    with pytest.raises(ValueError, match=r"Dictionary returned a dict with the keys \['scores'\].*expected a tensor"):
        NeuralClassifier(Dictionary(5, 3)).fit(X, Y)


def test_two_classes_may_be_one_score_or_two() -> None:
    y = X[:, 0] > 0
    for width in (1, 2):
        model = NeuralClassifier(nn.Linear(5, width), lr=0.3, max_epochs=10, random_state=0).fit(X, y)
        assert model.predict_proba(X).shape == (60, 2)
        assert model.score(X, y) > 0.9


def test_checking_leaves_mode_buffers_and_gradients_alone() -> None:
    network = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 3))
    assert check_network(network, {"x": torch.randn(2, 5)}, (3,), "net").shape == (2, 3)
    assert network.training
    assert torch.equal(network[0].running_mean, torch.zeros(5))
    assert network[1].weight.grad is None


def test_batch_norm_with_one_row_is_refused() -> None:
    network = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    small: dict[str, Any] = {"max_epochs": 1, "early_stopping": False, "random_state": 0}
    with pytest.raises(ValueError, match=r"^batch_size=1: batch norm needs .*larger batch_size.*LayerNorm"):
        NeuralClassifier(network, batch_size=1, **small).fit(X, Y)
    more = r"^n_samples=1: batch norm needs at least 2 training rows\. Pass more rows.*LayerNorm"
    with pytest.raises(ValueError, match=more):
        NeuralRegressor(network[:2], **small).fit(X[:1], X[:1, :4])
    model = NeuralClassifier(network, **small).partial_fit(X, Y, classes=list("abc"))
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=more):
        model.partial_fit(X[:1], Y[:1])
    assert (model.predict_proba(X) == before).all()
    NeuralClassifier(network, batch_size=59, **small).fit(X, Y)  # no batch of the row that is left over


def test_batch_norm_over_several_values_of_a_row_is_trained_row_by_row() -> None:
    network = nn.Sequential(nn.Unflatten(1, (1, 5)), nn.BatchNorm1d(1), nn.Flatten(), nn.Linear(5, 3))
    NeuralClassifier(network, batch_size=1, max_epochs=1, random_state=0).fit(X, Y)
