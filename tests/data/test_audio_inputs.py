"""Recordings of sound are read in every usual form, and everything else is refused clearly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from sknn._data.audio_inputs import AudioInputs, SpectrogramInputs
from sknn.exceptions import DamagedFileError
from sknn.modules import LogMel

RNG = np.random.default_rng(0)


def learned(X, kind=AudioInputs, **options):
    raw = kind.read_first(kind.prepare(X), **options)
    inputs = raw.learn(None, None)
    return inputs, inputs.encode_rows(raw)


def waveforms(X) -> list[list[float]]:
    tensors = learned(X)[1].tensors()
    return [row[:n].tolist() for row, n in zip(tensors["x"], tensors["lengths"], strict=True)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([-32768, 0, 16384], np.int16), [-1, 0, 0.5]),
        (np.array([0, 128, 192], np.uint8), [-1, 0, 0.5]),
        (np.array([-(2**31), 2**30], np.int32), [-1, 0.5]),
        (np.array([0.25, -1.0], np.float64), [0.25, -1]),
        (np.array([0.25, -1.0], np.float16), [0.25, -1]),
        ([0, 100, -200], [0, 0.5, -1]),
        (np.array([3.0, -6.0], np.float32), [0.5, -1]),
        (np.array([1e300, -5e299]), [1, -0.5]),
        (torch.tensor([0.5, -0.5]), [0.5, -0.5]),
        (np.array([[0.5, -0.5]]), [0.5, -0.5]),
        (np.array([[0.5], [-0.5]]), [0.5, -0.5]),
    ],
)
def test_recordings_are_brought_between_minus_one_and_one(values, expected):
    assert waveforms([values]) == [expected]


def test_recordings_of_any_length_and_in_any_container():
    rows = [RNG.uniform(-1, 1, n).astype(np.float32) for n in (5, 1, 300)]
    expected = [row.tolist() for row in rows]
    objects = np.empty(3, dtype=object)
    objects[:] = rows
    for X in (rows, tuple(rows), objects):
        assert waveforms(X) == expected
    table = RNG.uniform(-1, 1, (4, 50)).astype(np.float32)
    assert waveforms(table) == table.tolist()


def test_the_callers_memory_is_not_changed():
    rows = [np.ones(4, np.float32)]
    learned(rows)[1].tensors()["x"].zero_()
    assert (rows[0] == 1).all()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([np.zeros(5), np.array([0, np.nan])], r"X\[1\] holds nan at sample 1, expected finite numbers"),
        ([np.array([np.inf])], r"X\[0\] holds inf at sample 0"),
        ([np.zeros((2, 900))], r"X\[0\] has the shape \(2, 900\).*one channel.*x.mean\(axis=0\)"),
        ([np.zeros((900, 2))], r"x.mean\(axis=1\)"),
        ([np.zeros(0)], r"X\[0\] has no samples"),
        ([1.0, 2.0], r"X\[0\] is 1.0, expected a recording.*pass \[X\]"),
        (["a.wav"], r"X\[0\] is 'a.wav'.*Load files of sound first"),
        ([Path("a.wav")], "Load files of sound first"),
        ([b"RIFF"], "Load files of sound first"),
        ([np.array([True])], r"X\[0\] is an array of dtype bool"),
        ([None], r"X\[0\]"),
        ([(8000, np.zeros(9))], r"X\[0\] is a pair.*\[samples for rate, samples in X\].*'sampling_rate': rate"),
        ([[[1.0], [2.0, 3.0]]], r"X\[0\]"),
        ([], "0 sample"),
        ("a.wav", "list of recordings"),
        (pd.DataFrame({"a": [1.0, 2.0]}), r"X is a table of shape \(2, 1\), expected recordings.*X.to_numpy\(\)"),
    ],
)
@pytest.mark.parametrize("kind", [AudioInputs, SpectrogramInputs])
def test_what_is_no_recording_is_refused(kind, X, message):
    options = {"sampling_rate": 8000} if kind is SpectrogramInputs else {}
    with pytest.raises((TypeError, ValueError), match=message):
        learned(X, kind, **options)


def test_spectrograms_are_those_of_the_layer_without_level():
    rows = [RNG.normal(0, 0.1, n).astype(np.float32) for n in (900, 20, 4000)]
    inputs, store = learned(rows, SpectrogramInputs, sampling_rate=8000, n_mels=16)
    tensors = store.tensors()
    assert inputs.in_features == 16
    assert tensors["lengths"].tolist() == [12, 1, 51]
    layer = LogMel(8000, n_mels=16, normalize=True)
    for row, values, n in zip(rows, tensors["x"], tensors["lengths"], strict=True):
        torch.testing.assert_close(values[:, :n], layer(torch.from_numpy(row)[None])[0][0])
        assert not values[:, n:].any()
    quieter = learned([row * 1e-4 for row in rows], SpectrogramInputs, sampling_rate=8000, n_mels=16)[1]
    torch.testing.assert_close(quieter.tensors()["x"], tensors["x"], atol=1e-3, rtol=0)


def test_silent_and_very_short_recordings_are_finite():
    store = learned([np.zeros(500), np.ones(1), np.zeros(1, np.int16)], SpectrogramInputs, sampling_rate=16000)[1]
    assert store.tensors()["x"].isfinite().all()


def test_a_spectrogram_does_not_depend_on_the_other_rows():
    rows = [RNG.normal(size=n) for n in (700, 3000)]
    inputs, store = learned(rows, SpectrogramInputs, sampling_rate=8000)
    alone = inputs.encode(inputs.prepare(rows[:1])).tensors()["x"]
    assert torch.equal(alone[0], store.tensors()["x"][0, :, : alone.shape[2]])


def test_a_missing_sampling_rate_is_named():
    with pytest.raises(ValueError, match=r'sampling_rate is missing.*module_params=\{"sampling_rate": 16000\}'):
        learned([np.zeros(100)], SpectrogramInputs)


@pytest.mark.parametrize("kind", [AudioInputs, SpectrogramInputs])
def test_state_gives_the_same_tensors(kind):
    options = {"sampling_rate": 8000, "hop_ms": 5.0} if kind is SpectrogramInputs else {}
    inputs, _ = learned([RNG.normal(size=900)], kind, **options)
    again = kind.from_state(inputs.to_state())
    assert again.row_size == inputs.row_size
    rows = inputs.prepare(inputs.probe_rows(np.random.RandomState(0)))
    expected, values = inputs.encode(rows).tensors(), again.encode(rows).tensors()
    assert all(torch.equal(values[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    "change",
    [
        {"mean_length": 0},
        {"mean_length": "a"},
        {"sampling_rate": -1},
        {"n_mels": 10**9},
        {"window_ms": 1e12},
        {"hop_ms": float("nan")},
    ],
)
def test_damaged_states_are_refused(change):
    state = learned([np.zeros(100)], SpectrogramInputs, sampling_rate=8000)[0].to_state()
    with pytest.raises(DamagedFileError):
        SpectrogramInputs.from_state({**state, **change})
    with pytest.raises(DamagedFileError):
        SpectrogramInputs.from_state({name: value for name, value in state.items() if name not in change})
