"""MAPIE and crepes wrap the estimators as they are, fitted before or by cross-validation, on raw tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP
from tests.contract.kinds import KINDS, N_ROWS, NAMES, Y, rows_of

mapie, crepes = pytest.importorskip("mapie"), pytest.importorskip("crepes")

N_TEST = 300
TRAIN, HELD_OUT, TEST = slice(0, 300), slice(300, 600), slice(600, 900)
RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({
    "a": np.where(RANDOM.random(900) < 0.1, np.nan, RANDOM.normal(size=900)),
    "city": RANDOM.choice(["Rome", "Oslo", "Bern"], 900),
    "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(RANDOM.integers(0, 700, 900), unit="D"),
})  # fmt: skip
VALUE = (FRAME["a"].fillna(0) + (FRAME["city"] == "Rome") + 0.5 * RANDOM.normal(size=900)).to_numpy()
CLASS = np.array(["low", "mid", "top"])[np.digitize(VALUE, [0, 1])]
PARAMS = {"module_params": {"hidden_sizes": (16,)}, "lr": 0.02, "max_epochs": 10, "random_state": 0}
REGRESSOR, CLASSIFIER = NeuralRegressor(MLP, **PARAMS), NeuralClassifier(MLP, **PARAMS)
# Of 300 test rows, three standard deviations of the share that is covered at 0.9.
TOLERANCE = 3 * np.sqrt(0.9 * 0.1 / N_TEST)


ARRAY = np.c_[FRAME["a"], FRAME["city"] == "Rome"]
TABLES = {"array": ARRAY, "frame with categories": FRAME[["a", "city"]]}
each_table = pytest.mark.parametrize("table", TABLES)


@pytest.fixture(scope="module")
def fitted_regressor():
    return clone(REGRESSOR).fit(FRAME[TRAIN], VALUE[TRAIN])


@pytest.fixture(scope="module")
def fitted_classifier():
    return clone(CLASSIFIER).fit(FRAME[TRAIN], CLASS[TRAIN])


def check_intervals(lower, upper):
    """They hold nine of ten test values, and tell more than the spread of all."""
    covered = np.mean((lower <= VALUE[TEST]) & (VALUE[TEST] <= upper))
    assert covered == pytest.approx(0.9, abs=TOLERANCE)
    assert np.mean(upper - lower) < 0.8 * np.diff(np.quantile(VALUE, [0.05, 0.95]))


def check_sets(sets):
    """They hold nine of ten test labels at least, and leave classes out."""
    assert sets.shape == (N_TEST, 3)
    codes = np.searchsorted(["low", "mid", "top"], CLASS[TEST])
    assert sets[np.arange(N_TEST), codes].mean() > 0.9 - TOLERANCE
    assert sets.sum(axis=1).mean() < 2.6


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # the row of zeros of MAPIE's probe
class TestMapie:
    @each_table
    def test_intervals_of_a_fitted_model(self, table):
        X = TABLES[table]
        model = clone(REGRESSOR).fit(X[TRAIN], VALUE[TRAIN])
        wrapped = mapie.regression.SplitConformalRegressor(model, confidence_level=0.9, prefit=True)
        wrapped.conformalize(X[HELD_OUT], VALUE[HELD_OUT])
        predicted, intervals = wrapped.predict_interval(X[TEST])
        np.testing.assert_array_equal(predicted, model.predict(X[TEST]))
        check_intervals(*intervals[:, :, 0].T)

    def test_intervals_by_cross_validation(self):
        wrapped = mapie.regression.CrossConformalRegressor(clone(REGRESSOR), confidence_level=0.9, cv=3)
        wrapped.fit_conformalize(FRAME[:600], VALUE[:600])
        check_intervals(*wrapped.predict_interval(FRAME[TEST])[1][:, :, 0].T)

    def test_intervals_of_quantiles(self):
        X = TABLES["frame with categories"]
        low, high, median = (
            clone(REGRESSOR).set_params(criterion="quantile", criterion__quantile=level).fit(X[TRAIN], VALUE[TRAIN])
            for level in (0.05, 0.95, 0.5)
        )
        wrapped = mapie.regression.ConformalizedQuantileRegressor(
            [low, high, median], confidence_level=0.9, prefit=True
        )
        wrapped.conformalize(X[HELD_OUT], VALUE[HELD_OUT])
        check_intervals(*wrapped.predict_interval(X[TEST])[1][:, :, 0].T)

    @each_table
    @pytest.mark.parametrize("score", ["lac", "aps"])
    def test_sets_of_a_fitted_model(self, table, score):
        X = TABLES[table]
        model = clone(CLASSIFIER).fit(X[TRAIN], CLASS[TRAIN])
        wrapped = mapie.classification.SplitConformalClassifier(
            model, confidence_level=0.9, conformity_score=score, prefit=True, random_state=0
        )
        wrapped.conformalize(X[HELD_OUT], CLASS[HELD_OUT])
        check_sets(wrapped.predict_set(X[TEST])[1][:, :, 0])

    def test_sets_by_cross_validation(self):
        wrapped = mapie.classification.CrossConformalClassifier(clone(CLASSIFIER), confidence_level=0.9, cv=3)
        wrapped.fit_conformalize(FRAME[:600], CLASS[:600])
        check_sets(wrapped.predict_set(FRAME[TEST])[1][:, :, 0])


class TestCrepes:
    def test_intervals_of_a_fitted_model(self, fitted_regressor):
        wrapped = crepes.WrapRegressor(fitted_regressor)
        wrapped.calibrate(FRAME[HELD_OUT], VALUE[HELD_OUT])
        check_intervals(*wrapped.predict_int(FRAME[TEST], confidence=0.9).T)

    def test_intervals_by_category(self):
        wrapped = crepes.WrapRegressor(clone(REGRESSOR))
        wrapped.fit(FRAME[TRAIN], VALUE[TRAIN])
        wrapped.calibrate(FRAME[HELD_OUT], VALUE[HELD_OUT], mc=lambda X: X["city"].to_numpy())
        check_intervals(*wrapped.predict_int(FRAME[TEST], confidence=0.9).T)

    def test_predictive_distributions(self, fitted_regressor):
        wrapped = crepes.WrapRegressor(fitted_regressor)
        wrapped.calibrate(FRAME[HELD_OUT], VALUE[HELD_OUT], cps=True)
        check_intervals(*wrapped.predict_int(FRAME[TEST], confidence=0.9).T)

    def test_sets_of_a_fitted_model(self, fitted_classifier):
        wrapped = crepes.WrapClassifier(fitted_classifier)
        wrapped.calibrate(FRAME[HELD_OUT], CLASS[HELD_OUT], seed=0)
        check_sets(wrapped.predict_set(FRAME[TEST], labels=False, confidence=0.9, seed=0))


@pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")  # of so few rows and epochs
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_data_gets_intervals_and_sets(kind):
    # By crepes: MAPIE takes tables and arrays only.
    first, last = slice(0, 24), slice(24, N_ROWS)
    wrapped = crepes.WrapRegressor(NeuralRegressor(**kind.params, random_state=0))
    wrapped.fit(rows_of(kind.X, first), 1.0 * Y[first])
    wrapped.calibrate(rows_of(kind.X, last), 1.0 * Y[last])
    assert wrapped.predict_int(kind.X, confidence=0.7).shape == (N_ROWS, 2)
    wrapped = crepes.WrapClassifier(NeuralClassifier(**kind.params, random_state=0))
    wrapped.fit(rows_of(kind.X, first), NAMES[first])
    wrapped.calibrate(rows_of(kind.X, last), NAMES[last], seed=0)
    if kind.name != "sparse":  # crepes asks for len(X)
        assert wrapped.predict_set(kind.X, labels=False, confidence=0.7, seed=0).shape == (N_ROWS, 2)
