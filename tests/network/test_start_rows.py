"""What a module reads of its training rows before it is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.losses import Loss

FEW: dict[str, Any] = {"max_epochs": 1, "early_stopping": False, "random_state": 0}
SEEN: list[dict[str, Any]] = []


class Reader(nn.Module):
    """Notes what it may read."""

    def __init__(self, in_features: int, out_features: int, at_most: int | None = None) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.at_most = at_most

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)

    def fit_start(self, rows: Any) -> None:
        batches = list(rows.batches(self.at_most))
        inputs = [torch.cat(parts) for parts in zip(*[given for given, _, _ in batches], strict=True)]
        weights = [weight for _, _, weight in batches]
        SEEN.append(
            {
                "n": len(rows),
                "target": rows.target,
                "link": rows.link,
                "inputs": inputs,
                "y": torch.cat([y for _, y, _ in batches]),
                "weight": None if weights[0] is None else torch.cat(weights),
            }
        )


class CodesReader(Reader):
    def __init__(self, in_features: int, out_features: int, cat_cardinalities: list[int]) -> None:
        super().__init__(in_features, out_features)
        self.cat_cardinalities = cat_cardinalities

    def forward(self, x_num: Tensor, x_cat: Tensor) -> Tensor:
        return self.linear(x_num)


class Table:
    X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    y = np.arange(60) % 3


@pytest.fixture(autouse=True)
def _seen():
    SEEN.clear()


def test_classes_are_indicators():
    model = NeuralClassifier(Reader, **FEW).fit(Table.X, Table.y)
    (seen,) = SEEN
    assert (seen["n"], seen["target"], seen["link"], seen["weight"]) == (60, "classes", "softmax", None)
    torch.testing.assert_close(seen["inputs"][0], model._inputs.encode_rows(model._inputs.read(Table.X)).x)
    assert torch.equal(seen["y"], torch.eye(3)[Table.y])


def test_two_classes_with_one_score_are_one_column():
    NeuralClassifier(Reader, criterion=nn.BCEWithLogitsLoss, **FEW).fit(Table.X, Table.y == 1)
    assert torch.equal(SEEN[0]["y"], torch.tensor(Table.y == 1, dtype=torch.float32)[:, None])


def test_real_targets_are_scaled():
    weight = np.linspace(0.5, 1.5, 60)
    NeuralRegressor(Reader, **FEW).fit(Table.X, 7.0 + Table.X[:, 0], sample_weight=weight)
    (seen,) = SEEN
    assert (seen["target"], seen["link"]) == ("real", "identity")
    assert seen["y"].shape == (60, 1)
    assert abs(float((seen["y"][:, 0] * seen["weight"]).mean())) < 1e-5
    np.testing.assert_allclose(seen["weight"].sort().values, weight / weight.mean(), rtol=1e-6)


def test_each_network_reads_its_own_rows():
    params = {**FEW, "early_stopping": True}
    NeuralClassifier(Reader, n_networks=3, **params).fit(Table.X, Table.y)
    rows = [{tuple(row) for row in seen["inputs"][0].tolist()} for seen in SEEN]
    assert [len(each) for each in rows] == [seen["n"] for seen in SEEN]
    assert len(rows) == 3
    assert all(len(each) < 60 for each in rows)
    assert len(set().union(*rows)) == 60
    assert rows[0] != rows[1]


def test_fewer_rows_are_evenly_spaced():
    NeuralClassifier(Reader, module_params={"at_most": 20}, **FEW).fit(Table.X, Table.y)
    (seen,) = SEEN
    assert seen["n"] == 60
    assert torch.equal(seen["y"], torch.eye(3)[Table.y][::3])


@pytest.mark.parametrize("module", [Reader, CodesReader])
def test_categories_are_what_the_network_is_called_with(module):
    X = pd.DataFrame({"a": Table.X[:, 0], "b": pd.Categorical(Table.y.astype(str))})
    NeuralClassifier(module, **FEW).fit(X, Table.y)
    inputs = SEEN[0]["inputs"]
    if module is CodesReader:
        assert torch.equal(inputs[1][:, 0], torch.from_numpy(Table.y) + 1)
    else:
        assert torch.equal(inputs[0][:, 2:5], torch.eye(3)[Table.y])


class OwnLink(Loss):
    name = "own"
    targets = frozenset({"real"})

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        return (raw_prediction.sinh() - y).square().mean(dim=1)

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        return raw_prediction.sinh()


@pytest.mark.parametrize(
    ("criterion", "link"),
    [
        ("huber", "identity"),
        ("quantile", "identity"),
        ("poisson", "finite_exp"),
        (nn.MSELoss, "identity"),
        (OwnLink, None),
    ],
)
def test_the_link_is_named_where_it_is_known(criterion, link):
    NeuralRegressor(Reader, criterion=criterion, **FEW).fit(Table.X, np.abs(Table.X[:, 0]))
    assert SEEN[0]["link"] == link


class Ordinal(Loss):
    """Scores of the thresholds between ordered classes: one fewer than classes."""

    name = "ordinal"
    targets = frozenset({"classes"})

    def out_features(self, n_targets: int) -> int:
        return n_targets - 1

    def inverse_link(self, raw_prediction: Tensor) -> Tensor:
        above = raw_prediction.sigmoid()
        one, none = torch.ones_like(above[:, :1]), torch.zeros_like(above[:, :1])
        return (torch.cat([one, above], dim=1) - torch.cat([above, none], dim=1)).clamp_min(0)

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        above = (y.unsqueeze(1) > torch.arange(raw_prediction.shape[1])).to(raw_prediction.dtype)
        return nn.functional.binary_cross_entropy_with_logits(raw_prediction, above, reduction="none").mean(dim=1)


def test_fewer_scores_than_classes_leave_an_indicator_for_each_class():
    NeuralClassifier(Reader, criterion=Ordinal, **FEW).fit(Table.X, Table.y)
    assert torch.equal(SEEN[0]["y"], torch.eye(3)[Table.y])


def test_the_default_networks_take_a_loss_with_fewer_scores_than_classes():
    few: dict[str, Any] = {"max_epochs": 1, "random_state": 0}
    texts = np.array(["good day", "bad rain", "so so"] * 20, dtype=object)
    for X in (Table.X, texts):
        probabilities = NeuralClassifier(criterion=Ordinal, **few).fit(X, Table.y).predict_proba(X[:5])
        assert probabilities.shape == (5, 3)
