"""Which error a damaged, hostile or foreign file raises; other versions, processes and devices."""

from __future__ import annotations

import copy
import importlib
import random
import sys
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import InconsistentVersionWarning

import sknn
from benchmarks.reliability import _file_faults_content as of_content
from benchmarks.reliability import _file_faults_parts as of_parts
from benchmarks.reliability._file_parts import Parts, packed
from sknn.exceptions import DamagedFileError, FileError, ReproductionError, UntrustedFileError, VersionError

from .subjects import X, check_refused, fitted, saved


def test_the_canary_leaves_a_mark(tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    (tmp_path / "canary_module.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("canary_module")
    del sys.modules["canary_module"]
    assert mark.exists()


def test_manifests(files, tmp_path, canary):
    check_refused(of_content.manifests(Parts(files["table"])), tmp_path, 60)


def test_parts_of_another_file(files, tmp_path, canary):
    parts = {name: Parts(data) for name, data in files.items()}
    check_refused(of_parts.swapped(parts["table"], parts["other"]), tmp_path, 3)
    check_refused(of_parts.swapped(parts["numbers"], parts["table"]), tmp_path, 3)


def test_random_edits_are_errors_or_models(files, tmp_path, canary):
    table = pd.DataFrame({"a": [0.0, 1.0], "b": ["x", "z"], "c": [1.0, None]})
    n_errors = 0
    for name, data in of_content.random_edits(Parts(files["table"]), random.Random(2), 40):
        (tmp_path / "case").write_bytes(data)
        try:
            model = sknn.load(tmp_path / "case")
        except FileError:
            n_errors += 1
            continue
        if hasattr(model, "net_"):
            assert len(model.net_.module_.state_dict()), name
            assert len(model.predict(table)) == 2
    assert n_errors > 25


def changed(files, change):
    return Parts(files["table"]).changed("estimators/0.json", change)


def test_each_kind_of_error_says_what_to_do(files, tmp_path):
    data, parts = files["table"], Parts(files["table"])
    header, body = parts.tensors("estimators/0.safetensors")
    weights = of_parts.with_numbers(
        header, body, "network.network.networks.0.head_bias", lambda a: a + np.eye(1, len(a))[0] * 0.05
    )
    second = {f"estimators/1.{ending}": parts.parts[f"estimators/0.{ending}"] for ending in ("json", "safetensors")}
    two = Parts(data)
    two.parts = dict(sorted({**parts.parts, **second}.items()))
    cases = [
        (two.signed(), DamagedFileError, "contains 2 estimators; expected one"),
        (b"", DamagedFileError, "is empty"),
        (b"\x80\x04abc", DamagedFileError, "like a pickle, which can run any code"),
        (data[:-100], DamagedFileError, "truncated or damaged"),
        (data + b"\x00", DamagedFileError, "(has been changed|truncated or damaged)"),
        (packed({**parts.parts, "../x": b""}), UntrustedFileError, r"'\.\./x'"),
        (packed(parts.parts, compression=8), UntrustedFileError, "is compressed"),
        (parts.changed("manifest.json", lambda m: m.update(format=7)), VersionError, "format 7, by sknn .* reads format 4"),
        (parts.replaced("estimators/0.safetensors", weights), ReproductionError, "does not predict .* on cpu.* same versions"),
        (changed(files, lambda v: v["parameters"].update(no_such=1)), VersionError, r"no parameters \['no_such'\]"),
        (changed(files, lambda v: v.update({"class": "os.system"})), UntrustedFileError, r"uses os.system, which is not trusted"),
        (changed(files, lambda v: v["parameters"].update(tol=-1.0)), DamagedFileError, "tol"),
    ]  # fmt: skip
    for content, kind, message in cases:
        (tmp_path / "m").write_bytes(content)
        with pytest.raises(FileError, match=message) as raised:
            sknn.load(tmp_path / "m")
        assert raised.type is kind, message


@pytest.mark.parametrize(("package", "warns"), [("torch", True), ("sknn", True), ("numpy", False)])
def test_files_of_other_versions(package, warns, files, tmp_path):
    other = Parts(files["table"]).changed("manifest.json", lambda m: m["versions"].update({package: "0.0.1"}))
    (tmp_path / "m").write_bytes(other)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sknn.load(tmp_path / "m")
    assert [issubclass(w.category, InconsistentVersionWarning) for w in caught] == [True] * warns
    assert all(f"{package} 0.0.1, here" in str(w.message) and w.filename == __file__ for w in caught)


def test_a_file_without_a_part_of_skops_is_read_without_skops(tmp_path):
    (tmp_path / "m").write_bytes(saved("boolean classes"))
    with mock.patch.dict(sys.modules, {"skops": None, "skops.io": None}):
        again = sknn.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(X), fitted("boolean classes")[0].predict_proba(X))


def test_the_device(tmp_path):
    model = copy.copy(fitted("boolean classes")[0]).set_params(device="cuda")
    sknn.save(model, tmp_path / "m")
    with mock.patch.object(torch.cuda, "is_available", return_value=False):
        again = sknn.load(tmp_path / "m")
    assert again.device == "cuda"
    np.testing.assert_array_equal(sknn.load(tmp_path / "m", device="cpu").predict(X), model.predict(X))
    with pytest.raises(ValueError, match="device='nowhere' is not available"):
        sknn.load(tmp_path / "m", device="nowhere")


def test_a_file_error_is_a_value_error():
    assert issubclass(FileError, ValueError)
    assert Path(sknn.__file__).exists()
