"""Calibration, thresholds and curves of scikit-learn, with the estimators as they are."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import brier_score_loss, confusion_matrix, log_loss, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    LearningCurveDisplay,
    TunedThresholdClassifierCV,
    ValidationCurveDisplay,
    learning_curve,
    validation_curve,
)
from sklearn.pipeline import make_pipeline

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP
from tests.contract.kinds import KINDS, N_ROWS, NAMES

N, HALF = 400, slice(0, 200)
RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({
    "a": np.where(RANDOM.random(N) < 0.1, np.nan, RANDOM.normal(size=N)),
    "city": RANDOM.choice(["Rome", "Oslo", "Bern"], N),
    "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(RANDOM.integers(0, 700, N), unit="D"),
})  # fmt: skip
CHANCE = 1 / (1 + np.exp(2.5 - 2 * FRAME["a"].fillna(0) - (FRAME["city"] == "Rome")))
RARE = np.where(RANDOM.random(N) < CHANCE, "yes", "no")
THREE = np.where(FRAME["city"] == "Bern", "third", RARE)


def classifier(**params):
    params = {"module_params": {"hidden_sizes": (16,)}, "lr": 0.02, "max_epochs": 10, "random_state": 0, **params}
    return NeuralClassifier(MLP, **params)


@pytest.fixture(autouse=True)
def no_window():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


# ------------------------------------------------------------------ calibration


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("y", [RARE, THREE], ids=["two classes", "three classes"])
def test_probabilities_are_calibrated_by_cross_validation(method, y):
    model = CalibratedClassifierCV(classifier(), method=method, cv=3).fit(FRAME, y)
    assert len(model.calibrated_classifiers_) == 3
    probability = model.predict_proba(FRAME)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert log_loss(y, probability) < log_loss(y, np.tile(np.unique(y, return_counts=True)[1] / N, (N, 1)))


def test_a_fitted_model_is_calibrated_on_other_rows():
    fitted = classifier().fit(FRAME[HALF], RARE[HALF])
    before = fitted.predict_proba(FRAME)
    model = CalibratedClassifierCV(FrozenEstimator(fitted)).fit(FRAME[200:], RARE[200:])
    assert model.calibrated_classifiers_[0].estimator.estimator is fitted
    np.testing.assert_array_equal(fitted.predict_proba(FRAME), before)
    assert np.corrcoef(model.predict_proba(FRAME)[:, 1], before[:, 1])[0, 1] > 0.9


def test_weights_of_rows_reach_the_network():
    weight = np.where(RARE == "yes", 5.0, 1.0)
    plain = CalibratedClassifierCV(classifier(), cv=2).fit(FRAME, RARE).predict_proba(FRAME)[:, 1]
    weighted = CalibratedClassifierCV(classifier(), cv=2).fit(FRAME, RARE, sample_weight=weight).predict_proba(FRAME)
    assert weighted[:, 1].mean() > plain.mean() + 0.1


def test_calibration_is_drawn():
    model = classifier().fit(FRAME[HALF], RARE[HALF])
    display = CalibrationDisplay.from_estimator(model, FRAME[200:], RARE[200:], n_bins=4, pos_label="yes")
    observed, predicted = calibration_curve(
        RARE[200:], model.predict_proba(FRAME[200:])[:, 1], n_bins=4, pos_label="yes"
    )
    np.testing.assert_allclose(display.prob_true, observed)
    np.testing.assert_allclose(display.prob_pred, predicted)


# ------------------------------------------------------------------ thresholds


def cost(y, predicted):
    """A missed "yes" costs ten times a false one."""
    (_, false), (missed, _) = confusion_matrix(y, predicted, labels=["no", "yes"])
    return -(false + 10 * missed)


def test_the_threshold_is_tuned_to_costs():
    scoring = make_scorer(cost)
    model = TunedThresholdClassifierCV(classifier(), scoring=scoring, cv=3, random_state=0).fit(FRAME, RARE)
    assert 0 < model.best_threshold_ < 0.4
    plain = classifier().fit(FRAME, RARE)
    assert cost(RARE, model.predict(FRAME)) > cost(RARE, plain.predict(FRAME))
    np.testing.assert_allclose(model.predict_proba(FRAME), plain.predict_proba(FRAME))


def test_the_threshold_of_a_fitted_model_is_tuned_or_fixed():
    fitted = classifier().fit(FRAME[HALF], RARE[HALF])
    tuned = TunedThresholdClassifierCV(fitted, scoring=make_scorer(cost), cv="prefit", refit=False)
    assert tuned.fit(FRAME[200:], RARE[200:]).best_threshold_ < 0.5
    fixed = FixedThresholdClassifier(FrozenEstimator(fitted), threshold=0.2, pos_label="yes").fit(FRAME, RARE)
    expected = np.where(fitted.predict_proba(FRAME)[:, 1] >= 0.2, "yes", "no")
    np.testing.assert_array_equal(fixed.predict(FRAME), expected)


# ------------------------------------------------------------------ curves


def test_learning_curves():
    sizes, train, test = learning_curve(
        classifier(), FRAME, RARE, train_sizes=[100, 200], cv=3, scoring="neg_log_loss", error_score="raise"
    )
    assert list(sizes) == [100, 200]
    assert train.shape == test.shape == (2, 3)
    assert np.isfinite(test).all()
    LearningCurveDisplay.from_estimator(make_pipeline(classifier()), FRAME, RARE, train_sizes=[50, 100], cv=2)


def test_validation_curves():
    train, test = validation_curve(
        classifier(), FRAME, RARE, param_name="max_epochs", param_range=[1, 10], cv=2, scoring="neg_log_loss"
    )
    assert train.shape == test.shape == (2, 2)
    assert test[1].mean() > test[0].mean()
    ValidationCurveDisplay.from_estimator(
        NeuralRegressor(MLP, random_state=0, max_epochs=2),
        FRAME,
        CHANCE,
        param_name="lr",
        param_range=[0.01, 0.02],
        cv=2,
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_data_is_calibrated_and_gets_a_threshold(kind):
    model = NeuralClassifier(**{**kind.params, "max_epochs": 1, "random_state": 0})
    calibrated = CalibratedClassifierCV(model, cv=2).fit(kind.X, NAMES)
    assert calibrated.predict_proba(kind.X).shape == (N_ROWS, 2)
    tuned = TunedThresholdClassifierCV(model, cv=2, scoring="balanced_accuracy").fit(kind.X, NAMES)
    assert set(tuned.predict(kind.X)) <= {"no", "yes"}
    probability = calibrated.predict_proba(kind.X)[:, 1]
    assert brier_score_loss(NAMES == "yes", probability) < 0.5
