"""Tables with texts and dates through the estimators."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP

N = 240
GOOD, BAD = ["great", "lovely", "perfect", "happy"], ["awful", "broken", "terrible", "refund"]
QUICK = {"module": MLP, "module_params": {"hidden_sizes": (32,)}, "max_epochs": 30, "random_state": 0}


def reviews(n=N, seed=0):
    random = np.random.default_rng(seed)
    y = random.random(n) < 0.5
    texts = [
        " ".join(
            random.permutation([*random.choice(GOOD if good else BAD, 2), "the", "item", f"no{random.integers(10**6)}"])
        )
        for good in y
    ]
    return pd.DataFrame({"review": texts, "stars": random.integers(1, 6, n)}), np.where(y, "good", "bad")


def test_free_text_is_learned_from():
    X, y = reviews()
    X_test, y_test = reviews(seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = NeuralClassifier(**QUICK).fit(X, y)
    assert model.score(X_test, y_test) > 0.95
    for container in (lambda X: X.to_numpy(dtype=object), lambda X: X.to_numpy(dtype=object).tolist()):
        again = clone(model).fit(container(X), y)
        np.testing.assert_array_equal(again.predict_proba(container(X_test)), model.predict_proba(X_test))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X_test), model.predict_proba(X_test))
    np.testing.assert_array_equal(model.predict_proba(X_test.iloc[[3]]), model.predict_proba(X_test)[[3]])


def test_a_table_of_nothing_but_a_text():
    X, y = reviews()
    X_test, y_test = reviews(seed=1)
    assert NeuralClassifier(**QUICK).fit(X[["review"]], y).score(X_test[["review"]], y_test) > 0.95


def test_searches_pipelines_and_folds():
    X, y = reviews()
    assert cross_val_score(NeuralClassifier(**QUICK), X, y, cv=2).min() > 0.9
    model = NeuralClassifier(**{**QUICK, "max_epochs": 3}, text_features=["review"])
    pipeline = make_pipeline(FunctionTransformer(), model)
    grid = {"neuralclassifier__text_features": ["auto", ["review"]]}
    assert len(GridSearchCV(pipeline, grid, cv=2).fit(X, y).cv_results_["params"]) == 2


def test_validation_rows_partial_fit_and_warm_start():
    X, y = reviews()
    X_val, y_val = reviews(80, seed=1)  # fewer than make a column of free text
    model = NeuralClassifier(**{**QUICK, "warm_start": True}, early_stopping=True).fit(X, y, X_val=X_val, y_val=y_val)
    width = model._inputs.row_shape
    model.fit(X_val, y_val)
    model.partial_fit(X_val.assign(review=None), y_val)
    assert model._inputs.row_shape == width


def test_text_features_cannot_change_when_training_goes_on():
    X, y = reviews()
    model = NeuralClassifier(**{**QUICK, "warm_start": True}).fit(X, y)
    with pytest.raises(ValueError, match="text_features is now None"):
        model.set_params(text_features=None).fit(X, y)


def test_numbers_where_texts_were_learned_are_refused_by_name():
    X, y = reviews()
    model = NeuralClassifier(**{**QUICK, "max_epochs": 1}).fit(X, y)
    with pytest.raises(
        ValueError, match=r"column 'review' \(position 0\) holds 1 of type int, but texts were expected"
    ):
        model.predict(X.assign(review=1))
    assert model.predict(X.assign(review=None)).shape == (N,)


def test_a_failed_fit_names_the_column_and_leaves_the_estimator():
    X, y = reviews()
    model = NeuralClassifier(**{**QUICK, "text_features": None})
    with pytest.raises(ValueError, match=r"column 'review' \(position 0\) looks like free text"):
        model.fit(X, y)
    assert "net_" not in vars(model)


def test_categories_of_many_spellings_help_by_their_texts():
    random = np.random.default_rng(0)
    jobs = {"engineer": 3.0, "teacher": 1.0, "attorney": 4.0, "librarian": 0.0}
    names = random.choice(list(jobs), 600)
    spelled = [
        f"{name[:-2]}{'aeiou'[random.integers(5)]}{name[-2:]} {'IVX'[random.integers(3)] * random.integers(1, 9)}"
        for name in names
    ]
    X, y = pd.DataFrame({"job": spelled, "x": random.normal(size=600)}), np.array([jobs[name] for name in names])
    model = NeuralRegressor(**QUICK).fit(X[:400], y[:400])
    column = model._inputs.reader.columns[0]
    assert (column.kind, column.is_worded) == ("categorical", True)
    plain = NeuralRegressor(**QUICK, text_features=None).fit(X[:400], y[:400])
    assert not plain._inputs.reader.columns[0].is_worded
    unseen = ~X["job"][400:].isin(X["job"][:400])
    X_new, y_new = X[400:][unseen], y[400:][unseen]
    with pytest.warns(UserWarning, match="holds no category that was seen in fit"):
        by_category = plain.score(X_new, y_new)
    assert model.score(X_new, y_new) > by_category + 0.2


def test_identifiers_that_recur_stay_categories():
    codes = [f"shop-{i % 120}" for i in range(200)]
    model = NeuralRegressor(**{**QUICK, "max_epochs": 1}).fit(pd.DataFrame({"shop": codes}), np.arange(200.0))
    assert not model._inputs.reader.columns[0].has_texts


def test_dates_of_the_season():
    random = np.random.default_rng(0)
    days = pd.Timestamp("2018-01-01") + pd.to_timedelta(random.integers(0, 5 * 365, 900), unit="D")
    y = np.cos(2 * np.pi * days.day_of_year / 365.25) + (days.day_of_week >= 5) + 0.1 * random.normal(size=900)
    X = pd.DataFrame({"day": days})
    model = NeuralRegressor(**QUICK).fit(X[:600], y[:600])
    assert model.score(X[600:], y[600:]) > 0.8
    with pytest.warns(UserWarning, match="column 'day' .* read as dates"):
        as_text = clone(model).fit(X[:600].astype(str), y[:600])
    np.testing.assert_array_equal(as_text.predict(X[600:].astype(str)), model.predict(X[600:]))


def test_weights_of_zero_are_not_learned_from():
    X, y = reviews()
    weight = np.r_[np.ones(N), np.zeros(N)]
    other = X.assign(review=[f"something else {i}" for i in range(N)])
    model = NeuralClassifier(**{**QUICK, "max_epochs": 2}).fit(pd.concat([X, other]), np.r_[y, y], sample_weight=weight)
    alone = NeuralClassifier(**{**QUICK, "max_epochs": 2}).fit(X, y)
    np.testing.assert_array_equal(
        model._inputs.reader.columns[0].features.vocabulary, alone._inputs.reader.columns[0].features.vocabulary
    )
