"""The linear model beside a network, and the choice of its penalty."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score

from sknn.modules import TabM
from sknn.modules._linear_models import logistic_regression, ridge_regression
from sknn.modules._linear_path import LinearPath


def rows_of(x: torch.Tensor, y: torch.Tensor, target: str, link: str | None, codes: torch.Tensor | None = None) -> Any:
    rows = Mock(
        target=target, link=link, batches=lambda at_most=None: [((x,) if codes is None else (x, codes), y, None)]
    )
    rows.__len__ = lambda self: len(x)
    return rows


def left_out_error(x: np.ndarray, y: np.ndarray, penalty: float) -> float:
    errors = []
    for i in range(len(x)):
        others = np.arange(len(x)) != i
        errors.append(y[i] - Ridge(penalty).fit(x[others], y[others]).predict(x[i : i + 1])[0])
    return float(np.square(errors).mean())


@pytest.mark.parametrize("shape", [(30, 4), (30, 20), (12, 40)])
def test_ridge_has_the_penalty_that_predicts_left_out_rows_best(shape):
    random = np.random.default_rng(0)
    x = random.normal(size=shape)
    y = np.stack([x[:, 0] + random.normal(size=len(x)), random.normal(size=len(x))], axis=1)
    ones = torch.ones(len(x), dtype=torch.float64)
    coefficients, intercept = ridge_regression(torch.tensor(x), torch.tensor(y), ones)
    scale = np.linalg.eigvalsh(np.cov(x.T, bias=True) * len(x)).max()
    penalties = scale * 10.0 ** np.linspace(-6, 1, 22)
    for k in range(2):
        found = left_out_error(x, y[:, k], min(penalties, key=lambda p, k=k: left_out_error(x, y[:, k], p)))
        model = min(
            (Ridge(p).fit(x, y[:, k]) for p in penalties),
            key=lambda m, k=k: np.abs(m.coef_ - coefficients[:, k].numpy()).max(),
        )
        np.testing.assert_allclose(
            coefficients[:, k].numpy(), model.coef_, atol=1e-4 * np.abs(model.coef_).max() + 1e-9
        )
        np.testing.assert_allclose(float(intercept[k]), model.intercept_, atol=1e-4)
        assert left_out_error(x, y[:, k], model.alpha) <= 1.02 * found


@pytest.mark.parametrize("kind", ["ridge", "classes", "labels"])
def test_a_weight_counts_as_copies(kind):
    random = np.random.default_rng(1)
    x = torch.tensor(random.normal(size=(40, 3)))
    y = torch.tensor(np.eye(3)[random.integers(0, 3, 40)])
    weight = torch.ones(40, dtype=torch.float64)
    alone = weight.clone()
    alone[:5] = 0.0
    fit = ridge_regression if kind == "ridge" else lambda *a: logistic_regression(*a, softmax=kind == "classes")
    for one, other in zip(fit(x, y, alone), fit(x[5:], y[5:], weight[5:]), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_regression_is_near_the_exact_one(n_classes):
    random = np.random.default_rng(2)
    x = random.normal(size=(300, 5))
    y = (x[:, :n_classes] + random.gumbel(size=(300, n_classes))).argmax(1)
    ones = torch.ones(300, dtype=torch.float64)
    coefficients, intercept = logistic_regression(
        torch.tensor(x), torch.tensor(np.eye(n_classes)[y]), ones, softmax=True
    )
    found = torch.softmax(torch.tensor(x) @ coefficients + intercept, 1).numpy()
    # Of two classes, scikit-learn penalises the difference of two scores.
    models = [LogisticRegression(C=(2 if n_classes == 2 else 1) / p).fit(x, y) for p in (30.0, 10.0, 3.0, 1.0)]
    assert min(np.abs(model.predict_proba(x) - found).max() for model in models) < 0.01
    scores = [cross_val_score(model, x, y, cv=10, scoring="neg_log_loss").mean() for model in models]
    nearest = min(range(4), key=lambda i: np.abs(models[i].predict_proba(x) - found).max())
    assert scores[nearest] > max(scores) - 0.02


def test_pure_noise_gets_a_strong_penalty():
    random = np.random.default_rng(3)
    x, y = random.normal(size=(60, 20)), np.eye(2)[random.integers(0, 2, 60)]
    ones = torch.ones(60, dtype=torch.float64)
    coefficients, _ = logistic_regression(torch.tensor(x), torch.tensor(y), ones, softmax=True)
    assert coefficients.abs().max() < 0.15
    coefficients, _ = ridge_regression(torch.tensor(x), torch.tensor(random.normal(size=(60, 1))), ones)
    assert coefficients.abs().max() < 0.2


@pytest.mark.parametrize("columns", [0, 2])
def test_columns_that_never_vary_have_no_coefficient(columns):
    x = torch.ones(20, columns, dtype=torch.float64)
    y = torch.eye(2, dtype=torch.float64)[torch.arange(20) % 2]
    for coefficients, intercept in (
        ridge_regression(x, y, torch.ones(20, dtype=torch.float64)),
        logistic_regression(x, y, torch.ones(20, dtype=torch.float64), softmax=True),
    ):
        assert coefficients.shape == (columns, 2)
        assert not coefficients.any()
        torch.testing.assert_close(intercept[0], intercept[1])


def test_scores_are_those_of_numbers_and_indicators():
    torch.manual_seed(0)
    x, codes = torch.randn(40, 2), torch.randint(0, 3, (40, 2))
    y = (x[:, :1] + codes[:, :1] - 2.0 * (codes[:, 1:] == 1)).float()
    path = LinearPath(2, 1, [3, 3])
    assert not path(x, codes).any()
    fitted = path.fitted(rows_of(x, y, "real", "identity", codes))
    assert fitted is not None
    assert not path(x, codes).any()
    path = fitted
    torch.testing.assert_close(path(x, codes), y, atol=0.05, rtol=0)
    indicators = torch.cat([x, *(torch.eye(3)[codes[:, i]] for i in range(2))], dim=1)
    torch.testing.assert_close(path(x, codes), indicators @ path.weight + path.bias)


@pytest.mark.parametrize(("target", "link"), [("real", "finite_exp"), ("real", None), ("classes", None)])
def test_other_links_have_no_linear_model(target, link):
    path = LinearPath(2, 1)
    assert path.fitted(rows_of(torch.randn(20, 2), torch.ones(20, 1), target, link)) is None


def test_many_rows_have_no_linear_model_but_rare_labels_have():
    x = torch.randn(6000, 2)
    assert LinearPath(2, 1).fitted(rows_of(x, x[:, :1], "real", "identity")) is None
    frequent, rare = torch.arange(6000) % 2, (torch.arange(6000) % 100 == 0).long()
    assert LinearPath(2, 2).fitted(rows_of(x, torch.eye(2)[frequent], "classes", "softmax")) is None
    assert LinearPath(2, 2).fitted(rows_of(x, torch.eye(2)[rare], "classes", "softmax")) is not None


def test_rare_labels_get_coefficients_of_full_size():
    random = np.random.default_rng(4)
    x = random.normal(size=(20_000, 3))
    y = (random.random(20_000) < 1 / (1 + np.exp(7 - 1.5 * x[:, 0]))).astype(int)
    ones = torch.ones(20_000, dtype=torch.float64)
    coefficients, intercept = logistic_regression(torch.tensor(x), torch.tensor(np.eye(2)[y]), ones, softmax=True)
    exact = LogisticRegression(C=1.0).fit(x, y)
    np.testing.assert_allclose(coefficients[:, 1] - coefficients[:, 0], exact.coef_[0], atol=0.2)
    np.testing.assert_allclose(intercept[1] - intercept[0], exact.intercept_[0], atol=0.5)


@pytest.mark.parametrize("cat_cardinalities", [(), (4, 30)])
def test_a_network_mixes_its_scores_with_linear_ones(cat_cardinalities):
    torch.manual_seed(0)
    tabm = TabM(3, 2, width=8, n_bins=4, cat_cardinalities=cat_cardinalities).eval()
    torch.nn.init.normal_(tabm.head_bias)
    codes = torch.randint(0, 4, (50, 2)) if cat_cardinalities else None
    given = (torch.randn(50, 3), codes) if cat_cardinalities else (torch.randn(50, 3),)
    y = torch.eye(2)[(given[0][:, 0] > 0).long()]
    linear = tabm.linear_model(rows_of(given[0], y, "classes", "softmax", codes))
    assert linear is not None
    assert not tabm.linear.weight.any()
    expected = 0.7 * tabm(*given) + 0.3 * linear(*given).unsqueeze(1)
    tabm.mix_with(linear, 0.3)
    torch.testing.assert_close(tabm(*given), expected)
    expected = 0.5 * expected + 0.5 * linear(*given).unsqueeze(1)  # training that continues mixes again
    tabm.mix_with(linear, 0.5)
    torch.testing.assert_close(tabm(*given), expected)
