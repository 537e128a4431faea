"""Networks of unknown cost are built in a child process, with limits of memory and seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import sknn
from benchmarks.reliability._file_parts import Parts
from sknn import NeuralClassifier
from sknn._file import trial
from sknn._file.limits import Limits
from sknn.exceptions import DamagedFileError, UntrustedFileError

from .subjects import IMAGES, X, Y, fitted, saved

_JSON = "estimators/0.json"


def test_an_honest_network_is_loaded(tmp_path):
    (tmp_path / "m").write_bytes(saved("images"))
    again = sknn.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(IMAGES), fitted("images")[0].predict_proba(IMAGES))


def _file(tmp_path, layers, kind, **arguments):
    """A file of a network of these layers, in which the arguments of one layer are replaced."""
    network = nn.Sequential(nn.Unflatten(1, (1, 2, 2)), *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4, 3))
    model = NeuralClassifier(network, preprocessing=False, n_networks=1, max_epochs=1, random_state=0)
    sknn.save(model.fit(X.astype(np.float32), Y), tmp_path / "m")

    def edit(value):
        layer = next(c for _, c in value["parameters"]["module"]["children"] if c["class"] == f"torch.nn.{kind}")
        layer["arguments"].update(arguments)

    (tmp_path / "m").write_bytes(Parts((tmp_path / "m").read_bytes()).changed(_JSON, edit))
    return tmp_path / "m"


def test_a_layer_that_needs_too_much_memory(tmp_path):
    layers = [nn.Conv2d(1, 1, 1, padding=1, padding_mode="replicate")]
    path = _file(tmp_path, layers, "Conv2d", padding={"$": "tuple", "items": [20_000, 20_000]})
    with pytest.raises(
        UntrustedFileError, match=r"more than max_memory=1000000000 bytes.*load\(path, max_memory=\.\.\."
    ):
        sknn.load(path)


@pytest.mark.parametrize("memory", [1000, "1KB", "100KB", "500KB"])
def test_a_limit_below_what_any_network_needs_is_named(tmp_path, memory):
    (tmp_path / "m").write_bytes(saved("images"))
    with pytest.raises(UntrustedFileError, match=r"max_memory=[0-9]+"):
        sknn.load(tmp_path / "m", max_memory=memory)


@pytest.mark.parametrize(
    "cause", [ImportError("failed to map segment from shared object"), OSError("could not get source code")]
)
def test_a_library_that_finds_no_memory_when_it_is_imported(cause, monkeypatch):
    def read(*arguments):
        raise DamagedFileError("layer") from cause

    monkeypatch.setattr(trial, "read_estimator", read)
    data = trial.pack({"a.json": b"{}", "a.safetensors": b"", trial._VERSIONS: b"{}"})
    assert trial._outcome(data, 10**9)[0] == trial._OUT_OF_MEMORY


def test_any_failure_under_a_tiny_limit_is_that_of_the_limit(monkeypatch):
    def read(*arguments):
        raise DamagedFileError("layer") from RuntimeError("unheard of")

    monkeypatch.setattr(trial, "read_estimator", read)
    data = trial.pack({"a.json": b"{}", "a.safetensors": b"", trial._VERSIONS: b"{}"})
    assert trial._outcome(data, 10**6)[0] == trial._OUT_OF_MEMORY
    assert trial._outcome(data, 10**9)[0] == DamagedFileError.__name__


def test_a_layer_that_needs_too_much_time(tmp_path):
    layers = [nn.Upsample(8), nn.LPPool2d(2, 3, 1)]
    path = _file(tmp_path, layers, "Upsample", size=3000)
    path.write_bytes(Parts(path.read_bytes()).changed(_JSON, _with_large_windows))
    with pytest.raises(UntrustedFileError, match=r"more than max_seconds=1 seconds"):
        sknn.load(path, max_seconds=1, max_memory="8GB")


def test_a_child_that_waits_is_out_of_time():
    code = "import time; from sknn._file.trial import _limit; _limit(None, 0.05); time.sleep(60)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=300)
    with pytest.raises(UntrustedFileError, match=r"m: its network needs more than max_seconds=1 seconds"):
        trial._raise(done.stdout, done.stderr, done.returncode, Limits(None, 1), "m")


def _with_large_windows(value):
    layers = {child["class"]: child["arguments"] for _, child in value["parameters"]["module"]["children"]}
    layers["torch.nn.LPPool2d"]["kernel_size"] = 1500


def test_errors_of_the_child_are_those_of_load(tmp_path):
    def edit(value):
        value["fitted"]["net"]["n_networks"] = 2

    (tmp_path / "m").write_bytes(Parts(saved("images")).changed(_JSON, edit))
    with pytest.raises(DamagedFileError, match="module"):
        sknn.load(tmp_path / "m")


def test_without_an_interpreter_to_start(tmp_path, monkeypatch):
    (tmp_path / "m").write_bytes(saved("images"))
    monkeypatch.setattr(sys, "executable", None)
    with pytest.raises(UntrustedFileError, match="no Python interpreter to start.*None for no limit"):
        sknn.load(tmp_path / "m")
    assert sknn.load(tmp_path / "m", max_memory=None, max_seconds=None).n_iter_ == 2


LOAD = """
import os, sys
{before}
import numpy as np
import sknn
os.chdir("elsewhere")
{after}
print(sknn.load("../m").n_iter_)
"""


def _loads_in(tmp_path, before="", after="", **environment):
    """What a script prints that loads a file in another folder than it starts in."""
    (tmp_path / "m").write_bytes(saved("images"))
    (tmp_path / "elsewhere").mkdir()
    script = LOAD.format(before=before, after=after)
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={**without, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    return run.stdout.strip() or run.stderr


@pytest.mark.parametrize("path", ["src", ""])
def test_a_package_on_a_relative_path_after_another_folder_was_entered(path, tmp_path):
    folder = tmp_path / path
    folder.mkdir(exist_ok=True)
    (folder / "sknn").symlink_to(Path(sknn.__file__).parent)
    assert _loads_in(tmp_path, f"sys.path[:] = [p for p in sys.path if p]; sys.path.insert(0, {path!r})") == "2"


def test_a_child_that_prints_more_than_its_answer(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os\nprint('[1]', end='')\natexit.register(print, 'end')\nos.write(1, b'{')\n"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(sknn.__file__).parents[1])])
    found = _loads_in(tmp_path, PYTHONPATH=paths)
    assert "2\n" in found


def test_a_child_that_cannot_import_is_not_out_of_time(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')")
    (tmp_path / "m").write_bytes(saved("images"))
    monkeypatch.setattr(trial, "_PATHS", [str(tmp_path), *trial._PATHS])
    with pytest.raises(
        UntrustedFileError, match=r"in a process of its own, which failed: ImportError.*no torch"
    ) as found:
        sknn.load(tmp_path / "m")
    assert "as no model of this size does" not in str(found.value)


@pytest.mark.parametrize(
    "limits",
    [{"max_memory": "much"}, {"max_memory": 0}, {"max_memory": 1.5}, {"max_memory": "0GB"}, {"max_seconds": 0},
     {"max_seconds": "1"}, {"max_seconds": float("nan")}, {"max_memory": True}],
)  # fmt: skip
def test_invalid_limits(limits, tmp_path):
    with pytest.raises(ValueError, match=f"{next(iter(limits))}=.* expected a number of"):
        sknn.load(tmp_path / "m", **limits)
