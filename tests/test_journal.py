"""Searches in a journal give what they give without, and do no fit twice."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)

import sknn
from sknn import NeuralClassifier
from tests.journal_subjects import GRID, TREE, Counting, X, Y, assert_same


def halving(cls, grid, **params):
    return cls(TREE, grid, random_state=0, cv=3, **params).fit(X, Y).cv_results_


VALIDATIONS = {
    "GridSearchCV": lambda n: GridSearchCV(TREE, GRID, cv=3, n_jobs=n, return_train_score=True).fit(X, Y).cv_results_,
    "several scorers": lambda n: (
        GridSearchCV(TREE, GRID, scoring=["accuracy", "roc_auc_ovr"], refit=False, n_jobs=n).fit(X, Y).cv_results_
    ),
    "a scorer that gives a dict": lambda n: (
        GridSearchCV(TREE, GRID, scoring=lambda e, X, y: {"a": e.score(X, y), "n": len(y)}, refit="a", n_jobs=n).fit(X, Y).cv_results_
    ),
    "RandomizedSearchCV": lambda n: (
        RandomizedSearchCV(TREE, {"max_depth": range(1, 9)}, n_iter=4, random_state=0, n_jobs=n).fit(X, Y).cv_results_
    ),
    "HalvingGridSearchCV": lambda n: halving(HalvingGridSearchCV, GRID, n_jobs=n),
    "HalvingRandomSearchCV": lambda n: halving(HalvingRandomSearchCV, {"max_depth": range(1, 9)}, n_jobs=n),
    "cross_validate": lambda n: cross_validate(TREE, X, Y, n_jobs=n, return_train_score=True, return_indices=True) | {"indices": 0},
    "cross_val_score": lambda n: {"scores": cross_val_score(TREE, X, Y, n_jobs=n)},
    "cross_val_predict": lambda n: {"p": cross_val_predict(TREE, X, Y, n_jobs=n, method="predict_proba")},
    "labels of text": lambda n: {"p": cross_val_predict(TREE, X, np.array(["a", "b", "c"], dtype=object)[Y], n_jobs=n)},
    "learning_curve": lambda n: dict(zip("abc", learning_curve(TREE, X, Y, n_jobs=n, shuffle=True, random_state=0), strict=True)),
    "step by step": lambda n: dict(
        zip("abc", learning_curve(SGDClassifier(random_state=0), X, Y, n_jobs=n, exploit_incremental_learning=True, shuffle=True, random_state=0), strict=True)
    ),
    "validation_curve": lambda n: dict(zip("ab", validation_curve(TREE, X, Y, param_name="max_depth", param_range=[1, 2], n_jobs=n), strict=True)),
    "permutation_test_score": lambda n: dict(zip("abc", permutation_test_score(TREE, X, Y, n_permutations=4, random_state=0, n_jobs=n), strict=True)),
    "RFECV": lambda n: RFECV(TREE, n_jobs=n).fit(X, Y).cv_results_,
}  # fmt: skip


@pytest.mark.parametrize("name", VALIDATIONS)
def test_results_are_those_without_a_journal_and_no_fit_is_done_twice(name, tmp_path):
    validate = VALIDATIONS[name]
    expected = validate(None)
    with sknn.journal(tmp_path) as first:
        assert_same(validate(None), expected)
    assert first.n_stored > 2
    with sknn.journal(tmp_path) as second:
        assert_same(validate(None), expected)
    assert (second.n_stored, second.n_skipped) == (0, first.n_stored + first.n_skipped)
    with joblib.parallel_config("threading"), sknn.journal(tmp_path) as third:
        assert_same(validate(2), expected)
    assert (third.n_stored, third.n_skipped) == (0, second.n_skipped)


@pytest.mark.slow
def test_fits_of_worker_processes_are_stored_and_found_by_others(tmp_path):
    search = GridSearchCV(Counting(), {"rate": [1.0, 2.0, 3.0]}, cv=2, refit=False)
    expected = search.fit(X, Y).cv_results_
    with sknn.journal(tmp_path) as there:
        search.set_params(n_jobs=2).fit(X, Y)
        assert_same(search.cv_results_, expected)
    assert (there.n_stored, there.n_skipped) == (6, 0)
    Counting.fitted = []
    with sknn.journal(tmp_path) as here:
        search.set_params(n_jobs=1, param_grid={"rate": [3.0, 0.5, 1.0]}).fit(X, Y)
    assert Counting.fitted == [0.5, 0.5]
    assert (here.n_stored, here.n_skipped) == (2, 4)

    inner = GridSearchCV(Counting(), {"rate": [4.0, 5.0]}, cv=2)
    expected = cross_val_score(inner, X, Y, cv=2)
    with sknn.journal(tmp_path) as nested:  # the workers of above, where no journal was opened
        np.testing.assert_array_equal(cross_val_score(inner, X, Y, cv=2, n_jobs=2), expected)
    assert nested.n_stored == 2 + 2 * 4


def test_a_network_of_ours(tmp_path):
    def scores():
        model = NeuralClassifier(max_epochs=2, random_state=0)
        return GridSearchCV(model, {"lr": [1e-3, 1e-2]}, cv=2, refit=False).fit(X, Y).cv_results_

    expected = scores()
    with sknn.journal(tmp_path) as fits:
        scores()
        assert_same(scores(), expected)
    assert (fits.n_stored, fits.n_skipped) == (4, 4)
