"""Sets of classifiers hold the true class as often as they promise."""

from __future__ import annotations

import numpy as np
import pytest

from .cases import classes, classifier, share_in_sets, table, train_and_test


@pytest.fixture(scope="module")
def fitted():
    X, _, _, _ = train_and_test()
    return classifier().fit(X, classes(X))


@pytest.fixture(scope="module")
def rows():
    X = train_and_test()[2]
    return X, classes(X, seed=1)


@pytest.mark.parametrize("level", [0.7, 0.9, 0.97])
def test_as_many_sets_hold_the_class_as_asked(fitted, rows, level):
    X, y = rows
    sets = fitted.predict_set(X, level)
    assert (sets.shape, sets.dtype) == ((len(X), 3), bool)
    assert share_in_sets(sets, y, fitted.classes_) == pytest.approx(level, abs=0.03)


def test_a_set_holds_the_most_probable_classes(fitted, rows):
    sets, probabilities = fitted.predict_set(rows[0]), fitted.predict_proba(rows[0])
    assert probabilities[sets].min() > probabilities[~sets].max()


def test_sets_of_two_classes():
    X, _, X_test, _ = train_and_test()
    clf = classifier().fit(X, classes(X) == "a")
    sets = clf.predict_set(X_test, 0.8)
    assert sets.shape == (len(X_test), 2)
    truth = (classes(X_test, seed=1) == "a").astype(int)
    assert sets[np.arange(len(truth)), truth].mean() == pytest.approx(0.8, abs=0.04)


def test_a_rare_class_is_found_as_often_as_the_others_on_condition(fitted, rows):
    X, y = rows
    plain, by_class = fitted.predict_set(X, 0.8), fitted.predict_set(X, 0.8, condition="y")
    assert share_in_sets(plain[y == "c"], y[y == "c"], fitted.classes_) < 0.7
    for label in "abc":
        part = y == label
        assert share_in_sets(by_class[part], y[part], fitted.classes_) == pytest.approx(0.8, abs=0.12)


def test_condition_by_a_column(fitted, rows):
    X, y = rows
    sets = fitted.predict_set(X, 0.8, condition="where")
    for value in "xyz":
        part = (X["where"] == value).to_numpy()
        assert share_in_sets(sets[part], y[part], fitted.classes_) == pytest.approx(0.8, abs=0.08)


def test_y_may_not_mean_a_column_and_the_classes():
    X, _ = table(200)
    clf = classifier(max_epochs=1).fit(X.rename(columns={"where": "y"}), classes(X))
    with pytest.raises(ValueError, match="condition='y' may mean the classes or the column of this name"):
        clf.predict_set(X.rename(columns={"where": "y"}), condition="y")
    assert clf.predict_set(X.rename(columns={"where": "y"}), condition=2).shape == (200, 3)


def test_too_few_rows_give_all_classes_and_a_warning():
    X, _ = table(40)
    clf = classifier(max_epochs=1).fit(X, classes(X))
    with pytest.warns(UserWarning, match="needs 99 held-out rows"):
        assert clf.predict_set(X, 0.99).all()


def test_label_indicators_are_refused():
    X, _ = table(200)
    clf = classifier(max_epochs=1).fit(X, np.stack([X["a"] > 0, X["b"] > 0], axis=1).astype(int))
    with pytest.raises(ValueError, match="predict_set: y is a label indicator matrix"):
        clf.predict_set(X)


@pytest.mark.parametrize("level", [0, 1, False, "0.9"])
def test_a_level_outside_of_its_range_is_refused(fitted, rows, level):
    with pytest.raises(ValueError, match="confidence_level=.* is invalid"):
        fitted.predict_set(rows[0], level)


def test_nothing_held_out_is_an_error():
    X, _ = table(200)
    with pytest.raises(ValueError, match="predict_set needs the errors of rows that were held out"):
        classifier(early_stopping=False, max_epochs=1).fit(X, classes(X)).predict_set(X)
