"""sknn.baselines: simple pipelines of scikit-learn on every raw X."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import cross_val_score, train_test_split

from sknn import baselines
from tests.contract.kinds import KINDS, N_ROWS, NAMES, Y

N = 240
RANDOM = np.random.default_rng(0)
A, WORDS = RANDOM.normal(size=N), ["lamp", "chair", "table", "shelf", "old", "new", "red", "blue", "large", "small"]
FRAME = pd.DataFrame({
    "a": np.where(RANDOM.random(N) < 0.2, np.nan, A),
    "city": RANDOM.choice(["Rome", "Oslo", "Bern"], N),
    "size": pd.Categorical(RANDOM.choice(["s", "m"], N)),
    "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(RANDOM.integers(0, 700, N), unit="D"),
    "flag": RANDOM.random(N) < 0.5,
    "title": [" ".join(RANDOM.choice(WORDS, 4)) + f" {i}" for i in range(N)],
})  # fmt: skip
FRAME.loc[::17, ["city", "day", "title"]] = None
VALUE = A + 2 * (FRAME["city"] == "Rome") + FRAME["title"].fillna("").str.count("lamp")
CLASS = np.where(VALUE > 1.5, "high", "low")
TABLES = {
    "pandas": FRAME,
    "polars": pl.from_pandas(FRAME),
    "pyarrow": pa.Table.from_pandas(FRAME),
    "array": np.c_[A, RANDOM.normal(size=(N, 2))],
    "objects": FRAME.to_numpy(dtype=object),
}
TARGETS = {
    "classes": CLASS,
    "numbers": VALUE.to_numpy(),
    "labels": np.c_[CLASS == "high", A > 0].astype(int),
    "several numbers": np.c_[VALUE, A],
}


def fit_and_predict(models, X_train, y_train, X_test):
    assert next(iter(models)) == "dummy"
    predicted = {}
    for name, model in models.items():
        with pytest.raises(NotFittedError):
            model.predict(X_test)
        predicted[name] = clone(model).fit(X_train, y_train).predict(X_test)
    return predicted


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("table", TABLES)
def test_every_table_and_target(table, target):
    X, y = TABLES[table], TARGETS[target]
    models = baselines(X, y, random_state=0)
    assert list(models) == ["dummy", "linear", "trees"]
    predicted = fit_and_predict(models, X[:160], y[:160], X[160:])
    for values in predicted.values():
        assert values.shape == y[160:].shape
    if target == "classes":
        assert {label for values in predicted.values() for label in values} <= {"high", "low"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_data(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for y in (NAMES, Y + 0.5 * np.arange(N_ROWS)):
            models = baselines(kind.X, y, random_state=0)
            assert list(models)[:2] == ["dummy", "linear"]
            for values in fit_and_predict(models, kind.X, y, kind.X).values():
                assert values.shape == y.shape


def test_a_target_is_learned_from_columns_of_every_kind():
    """Of the variance, numbers hold a third, categories a third, texts a third; classes are no chance either."""
    X_train, X_test, y_train, y_test = train_test_split(FRAME, VALUE, random_state=0)
    models = {name: model.fit(X_train, y_train) for name, model in baselines(FRAME, VALUE, random_state=0).items()}
    scores = {name: model.score(X_test, y_test) for name, model in models.items()}
    assert scores["dummy"] < 0.1 < 0.6 < min(scores["linear"], scores["trees"])
    for column in ("a", "city", "title"):
        for name in ("linear", "trees"):
            shuffled = X_test.assign(**{column: X_test[column].sample(frac=1, random_state=0).to_numpy()})
            assert models[name].score(shuffled, y_test) < scores[name] - 0.05, (column, name)


def test_dates_tell_more_than_their_order():
    days = pd.Series(pd.date_range("2024-01-01", periods=420)).sample(frac=1, random_state=0)
    X, weekend = pd.DataFrame({"day": days}), days.dt.day_of_week >= 5
    for name, model in baselines(X, weekend).items():
        score = cross_val_score(model, X, weekend, scoring="roc_auc").mean()
        assert score > 0.95 if name != "dummy" else score == 0.5, name


@pytest.mark.filterwarnings("ignore:.*'city'")
def test_categories_and_gaps_that_fit_has_not_seen():
    """A category is known from the table as a whole, but learned from the training rows only."""
    X, y = FRAME.fillna({"city": "Bern"}), VALUE
    rows = X["city"] != "Oslo"
    for model in baselines(X, y, random_state=0).values():
        model.fit(X[rows], y[rows])
        assert np.isfinite(model.predict(X)).all()
        new = X.assign(city=np.where(X["city"] == "Oslo", "Paris", None))
        assert np.isfinite(model.predict(new)).all()


def test_a_column_that_is_empty_in_the_training_rows():
    X = FRAME.assign(a=np.where(np.arange(N) < 120, np.nan, A))
    for model in baselines(X, VALUE, random_state=0).values():
        assert np.isfinite(model.fit(X[:120], VALUE[:120]).predict(X)).all()


def test_many_categories_of_few_rows():
    towns = [f"town {i % 120}" for i in range(N)]
    X = pd.DataFrame({"town": towns, "b": A, "id": pd.Categorical(np.arange(N) % 60)})
    for model in baselines(X, CLASS, random_state=0).values():
        assert cross_val_score(model, X, CLASS, cv=3, error_score="raise").mean() > 0.5


@pytest.mark.parametrize(
    ("y", "is_classifier"),
    [
        (["a", "b"] * 10, True),
        ([True, False] * 10, True),
        (np.arange(20) % 3, True),
        (np.arange(20) % 3 / 1.0, True),
        (pd.Series(np.arange(20) % 2, dtype="Int64"), True),
        (pd.Series(np.arange(20) / 3, dtype="Float64"), False),
        (pd.Series(np.arange(60) // 2).astype("category"), True),
        (pl.Series(["a", "b"] * 10, dtype=pl.Categorical), True),
        (np.arange(60), False),
        (np.arange(20) / 2, False),
        (scipy.sparse.csr_matrix(np.eye(2, dtype=int)[np.arange(20) % 2]), True),
        (np.c_[np.arange(20), np.arange(20)], False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_y_is(y, is_classifier):
    n = y.shape[0] if scipy.sparse.issparse(y) else len(y)
    last = baselines(np.arange(n)[:, None], y)["dummy"][-1]
    assert type(last).__name__ == ("DummyClassifier" if is_classifier else "DummyRegressor")


def test_the_task_can_be_named():
    X, y = np.c_[A], np.arange(N) % 26
    assert type(baselines(X, y)["linear"][-1]).__name__ == "RidgeCV"
    assert type(baselines(X, y, task="classification")["linear"][-1]).__name__ == "LogisticRegression"
    assert type(baselines(X, y % 3, task="regression")["trees"][-1]).__name__ == "HistGradientBoostingRegressor"


def test_pipelines_are_estimators_of_scikit_learn():
    models = baselines(FRAME, CLASS, random_state=0)
    for model in models.values():
        model.set_params(**{"model__random_state": 1} if "model__random_state" in model.get_params() else {})
        fitted = clone(model).fit(FRAME, CLASS, model__sample_weight=np.ones(N))
        copy = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(copy.predict_proba(FRAME), fitted.predict_proba(FRAME))
    names = models["linear"].fit(FRAME, CLASS)[:-1].get_feature_names_out()
    assert {"numbers__a", "calendar__day: sine of weekday", "categories__city_1"} <= set(names)


def test_sounds_of_unequal_length():
    sounds = [RANDOM.normal(size=40 + i % 7) * (1 + 4 * y) for i, y in enumerate(Y)]
    models = baselines(sounds, Y, random_state=0)
    assert list(models) == ["dummy", "linear", "trees"]
    assert cross_val_score(models["linear"], sounds, Y, cv=3).mean() == 1.0


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((4, 2)), [1.5, 2, 3], "y.*inconsistent numbers of samples"),
        (np.zeros((4, 2)), None, "y"),
        (np.zeros((4, 2)), [1.5, 2, np.nan, 4], "y contains NaN"),
        (np.zeros((4, 2)), ["a", "a", "a", "a"], "at least 2 classes"),
        (np.zeros((4, 2)), ["a", "b", None, "a"], "y"),
        (np.full((4, 2), np.inf), [1.5, 2, 3, 4], "X: column 0"),
        (["a.png"] * 4, [0, 1, 0, 1], "names of files"),
        (5, [0, 1, 0, 1], "X|y"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input(X, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        baselines(X, y)


def test_an_unknown_task():
    with pytest.raises(ValueError, match="task='rank' is invalid; expected 'auto'"):
        baselines(np.c_[A], CLASS, task="rank")


def test_other_columns_at_predict():
    for name, model in baselines(FRAME, CLASS, random_state=0).items():
        model.fit(FRAME, CLASS)
        if name != "dummy":
            with pytest.raises(ValueError, match="X has 5 columns, expected 6"):
                model.predict(FRAME.drop(columns="a"))
            with pytest.raises(ValueError, match="X has the columns .* expected .'a', 'city'"):
                model.predict(FRAME[FRAME.columns[::-1]])
