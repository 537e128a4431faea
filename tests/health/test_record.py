"""What a user sees of the health of a training: status, text, warnings that point at their own line."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import EpochHealth, LayerHealth, TrainingHealth
from sknn.exceptions import GradientHealthWarning, NotLearningWarning
from sknn.modules import MLP

X, Y = load_breast_cancer(return_X_y=True)


@pytest.mark.parametrize("lr", [1.0, 0.5])
def test_a_rate_that_throws_weights_about_is_repaired_from_the_initial_weights(lr):
    model = NeuralClassifier(MLP, lr=lr, max_epochs=20, random_state=0, gradient_health="repair")
    with pytest.warns(GradientHealthWarning):
        model.fit(X, Y)
    assert model.health_.status == "repaired"
    assert model.score(X, Y) > 0.95


def test_a_training_too_short_to_judge_is_neither_healthy_nor_unhealthy():
    def status(**params):
        return NeuralClassifier(MLP, random_state=0, **params).fit(X, Y).health_.status

    assert status(lr=1e-8, max_epochs=2) == "unknown"
    assert status(max_epochs=2) == "healthy"  # it has learned, so there is nothing to be unsure of


def test_what_a_given_up_training_leaves_predicts_finite_numbers():
    table, target = load_diabetes(return_X_y=True)
    model = NeuralRegressor(lr=1e4, max_epochs=20, random_state=0)
    with pytest.warns(GradientHealthWarning, match="non_finite"):
        model.fit(table, target)
    assert np.isfinite(model.predict(table)).all()
    assert model.score(table, target) > -1


def test_a_warning_points_at_the_line_that_calls_fit():
    model = make_pipeline(StandardScaler(), NeuralClassifier(MLP, lr=1e-8, max_epochs=20, random_state=0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y)
    (warning,) = [w for w in caught if issubclass(w.category, NotLearningWarning)]
    assert warning.filename == __file__


def test_the_record_in_a_line():
    health = NeuralClassifier(MLP, max_epochs=3, random_state=0).fit(X, Y).health_
    assert repr(health) == "<TrainingHealth: healthy, 3 epochs>"


def test_a_picture_of_one_epoch_shows_it():
    layers = {"a": LayerHealth(0.1, 0.01, 1.0), "b": LayerHealth(1.0, 0.01, 1.0)}
    axes = TrainingHealth(epochs=[EpochHealth(1, 0.5, layers)]).plot()
    assert axes.get_xlim() == (0.5, 1.5)
    assert axes.collections[0].get_array().size == 2
