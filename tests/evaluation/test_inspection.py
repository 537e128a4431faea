"""sklearn.inspection takes the estimators and their raw tables as they are."""

from __future__ import annotations

from inspect import signature

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.inspection import (
    DecisionBoundaryDisplay,
    PartialDependenceDisplay,
    partial_dependence,
    permutation_importance,
)
from sklearn.pipeline import make_pipeline

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP

N = 240
RANDOM = np.random.default_rng(0)
LOUD = RANDOM.normal(size=N)
FRAME = pd.DataFrame({
    "loud": np.where(RANDOM.random(N) < 0.1, np.nan, LOUD),
    "idle": RANDOM.normal(size=N),
    "count": RANDOM.integers(0, 9, N),
    "city": RANDOM.choice(["Rome", "Oslo", "Bern"], N),
    "size": pd.Categorical(RANDOM.choice(["s", "m"], N)),
    "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(RANDOM.integers(0, 700, N), unit="D"),
    "title": [" ".join(RANDOM.choice(["lamp", "old", "chair", "red"], 4)) + f" {i}" for i in range(N)],
})  # fmt: skip
FRAME.loc[::19, ["city", "day", "title"]] = None
VALUE = (3 * LOUD + 3 * (FRAME["city"] == "Rome") + FRAME["title"].fillna("").str.count("lamp")).to_numpy()
CLASS = np.where(VALUE > 2, "high", "low")


def regressor(**params):
    return NeuralRegressor(MLP, module_params={"hidden_sizes": (32,)}, lr=0.02, max_epochs=20, random_state=0, **params)


def classifier(**params):
    return NeuralClassifier(
        MLP, module_params={"hidden_sizes": (32,)}, lr=0.02, max_epochs=20, random_state=0, **params
    )


@pytest.fixture(scope="module")
def models():
    """Fitted once; not to be changed."""
    X = np.c_[LOUD, RANDOM.normal(size=(N, 2))]
    gaps = np.where(RANDOM.random(X.shape) < 0.05, np.nan, X)
    return {
        "array": (regressor().fit(X, LOUD), X, LOUD),
        "array with gaps": (regressor().fit(gaps, LOUD), gaps, LOUD),
        "pandas": (regressor().fit(FRAME, VALUE), FRAME, VALUE),
        "polars": (regressor().fit(pl.from_pandas(FRAME), VALUE), pl.from_pandas(FRAME), VALUE),
        "classes": (classifier().fit(FRAME, CLASS), FRAME, CLASS),
        "pipeline": (make_pipeline("passthrough", classifier()).fit(FRAME, CLASS), FRAME, CLASS),
    }


@pytest.fixture(autouse=True)
def no_window():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.mark.parametrize("table", ["array", "array with gaps", "pandas", "polars", "classes", "pipeline"])
def test_permutation_importance(models, table):
    model, X, y = models[table]
    X = X.to_pandas() if table == "polars" else X  # scikit-learn makes an array of other frames
    result = permutation_importance(model, X, y, n_repeats=2, random_state=0)
    assert result.importances.shape == (X.shape[1], 2)
    assert result.importances_mean.argmax() == 0
    if table == "pandas":
        important = dict(zip(FRAME.columns, result.importances_mean, strict=True))
        assert min(important["city"], important["title"]) > 0.1 > 0.05 > abs(important["idle"])


def test_permutation_importance_by_other_scores(models):
    model, X, y = models["classes"]
    result = permutation_importance(model, X, y, scoring=["roc_auc", "neg_log_loss"], n_repeats=2, random_state=0)
    assert result["roc_auc"].importances_mean.argmax() == 0
    assert result["neg_log_loss"].importances_mean.argmax() == 0


# ------------------------------------------------------------------ partial dependence


def test_partial_dependence_of_arrays(models):
    model, X, _ = models["array"]
    result = partial_dependence(model, X, [0], kind="both", grid_resolution=5)
    assert result["average"].shape == (1, 5)
    assert result["individual"].shape == (1, N, 5)
    assert (np.diff(result["average"][0]) > 0).all()
    assert partial_dependence(model, X, [0, 1], grid_resolution=4)["average"].shape == (1, 4, 4)


def test_partial_dependence_where_values_are_missing(models):
    """Quantiles of a column with gaps may be NaN: the grid is made of the rows that have a value."""
    model, X, _ = models["array with gaps"]
    result = partial_dependence(model, X[~np.isnan(X[:, 0])], [0], grid_resolution=5)
    assert (np.diff(result["average"][0]) > 0).all()
    for name in ("pandas", "polars"):
        frame = FRAME.dropna(subset="loud")
        result = partial_dependence(models[name][0], frame, ["loud"], grid_resolution=5)
        assert (np.diff(result["average"][0]) > 0).all(), name


@pytest.mark.parametrize("table", ["pandas", "polars", "classes", "pipeline"])
def test_partial_dependence_of_categories(models, table):
    frame = FRAME.dropna(subset="city")  # gaps among strings are "not yet supported in scikit-learn"
    result = partial_dependence(models[table][0], frame, ["city"], categorical_features=["city", "size"])
    assert list(result["grid_values"][0]) == ["Bern", "Oslo", "Rome"]
    bern, oslo, rome = result["average"][0]
    if table in ("classes", "pipeline"):  # the probability of the second class in alphabetical order, "low"
        assert min(bern, oslo) > rome + 0.1
    else:
        assert rome > max(bern, oslo) + 1
    both = partial_dependence(
        models[table][0], frame.dropna(), ["city", "loud"], categorical_features=["city"], grid_resolution=5
    )
    assert both["average"].shape == (1, 3, 5)


def test_partial_dependence_of_whole_numbers(models):
    """scikit-learn takes them as floats or as categories; the network makes no difference."""
    as_floats = partial_dependence(models["pandas"][0], FRAME.astype({"count": float}), ["count"], percentiles=(0, 1))
    as_categories = partial_dependence(models["pandas"][0], FRAME, ["count"], categorical_features=["count"])
    np.testing.assert_allclose(as_floats["average"], as_categories["average"], atol=1e-5)


@pytest.mark.skipif("custom_values" not in signature(partial_dependence).parameters, reason="of scikit-learn 1.7")
def test_partial_dependence_of_values_of_your_choice(models):
    model = models["pandas"][0]

    def average(column, values):
        values = np.array(values, dtype=None if column == "day" else object)
        return partial_dependence(model, FRAME, [column], custom_values={column: values})["average"][0]

    assert np.diff(average("city", ["Rome", "Oslo"])) < -1
    assert np.isfinite(average("city", ["Rome", None])).all()
    assert np.diff(average("title", ["old chair red", "lamp lamp lamp"])) > 0.5
    days = average("day", pd.date_range("2024-01-01", periods=3, freq="200D"))
    expected = [
        model.predict(FRAME.assign(day=day)).mean() for day in pd.date_range("2024-01-01", periods=3, freq="200D")
    ]
    np.testing.assert_allclose(days, expected, atol=1e-5)


# ------------------------------------------------------------------ displays


def test_partial_dependence_is_drawn(models):
    model, X, _ = models["pandas"]
    display = PartialDependenceDisplay.from_estimator(
        model, X.dropna(), ["loud", "city", ("loud", "idle")], categorical_features=["city"], grid_resolution=5
    )
    assert display.axes_.size == 3
    display = PartialDependenceDisplay.from_estimator(
        model, X.dropna(), ["loud"], kind="both", subsample=20, random_state=0, centered=True, grid_resolution=5
    )
    assert display.lines_.shape[-1] == 21


def test_partial_dependence_of_each_class_is_drawn():
    X, y = np.c_[LOUD, FRAME["idle"]], np.digitize(LOUD, [-0.5, 0.5])
    model = classifier().fit(X, y)
    display = PartialDependenceDisplay.from_estimator(model, X, [0], target=2, grid_resolution=5)
    averages = display.pd_results[0]["average"]
    np.testing.assert_allclose(averages.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(display.lines_[0, 0].get_ydata(), averages[2])


@pytest.mark.parametrize("response", ["predict", "predict_proba"])
def test_decision_boundaries_are_drawn(response):
    X = FRAME[["loud", "idle"]].assign(loud=LOUD)
    for labels in (np.where(LOUD > 0, "high", "low"), np.digitize(LOUD, [-0.5, 0.5])):
        model = classifier().fit(X, labels)
        display = DecisionBoundaryDisplay.from_estimator(model, X, response_method=response, grid_resolution=10)
        assert display.response.shape[:2] == (10, 10)
    model = regressor().fit(X, LOUD)
    assert DecisionBoundaryDisplay.from_estimator(model, X, grid_resolution=10).response.shape == (10, 10)
