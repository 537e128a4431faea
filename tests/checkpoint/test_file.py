"""Damaged and foreign files of checkpoints."""

from __future__ import annotations

import hashlib
import json
import os
import pickle

import pytest

from sknn._checkpoint.file import CheckpointFile
from sknn.exceptions import CheckpointError
from tests.checkpoint.fits import X, Y, cut_off, quick, same_bits, unbroken


def test_of_a_damaged_file_in_a_folder_the_fit_begins_anew(tmp_path):
    first = quick(checkpoint=tmp_path).fit(X, Y)
    (path,) = tmp_path.iterdir()
    damage(path, "truncated")
    with pytest.warns(UserWarning, match="is damaged.*so the fit begins anew"):
        again = quick(checkpoint=tmp_path).fit(X, Y)
    assert same_bits(first, again)
    assert same_bits(quick(checkpoint=tmp_path).fit(X, Y), first)


def damage(path, how: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(
        {
            "truncated": data[:middle],
            "empty": b"",
            "a bit flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "zeros at the end": data[:-4096] + bytes(4096),
            "something else": b"PK\x03\x04" + data,
            "another format": data.replace(b"checkpoint 2", b"checkpoint 9", 1),
        }[how]
    )


DAMAGES = ["truncated", "empty", "a bit flipped", "zeros at the end", "something else", "another format"]


@pytest.mark.parametrize("how", DAMAGES)
def test_the_generation_before_a_damaged_file_is_used(how, tmp_path):
    cut_off(quick, tmp_path / "a", 4)
    damage(tmp_path / "a", how)
    with pytest.warns(UserWarning, match="The one before it, of epoch 3, is used"):
        resumed = quick(checkpoint=tmp_path / "a").fit(X, Y)
    assert same_bits(resumed, unbroken())


@pytest.mark.parametrize("how", DAMAGES)
def test_damage_without_an_earlier_generation_is_an_error(how, tmp_path):
    cut_off(quick, tmp_path / "a", 1)
    damage(tmp_path / "a", how)
    model = quick(checkpoint=tmp_path / "a")
    with pytest.raises(CheckpointError, match="is damaged.*Delete it to begin anew"):
        model.fit(X, Y)
    assert not hasattr(model, "net_")


def test_the_earlier_generation_of_a_missing_file_is_used(tmp_path):
    cut_off(quick, tmp_path / "a", 4)
    (tmp_path / "a").unlink()
    assert same_bits(quick(checkpoint=tmp_path / "a").fit(X, Y), unbroken())


class Canary:
    ran = False

    def __reduce__(self):
        return Canary.sing, ()

    @staticmethod
    def sing():
        Canary.ran = True


def test_a_pickle_of_another_writer_is_not_opened(tmp_path):
    """Who has no data cannot write what is opened, even with the head copied from a true one."""
    cut_off(quick, tmp_path / "a", 2)
    head, *_ = CheckpointFile.read(tmp_path / "a")
    CheckpointFile(tmp_path / "a").write(head, pickle.dumps(Canary()), key=b"a guess")
    with pytest.raises(CheckpointError, match="not written by this fit"):
        quick(checkpoint=tmp_path / "a").fit(X, Y)
    assert not Canary.ran
    pickle.loads(pickle.dumps(Canary()))
    assert Canary.ran


def test_a_code_made_from_the_head_is_refused(tmp_path):
    """With all that can be read in the file: the code is made of what only the data tell."""
    cut_off(quick, tmp_path / "a", 2)
    head, *_ = CheckpointFile.read(tmp_path / "a")
    joined = "\n".join(f"{name}={value}" for name, value in sorted(head["identity"].items()))
    key = hashlib.sha256(b"key of a checkpoint\n" + joined.encode()).digest()
    CheckpointFile(tmp_path / "a").write(head, pickle.dumps(Canary()), key)
    Canary.ran = False
    with pytest.raises(CheckpointError, match="not written by this fit"):
        quick(checkpoint=tmp_path / "a").fit(X, Y)
    assert not Canary.ran


@pytest.mark.parametrize("head", [[], {}, 3, {"identity": 1, "shown": {}, "epoch": 1, "finished": False}])
def test_a_head_of_another_form_is_damage(head, tmp_path):
    CheckpointFile(tmp_path / "a").write(head, b"", b"key")
    with pytest.raises(CheckpointError, match="is damaged: its head"):
        quick(checkpoint=tmp_path / "a").fit(X, Y)


def test_a_damaged_file_does_not_become_the_earlier_generation(tmp_path, monkeypatch):
    """Killed after the damaged file was moved and before another took its place, nothing would be left."""
    cut_off(quick, tmp_path / "a", 4)
    damage(tmp_path / "a", "truncated")
    with pytest.warns(UserWarning, match="of epoch 3"):
        cut_off(quick, tmp_path / "a", 4)
    assert CheckpointFile.read(tmp_path / "a.previous")[0]["epoch"] == 3


def test_the_present_file_stays_until_another_takes_its_place(tmp_path, monkeypatch):
    cut_off(quick, tmp_path / "a", 3)
    before, real = (tmp_path / "a").read_bytes(), os.replace

    def refuse(source, target):
        if str(target).endswith("a"):
            raise OSError("refused")
        real(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="refused"):
        CheckpointFile(tmp_path / "a").write({}, b"", b"key")
    assert (tmp_path / "a").read_bytes() == before


def test_the_head_is_readable(tmp_path):
    cut_off(quick, tmp_path / "a", 2)
    head, *_ = CheckpointFile.read(tmp_path / "a")
    assert head["epoch"] == 2
    assert head["shown"]["max_epochs"] == "6"
    assert json.dumps(head)


def test_only_the_owner_may_read_a_checkpoint(tmp_path):
    path = tmp_path / "c"
    quick(checkpoint=path).fit(X, Y)
    assert path.stat().st_mode & 0o777 == 0o600
