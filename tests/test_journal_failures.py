"""Fits that fail or warn, in a journal."""

from __future__ import annotations

import errno
import warnings

import numpy as np
import pytest
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_score,
    cross_validate,
)

import sknn
from tests.journal_subjects import Counting, X, Y, assert_same


def test_failures_are_stored_and_told_again(tmp_path):
    search = GridSearchCV(Counting(), {"mood": ["calm", KeyError("no such thing")]}, cv=2, refit=False)
    told, results = [], []
    for _ in range(2):
        with sknn.journal(tmp_path) as fits, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results.append(search.fit(X, Y).cv_results_)
        told.append([str(warning.message) for warning in caught])
    assert fits.n_skipped == 4
    assert told[0] == told[1]
    assert "no such thing" in told[0][0]
    assert_same(*results)


def test_nothing_is_stored_of_an_error_that_is_raised(tmp_path):
    with sknn.journal(tmp_path) as fits, pytest.raises(KeyError):
        cross_val_score(Counting(mood=KeyError("k")), X, Y, error_score="raise")
    assert len(fits) == fits.n_stored == 0


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOSPC, "full"), FileNotFoundError("x"), RuntimeError("CUDA error: x")]
)
def test_failures_of_the_machine_are_tried_again(error, tmp_path):
    with sknn.journal(tmp_path) as fits, pytest.raises(ValueError, match="All the 2 fits failed"):
        cross_validate(Counting(mood=error), X, Y, cv=2)
    assert len(fits) == 0


def test_warnings_of_a_fit_are_given_again(tmp_path):
    for n_skipped in (0, 2):
        with sknn.journal(tmp_path) as fits, pytest.warns(RuntimeWarning, match="rate 1.0 is odd") as told:
            cross_val_score(Counting(mood="warning"), X, Y, cv=2)
        assert fits.n_skipped == n_skipped
        assert {warning.filename for warning in told} == {
            __import__("sklearn.model_selection._validation", fromlist="x").__file__
        }


def test_a_fit_whose_warning_is_an_error_now_is_done_again(tmp_path):
    with sknn.journal(tmp_path), pytest.warns(RuntimeWarning):
        cross_val_score(Counting(mood="warning"), X, Y, cv=2)
    with sknn.journal(tmp_path) as fits, pytest.raises(ValueError, match="All the 2 fits failed"):
        cross_val_score(Counting(mood="warning"), X, Y, cv=2)
    assert fits.n_skipped == 0


def test_a_scorer_that_fails_warns_again(tmp_path):
    def fails(est, X, y):
        raise ValueError("no score today")

    for n_skipped in (0, 2):
        with sknn.journal(tmp_path) as fits, pytest.warns(UserWarning, match="no score today"):
            assert np.isnan(cross_val_score(Counting(), X, Y, cv=2, scoring=fails)).all()
        assert fits.n_skipped == n_skipped


def test_ctrl_c_ends_the_search_and_what_was_done_is_kept(tmp_path):
    search = GridSearchCV(Counting(), {"mood": ["calm", KeyboardInterrupt()]}, cv=2, refit=False)
    with pytest.raises(KeyboardInterrupt), sknn.journal(tmp_path) as fits:
        search.fit(X, Y)
    assert fits.n_stored == len(fits) == 2
