"""Log-mel spectrograms."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from sknn.modules import LogMel
from sknn.modules.log_mel import mel_filters

RNG = np.random.default_rng(0)


def slow_log_mel(x: np.ndarray, rate: int, n_mels: int, window: int, hop: int, n_fft: int) -> np.ndarray:
    """Frame by frame with a plain discrete Fourier transform, band by band with triangles; without `top_db`."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    hann = np.pad(hann, ((n_fft - window) // 2, n_fft - window - (n_fft - window) // 2))
    padded = np.pad(x.astype(float), n_fft // 2)
    bins = np.arange(n_fft // 2 + 1)
    waves = np.exp(-2j * np.pi * np.outer(bins, np.arange(n_fft)) / n_fft)
    frames = [padded[start : start + n_fft] * hann for start in range(0, len(x) + 1, hop)]
    power = np.abs(np.array(frames) @ waves.T) ** 2

    def hertz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)

    top = 15 + 27 * np.log(rate / 2 / 1000) / np.log(6.4)
    edges = [hertz(mel) for mel in np.linspace(0, top, n_mels + 2)]
    rows = []
    for low, centre, high in zip(edges, edges[1:], edges[2:], strict=False):
        weights = [
            max(0.0, min((f - low) / (centre - low), (high - f) / (high - centre))) * 2 / (high - low)
            for f in bins * rate / n_fft
        ]
        rows.append(10 * np.log10(np.maximum(power @ weights, 1e-10)))
    return np.array(rows)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_values_are_those_of_a_slow_transform(rate):
    x = RNG.normal(size=rate // 5).astype(np.float32)
    layer = LogMel(rate, n_mels=20)
    values, n_frames = layer(torch.from_numpy(x)[None])
    expected = slow_log_mel(x, rate, 20, layer.window_size, layer.hop, layer.n_fft)
    assert n_frames.tolist() == [expected.shape[1]]
    np.testing.assert_allclose(values[0].numpy(), expected, atol=1e-3)


@pytest.mark.skipif(importlib.util.find_spec("librosa") is None, reason="librosa is not installed")
def test_values_are_those_of_librosa():
    import librosa  # pyright: ignore[reportMissingImports]

    x = RNG.normal(size=8000).astype(np.float32)
    layer = LogMel(16000, n_mels=40)
    mel = librosa.feature.melspectrogram(
        y=x, sr=16000, n_fft=layer.n_fft, win_length=layer.window_size, hop_length=layer.hop, n_mels=40,
        pad_mode="constant",
    )  # fmt: skip
    np.testing.assert_allclose(layer(torch.from_numpy(x)[None])[0][0].numpy(), librosa.power_to_db(mel), atol=1e-3)


def test_padding_changes_nothing():
    rows = [torch.randn(n) for n in (700, 3000, 1)]
    together = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    layer = LogMel(8000)
    values, n_frames = layer(together, torch.tensor([len(row) for row in rows]))
    for row, value, n in zip(rows, values, n_frames, strict=True):
        alone, _ = layer(row[None])
        torch.testing.assert_close(value[:, :n], alone[0])
        assert not value[:, n:].any()


def test_a_tone_is_in_the_band_around_its_frequency():
    rate, n_mels = 16000, 40
    centres = mel_filters(rate, 512, n_mels).double() @ torch.linspace(0, rate / 2, 257).double()
    centres = centres / mel_filters(rate, 512, n_mels).sum(1)
    for frequency in (300.0, 1000.0, 4000.0):
        tone = torch.sin(2 * torch.pi * frequency * torch.arange(rate) / rate)
        values, _ = LogMel(rate, n_mels)(tone[None])
        assert abs(centres[values[0, :, 50].argmax()] - frequency) < 0.12 * frequency


def test_level_plays_no_part_where_recordings_are_normalized():
    x = torch.randn(1, 2000)
    layer = LogMel(8000, normalize=True)
    torch.testing.assert_close(layer(x * 1e-12)[0], layer(x)[0], atol=1e-3, rtol=0)
    assert (LogMel(8000)(x * 0.1)[0] - LogMel(8000)(x)[0]).mean() == pytest.approx(-20, abs=0.01)


def test_silence_and_the_range_of_decibels():
    layer = LogMel(8000, top_db=50, normalize=True)
    assert (layer(torch.zeros(1, 800))[0] == -100).all()
    click = torch.zeros(1, 4000)
    click[0, 10] = 1
    values = layer(click)[0]
    assert values.max() - values.min() == pytest.approx(50)


@pytest.mark.parametrize(("rate", "n_fft", "n_mels"), [(8000, 256, 40), (8000, 64, 80), (44100, 2048, 128)])
def test_no_band_is_empty(rate, n_fft, n_mels):
    filters = mel_filters(rate, n_fft, n_mels)
    assert filters.shape == (n_mels, n_fft // 2 + 1)
    assert (filters.sum(dim=1) > 0).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sampling_rate": None}, "sampling_rate is missing: say how many samples per second"),
        ({"sampling_rate": "16k"}, "sampling_rate='16k' is a str; expected a finite number > 0"),
        ({"sampling_rate": 16}, "sampling_rate=16 is out of range"),
        ({"sampling_rate": 8000, "n_mels": 0}, "n_mels=0 is out of range"),
        ({"sampling_rate": 8000, "hop_ms": 0}, "hop_ms=0 is out of range"),
        ({"sampling_rate": 8000, "top_db": -1}, "top_db=-1 is out of range"),
    ],
)
def test_wrong_parameters_are_refused(params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        LogMel(**params)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"expected \(batch, samples\)"):
        LogMel(8000)(torch.zeros(2, 1, 100))


def test_the_default_dtype_of_torch_changes_nothing() -> None:
    x = torch.randn(1, 800, dtype=torch.float32)
    expected = LogMel(8000)(x)[0]
    torch.set_default_dtype(torch.float64)
    try:
        found = LogMel(8000)(x)[0]
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found, expected)
