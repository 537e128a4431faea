"""When a checkpoint is written, and what happens if that fails."""

from __future__ import annotations
import hashlib
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import time
import warnings
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch import nn
from sknn import NeuralClassifier, NeuralRegressor
from sknn._checkpoint.file import CheckpointFile
from sknn.exceptions import CheckpointError
from sknn.modules import MLP, FTTransformer, ResNet
from tests.checkpoint.fits import rng, X, Y, is_struck, cut_after, PowerCut, Quiet, Counting, same_bits, cut_off, quick

@pytest.mark.parametrize("callback", [PowerCut, Quiet], ids=["a callback looks at steps", "quick steps"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_fit_that_was_cut_off_ends_with_the_same_bits(setting, callback, tmp_path):
    def make(**kwargs):
        return NeuralClassifier(
            **SETTINGS[setting], callbacks=[callback()], random_state=0, checkpoint_every_epochs=1, **kwargs
        )

    unbroken = make().fit(X, Y)
    for after in (1, unbroken.n_iter_ - 1):
        path = tmp_path / f"{after}.ckpt"
        cut_off(make, path, after)
        os.environ["EPOCHS_RUN"] = "0"
        resumed = make(checkpoint=path).fit(X, Y)
        assert same_bits(resumed, unbroken)
        if callback is PowerCut:
            assert int(os.environ["EPOCHS_RUN"]) == unbroken.n_iter_ - after


@pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")
@pytest.mark.parametrize(
    ("params", "scale"),
    [
        (dict(module=Counting, lr=1e-7, max_epochs=30), 1.0),
        (dict(module=MLP, preprocessing=False, max_epochs=30, early_stopping=False), 1e5),
    ],
    ids=["learning rate", "scale of the inputs"],
)
def test_a_repair_goes_on_where_it_was(params, scale, tmp_path):
    def make(**kwargs):
        return NeuralClassifier(
            **params, gradient_health="repair", callbacks=[Quiet()], random_state=0, checkpoint_every_epochs=1, **kwargs
        )

    unbroken = make().fit(scale * X, Y)
    assert unbroken.n_repairs_ > 0
    first = unbroken.health_.repairs[0].epoch
    for after in {first // 2, first + 2, unbroken.n_iter_ - 2}:  # before, on trial, afterwards
        path = tmp_path / f"{after}.ckpt"
        cut_off(make, path, after, scale * X)
        resumed = make(checkpoint=path).fit(scale * X, Y)
        np.testing.assert_array_equal(resumed.predict_proba(scale * X), unbroken.predict_proba(scale * X))
        assert str(resumed.health_) == str(unbroken.health_)


def test_a_folder_holds_a_file_for_each_fit_of_a_search(tmp_path):
    grid = {"lr": [0.01, 0.02]}
    search = GridSearchCV(quick(checkpoint=tmp_path), grid, cv=2).fit(X, Y)
    plain = GridSearchCV(quick(), grid, cv=2).fit(X, Y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])
    assert len(list(tmp_path.glob("*.ckpt"))) == 5


def test_the_folder_may_change_during_the_fit(tmp_path, monkeypatch):
    class Moves(Quiet):
        def on_epoch_end(self, net, **kwargs):
            os.chdir(tmp_path / "other")

    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    quick(callbacks=[Moves()], checkpoint="a").fit(X, Y)
    assert (tmp_path / "a").exists()
    assert not list((tmp_path / "other").iterdir())


def test_a_full_disk_is_a_warning_and_the_last_state_stays(tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 4:  # a file and its folder each time
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match="could not be written after epoch 3: .*No space left") as caught:
        model = quick(checkpoint=tmp_path / "a").fit(X, Y)
    assert len(caught) == 1
    monkeypatch.undo()
    assert same_bits(model, quick().fit(X, Y))
    assert CheckpointFile.read(tmp_path / "a")[0]["epoch"] == 2
    assert not list(tmp_path.glob("*.partial"))
    assert same_bits(quick(checkpoint=tmp_path / "a").fit(X, Y), model)


def test_partial_files_of_killed_processes_are_removed(tmp_path):
    old, new, foreign = (tmp_path / name for name in (".a.12.partial", ".a.34.partial", ".b.56.partial"))
    for path in (old, new, foreign):
        path.write_bytes(b"half")
    for path in (old, foreign):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    quick(checkpoint=tmp_path / "a", max_epochs=1).fit(X, Y)
    assert not old.exists()
    assert new.exists()
    assert foreign.exists()


def test_a_missing_folder_is_an_error_before_training(tmp_path):
    with pytest.raises(CheckpointError, match="there is no folder"):
        quick(checkpoint=tmp_path / "nowhere" / "a").fit(X, Y)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="may write everywhere")
def test_a_folder_that_is_not_writable_is_an_error_before_training(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(CheckpointError, match="may not be written"):
        quick(checkpoint=folder / "a").fit(X, Y)


def test_partial_fit_writes_nothing(tmp_path):
    quick(checkpoint=tmp_path / "a").partial_fit(X, Y, classes=[0, 1])
    assert not list(tmp_path.iterdir())


def test_writing_follows_the_clock(tmp_path):
    quick(checkpoint=tmp_path / "a", checkpoint_every_epochs=None, checkpoint_every_s=3600).fit(X, Y)
    assert not (tmp_path / "a.previous").exists()  # only that the fit is over
    quick(checkpoint=tmp_path / "b", checkpoint_every_epochs=2).fit(X, Y)
    assert CheckpointFile.read(tmp_path / "b.previous")[0]["epoch"] == 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kill_9_at_any_moment(tmp_path):
    fork = multiprocessing.get_context("fork")
    unbroken = quick(max_epochs=60, early_stopping=False).fit(X, Y).predict_proba(X)
    moments = np.random.default_rng(1).uniform(0.02, 0.5, size=6)
    for moment in [*moments, 60.0]:
        process = fork.Process(target=fit_and_tell, args=(tmp_path,))
        process.start()
        process.join(timeout=moment)
        if process.is_alive():
            process.kill()
            process.join()
    np.testing.assert_array_equal(np.load(tmp_path / "done.npy"), unbroken)
