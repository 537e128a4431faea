"""Linear models of categories with few rows each."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor

from sknn.modules._category_statistics import variance_ratios
from sknn.modules._linear_path import LinearPath
from sknn.modules._random_effects import random_effects

N_ROWS, SIZES = 3000, (602, 42)


def table(link: str, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers (n, 1), codes (n, 2) and a target, with an effect of each category of variance 1 and 0.25."""
    random = np.random.default_rng(seed)
    codes = np.stack([random.integers(1, size - 1, N_ROWS) for size in SIZES], axis=1)
    effects = [random.normal(size=size) * scale for size, scale in zip(SIZES, (1.0, 0.5), strict=True)]
    x = random.normal(size=(N_ROWS, 1))
    score = 0.5 * x[:, 0] + effects[0][codes[:, 0]] + effects[1][codes[:, 1]]
    if link == "identity":
        y = score + 2 * random.normal(size=N_ROWS)
        return torch.tensor(x), torch.tensor(codes), torch.tensor((y - y.mean()) / y.std())[:, None]
    label = (score + random.logistic(size=N_ROWS) > 0).astype(int)
    indicators = np.eye(2)[label] if link == "softmax" else label[:, None].astype(float)
    return torch.tensor(x), torch.tensor(codes), torch.tensor(indicators)


def dense(x: Tensor, codes: Tensor) -> Tensor:
    columns = [torch.nn.functional.one_hot(code, size) for code, size in zip(codes.t(), SIZES, strict=True)]
    return torch.cat([x, *columns], dim=1).double()


def scores(x: Tensor, codes: Tensor, fitted: tuple[Tensor, Tensor]) -> Tensor:
    return dense(x, codes) @ fitted[0] + fitted[1]


def test_effects_solve_the_mixed_model_equations():
    x, codes, y = table("identity")
    coefficients, intercept = random_effects(x, codes, SIZES, y, torch.ones(N_ROWS), "identity")
    # Ridge regression of columns in units of the square root of their penalty.
    of_categories = variance_ratios(codes, SIZES, y, torch.ones(N_ROWS)).repeat_interleave(torch.tensor(SIZES))
    ratios = torch.cat([torch.ones(1), of_categories])
    columns = dense(x, codes) / ratios.sqrt()
    model = Ridge(1.0).fit(columns, y[:, 0])
    torch.testing.assert_close(coefficients[:, 0], torch.tensor(model.coef_) / ratios.sqrt(), atol=2e-3, rtol=0)
    assert float(intercept) == pytest.approx(model.intercept_, abs=2e-3)


@pytest.mark.parametrize("link", ["softmax", "sigmoid"])
def test_labels_are_predicted_as_well_as_by_the_best_of_many_penalties(link):
    x, codes, y = table(link)
    train, test = slice(0, 2000), slice(2000, None)
    fitted = random_effects(x[train], codes[train], SIZES, y[train], torch.ones(2000), link)
    found = scores(x[test], codes[test], fitted)
    label = y[test, -1].numpy()
    probability = found.softmax(1)[:, 1].numpy() if link == "softmax" else found.sigmoid()[:, 0].numpy()

    def log_loss(p: np.ndarray) -> float:
        return float(-np.where(label == 1, np.log(p), np.log(1 - p)).mean())

    columns = dense(x, codes).numpy()
    models = [LogisticRegression(C=c).fit(columns[train], y[train, -1].numpy()) for c in (0.03, 0.1, 0.3, 1.0)]
    best = min(log_loss(model.predict_proba(columns[test])[:, 1]) for model in models)
    assert log_loss(probability) < best + 0.005


@pytest.mark.parametrize("link", ["identity", "softmax"])
def test_weights_are_rows(link):
    x, codes, y = table(link)
    weight = torch.arange(N_ROWS) % 3
    repeated = torch.arange(N_ROWS).repeat_interleave(weight)
    weighted = random_effects(x, codes, SIZES, y, weight.double(), link)
    copied = random_effects(x[repeated], codes[repeated], SIZES, y[repeated], torch.ones(len(repeated)), link)
    torch.testing.assert_close(scores(x, codes, weighted), scores(x, codes, copied), atol=5e-3, rtol=0)


def test_it_stops_when_its_time_is_over():
    x, codes, y = table("identity")
    with pytest.raises(TimeoutError, match="time"):
        random_effects(x, codes, SIZES, y, torch.ones(N_ROWS), "identity", latest=0.0)
    rows = rows_of(x, codes, y, "real", "identity")
    assert LinearPath(1, 1, SIZES).fitted(rows, latest=0.0) is None


def test_what_takes_too_long_is_not_tried():
    rows = Mock(target="classes", link="softmax", batches=Mock(side_effect=AssertionError("read")))
    rows.__len__ = lambda self: 50_000
    assert LinearPath(1, 100, [20_000]).fitted(rows) is None


def rows_of(x: Tensor, codes: Tensor, y: Tensor, target: str, link: str) -> Any:
    rows = Mock(target=target, link=link, batches=lambda at_most=None: [((x.float(), codes), y.float(), None)])
    rows.__len__ = lambda self: len(x)
    return rows


@pytest.mark.parametrize("link", ["identity", "softmax", "sigmoid"])
def test_many_rows_get_a_linear_model_if_categories_are_rare(link):
    x, codes, y = table(link)
    target = "real" if link == "identity" else "classes"
    if link != "identity":  # both labels are frequent, so that a table of few categories gets none
        x, codes, y = (torch.cat([part, part]) for part in (x, codes, y))
    found = LinearPath(1, y.shape[1], SIZES).fitted(rows_of(x, codes, y, target, link))
    assert found is not None
    coefficients, _ = random_effects(x.float(), codes, SIZES, y, torch.ones(len(x)), link)
    torch.testing.assert_close(found.weight, coefficients.float())
    few = LinearPath(1, y.shape[1], [42]).fitted(rows_of(x, codes[:, 1:], y, target, link))
    assert few is None
