"""At the end of a fit the skill decides: what is said of results in which no rule found a fault."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, make_friedman1
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP
from tests.health.subjects import CANCER, DIABETES, record


class Convolutions(nn.Module):
    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(128, out_features),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def images() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32).reshape(-1, 1, 8, 8), y


def mlp(kind=NeuralClassifier, **params):
    return kind(MLP, random_state=0).set_params(**params)


# ------------------------------------------------------------------ worse than a constant


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
@pytest.mark.parametrize(("kind", "data"), [(NeuralClassifier, CANCER), (NeuralRegressor, DIABETES)])
@pytest.mark.parametrize("params", [{}, {"early_stopping": False, "preprocessing": False}])
@pytest.mark.parametrize("max_epochs", [2, 15])
def test_a_loss_far_above_that_of_a_constant_is_unhealthy_however_short_the_fit(
    kind, data, optimizer, params, max_epochs
):
    health = record(mlp(kind, optimizer=optimizer, lr=3.0, max_epochs=max_epochs, **params), *data)
    if health.skill < -100:
        assert health.status == "unhealthy"
    elif health.skill < 0.01:
        assert health.status in ("unhealthy", "unknown")


def test_many_thousand_times_the_loss_of_a_constant_after_two_epochs():
    X, y = DIABETES
    params = {"optimizer": torch.optim.SGD, "lr": 3.0, "early_stopping": False, "preprocessing": False}
    health = record(mlp(NeuralRegressor, max_epochs=2, **params), X, y)
    assert health.skill < -1e5
    (finding,) = health.findings
    assert (health.status, finding.symptom) == ("unhealthy", "loss_diverging")
    assert "times that of the best constant guess" in finding.evidence
    assert "lr=" in finding.remedy


def test_a_few_rows_are_no_excuse_for_a_loss_without_bounds():
    X, y = DIABETES[0][:40], DIABETES[1][:40]
    health = record(mlp(NeuralRegressor, optimizer=torch.optim.SGD, lr=1.0, max_epochs=2, gradient_clipping=None), X, y)
    assert health.skill < -100
    assert health.status == "unhealthy"


def test_a_short_fit_of_a_target_that_is_not_scaled_gives_no_warning():
    X, y = DIABETES
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        health = mlp(NeuralRegressor, preprocessing=False, max_epochs=1, lr=1e-5).fit(X, y + 300).health_
    assert health.skill < -10
    assert health.status == "unknown"
    assert "times that of a constant guess" in health.notices[0].evidence


def test_a_target_far_from_zero_that_is_not_scaled_is_named():
    X, y = DIABETES
    health = record(mlp(NeuralRegressor, preprocessing=False, max_epochs=1, lr=1e-5), X, y + 1e4)
    (finding,) = health.findings
    assert (finding.symptom, finding.layer, finding.cause) == ("exploding", "y", "target_scale")
    assert "preprocessing=True" in finding.remedy


def test_held_out_rows_that_are_not_like_the_training_rows():
    X, y = make_friedman1(400, noise=0.5, random_state=0)
    model = mlp(NeuralRegressor, max_epochs=30, early_stopping=False, lr=0.01)
    health = record(model, X[:300], y[:300], X_val=X[300:], y_val=2 * y.mean() - y[300:])
    (finding,) = health.findings
    assert (health.status, finding.symptom) == ("unhealthy", "overfitting")
    assert "100 held-out rows" in finding.evidence


# ------------------------------------------------------------------ no skill


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [100, 200, 400])
@pytest.mark.parametrize("task", ["classes", "numbers"])
@pytest.mark.parametrize("held_out", [True, False])
def test_noise_is_never_healthy(seed, n, task, held_out):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 10))
    y = rng.integers(0, 2, n) if task == "classes" else rng.normal(size=n)
    model = mlp(NeuralClassifier if task == "classes" else NeuralRegressor, max_epochs=25, early_stopping=held_out)
    assert record(model, X, y).status in ("unknown", "unhealthy")


def test_a_wide_network_that_memorises_noise_is_not_healthy():
    rng = np.random.default_rng(0)
    X, y, X_val, y_val = (rng.normal(size=size) for size in [(100, 10), 100, (25, 10), 25])
    wide = {"module_params": {"hidden_sizes": (256, 256)}, "early_stopping": False, "max_epochs": 25}
    health = record(mlp(NeuralRegressor, **wide), X, y, X_val=X_val, y_val=y_val)
    assert health.epochs[-1].skill > 0.5
    assert health.skill < 0
    assert health.status in ("unknown", "unhealthy")


def test_the_notice_says_what_was_measured_and_what_to_check():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 10)), rng.normal(size=200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a notice is no warning
        health = mlp(NeuralRegressor, max_epochs=25).fit(X, y).health_
    (notice,) = health.notices
    assert notice.name == "no_skill"
    assert "30 held-out rows" in notice.evidence
    assert "each row of y belongs to its row of X" in notice.remedy
    assert str(notice) in str(health)
    assert "30 held-out rows" in health._repr_html_()
    assert repr(health).startswith("<TrainingHealth: unknown, no_skill")


def test_a_weak_relation_that_is_learned_is_healthy():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3000, 4))
    y = 0.25 * X[:, 0] + rng.normal(size=3000)
    model = mlp(NeuralRegressor, module_params={"hidden_sizes": (8,)}, max_epochs=15, lr=0.01).set_params(
        random_state=1
    )
    health = record(model, X, y)
    assert 0.01 < health.skill < 0.1
    assert health.status == "healthy"


# ------------------------------------------------------------------ not converged


@pytest.mark.parametrize("params", [{"lr": 1e-4}, {"lr": 3e-4}, {"lr": 3e-4, "lr_schedule": "constant"}])
def test_convolutions_that_need_more_epochs_are_not_converged(params):
    model = NeuralClassifier(Convolutions, max_epochs=15, random_state=0).set_params(**params)
    health = record(model, *images())
    (notice,) = health.notices
    assert (health.status, notice.name, health.findings) == ("not_converged", "not_converged", [])
    assert "training had not converged" in str(health)
    assert "max_epochs (it is 15)" in notice.remedy


def test_a_network_that_was_stopped_by_its_held_out_rows_has_converged():
    X, y = make_friedman1(600, noise=1.0, random_state=0)
    health = record(mlp(NeuralRegressor, max_epochs=200, lr=0.01), X, y)
    assert len(health.epochs) < 200
    assert (health.status, health.notices) == ("healthy", [])


def test_a_fit_of_few_epochs_gets_no_such_notice():
    model = NeuralClassifier(Convolutions, max_epochs=5, random_state=0)
    assert record(model, *images()).notices == []


# ------------------------------------------------------------------ the record


def test_the_skill_is_that_of_the_weights_that_are_kept():
    model = mlp(max_epochs=30, early_stopping=True, lr=0.01)
    health = record(model, *CANCER)
    assert health.best_epoch == model.best_epoch_ < model.n_iter_
    history = model.net_.history
    assert min(range(len(history)), key=lambda i: history[i]["valid_loss"]) + 1 == health.best_epoch
    assert health.skill > 0.8


def test_the_skill_is_that_of_the_epoch_with_the_best_score():
    model = mlp(max_epochs=30, early_stopping=True, lr=0.01, scoring="accuracy")
    health = record(model, *CANCER)
    losses = model.net_.history[:, "valid_loss"]
    assert health.best_epoch == model.best_epoch_ != int(np.argmin(losses)) + 1
    short = mlp(max_epochs=1, early_stopping=True)
    constant = short.fit(*CANCER).net_.history[0, "valid_loss"] / (1 - short.health_.skill)
    assert health.skill == pytest.approx(1 - losses[model.best_epoch_ - 1] / constant, rel=1e-3)


def test_the_best_epoch_is_marked_in_the_plot_and_named_in_its_legend():
    import matplotlib

    matplotlib.use("Agg")
    model = mlp(max_epochs=30, early_stopping=True, lr=0.01).fit(*CANCER)
    axes = model.health_.plot()
    (line,) = [line for line in axes.lines if str(line.get_label()).startswith("best epoch")]
    assert list(line.get_xdata()) == [model.best_epoch_] * 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [f"best epoch {model.best_epoch_} (kept)"]
    assert "norm of the gradient" in axes.figure.axes[-1].get_ylabel()


def test_the_notices_are_saved_with_the_estimator(tmp_path):
    import sknn

    rng = np.random.default_rng(0)
    model = mlp(NeuralRegressor, max_epochs=25).fit(rng.normal(size=(200, 10)), rng.normal(size=200))
    sknn.save(model, tmp_path / "model.sknn")
    assert sknn.load(tmp_path / "model.sknn").health_ == model.health_


# ------------------------------------------------------------------ not judged


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_a_handful_of_rows_is_not_judged(n):
    X, y = DIABETES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        health = mlp(NeuralRegressor, max_epochs=60, lr=0.01).fit(X[:n], y[:n]).health_
    assert health.status == "unknown"
    assert health.notices
    if health.notices[0].name == "not_judged":
        assert f"too few training rows to judge by: {n}." in health.notices[0].evidence


def test_parts_of_a_stream_say_why_they_are_not_judged():
    model = mlp()
    for _ in range(3):
        model.partial_fit(*CANCER, classes=[0, 1])
        (notice,) = model.health_.notices
        assert (model.health_.status, notice.name) == ("unknown", "not_judged")
        assert "too few steps or epochs to judge by" in notice.evidence


@pytest.mark.parametrize("n", [400, 1000])
def test_a_loss_that_few_rows_decide_is_not_judged(n):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4))
    y = X[:, 0] + 0.1 * rng.normal(size=n)
    y[::40] = 1e9
    health = record(mlp(NeuralRegressor, criterion="absolute_error", max_epochs=40), X, y)
    assert np.isnan(health.skill)
    assert (health.status, [notice.name for notice in health.notices]) == ("unknown", ["not_judged"])
    assert "a quarter of the rows" in health.notices[0].evidence


def test_far_behind_a_simple_model_is_not_healthy_after_few_epochs():
    X, y = CANCER
    health = record(mlp(lr=3e-5, max_epochs=7, early_stopping=False), X, y)
    assert 0.03 < health.skill < 0.3
    assert health.findings == []
    assert health.status == "not_converged"
    assert "a simple model reaches 0." in health.notices[0].evidence
