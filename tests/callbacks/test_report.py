"""Warnings point to the line that called fit."""

from __future__ import annotations

import warnings

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralClassifier
from sknn.exceptions import NotLearningWarning
from sknn.modules import MLP
from tests.health.subjects import CANCER


def test_a_warning_points_at_the_line_that_calls_fit():
    model = make_pipeline(StandardScaler(), NeuralClassifier(MLP, lr=1e-8, max_epochs=20, random_state=0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*CANCER)
    (warning,) = [w for w in caught if issubclass(w.category, NotLearningWarning)]
    assert warning.filename == __file__
