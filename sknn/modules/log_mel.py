"""Log-mel spectrograms of recordings."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ._checks import check_positive, check_size

__all__ = ["LogMel", "check_sampling_rate", "mel_filters"]

_MOST_SAMPLES = 2**16  # of a window or hop
_MOST_BANDS = 512
_FLOOR = 1e-10  # power that is as good as none, as in librosa's power_to_db
# Slaney's scale is linear up to 1 kHz, and logarithmic above: 27 steps are a factor of 6.4.
_HZ_PER_MEL = 200 / 3
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = math.log(6.4) / 27


def check_sampling_rate(value: Any) -> float:
    """Samples per second as a float, or an error that says how to give them."""
    how = 'say how many samples per second the recordings have, as by module_params={"sampling_rate": 16000}.'
    if value is None:
        raise ValueError(f"sampling_rate is missing: {how}")
    rate = check_positive("sampling_rate", value)
    if not 100 <= rate <= 1e7:
        raise ValueError(f"sampling_rate={value!r} is out of range; expected 100 to 10,000,000 Hz: {how}")
    return rate


class LogMel(nn.Module):
    """Log-mel spectrogram: the power in bands of frequency that are equally wide to the ear, in decibels, over time.

    The values are those of ``librosa.power_to_db(librosa.feature.melspectrogram(...), ref=1.0)``, frames centred and
    zeros beyond both ends, with Slaney's mel scale and filters of equal area.

    Parameters
    ----------
    sampling_rate : float
        Samples per second, 100 to 10,000,000.
    n_mels : int, default=40
        Number of bands from 0 Hz to half the sampling rate, 1 to 512.
    window_ms : float, default=25.0
        Length of a Hann window in milliseconds, > 0, at most 65,536 samples; at least 16 are used.
    hop_ms : float, default=10.0
        Milliseconds from one frame to the next, > 0, at most 65,536 samples; at least one is used.
    top_db : float, default=80.0
        Values more than this below the largest of their recording are raised to it, in decibels, > 0.
    normalize : bool, default=False
        Whether each recording is divided by its largest absolute value first, so that its level plays no part.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - ``x``: ``(batch, samples)``, float32, zeros beyond the end of each recording.
    - ``lengths``: ``(batch,)``, int64, samples of each recording; to be left out if all are as long as ``x``.
    - Output: the spectrogram ``(batch, n_mels, frames)``, float32, zeros beyond the last frame of each recording, and
      the number of frames of each, int64 ``(batch,)``: one for each complete hop, and one more.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import LogMel
    >>> time = torch.arange(8000) / 8000
    >>> spectrogram, n_frames = LogMel(8000)(torch.sin(2 * torch.pi * 440 * time)[None])
    >>> spectrogram.shape, n_frames
    (torch.Size([1, 40, 101]), tensor([101]))
    >>> spectrogram[0, :, 50].argmax()  # the band around 440 Hz
    tensor(7)
    """

    window: Tensor
    filters: Tensor

    def __init__(
        self,
        sampling_rate: float,
        n_mels: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        top_db: float = 80.0,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        self.sampling_rate = check_sampling_rate(sampling_rate)
        self.n_mels = check_size("n_mels", n_mels)
        if self.n_mels > _MOST_BANDS:
            raise ValueError(f"n_mels={n_mels} is out of range; expected at most {_MOST_BANDS} bands.")
        self.window_ms, self.hop_ms = check_positive("window_ms", window_ms), check_positive("hop_ms", hop_ms)
        self.window_size = max(16, _samples("window_ms", self.window_ms, self.sampling_rate))
        self.hop = max(1, _samples("hop_ms", self.hop_ms, self.sampling_rate))
        self.n_fft = _fast_size(self.window_size)
        self.top_db = check_positive("top_db", top_db)
        self.normalize = bool(normalize)
        # Both follow from the parameters: a file need not hold them.
        self.register_buffer("window", torch.hann_window(self.window_size, dtype=torch.float32), persistent=False)
        self.register_buffer("filters", mel_filters(self.sampling_rate, self.n_fft, self.n_mels), persistent=False)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Spectrograms of a batch of recordings, and their numbers of frames."""
        if x.ndim != 2:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (batch, samples).")
        if lengths is None:
            lengths = torch.full((len(x),), x.shape[1], dtype=torch.int64, device=x.device)
        if self.normalize:
            peak = x.abs().amax(dim=1, keepdim=True)
            x = x / torch.where(peak > 0, peak, 1.0)
        spectrum = torch.stft(
            x, self.n_fft, self.hop, self.window_size, self.window, center=True, pad_mode="constant",
            return_complex=True,
        )  # fmt: skip
        power = torch.view_as_real(spectrum).square().sum(-1)  # (batch, bins, frames)
        decibels = 10 * torch.log10((self.filters @ power).clamp(min=_FLOOR))
        n_frames = lengths // self.hop + 1
        beyond = torch.arange(decibels.shape[2], dtype=torch.int64, device=x.device) >= n_frames[:, None, None]
        top = decibels.masked_fill(beyond, -torch.inf).amax(dim=(1, 2), keepdim=True)
        return torch.maximum(decibels, top - self.top_db).masked_fill(beyond, 0.0), n_frames

    def extra_repr(self) -> str:
        """Parameters, for printing."""
        return f"{self.sampling_rate:g} Hz, n_mels={self.n_mels}, window={self.window_size}, hop={self.hop}"


def _samples(name: str, milliseconds: float, sampling_rate: float) -> int:
    n = round(milliseconds / 1000 * sampling_rate)
    if n > _MOST_SAMPLES:
        raise ValueError(
            f"{name}={milliseconds:g} is out of range; expected at most {_MOST_SAMPLES:,} samples, not {n:,}."
        )
    return n


def mel_filters(sampling_rate: float, n_fft: int, n_mels: int) -> Tensor:
    """Triangles over the bins of a Fourier transform, of equal area; float32 (n_mels, n_fft // 2 + 1).

    A band that is narrower than the distance of two bins takes from the nearest bin, so that no band is empty.
    """
    bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * (sampling_rate / n_fft)
    top = _mel(torch.tensor(sampling_rate / 2, dtype=torch.float64))
    edges = _hertz(torch.linspace(0, 1, n_mels + 2, dtype=torch.float64) * top)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = torch.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)).clamp(min=0)
    is_empty = triangles.sum(dim=1, keepdim=True) == 0
    is_nearest = torch.arange(len(bins), dtype=torch.int64) == (bins - centre).abs().argmin(dim=1, keepdim=True)
    triangles = torch.where(is_empty & is_nearest, 1.0, triangles)
    return (triangles * 2 / (high - low)).float()


def _fast_size(n: int) -> int:
    """The least even number from `n` on of which a Fourier transform is fast: its factors are 2, 3 and 5."""
    size = n + n % 2
    while 30**16 % size:  # every such number below 2**16 divides this
        size += 2
    return size


def _mel(hertz: Tensor) -> Tensor:
    above = _BREAK_MEL + torch.log(hertz.clamp(min=_BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return torch.where(hertz < _BREAK_HZ, hertz / _HZ_PER_MEL, above)


def _hertz(mel: Tensor) -> Tensor:
    above = _BREAK_HZ * torch.exp(_LOG_STEP * (mel - _BREAK_MEL).clamp(min=0))
    return torch.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, above)
