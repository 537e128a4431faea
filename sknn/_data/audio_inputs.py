"""Recordings of sound of any length: as waveforms for a module of the user's, or as log-mel spectrograms."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._errors import refused_as, shown
from ..exceptions import DamagedFileError
from ..modules import AudioNet, LogMel
from .containers import as_rows, is_frame, without_tensor
from .inputs import Inputs, RawRows
from .stored import check_names, stored_int
from .stores import Ragged

__all__ = ["AudioInputs", "SpectrogramInputs", "as_recordings"]

_WHAT = "recordings (1-d arrays of numbers)"
# What is full scale, and what is zero, of integers as files of sound hold them.
_SCALES = {"int8": (0, 2**7), "uint8": (2**7, 2**7), "int16": (0, 2**15), "uint16": (2**15, 2**15), "int32": (0, 2**31)}


class AudioRows(RawRows):
    """Recordings as they were given, object (n_samples,), of which each is a 1-d array of finite numbers."""

    def __init__(self, recordings: np.ndarray) -> None:
        self.recordings = recordings

    @classmethod
    def read(cls, X: np.ndarray) -> AudioRows:
        """Recordings that are finite, as returned by `as_recordings`."""
        for i, values in enumerate(X):
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                where = int(np.flatnonzero(~np.isfinite(values))[0])
                raise ValueError(f"X[{i}] holds {values[where]} at sample {where}, expected finite numbers.")
        return cls(X)

    def __len__(self) -> int:
        return len(self.recordings)

    def take(self, rows: np.ndarray) -> AudioRows:
        return AudioRows(self.recordings[rows])

    def keys(self) -> None:
        return None

    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False) -> AudioInputs:
        return AudioInputs(self.mean_length(rows))

    def mean_length(self, rows: np.ndarray | None) -> int:
        """Samples of a recording, at least 1."""
        chosen = self.recordings if rows is None else self.recordings[rows]
        return max(1, sum(map(len, chosen)) // max(1, len(chosen)))


class AudioInputs(Inputs):
    """Waveforms between -1 and 1, float32, and their numbers of samples.

    `mean_length`: samples of a recording of the training rows.
    """

    kind, content = "audio", None
    what = _WHAT
    default_module = AudioNet
    n_inputs = 2

    def __init__(self, mean_length: int) -> None:
        self.mean_length = mean_length
        self.row_shape = self.given_shape = ()

    @classmethod
    def prepare(cls, X: Any) -> Any:
        return as_recordings(X)

    @classmethod
    def read_first(cls, X: Any) -> AudioRows:
        return AudioRows.read(X)

    def read(self, X: Any) -> AudioRows:
        return AudioRows.read(X)

    def encode_rows(self, raw: AudioRows, rows: np.ndarray | None = None) -> Ragged:
        """Waveforms, with their lengths."""
        chosen = raw.recordings if rows is None else raw.recordings[rows]
        return Ragged.of([_waveform(values) for values in chosen])

    def contributions(self, X: Any, found: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
        """Of the samples of each recording, (length,), or of its spectrogram, (n_mels, frames)."""
        return [row["x"] for row in found]

    @property
    def row_size(self) -> int:
        return self.mean_length

    def to_state(self) -> dict[str, Any]:
        return {"mean_length": self.mean_length}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> AudioInputs:
        check_names("sounds", state, {"mean_length"})
        return cls(_mean_length_of(state))

    def probe_rows(self, random: np.random.RandomState) -> list[np.ndarray]:
        return [random.normal(0, 0.1, n).astype(np.float32) for n in (3000, 800, 1)]


class SpectrogramRows(AudioRows):
    """The same for spectrograms made by `log_mel`."""

    def __init__(self, recordings: np.ndarray, log_mel: LogMel) -> None:
        super().__init__(recordings)
        self.log_mel = log_mel

    def take(self, rows: np.ndarray) -> SpectrogramRows:
        return SpectrogramRows(self.recordings[rows], self.log_mel)

    def learn(
        self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False
    ) -> SpectrogramInputs:
        return SpectrogramInputs(self.mean_length(rows), self.log_mel)


class SpectrogramInputs(AudioInputs):
    """Log-mel spectrograms (n_mels, frames) of recordings whose level plays no part, and their numbers of frames.

    They are made once: for recordings of ten seconds that takes as long as an epoch of `AudioNet`, and the spectrograms
    take a tenth of the memory of the waveforms.
    """

    kind = "spectrogram"
    options = ("sampling_rate", "n_mels", "window_ms", "hop_ms")

    def __init__(self, mean_length: int, log_mel: LogMel) -> None:
        super().__init__(mean_length)
        self.log_mel = log_mel
        self.row_shape = self.given_shape = (log_mel.n_mels,)

    @classmethod
    def read_first(cls, X: Any, sampling_rate: Any = None, **options: Any) -> SpectrogramRows:
        log_mel = LogMel(sampling_rate, **options, normalize=True)
        return SpectrogramRows(AudioRows.read(X).recordings, log_mel)

    def encode_rows(self, raw: AudioRows, rows: np.ndarray | None = None) -> Ragged:
        """Spectrograms, with their numbers of frames."""
        chosen = raw.recordings if rows is None else raw.recordings[rows]
        with torch.no_grad():  # one by one, so that a spectrogram does not depend on the others of its batch
            return Ragged.of([self.log_mel(torch.from_numpy(_waveform(x))[None])[0][0].numpy() for x in chosen])

    def absent(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """A sound that is as loud in all bands and frames as the recording is in the median of them.

        On recordings with a tone amid noise, the frames of the tone had more of the attributions than with the mean or
        with silence in its place.
        """
        x, lengths = tensors["x"], tensors["lengths"]
        exists = torch.arange(x.shape[2], dtype=torch.int64, device=x.device) < lengths[:, None, None]
        median = x.masked_fill(~exists, torch.nan).flatten(1).nanmedian(dim=1).values
        return {**tensors, "x": (median[:, None, None] * exists).expand_as(x)}

    @property
    def row_size(self) -> int:
        return self.log_mel.n_mels * (self.mean_length // self.log_mel.hop + 1)

    def to_state(self) -> dict[str, Any]:
        layer = self.log_mel
        return {
            **super().to_state(),
            "sampling_rate": layer.sampling_rate, "n_mels": layer.n_mels,
            "window_ms": layer.window_ms, "hop_ms": layer.hop_ms,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SpectrogramInputs:
        check_names("sounds", state, {"mean_length", *cls.options})
        try:
            log_mel = LogMel(**{name: state[name] for name in cls.options}, normalize=True)
        except (TypeError, ValueError) as error:
            raise DamagedFileError(f"sounds: the spectrogram cannot be made: {error}") from error
        return cls(_mean_length_of(state), log_mel)


def _mean_length_of(state: dict[str, Any]) -> int:
    return stored_int("sounds", state, "mean_length", 1, 2**40)


def as_recordings(X: Any) -> np.ndarray:
    """X as an object array (n_samples,) of 1-d arrays of numbers, in the dtypes in which they were given."""
    if is_frame(X):
        raise TypeError(f"X is a table of shape {X.shape}, expected {_WHAT}: pass X.to_numpy() if each row is one.")
    recordings = as_rows(X, _WHAT).copy()  # the list of the caller's is not changed
    for i, values in enumerate(recordings):
        recordings[i] = _recording(values, f"X[{i}]")
    return recordings


def _recording(values: Any, name: str) -> np.ndarray:
    """A recording as a 1-d array of numbers."""
    if isinstance(values, str | bytes | os.PathLike):
        raise TypeError(
            f"{name} is {shown(values)}, expected a 1-d array of numbers. Load files of sound first, as by "
            "scipy.io.wavfile.read(path)[1]."
        )
    if isinstance(values, tuple) and len(values) == 2 and np.ndim(values[1]) > 0:
        raise TypeError(
            f"{name} is a pair, such as (sampling rate, samples), expected the samples alone: pass "
            "[samples for rate, samples in X], and the rate as module_params={'sampling_rate': rate}."
        )
    with refused_as(name, "a recording: a 1-d array of numbers"):
        array = np.asarray(without_tensor(values, name))
    if array.ndim == 0:
        raise ValueError(
            f"{name} is {shown(values)}, expected a recording: a 1-d array of numbers. If X is one recording, pass [X]."
        )
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} is an array of dtype {array.dtype}, expected a recording as integers or floats.")
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)  # one channel
    if array.ndim != 1:
        raise ValueError(
            f"{name} has the shape {array.shape}, expected a recording of one channel (samples,). Take the mean of the "
            f"channels first, as by [x.mean(axis={int(np.argmin(array.shape))}) for x in X]."
        )
    if not len(array):
        raise ValueError(f"{name} has no samples, expected at least one; leave out empty recordings.")
    return array


def _waveform(values: np.ndarray) -> np.ndarray:
    """A recording as float32 between -1 and 1: integers by the range of their dtype, what is louder by its peak."""
    if values.dtype.name in _SCALES:
        zero, full = _SCALES[values.dtype.name]
        return (values.astype(np.float32) - np.float32(zero)) / np.float32(full)
    peak = max(float(values.max()), -float(values.min()))
    # What float32 cannot hold is brought into range before it is cast.
    return (values / peak if peak > 1 else values).astype(np.float32)
