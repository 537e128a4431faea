"""What the tests of journals put into searches."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.model_selection import (
    KFold,
)
from sklearn.tree import DecisionTreeClassifier

X, Y = load_iris(return_X_y=True)
GRID = {"max_depth": [1, 2, 3]}
TREE = DecisionTreeClassifier(random_state=0)


class Counting(ClassifierMixin, BaseEstimator):
    """A majority class that says how often it was fitted, and fails or warns where it is told to."""

    fitted: list = []

    def __init__(self, mood="calm", rate=1.0, random_state=0):
        self.mood = mood
        self.rate = rate
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        Counting.fitted.append(self.rate)
        if isinstance(self.mood, str) and self.mood == "warning":
            warnings.warn(f"rate {self.rate} is odd", RuntimeWarning, stacklevel=2)
        elif isinstance(self.mood, BaseException):
            raise self.mood
        self.classes_ = np.unique(y)
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        self.share_ = np.average(np.asarray(y) == self.classes_[0], weights=weight)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y, sample_weight=None):
        return float(self.share_) * self.rate + np.random.default_rng(self.random_state).random()


BASE = dict(estimator=Counting(), X=X, y=Y, cv=KFold(2, shuffle=True, random_state=0))


def without_times(results):
    return {name: np.asarray(value) for name, value in results.items() if "time" not in name}


def assert_same(found, expected):
    found, expected = without_times(found), without_times(expected)
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
        assert found[name].dtype == value.dtype
