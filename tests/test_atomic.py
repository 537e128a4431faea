"""Permissions of files that are replaced, and links."""

from __future__ import annotations

import os
import stat
import sys

import pytest

from sknn._atomic import replace_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    old = os.umask(0o027)
    yield
    os.umask(old)


def test_a_new_file_follows_the_umask(tmp_path, umask):
    replace_file(tmp_path / "m", b"1")
    assert mode_of(tmp_path / "m") == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o660, 0o400])
def test_the_mode_of_an_old_file_is_kept(mode, tmp_path, umask):
    path = tmp_path / "m"
    path.write_bytes(b"1")
    path.chmod(mode)
    replace_file(path, b"2")
    assert mode_of(path) == mode
    assert path.read_bytes() == b"2"


def test_a_mode_that_is_asked_for(tmp_path, umask):
    path = tmp_path / "m"
    for _ in range(2):
        replace_file(path, b"1", mode=0o600)
        assert mode_of(path) == 0o600
        path.chmod(0o666)


def test_nobody_else_can_read_it_while_it_is_written(tmp_path, umask, monkeypatch):
    path, seen = tmp_path / "m", []
    path.write_bytes(b"1")
    path.chmod(0o644)
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode)))
    replace_file(path, b"2")
    assert seen[0] == 0o600
    assert mode_of(path) == 0o644


def test_the_owner_of_an_old_file_is_kept_where_the_system_allows_it(tmp_path, monkeypatch):
    path, asked = tmp_path / "m", []
    path.write_bytes(b"1")
    path.chmod(0o664)
    old = path.stat()
    other = os.stat_result([*old[:4], old.st_uid + 1, old.st_gid + 1, *old[6:]])

    def refuse(_, uid, gid):
        asked.append((uid, gid))
        raise PermissionError

    monkeypatch.setattr("sknn._atomic._status", lambda _: other)
    monkeypatch.setattr(os, "chown", refuse)
    replace_file(path, b"2")
    assert asked == [(other.st_uid, other.st_gid)]
    assert mode_of(path) == 0o604  # the group is another one, which the old file did not let in


@pytest.mark.parametrize("mode", [None, 0o600])
def test_a_file_system_without_permissions(mode, tmp_path, monkeypatch):
    path = tmp_path / "m"
    path.write_bytes(b"1")

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "chmod", refuse)
    replace_file(path, b"2", mode=mode)
    assert path.read_bytes() == b"2"
    assert mode_of(path) == 0o600  # as it was created: no wider than the old one


def test_a_link_is_replaced(tmp_path):
    (tmp_path / "target").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    replace_file(tmp_path / "link", b"2")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"1"


def test_a_previous_file_that_is_the_same_file_leaves_nothing_behind(tmp_path):
    path, previous = tmp_path / "f", tmp_path / "f.previous"
    path.write_bytes(b"old")
    os.link(path, previous)  # a process was ended between the two renames
    replace_file(path, b"new", keep_previous=previous)
    assert (path.read_bytes(), previous.read_bytes()) == (b"new", b"old")
    assert sorted(os.listdir(tmp_path)) == ["f", "f.previous"]
