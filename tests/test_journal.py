"""Searches in a journal give what they give without, and do no fit twice."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.parallel import Parallel

import sknn
from sknn import NeuralClassifier
from sknn._journal._store import Store
from sknn.exceptions import JournalError

X, Y = load_iris(return_X_y=True)
GRID = {"max_depth": [1, 2, 3]}
TREE = DecisionTreeClassifier(random_state=0)


class Counting(ClassifierMixin, BaseEstimator):
    """A majority class that says how often it was fitted, and fails or warns where it is told to."""

    fitted: list = []

    def __init__(self, mood="calm", rate=1.0, random_state=0):
        self.mood = mood
        self.rate = rate
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        Counting.fitted.append(self.rate)
        if isinstance(self.mood, str) and self.mood == "warning":
            warnings.warn(f"rate {self.rate} is odd", RuntimeWarning, stacklevel=2)
        elif isinstance(self.mood, BaseException):
            raise self.mood
        self.classes_ = np.unique(y)
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        self.share_ = np.average(np.asarray(y) == self.classes_[0], weights=weight)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y, sample_weight=None):
        return float(self.share_) * self.rate + np.random.default_rng(self.random_state).random()


@pytest.fixture(autouse=True)
def no_fits_yet():
    Counting.fitted = []


def without_times(results):
    return {name: np.asarray(value) for name, value in results.items() if "time" not in name}


def assert_same(found, expected):
    found, expected = without_times(found), without_times(expected)
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
        assert found[name].dtype == value.dtype


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


def test_a_network_of_ours(tmp_path):
    def scores():
        model = NeuralClassifier(max_epochs=2, random_state=0)
        return GridSearchCV(model, {"lr": [1e-3, 1e-2]}, cv=2, refit=False).fit(X, Y).cv_results_

    expected = scores()
    with sknn.journal(tmp_path) as fits:
        scores()
        assert_same(scores(), expected)
    assert (fits.n_stored, fits.n_skipped) == (4, 4)


# ---------------------------------------------------------------------- what a fit is known by

BASE = dict(estimator=Counting(), X=X, y=Y, cv=KFold(2, shuffle=True, random_state=0))
OTHER = {
    "parameter": dict(estimator=Counting(rate=2.0)),
    "seed": dict(estimator=Counting(random_state=1)),
    "rows": dict(cv=KFold(2, shuffle=True, random_state=1)),
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


class Unknowable:
    def __deepcopy__(self, memo):
        return self

    def __reduce_ex__(self, protocol):
        raise TypeError("cannot pickle")


def test_what_cannot_be_known_again_is_fitted_with_one_warning(tmp_path):
    expected = cross_val_score(Counting(), X, Y, cv=2)
    model = Counting(mood=Unknowable())
    with sknn.journal(tmp_path) as fits:
        with pytest.warns(UserWarning, match=r"estimator\.mood is or holds a Unknowable") as told:
            scores = [cross_val_score(model, X, Y, cv=2) for _ in range(2)]
        assert len(told) == 1
        np.testing.assert_array_equal(scores, [expected, expected])
        cross_val_score(Counting(), X, Y, cv=2)
    assert fits.n_stored == 2
    assert len(Counting.fitted) == 2 + 4 + 2


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


# ---------------------------------------------------------------------- failures, warnings


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


# ---------------------------------------------------------------------- files


def one_entry(folder):
    return sorted(folder.glob("*.fit"))[0]


DAMAGE = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "without its end": lambda content: content[:-1],
    "a bit turned over": lambda content: content[:90] + bytes([content[90] ^ 1]) + content[91:],
    "another number": lambda content: content.replace(b'"fit_error": null', b'"fit_error": 1234'),
    "longer": lambda content: content + b" ",
    "something else": lambda content: os.urandom(300),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_entry_is_fitted_again(name, tmp_path):
    with sknn.journal(tmp_path):
        expected = cross_validate(**BASE)
    path = one_entry(tmp_path)
    path.write_bytes(DAMAGE[name](path.read_bytes()))
    with sknn.journal(tmp_path) as fits:
        assert_same(cross_validate(**BASE), expected)
    assert (fits.n_stored, fits.n_skipped) == (1, 1)
    with sknn.journal(tmp_path) as fits:
        cross_validate(**BASE)
    assert fits.n_skipped == 2


def test_an_entry_under_another_name_is_not_believed(tmp_path):
    with sknn.journal(tmp_path):
        expected = cross_validate(**BASE)
    one, other = sorted(tmp_path.glob("*.fit"))
    other.write_bytes(one.read_bytes())
    with sknn.journal(tmp_path) as fits:
        assert_same(cross_validate(**BASE), expected)
    assert fits.n_skipped == 1


def test_numbers_come_back_to_the_last_bit(tmp_path):
    store = Store(tmp_path)
    result = {
        "floats": [0.1 + 0.2, -0.0, 5e-324, float("inf"), 1e22],
        "array": np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32),
        "tuple": (np.float64(1 / 3), np.int64(2), True, None, "ä"),
        "objects": np.array([["a", None], [1, 2.5]], dtype=object),
        "of dicts": [{"a": {"b": 1}}],
    }
    store.write("k", result, {})
    found = store.read("k")["result"]
    assert repr(found["floats"]) == repr(result["floats"])
    np.testing.assert_array_equal(found["array"], result["array"])
    assert found["array"].dtype == np.float32
    assert found["tuple"] == result["tuple"]
    assert found["objects"].tolist() == result["objects"].tolist()
    assert found["of dicts"] == result["of dicts"]


def test_fitted_estimators_come_back(tmp_path):
    for _ in range(2):
        with sknn.journal(tmp_path) as fits:
            found = cross_validate(TREE, X, Y, cv=2, return_estimator=True)
        np.testing.assert_array_equal(
            found["estimator"][0].predict(X[75:]),
            cross_validate(TREE, X, Y, cv=2, return_estimator=True)["estimator"][0].predict(X[75:]),
        )
    assert fits.n_skipped == 2
    assert "estimator" in fits.entries()[0].result


def test_fitted_estimators_that_no_pickle_takes(tmp_path):
    model = Counting(mood=lambda: 0)
    for n_skipped in (0, 2):
        with sknn.journal(tmp_path) as fits:
            found = cross_validate(model, X, Y, cv=2, return_estimator=True)
        assert found["estimator"][0].mood() == 0
        assert fits.n_skipped == n_skipped


class Bomb(Counting):
    def __reduce__(self):
        return (pytest.fail, ("unpickled",)) if hasattr(self, "share_") else super().__reduce__()


def test_nothing_is_unpickled_that_fails_the_check_or_that_nobody_asked_for(tmp_path):
    with sknn.journal(tmp_path) as fits:
        cross_validate(Bomb(), X, Y, cv=2, return_estimator=True)
        assert len(fits.entries()) == 2
        for path in tmp_path.glob("*.fit"):
            path.write_bytes(path.read_bytes().replace(b"unpickled", b"Unpickled"))
        cross_validate(Bomb(), X, Y, cv=2, return_estimator=True)
        with pytest.raises(pytest.fail.Exception, match="unpickled"):
            cross_validate(Bomb(), X, Y, cv=2, return_estimator=True)


def test_entries_hold_no_rows(tmp_path):
    table = np.full((20, 2), 123456.75)
    frame = pd.DataFrame({"a": table[:, 0], "b": ["a secret"] * 20})
    with sknn.journal(tmp_path) as fits:
        cross_val_score(Counting(), table, np.arange(20) % 2, params={"sample_weight": np.full(20, 98765.25)})
        search = GridSearchCV(Counting(), {"mood": [frame, table]}, refit=False)
        search.fit(frame, np.arange(20) % 2)
    assert fits.n_stored == 15
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        for secret in (b"123456", b"98765", b"secret", np.float64(123456.75).tobytes()):
            assert secret not in content


def test_what_the_folder_holds_can_be_listed_and_cleared(tmp_path):
    with sknn.journal(tmp_path / "deep" / "fits") as fits:
        GridSearchCV(TREE, GRID, cv=2, refit=False).fit(X, Y)
        assert repr(fits) == f"Journal({str(tmp_path / 'deep' / 'fits')!r}, n_stored=6, n_skipped=0)"
        assert len(fits) == 6
        assert [entry.parameters for entry in fits.entries()] == [{"max_depth": d} for d in (1, 1, 2, 2, 3, 3)]
        assert {entry.estimator for entry in fits.entries()} == {"DecisionTreeClassifier"}
        (fits.folder / "mine.txt").write_text("kept")
        assert fits.clear() == 6
        assert len(fits) == 0
    assert sorted(path.name for path in fits.folder.iterdir()) == ["mine.txt", "sknn-journal.json"]


def test_what_killed_processes_left_is_swept_and_others_are_let_alone(tmp_path):
    old, new = tmp_path / ".old.1.ab.tmp", tmp_path / ".new.2.cd.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    with sknn.journal(tmp_path):
        assert not old.exists()
        assert new.exists()


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(JournalError, match="folder="), sknn.journal(folder):
            pass


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    with sknn.journal(tmp_path):
        pass
    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
    with pytest.raises(JournalError, match=r"cannot be written to .*Permission denied.*Choose another folder"):
        sknn.journal(tmp_path).__enter__()
    assert Parallel.__call__.__module__ == "sklearn.utils.parallel"


def test_a_journal_of_a_newer_format_is_refused(tmp_path):
    (tmp_path / "sknn-journal.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(JournalError, match="format 2.*Update sknn"), sknn.journal(tmp_path):
        pass


def test_a_marker_that_is_damaged_is_written_again(tmp_path):
    (tmp_path / "sknn-journal.json").write_text("{")
    with sknn.journal(tmp_path):
        assert json.loads((tmp_path / "sknn-journal.json").read_text()) == {"format": 1}


@pytest.mark.parametrize("folder", [3, None, "", b"folder"])
def test_what_is_no_path_is_refused(folder):
    with pytest.raises(TypeError, match="is no path"):
        sknn.journal(folder)


def test_nothing_is_made_before_it_is_opened(tmp_path):
    sknn.journal(tmp_path / "later")
    assert not (tmp_path / "later").exists()


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_full_disk_is_a_warning_and_the_search_goes_on(n_jobs, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    expected = cross_validate(**BASE)
    with joblib.parallel_config("threading"), sknn.journal(tmp_path) as fits:
        cross_val_score(TREE, X, Y)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.warns(UserWarning, match="No space left on device") as told:
            found = [cross_validate(**BASE, n_jobs=n_jobs) for _ in range(2)]
        assert len(told) == 1
        assert_same(found[0], expected)
        assert_same(found[1], expected)
    assert fits.n_stored == 5
    assert not list(tmp_path.glob(".*"))
    with sknn.journal(tmp_path) as fits:  # what there is, is served
        cross_val_score(TREE, X, Y)
    assert fits.n_skipped == 5


def test_opened_on_a_full_disk_it_serves_what_there_is(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with sknn.journal(tmp_path):
        expected = cross_validate(**BASE)
    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.warns(UserWarning, match="No space left"), sknn.journal(tmp_path) as fits:
        assert_same(cross_validate(**BASE), expected)
    assert fits.n_skipped == 2


def test_a_folder_removed_meanwhile_is_a_warning(tmp_path):
    with sknn.journal(tmp_path / "fits"):
        shutil.rmtree(tmp_path / "fits")
        with pytest.warns(UserWarning, match="could not be stored"):
            cross_validate(**BASE)


def test_the_folder_is_where_it_was_when_the_script_changes_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with sknn.journal("fits") as fits:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        cross_validate(**BASE)
    assert len(fits) == len(list((tmp_path / "fits").glob("*.fit"))) == 2


# ---------------------------------------------------------------------- open and closed


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

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.seen.append(("begin", context.task_name, context.task_id, np.shape(X), np.shape(y)))

    def on_fit_task_end(self, estimator, context):
        self.seen.append(("end", context.task_name, context.task_id))


@pytest.mark.skipif(not hasattr(GridSearchCV, "set_callbacks"), reason="scikit-learn >= 1.9")
def test_callbacks_of_a_search_are_told_of_what_was_done_before(tmp_path):
    seen = []
    for _ in range(2):
        callback = Watching()
        search = GridSearchCV(Counting(), {"rate": [1.0, 2.0]}, cv=2).set_callbacks(callback)
        with sknn.journal(tmp_path) as fits:
            search.fit(X, Y)
        seen.append(callback.seen)
    assert fits.n_skipped == 4
    assert seen[0] == seen[1]
    assert ("begin", "candidate-split-evaluation", 3, (75, 4), (75,)) in seen[0]


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
