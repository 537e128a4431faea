"""Journals open and closed, one within another, in threads; what is printed and told meanwhile."""

from __future__ import annotations

import threading

import joblib
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.parallel import Parallel

import sknn
from tests.journal_subjects import BASE, TREE, Counting, X, Y, assert_same


def test_scikit_learn_is_as_it_was_afterwards(tmp_path):
    from sklearn.feature_selection import _rfe

    before = Parallel.__call__, _rfe._rfe_single_fit
    with pytest.raises(ZeroDivisionError), sknn.journal(tmp_path):
        assert Parallel.__call__ is not before[0]
        raise ZeroDivisionError
    assert (Parallel.__call__, _rfe._rfe_single_fit) == before
    cross_validate(**BASE)
    assert not list(tmp_path.glob("*.fit"))


def test_the_innermost_journal_is_the_one_in_force(tmp_path):
    with sknn.journal(tmp_path / "a") as outer, sknn.journal(tmp_path / "b") as inner:
        cross_validate(**BASE)
    assert (outer.n_stored, inner.n_stored) == (0, 2)
    with outer:
        with inner:
            pass
        cross_validate(**BASE)
    assert outer.n_stored == 2


def test_one_journal_opened_twice(tmp_path):
    fits = sknn.journal(tmp_path)
    with fits, fits:
        cross_validate(**BASE)
    with fits:
        cross_validate(**BASE)
    assert (fits.n_stored, fits.n_skipped) == (2, 2)


def test_threads_use_the_journals_that_they_opened(tmp_path):
    ready = threading.Barrier(2)
    made = {}

    def work(name, rate):
        with sknn.journal(tmp_path / name) as fits:
            ready.wait(20)
            cross_val_score(Counting(rate=rate), X, Y, cv=3)
            ready.wait(20)
        made[name] = fits

    threads = [threading.Thread(target=work, args=(name, rate)) for name, rate in (("a", 1.0), ("b", 2.0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {name: (fits.n_stored, len(fits)) for name, fits in made.items()} == {"a": (3, 3), "b": (3, 3)}


def test_a_thread_that_opened_none_uses_that_of_the_program(tmp_path):
    with sknn.journal(tmp_path) as fits:
        thread = threading.Thread(target=lambda: cross_validate(**BASE))
        thread.start()
        thread.join(60)
    assert fits.n_stored == 2


def test_other_work_of_joblib_goes_its_way(tmp_path):
    with sknn.journal(tmp_path) as fits:
        assert joblib.Parallel(2, "threading")(joblib.delayed(abs)(-n) for n in range(5)) == [*range(5)]
        from sklearn.ensemble import RandomForestClassifier

        RandomForestClassifier(5, random_state=0, n_jobs=2).fit(X, Y).predict(X)
        from sklearn.utils.parallel import delayed

        found = Parallel(2, prefer="threads", return_as="generator")(delayed(abs)(-n) for n in range(3))
        assert list(found) == [0, 1, 2]
    assert len(fits) == 0


def test_a_search_inside_of_a_fit_goes_on_too(tmp_path):
    inner = GridSearchCV(Counting(), {"rate": [1.0, 2.0]}, cv=2)
    expected = cross_val_score(inner, X, Y, cv=2)
    with sknn.journal(tmp_path) as fits:
        assert_same({"s": cross_val_score(inner, X, Y, cv=2)}, {"s": expected})
    assert fits.n_stored == 2 + 2 * 4
    for entry, path in zip(
        fits.entries(), sorted(tmp_path.glob("*.fit"), key=lambda p: p.stat().st_mtime_ns), strict=True
    ):
        if entry.estimator == "GridSearchCV":  # as if killed just before its end
            path.unlink()
    Counting.fitted = []
    with sknn.journal(tmp_path) as fits:
        assert_same({"s": cross_val_score(inner, X, Y, cv=2)}, {"s": expected})
    assert (fits.n_stored, fits.n_skipped) == (2, 8)
    assert len(Counting.fitted) == 2  # of the best, once for each


def test_what_was_done_before_is_printed_as_the_rest_is(tmp_path, capsys):
    for _ in range(2):
        with sknn.journal(tmp_path):
            GridSearchCV(Counting(), {"rate": [1.0]}, cv=2, refit=False, verbose=3).fit(X, Y)
    printed = capsys.readouterr().out.splitlines()
    assert [line[:12] for line in printed[:3]] == ["Fitting 2 fo", "[CV 1/2] END", "[CV 2/2] END"]
    assert [line.partition(";")[0] for line in printed[4:]] == [
        "[CV 1/2] JOURNAL rate=1.0",
        "[CV 2/2] JOURNAL rate=1.0",
    ]
    with sknn.journal(tmp_path):
        GridSearchCV(Counting(), {"rate": [1.0]}, cv=2, refit=False).fit(X, Y)
    assert capsys.readouterr().out == ""


class Watching:
    """A callback of scikit-learn 1.9."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        weight = (metadata or {}).get("sample_weight")
        self.seen.append(("begin", context.task_name, context.task_id, np.shape(X), np.shape(y), np.shape(weight)))

    def on_fit_task_end(self, estimator, context):
        self.seen.append(("end", context.task_name, context.task_id))


@pytest.mark.skipif(not hasattr(GridSearchCV, "set_callbacks"), reason="scikit-learn >= 1.9")
def test_callbacks_of_a_search_are_told_of_what_was_done_before(tmp_path):
    seen = []
    for _ in range(2):
        callback = Watching()
        search = GridSearchCV(Counting(), {"rate": [1.0, 2.0]}, cv=2).set_callbacks(callback)
        with sknn.journal(tmp_path) as fits:
            search.fit(X, Y, sample_weight=np.ones(len(Y)))
        seen.append(callback.seen)
    assert fits.n_skipped == 4
    assert seen[0] == seen[1]
    assert ("begin", "candidate-split-evaluation", 3, (75, 4), (75,), (75,)) in seen[0]


def test_a_scorer_made_anew_is_the_same(tmp_path):
    for n_skipped in (0, 2):
        with sknn.journal(tmp_path) as fits:
            cross_val_score(TREE, X, Y, cv=2, scoring=make_scorer(accuracy_score, normalize=True))
        assert fits.n_skipped == n_skipped


def test_sums_that_an_estimator_takes_of_its_rows_are_no_matter(tmp_path):
    with sknn.journal(tmp_path) as fits:
        first = cross_val_predict(GaussianNB(), X, Y, method="predict_log_proba")
        np.testing.assert_array_equal(cross_val_predict(GaussianNB(), X, Y, method="predict_log_proba"), first)
    assert (fits.n_stored, fits.n_skipped) == (5, 5)
