"""Intervals of regressors cover what they promise, and are as wide as the errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError

from sknn import NeuralClassifier, NeuralRegressor
from sknn.losses import Loss
from sknn.modules import MLP

from .cases import coverage, regressor, table, train_and_test

LEVELS = (0.8, 0.9, 0.95)


@pytest.fixture(scope="module")
def fitted():
    X, y, _, _ = train_and_test()
    return regressor().fit(X, y)


@pytest.fixture(scope="module")
def rows():
    return train_and_test()[2:]


@pytest.mark.parametrize("level", LEVELS)
def test_as_many_rows_are_covered_as_asked(fitted, rows, level):
    X, y = rows
    interval = fitted.predict_interval(X, level)
    assert (interval.shape, interval.dtype) == ((len(X), 2), np.float32)
    assert coverage(interval, y) == pytest.approx(level, abs=0.03)
    prediction = fitted.predict(X)
    assert ((interval[:, 0] < prediction) & (prediction < interval[:, 1])).all()


def test_intervals_are_wide_where_errors_are_large(fitted, rows):
    X, y = rows
    interval, is_quiet = fitted.predict_interval(X), (X["where"] == "x").to_numpy()
    width = interval[:, 1] - interval[:, 0]
    assert width[~is_quiet].mean() > 3 * width[is_quiet].mean()
    for part in (is_quiet, ~is_quiet):
        assert coverage(interval[part], y[part]) == pytest.approx(0.9, abs=0.08)


def test_a_higher_level_is_wider(fitted, rows):
    widths = [np.ptp(fitted.predict_interval(rows[0], level), axis=1) for level in LEVELS]
    assert (widths[0] < widths[1]).all()
    assert (widths[1] < widths[2]).all()


def test_few_held_out_rows_are_covered_on_average():
    X, y = table(2000)
    X_test, y_test = table(500, seed=1)
    found = []
    for start in range(0, 2000, 50):
        part = slice(start, start + 50)
        found.append(coverage(regressor(max_epochs=3).fit(X[part], y[part]).predict_interval(X_test, 0.8), y_test))
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_condition_covers_each_value_of_a_column(fitted, rows):
    X, y = rows
    for condition in ("where", 2):
        interval = fitted.predict_interval(X, 0.8, condition=condition)
        for value in "xyz":
            part = (X["where"] == value).to_numpy()
            assert coverage(interval[part], y[part]) == pytest.approx(0.8, abs=0.08)


def test_unknown_values_of_the_condition_get_the_widest_interval(fitted, rows):
    X = rows[0][:1]

    def ratio(value):
        """Width by the condition in units of that without."""
        row = X.assign(where=value)
        return np.ptp(fitted.predict_interval(row, condition="where")) / np.ptp(fitted.predict_interval(row))

    assert ratio("?") == pytest.approx(max(1.0, *map(ratio, "xyz")), rel=1e-4)


def test_outputs_are_covered_each_by_itself():
    X, y, X_test, y_test = train_and_test()
    reg = regressor().fit(X, np.stack([y, -1e-3 * y], axis=1))
    interval = reg.predict_interval(X_test, 0.8)
    assert (interval.shape, interval.dtype) == ((len(X_test), 2, 2), np.float64)
    assert coverage(interval[:, :, 0], y_test) == pytest.approx(0.8, abs=0.05)
    assert coverage(interval[:, :, 1], -1e-3 * y_test) == pytest.approx(0.8, abs=0.05)


def test_the_outermost_quantiles_are_moved():
    X, y, X_test, y_test = train_and_test()
    reg = regressor(criterion="quantile", criterion_params={"quantile": [0.5, 0.9, 0.1]}).fit(X, y)
    lower, upper = reg.predict(X_test)[:, 2], reg.predict(X_test)[:, 1]
    for level in (0.5, 0.8, 0.95):
        interval = reg.predict_interval(X_test, level)
        assert coverage(interval, y_test) == pytest.approx(level, abs=0.05)
        assert (interval[:, 0] <= interval[:, 1]).all()
    moved = interval[:, 1] - upper
    np.testing.assert_allclose(moved, moved[0], rtol=1e-2)
    np.testing.assert_allclose(lower - interval[:, 0], moved[0], rtol=1e-2)


def test_counts_have_no_negative_bound():
    X, _, X_test, _ = train_and_test()
    random = np.random.default_rng(0)
    y, y_test = random.poisson(np.exp(X["a"])), random.poisson(np.exp(X_test["a"]))
    interval = regressor(criterion="poisson").fit(X, y).predict_interval(X_test)
    assert interval.min() == 0
    assert coverage(interval, y_test) >= 0.87


def test_a_target_that_never_varies_has_no_width():
    X, _ = table(100)
    reg = regressor().fit(X, np.full(100, 7.5))
    assert (reg.predict_interval(X) == 7.5).all()
    assert (reg.predict(X, return_std=True)[1] == 0).all()


def test_too_few_rows_give_infinite_bounds_and_a_warning():
    X, y = table(40)
    reg = regressor(max_epochs=1).fit(X, y)
    n_rows = len(reg._conformal.scores)
    with pytest.warns(UserWarning, match=f"confidence_level=0.99 needs 99 held-out rows, and the fit kept {n_rows}"):
        interval = reg.predict_interval(X, 0.99)
    assert (interval == [-np.inf, np.inf]).all()


@pytest.mark.parametrize("level", [0, 1, -0.1, 90, True, "0.9", None, np.nan])
def test_a_level_outside_of_its_range_is_refused(fitted, rows, level):
    with pytest.raises(ValueError, match=r"confidence_level=.* is invalid; expected a number in \(0, 1\)"):
        fitted.predict_interval(rows[0], level)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("a", r"'a' is a column of numbers; expected a categorical one, of \['where'\], .* such as pandas.cut"),
        (0, "condition=0 is a column of numbers"),
        ("nowhere", r"condition='nowhere' is no column of X; expected one of \['where'\], or None"),
        (7, "condition=7 is no column"),
        (True, "condition=True is no column"),
        ([1, 2], r"condition is a list; expected the name or the position of one categorical column, of \['where'\]"),
        (pd.Series([0.0] * 99), "condition is a Series; expected the name.*join their texts"),
    ],
)
def test_a_condition_that_is_no_categorical_column_is_refused(fitted, rows, condition, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.predict_interval(rows[0], condition=condition)


def test_a_condition_on_dates_names_what_to_add():
    X = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=60), "where": ["a", "b"] * 30})
    model = NeuralRegressor(MLP, max_epochs=1, early_stopping=True, random_state=0).fit(X, np.arange(60.0))
    with pytest.raises(
        ValueError, match="'day' is a column of dates; .* added to X before fit, such as the year or the"
    ):
        model.predict_interval(X, condition="day")


def test_the_name_of_the_other_estimators_method_is_answered():
    classifier, regressor = NeuralClassifier(), NeuralRegressor()
    assert not hasattr(classifier, "predict_interval")
    assert not hasattr(regressor, "predict_set")
    with pytest.raises(AttributeError, match="NeuralClassifier has no predict_interval: .*predict_set"):
        classifier.predict_interval([[0.0]])
    with pytest.raises(AttributeError, match="NeuralRegressor has no predict_set: .*predict_interval"):
        regressor.predict_set([[0.0]])


def test_an_unfitted_estimator_says_so():
    with pytest.raises(NotFittedError):
        regressor().predict_interval(table(5)[0])


def test_nothing_held_out_is_an_error():
    X, y = table(200)
    for reg in (regressor(early_stopping=False, max_epochs=1).fit(X, y), regressor().partial_fit(X, y)):
        for ask in (reg.predict_interval, lambda X, reg=reg: reg.predict(X, return_std=True)):
            with pytest.raises(ValueError, match="Call fit, not partial_fit, with early_stopping=True, or pass X_val"):
                ask(X)


def test_other_columns_are_refused_as_by_predict(fitted, rows):
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict_interval(rows[0].rename(columns={"a": "q"}))


# ------------------------------------------------------------------ standard deviations


def test_standard_deviations_are_those_of_the_errors(fitted, rows):
    X, y = rows
    prediction, std = fitted.predict(X, return_std=True)
    assert (std.shape, std.dtype) == (prediction.shape, prediction.dtype) == ((len(X),), np.float32)
    np.testing.assert_array_equal(prediction, fitted.predict(X))
    for part in ((X["where"] == "x").to_numpy(), (X["where"] != "x").to_numpy()):
        assert std[part].mean() == pytest.approx(np.sqrt(np.mean((prediction - y)[part] ** 2)), rel=0.35)


def test_a_wild_target_decides_no_deviation():
    X, y = table(600)
    usual = regressor(criterion="absolute_error").fit(X, y).predict(X, return_std=True)[1].mean()
    y[5] = 1e6
    wild = regressor(criterion="absolute_error").fit(X, y).predict(X, return_std=True)[1].mean()
    assert wild < 1.5 * usual


def test_deviations_of_outputs():
    X, y = table(300)
    prediction, std = regressor(max_epochs=2).fit(X, np.stack([y, 2 * y], axis=1)).predict(X, return_std=True)
    assert (std.shape, std.dtype) == (prediction.shape, prediction.dtype) == ((300, 2), np.float64)


def test_several_quantiles_have_no_deviation():
    X, y = table(300)
    reg = regressor(max_epochs=1, criterion="quantile", criterion_params={"quantile": [0.1, 0.9]}).fit(X, y)
    with pytest.raises(ValueError, match="return_std=True: a loss of several quantile levels"):
        reg.predict(X, return_std=True)


# ------------------------------------------------------------------ losses of the user's


class LogCosh(Loss):
    name = "log_cosh"
    targets = frozenset({"real"})

    def pointwise(self, raw_prediction, y):
        return torch.log(torch.cosh((raw_prediction - y).clamp(-20, 20))).mean(dim=1)


class MeanAndScale(Loss):
    """Two numbers for each output: not a prediction of y."""

    name = "mean_and_scale"
    targets = frozenset({"real"})

    def out_features(self, n_targets):
        return 2

    def pointwise(self, raw_prediction, y):
        return (raw_prediction[:, :1] - y).square().mean(dim=1) + raw_prediction[:, 1].square()


def test_a_loss_that_predicts_y_has_intervals():
    X, y, X_test, y_test = train_and_test()
    interval = regressor(criterion=LogCosh).fit(X, y).predict_interval(X_test)
    assert coverage(interval, y_test) == pytest.approx(0.9, abs=0.03)


def test_a_loss_that_predicts_something_else_is_named():
    X, y = table(200)
    reg = regressor(criterion=MeanAndScale, max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="criterion='mean_and_scale' predicts 2 values for 1 outputs of y"):
        reg.predict_interval(X)


# ------------------------------------------------------------------ other rows


def test_texts_have_intervals():
    random = np.random.default_rng(0)
    n_words = random.integers(1, 9, 300)
    X = pd.Series([" ".join(random.choice(["red", "green", "blue"], n)) for n in n_words])
    reg = NeuralRegressor(early_stopping=True, n_networks=4, random_state=0).fit(X[:200], n_words[:200])
    interval = reg.predict_interval(X[200:], 0.8)
    assert coverage(interval, n_words[200:]) == pytest.approx(0.8, abs=0.15)
    with pytest.raises(
        ValueError, match="condition='where' names a categorical column, and this estimator was fitted on texts"
    ):
        reg.predict_interval(X, condition="where")


def test_a_condition_without_any_categorical_column_is_refused():
    X = np.random.RandomState(0).normal(size=(60, 2))
    model = NeuralRegressor(max_epochs=2, random_state=0).fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"condition=0: X has no categorical column .* pandas.cut"):
        model.predict_interval(X, condition=0)
