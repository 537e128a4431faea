"""The zip of a file: any damage is noticed, and other zips are refused."""

from __future__ import annotations

import random

import pytest

from benchmarks.reliability import _file_faults_bytes as of_bytes
from sknn._file.archive import pack, unpack
from sknn.exceptions import FileError

from .subjects import check_refused


@pytest.mark.parametrize("name", ["table", "numbers", "pipeline"])
def test_damage_anywhere(name, files, tmp_path, canary):
    check_refused(of_bytes.damaged(name, files[name], random.Random(1), 6), tmp_path, 35)


def test_files_of_other_formats(tmp_path, canary):
    check_refused(of_bytes.disguised(f"touch {canary}", random.Random(0)), tmp_path, 20)


def test_zips_that_save_never_writes(files, tmp_path, canary):
    check_refused(of_bytes.zips("table", files["table"], n_zeros=2**20, n_parts=2000), tmp_path, 40)


def test_an_archive_has_one_form():
    parts = {"b/c.json": b"1", "a": b"", "d.npy": bytes(1000)}
    data = pack(parts)
    assert unpack(data, "m") == parts
    assert pack(dict(reversed(parts.items()))) == data
    for i in range(len(data)):  # every single byte counts
        with pytest.raises(FileError):
            unpack(data[:i] + bytes([data[i] ^ 0x10]) + data[i + 1 :], "m")
