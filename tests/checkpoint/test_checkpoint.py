"""When a checkpoint is written, and what happens if that fails."""

from __future__ import annotations

import os
import time

import pytest

from sknn._checkpoint.file import CheckpointFile
from sknn.exceptions import CheckpointError
from tests.checkpoint.fits import Quiet, X, Y, cut_off, quick, same_bits, unbroken


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
    assert same_bits(model, unbroken())
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
    with pytest.raises(CheckpointError, match="does not exist. Create it first"):
        quick(checkpoint=tmp_path / "nowhere" / "a").fit(X, Y)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="may write everywhere")
def test_a_folder_that_is_not_writable_is_an_error_before_training(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(CheckpointError, match="is not writable"):
        quick(checkpoint=folder / "a").fit(X, Y)


def test_partial_fit_writes_nothing(tmp_path):
    quick(checkpoint=tmp_path / "a").partial_fit(X, Y, classes=[0, 1])
    assert not list(tmp_path.iterdir())


def test_writing_follows_the_clock(tmp_path):
    quick(checkpoint=tmp_path / "a", checkpoint_every_epochs=None, checkpoint_every_s=3600).fit(X, Y)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]  # the finished fit
    cut_off(lambda **kw: quick(**{**kw, "checkpoint_every_epochs": 2}), tmp_path / "b", 5)
    assert CheckpointFile.read(tmp_path / "b")[0]["epoch"] == 4
    assert CheckpointFile.read(tmp_path / "b.previous")[0]["epoch"] == 2
