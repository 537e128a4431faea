"""A fit in the journal is found again, and none that is another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_score,
    cross_validate,
)
from sklearn.tree import DecisionTreeClassifier

import sknn
from tests import journal_subjects
from tests.journal_subjects import BASE, TREE, Counting, X, Y, assert_same

OTHER = {
    "parameter": dict(estimator=Counting(rate=2.0)),
    "seed": dict(estimator=Counting(random_state=1)),
    "rows": dict(cv=KFold(2, shuffle=True, random_state=1)),
    "rows tested on": dict(cv=[(train, test[1:]) for train, test in BASE["cv"].split(X)]),
    "table": dict(X=X + 1e-9),
    "targets": dict(y=Y[::-1]),
    "scorer": dict(scoring="accuracy"),
    "train scores": dict(return_train_score=True),
    "score of errors": dict(error_score=0.0),
    "weights": dict(params={"sample_weight": np.arange(150.0)}),
}


@pytest.mark.parametrize("name", OTHER)
def test_another_fit_is_not_mistaken_for_one_in_the_journal(name, tmp_path):
    with sknn.journal(tmp_path):
        cross_validate(**BASE)
    expected = cross_validate(**{**BASE, **OTHER[name]})
    with sknn.journal(tmp_path) as fits:
        assert_same(cross_validate(**{**BASE, **OTHER[name]}), expected)
        assert (fits.n_stored, fits.n_skipped) == (2, 0)
        assert_same(cross_validate(**{**BASE, **OTHER[name]}), expected)
        assert (fits.n_stored, fits.n_skipped) == (2, 2)


def test_other_versions_fit_again(tmp_path, monkeypatch):
    from sknn._journal import _calls

    with sknn.journal(tmp_path):
        cross_validate(**BASE)
    monkeypatch.setattr(_calls, "surroundings", lambda: "torch 99")
    with sknn.journal(tmp_path) as fits:
        cross_validate(**BASE)
    assert fits.n_stored == 2


def test_settings_of_scikit_learn_count(tmp_path):
    with sknn.journal(tmp_path) as fits:
        cross_validate(**BASE)
        with config_context(transform_output="pandas"):
            cross_validate(**BASE)
    assert fits.n_skipped == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: X.copy(),
        lambda: pd.DataFrame(X).assign(text=np.where(Y == 1, "x", "z")),
        lambda: sparse.csr_array(X),
        lambda: X.tolist(),
    ],
    ids=["array", "frame", "sparse", "lists"],
)
def test_a_table_changed_in_place_is_another_table(make, tmp_path):
    table = make()
    with sknn.journal(tmp_path) as fits:
        cross_val_score(Counting(), table, Y, cv=2)
        cross_val_score(Counting(), table, Y, cv=2)
        assert (fits.n_stored, fits.n_skipped) == (2, 2)
        if isinstance(table, pd.DataFrame):
            table.loc[3, "text"] = "changed"
        elif isinstance(table, list):
            table[3][0] += 1
        else:
            table[3, 0] += 1
        cross_val_score(Counting(), table, Y, cv=2)
        assert (fits.n_stored, fits.n_skipped) == (4, 2)


def test_what_a_search_sets_of_no_consequence_is_the_same_fit(tmp_path):
    def search(grid):
        return GridSearchCV(BaggingClassifier(Counting(), 2, random_state=0), grid, cv=2, refit=False).fit(X, Y)

    with sknn.journal(tmp_path) as fits:
        search({"n_estimators": [1], "verbose": [0]})
        search({"n_estimators": [np.int64(1)], "n_jobs": [1]})
        assert (fits.n_stored, fits.n_skipped) == (2, 2)
        search({"n_estimators": [1], "estimator__rate": [2.0]})
    assert (fits.n_stored, fits.n_skipped) == (4, 2)


def test_scorers_in_another_order(tmp_path):
    with sknn.journal(tmp_path) as fits:
        for names in (("accuracy", "f1_macro"), ("f1_macro", "accuracy")):
            scores = cross_validate(TREE, X, Y, cv=2, scoring={name[:2]: name for name in names})
    assert (fits.n_stored, fits.n_skipped) == (2, 2)
    assert_same(scores, cross_validate(TREE, X, Y, cv=2, scoring={"f1": "f1_macro", "ac": "accuracy"}))


def test_fits_within_fits_are_found_whatever_the_script_calls_its_variables(tmp_path, monkeypatch):
    """A worker has none but those that code refers to."""
    monkeypatch.setattr(journal_subjects, "share_", 3, raising=False)
    search = GridSearchCV(Counting(), {"rate": [1.0, 2.0]}, cv=2)
    with sknn.journal(tmp_path):
        cross_validate(search, X, Y, cv=2)
    monkeypatch.delattr(journal_subjects, "share_")
    with sknn.journal(tmp_path) as fits:
        cross_validate(search, X, Y, cv=2, return_train_score=True)
    assert (fits.n_stored, fits.n_skipped) == (2, 8)


def test_the_table_is_summed_once_a_search(tmp_path, monkeypatch):
    from sknn._journal import _calls

    summed = []
    digest = _calls.digest
    monkeypatch.setattr(
        _calls, "digest", lambda value, name="", **how: (summed.append(name), digest(value, name, **how))[1]
    )
    with sknn.journal(tmp_path):
        GridSearchCV(Counting(), {"rate": [1.0, 2.0, 3.0]}, cv=2, refit=False).fit(X, Y)
    assert summed.count("X") == summed.count("y") == 1
    assert summed.count("train") == 6


def test_groups_weights_and_routed_metadata(tmp_path):
    weight = np.linspace(0.1, 2, len(Y))

    def scores():
        with config_context(enable_metadata_routing=True):
            model = Counting().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
            search = GridSearchCV(model, {"rate": [1.0, 2.0]}, cv=GroupKFold(3), refit=False)
            return search.fit(X, Y, sample_weight=weight, groups=np.arange(len(Y)) % 7).cv_results_

    expected = scores()
    with sknn.journal(tmp_path) as fits:
        assert_same(scores(), expected)
        weight[0] = 3.0
        scores()
    assert (fits.n_stored, fits.n_skipped) == (12, 0)


def test_what_a_candidate_has_learned_before_is_no_matter(tmp_path):
    """It is cloned."""
    tree = DecisionTreeClassifier(random_state=0)
    search = GridSearchCV(BaggingClassifier(n_estimators=2, random_state=0), {"estimator": [tree]}, cv=2, refit=False)
    with sknn.journal(tmp_path) as fits:
        search.fit(X, Y)
        tree.fit(X, Y)
        search.fit(X, Y)
    assert (fits.n_stored, fits.n_skipped) == (2, 2)


class Unknowable:
    def __deepcopy__(self, memo):
        return self

    def __reduce_ex__(self, protocol):
        raise TypeError("cannot pickle")


def test_what_cannot_be_known_again_is_fitted_with_one_warning(tmp_path):
    expected = cross_val_score(Counting(), X, Y, cv=2)
    model = Counting(mood=Unknowable())
    Counting.fitted = []
    with sknn.journal(tmp_path) as fits:
        with pytest.warns(UserWarning, match=r"estimator\.mood is or holds a Unknowable") as told:
            scores = [cross_val_score(model, X, Y, cv=2) for _ in range(2)]
        assert len(told) == 1
        np.testing.assert_array_equal(scores, [expected, expected])
        cross_val_score(Counting(), X, Y, cv=2)
    assert fits.n_stored == 2
    assert len(Counting.fitted) == 4 + 2


def test_random_state_none_is_as_often_another_fit_as_without_a_journal(tmp_path):
    def draws():
        return [cross_val_score(Counting(random_state=None), X, Y, cv=2).tolist() for _ in range(3)]

    with sknn.journal(tmp_path) as fits:
        drawn = draws()
    assert fits.n_stored == 6
    assert len({tuple(scores) for scores in drawn}) == 3
    with sknn.journal(tmp_path) as fits:
        assert draws() == drawn
    assert (fits.n_stored, fits.n_skipped) == (0, 6)
