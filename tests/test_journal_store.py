"""Files of a journal: whole or absent, without rows, in folders good and bad."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_score,
    cross_validate,
)
from sklearn.utils.parallel import Parallel

import sknn
from sknn._journal._store import Store
from sknn.exceptions import JournalError
from tests.journal_subjects import BASE, GRID, TREE, Counting, X, Y, assert_same


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
        search = GridSearchCV(Counting(), {"mood": [frame, table, "a secret, " * 30]}, refit=False)
        search.fit(frame, np.arange(20) % 2)
    assert fits.n_stored == 20
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
    old, new = tmp_path / ".old.ab.partial", tmp_path / ".new.cd.partial"
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


@pytest.mark.parametrize("result", [{}, None, [1, 2], {"test_scores": 1.0}])
def test_an_entry_that_lacks_what_a_search_looks_for_is_absent(result, tmp_path):
    with sknn.journal(tmp_path):
        expected = GridSearchCV(TREE, GRID, cv=2, refit=False).fit(X, Y)
    store = Store(tmp_path)
    for key in store.stored_keys():
        store.write(key, result, {"estimator": "T", "parameters": {}})
    with sknn.journal(tmp_path) as fits:
        search = GridSearchCV(TREE, GRID, cv=2, refit=False).fit(X, Y)
    assert fits.n_skipped == 0
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
