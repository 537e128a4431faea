"""Which files of texts, images, sequences and sounds are read without a child process, and which changed ones are not."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest

import sknn
from benchmarks.reliability._file_parts import Parts
from sknn import NeuralClassifier
from sknn._data.audio_inputs import AudioInputs
from sknn._data.image_inputs import ImageInputs
from sknn._data.sequence_inputs import SequenceInputs
from sknn._file import cost_of_kinds
from sknn._file.cost import is_cheap
from sknn._file.values.reader_writer import ValueWriter
from sknn.modules import ConvNet, SequenceNet, TextNet

from ..contract.kinds import KINDS, NAMES
from .test_cost import tried  # noqa: F401

_JSON, _TENSORS = "estimators/0.json", "estimators/0.safetensors"
BY_NAME = {kind.name: kind for kind in KINDS}
CHEAP = ("texts", "images", "images of several sizes", "sequences", "sequences of several lengths", "sounds")
NAMED = {"texts": TextNet, "images": ConvNet, "sequences": SequenceNet}


@functools.cache
def saved(name: str, module: type | None = None) -> tuple[NeuralClassifier, bytes]:
    """A model of this kind, and its file."""
    kind = BY_NAME[name]
    params = kind.params if module is None else {**kind.params, "module": module}
    model = NeuralClassifier(random_state=0, **params).fit(kind.X, NAMES)
    with tempfile.TemporaryDirectory() as folder:
        sknn.save(model, Path(folder) / "m")
        return model, (Path(folder) / "m").read_bytes()


def parts(name: str) -> tuple[dict, bytes]:
    """JSON and tensors of its file."""
    found = Parts(saved(name)[1])
    return found.json(_JSON), found.parts[_TENSORS]


def put(value: dict, **entries: object) -> None:
    """Change entries of a dict in JSON."""
    for pair in value["items"]:
        if pair[0] in entries:
            pair[1] = entries.pop(pair[0])
    value["items"] += [[name, entry] for name, entry in entries.items()]


@pytest.mark.parametrize("name", BY_NAME)
def test_predictions_of_probe_rows_are_stored(name):
    if not BY_NAME[name].classes:
        assert parts(name)[0]["fitted"]["probe"] is not None


@pytest.mark.parametrize(("name", "module"), [*((name, None) for name in CHEAP), *NAMED.items()])
def test_networks_of_sknn_need_no_child(name, module, tmp_path, tried):  # noqa: F811
    model, data = saved(name, module)
    (tmp_path / "m").write_bytes(data)
    X = BY_NAME[name].X
    np.testing.assert_array_equal(sknn.load(tmp_path / "m").predict_proba(X), model.predict_proba(X))
    assert not tried


def _state(**entries):
    return lambda value: put(value["fitted"]["inputs"]["state"], **entries)


def _params(**entries):
    return lambda value: put(value["parameters"]["module_params"], **entries)


def _dilation(value):
    state = dict(value["fitted"]["inputs"]["state"]["items"])
    put(state["convolutions"][0][0], dilation=10_000_000)


def _name_of_numpy(value):
    """A key that is equal to "length", but not a plain string."""
    items = value["fitted"]["inputs"]["state"]["items"]
    (pair,) = (pair for pair in items if pair[0] == "length")
    pair[:] = [ValueWriter().write(np.str_("length"), "a key"), 10_000_000]


def _on_sequences(value):
    """Another network, on sequences of ten million steps."""
    value["parameters"].update(module={"$": "name", "name": "sknn.modules.MLP"}, module_params=None)
    value["fitted"]["inputs"].update(kind="sequence", row_shape=[2])
    put(value["fitted"]["inputs"]["state"], length=10_000_000)


CHANGES = [
    ("sequences", "many steps", _state(length=10_000_000)),
    ("sequences", "many steps under another name", _name_of_numpy),
    ("sequences", "a dilation", _dilation),
    ("sequences", "members", _params(n_members=10**9)),
    ("sequences", "blocks", _params(n_blocks=10**6)),
    ("sequences", "a network of tables on long sequences", _on_sequences),
    ("sequences", "a transformer", lambda value: value["parameters"].update(
        module={"$": "name", "name": "sknn.modules.SequenceTransformer"})),
    ("images", "large images", _state(size=[30_000, 30_000])),
    ("images", "stages", _params(n_stages=10**6)),
    ("images", "no size", _state(size=None)),
    ("images", "networks", lambda value: value["fitted"]["net"].update(n_networks=10**6)),
    ("sounds", "a long window", _state(window_ms=30_000.0)),
    ("sounds", "a short hop", _state(hop_ms=1e-9, n_mels=512)),
    ("sounds", "a high rate", _state(sampling_rate=1e7)),
    ("sounds", "a long window of the network", _params(window_ms=30_000.0)),
    ("sounds", "no rate", _state(sampling_rate=float("nan"))),
    ("texts", "a hidden layer", lambda value: value["parameters"].update(
        module={"$": "name", "name": "sknn.modules.TextTransformer"})),
]  # fmt: skip


@pytest.mark.parametrize(("name", "what", "change"), CHANGES, ids=[f"{name}: {what}" for name, what, _ in CHANGES])
def test_changed_files_are_tried_first(name, what, change):
    value, tensors = parts(name)
    assert is_cheap(value, tensors)
    change(value)
    assert not is_cheap(value, tensors)


def test_probe_rows_are_as_large_as_assumed():
    random = np.random.RandomState(0)
    sounds = AudioInputs(100).probe_rows(random)
    assert (len(sounds), max(map(len, sounds))) == (cost_of_kinds._RECORDINGS, cost_of_kinds._SAMPLES)
    images = saved("images")[0]._inputs
    assert isinstance(images, ImageInputs)
    assert len(images.probe_rows(random)) == cost_of_kinds._IMAGES
    of_steps = saved("sequences of several lengths")[0]._inputs.features.scale
    rows = SequenceInputs(of_steps, None).probe_rows(random)
    assert (len(rows), max(row.shape[1] for row in rows)) == (cost_of_kinds._SEQUENCES, cost_of_kinds._STEPS)
