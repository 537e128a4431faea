"""Files that are damaged, or made to harm: a clear error each, nothing run, nothing large made."""

from __future__ import annotations

import importlib
import json
import random
import sys
import threading
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from torch import nn

import sknn
from benchmarks.reliability import _file_faults_bytes as of_bytes
from benchmarks.reliability import _file_faults_content as of_content
from benchmarks.reliability import _file_faults_parts as of_parts
from benchmarks.reliability._file_parts import Parts, packed
from benchmarks.reliability.files import models
from sknn import NeuralClassifier
from sknn._file.archive import pack, unpack
from sknn._file.bounded import _limited
from sknn._file.json import read_json, write_json
from sknn._file.names import Trust, known_names
from sknn._file.values.values import ValueReader
from sknn.exceptions import DamagedFileError, FileError, ReproductionError, UntrustedFileError, VersionError
from sknn.modules import MLP

X, Y = load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return models(tmp_path_factory.mktemp("files"), seed=0)


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A module whose import, and a command that, makes a file."""
    mark = tmp_path / "mark"
    (tmp_path / "canary_module.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Payload: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield mark
    assert not mark.exists(), "code of a file was run"
    assert "canary_module" not in sys.modules


def check_refused(cases, folder, n_least):
    """Every case is a FileError with a message, and after it an intact file loads as before."""
    n, path = 0, folder / "case"
    for name, data in cases:
        path.write_bytes(data)
        with pytest.raises(FileError, match=r".{20}") as raised:
            pytest.fail(f"{name}: loaded as {sknn.load(path)!r}")
        assert raised.type is not FileError, name
        n += 1
    assert n >= n_least


def test_the_canary_sings(tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    (tmp_path / "canary_module.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("canary_module")
    del sys.modules["canary_module"]
    assert mark.exists()


@pytest.mark.parametrize("name", ["table", "numbers", "pipeline"])
def test_damage_anywhere(name, files, tmp_path, canary):
    check_refused(of_bytes.damaged(name, files[name], random.Random(1), 6), tmp_path, 35)


def test_other_files(tmp_path, canary):
    check_refused(of_bytes.disguised(f"touch {canary}", random.Random(0)), tmp_path, 20)


def test_zips_that_no_honest_program_writes(files, tmp_path, canary):
    check_refused(of_bytes.zips("table", files["table"]), tmp_path, 40)


def test_names_that_nobody_allowed(files, tmp_path, canary):
    check_refused(of_content.names(Parts(files["table"]), random.Random(0)), tmp_path, 60)


def test_sizes_that_no_model_has(files, tmp_path, canary):
    tracemalloc.start()
    try:
        check_refused(of_content.sizes(Parts(files["table"])), tmp_path, 25)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


def test_manifests(files, tmp_path, canary):
    check_refused(of_content.manifests(Parts(files["table"])), tmp_path, 60)


def test_wrong_types_and_values(files, tmp_path, canary):
    check_refused(of_content.values(Parts(files["table"]), random.Random(0), 150), tmp_path, 120)


def test_tensors_that_lie(files, tmp_path, canary):
    check_refused(of_parts.tensors(Parts(files["table"])), tmp_path, 40)


def test_parts_of_another_file(files, tmp_path, canary):
    parts = {name: Parts(data) for name, data in files.items()}
    check_refused(of_parts.swapped(parts["table"], parts["other"]), tmp_path, 3)
    check_refused(of_parts.swapped(parts["numbers"], parts["table"]), tmp_path, 3)


def test_objects_that_skops_must_not_make(files, tmp_path, canary):
    check_refused(of_parts.skops_parts(Parts(files["pipeline"])), tmp_path, 50)


def test_random_edits_are_errors_or_models(files, tmp_path, canary):
    table = pd.DataFrame({"a": [0.0, 1.0], "b": ["x", "z"], "c": [1.0, None]})
    n_errors = 0
    for name, data in of_content.random_edits(Parts(files["table"]), random.Random(2), 150):
        (tmp_path / "case").write_bytes(data)
        try:
            model = sknn.load(tmp_path / "case")
        except FileError:
            n_errors += 1
            continue
        if hasattr(model, "net_"):
            assert len(model.net_.module_.state_dict()), name
            assert len(model.predict(table)) == 2
    assert n_errors > 100


# ---------------------------------------------------------------------- which error


def changed(files, change):
    return Parts(files["table"]).changed("estimators/0.json", change)


def test_each_kind_of_error_says_what_to_do(files, tmp_path):
    data, parts = files["table"], Parts(files["table"])
    header, body = parts.tensors("estimators/0.safetensors")
    weights = of_parts.with_numbers(
        header, body, "network.network.networks.0.head_bias", lambda a: a + np.eye(1, len(a))[0] * 0.05
    )
    cases = [
        (b"", DamagedFileError, "is empty"),
        (b"\x80\x04abc", DamagedFileError, "as a pickle does, which could run any code"),
        (data[:-100], DamagedFileError, "truncated or damaged"),
        (data + b"\x00", DamagedFileError, "(has been changed|truncated or damaged)"),
        (packed({**parts.parts, "../x": b""}), UntrustedFileError, r"'\.\./x'"),
        (packed(parts.parts, compression=8), UntrustedFileError, "is compressed"),
        (parts.changed("manifest.json", lambda m: m.update(format=7)), VersionError, "format 7, by sknn .* reads format 1"),
        (parts.replaced("estimators/0.safetensors", weights), ReproductionError, "answers otherwise .* same versions.*on cpu"),
        (changed(files, lambda v: v["parameters"].update(no_such=1)), VersionError, r"no parameters \['no_such'\]"),
        (changed(files, lambda v: v.update({"class": "os.system"})), UntrustedFileError, r"names os.system, which nobody allowed"),
        (changed(files, lambda v: v["parameters"].update(tol=-1.0)), DamagedFileError, "tol"),
    ]  # fmt: skip
    for content, kind, message in cases:
        (tmp_path / "m").write_bytes(content)
        with pytest.raises(FileError, match=message) as raised:
            sknn.load(tmp_path / "m")
        assert raised.type is kind, message


def test_a_reproduction_error_names_the_versions(files, tmp_path):
    parts = Parts(files["table"])
    value = parts.json("manifest.json")
    value["versions"] = {**value["versions"], "torch": "1.2.3", "device": "cuda:0"}
    parts.parts["manifest.json"] = json.dumps(value).encode()
    header, body = parts.tensors("estimators/0.safetensors")
    content = of_parts.with_numbers(header, body, "encoder.center", lambda a: a + 0.1)
    (tmp_path / "m").write_bytes(parts.replaced("estimators/0.safetensors", content))
    version = torch.__version__.partition("+")[0]
    with pytest.raises(ReproductionError, match=rf"saved on cuda:0 by torch 1.2.3, here {version}"):
        sknn.load(tmp_path / "m")


# ---------------------------------------------------------------------- what the user's code is given


class Sized(nn.Module):
    """As large as its argument says; and not to be built on the meta device."""

    def __init__(self, in_features, out_features, width=4):
        super().__init__()
        self.first, self.last = nn.Linear(in_features, width), nn.Linear(width, out_features)
        self.factor = float(self.first.weight.sum().item() * 0.0 + 1.0)

    def forward(self, x):
        return self.last(self.first(x).relu()) * self.factor


def test_a_users_module_may_need_numbers_while_it_is_built(tmp_path):
    model = NeuralClassifier(Sized, max_epochs=2, random_state=0).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    np.testing.assert_array_equal(sknn.load(tmp_path / "m", trusted=[Sized]).predict_proba(X), model.predict_proba(X))


def test_a_users_module_does_not_become_larger_than_its_file(tmp_path):
    sknn.save(NeuralClassifier(Sized, max_epochs=2, random_state=0).fit(X, Y), tmp_path / "m")
    params = {"$": "dict", "items": [["width", 30_000_000]]}
    parts = Parts((tmp_path / "m").read_bytes())
    (tmp_path / "m").write_bytes(
        parts.changed("estimators/0.json", lambda v: v["parameters"].update(module_params=params))
    )
    with pytest.raises(UntrustedFileError, match="far larger than the file"):
        sknn.load(tmp_path / "m", trusted=[Sized])


def test_limits_hold_for_the_thread_that_loads():
    """Networks that other threads build meanwhile are not counted."""
    problems = []

    def build():
        try:
            nn.Sequential(*(nn.Linear(1, 1) for _ in range(3000)))
        except UntrustedFileError as error:
            problems.append(error)

    with _limited({}, "here", bytes_too=True):
        thread = threading.Thread(target=build)
        thread.start()
        thread.join()
    assert not problems
    with pytest.raises(UntrustedFileError, match="far larger"), _limited({}, "here", bytes_too=True):
        nn.Sequential(*(nn.Linear(1, 1) for _ in range(3000)))
    assert not nn.modules.module._global_parameter_registration_hooks


@pytest.mark.parametrize(
    "value",
    [{"$": "dict", "items": [["a", 1], ["a", 2]]}, {"$": "array", "form": "array", "dtype": "|b1", "shape": [1], "items": "Ag=="},
     {"$": "array", "form": "array", "dtype": "<U1", "shape": [1], "items": "/////w=="}, {"$": "float", "value": "1.0"}, {"a": 1}],
)  # fmt: skip
def test_values_that_are_none(value):
    with pytest.raises(DamagedFileError, match="here"):
        ValueReader({}, Trust()).read(value, "here")


def test_warnings_of_damage_do_not_reach_the_caller(files, tmp_path, recwarn):
    for _, data in of_parts.tensors(Parts(files["table"])):
        (tmp_path / "m").write_bytes(data)
        with pytest.raises(FileError):
            sknn.load(tmp_path / "m")
    assert not recwarn.list


# ---------------------------------------------------------------------- the pieces


def test_an_archive_has_one_form():
    parts = {"b/c.json": b"1", "a": b"", "d.npy": bytes(1000)}
    data = pack(parts)
    assert unpack(data, "m") == parts
    assert pack(dict(reversed(parts.items()))) == data
    for i in range(len(data)):  # every single byte counts
        with pytest.raises(FileError):
            unpack(data[:i] + bytes([data[i] ^ 0x10]) + data[i + 1 :], "m")


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        "1e999",
        '{"a":1,"a":2}',
        '{"a":',
        "",
        "[1,]",
        "'a'",
        '"\\x"',
        "01",
        '{"a" 1}',
        "\ufeff1",
        "9" * 5000,
    ],
)
def test_json_without_loose_ends(text):
    with pytest.raises(DamagedFileError, match="no valid JSON"):
        read_json(text.encode(), "m")


def test_depth_counts_brackets_outside_of_strings():
    assert read_json(write_json(["[" * 500, '\\"[' * 200, {"{": "}"}]), "m")[0] == "[" * 500
    deep = b"[" * 100 + b"]" * 100
    read_json(deep, "m")
    with pytest.raises(UntrustedFileError, match="deeper than 100"):
        read_json(b"[" + deep + b"]", "m")
    with pytest.raises(UntrustedFileError, match="deeper"):
        read_json(b'{"\\\\":' * 101, "m")


def test_known_names_are_classes_of_data_layers_and_training_only():
    rooms = (
        "torch.nn",
        "torch.optim",
        "sknn.",
        "skorch.callbacks",
        "builtins",
        "numpy",
        "torch.relu",
        "torch.tanh",
        "torch.sigmoid",
    )
    for name, thing in known_names().items():
        assert name.startswith(rooms), name
        assert callable(thing)
        assert Trust().find(name, "here") is thing
    for name in (
        "torch.nn.Transformer",
        "skorch.callbacks.Checkpoint",
        "builtins.eval",
        "builtins.type",
        "numpy.object_",
        "sknn.losses.make_loss",
    ):
        with pytest.raises(UntrustedFileError):
            Trust().find(name, "here")


def test_trusted_paths_are_imported_only_when_a_file_names_them(tmp_path, canary, files):
    (tmp_path / "m").write_bytes(files["table"])
    sknn.load(tmp_path / "m", trusted=["canary_module.Payload"])
    with pytest.raises(DamagedFileError, match="leads to no class or function"):
        Trust(["os.no_such"]).find("os.no_such", "here")
    with pytest.raises(DamagedFileError, match="leads to no class or function"):
        Trust(["os.path"]).find("os.path", "here")


def test_a_saved_model_is_small_beside_its_weights(tmp_path):
    model = NeuralClassifier(MLP, max_epochs=1, random_state=0).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    n_bytes = sum(p.numel() * 4 for p in model.module_.parameters())
    assert (tmp_path / "m").stat().st_size < n_bytes + 30_000


@pytest.mark.parametrize("layer", [nn.ConstantPad1d((0, 3), 0.0), nn.Upsample(scale_factor=4)], ids=["pad", "upsample"])
def test_layers_that_make_too_much_of_a_row(layer, tmp_path):
    network = nn.Sequential(nn.Unflatten(1, (1, 4)), layer, nn.AdaptiveAvgPool1d(3), nn.Flatten())
    sknn.save(
        NeuralClassifier(nn.Sequential(network, nn.Linear(3, 3)), max_epochs=1, random_state=0).fit(X, Y),
        tmp_path / "m",
    )
    text = '{"$":"tuple","items":[0,3]}' if isinstance(layer, nn.ConstantPad1d) else '"scale_factor":4.0'
    huge = '{"$":"tuple","items":[0,30000000000]}' if isinstance(layer, nn.ConstantPad1d) else '"scale_factor":1e10'
    parts = Parts((tmp_path / "m").read_bytes())
    content = parts.parts["estimators/0.json"].decode()
    assert content.count(text) == 1
    (tmp_path / "m").write_bytes(parts.replaced("estimators/0.json", content.replace(text, huge).encode()))
    with pytest.raises(UntrustedFileError, match="far more of a few rows|larger than that of any layer"):
        sknn.load(tmp_path / "m")
