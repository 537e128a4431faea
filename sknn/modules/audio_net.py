"""A residual network over log-mel spectrograms."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._checks import check_fraction, check_size
from ._recipe import Recipe
from .log_mel import LogMel, check_sampling_rate
from .spec_augment import SpecAugment

__all__ = ["AudioNet"]

_DB_PER_UNIT = 20.0  # about the deviation of a spectrogram in decibels, so that the network gets numbers around 1


class AudioNet(nn.Module):
    """Recordings of sound: log-mel spectrogram, a lean residual network, the mean over time, one linear layer.

    The level of a recording plays no part, nor does what stands beyond its end. During training the spectrograms are
    changed at random (:class:`SpecAugment`).

    Parameters
    ----------
    out_features : int
        Number of raw scores for each recording, >= 1.
    sampling_rate : float or None, default=None
        Samples per second of all recordings, 100 to 10,000,000. It has to be given.
    n_mels : int, default=40
        Number of bands of the spectrogram, 8 to 512.
    window_ms : float, default=25.0
        Length of the windows of the spectrogram in milliseconds, > 0.
    hop_ms : float, default=10.0
        Time from one window to the next in milliseconds, > 0.
    width : int, default=24
        Channels of the first layer, >= 1; each block has twice as many as what comes before.
    n_blocks : int, default=2
        Number of residual blocks, each of which halves time and frequency, >= 1.
    dropout : float, default=0.2
        Fraction of the features dropped before the last layer during training, in [0, 1).
    augment : bool, default=True
        Whether the spectrograms are changed at random during training.

    Attributes
    ----------
    log_mel : LogMel
        What makes spectrograms of recordings.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - ``x``: recordings ``(batch, samples)``, float32, or their spectrograms by ``log_mel``,
      ``(batch, n_mels, frames)``; zeros beyond the end of each.
    - ``lengths``: int64 ``(batch,)``, samples or frames of each recording; to be left out if all are as long as ``x``.
    - Output: ``(batch, out_features)``, raw scores before any softmax or other link.

    Notes
    -----
    The mean is taken over time only: in which band a sound is belongs to its meaning. With the mean over bands, too,
    0.77 instead of 0.83 of the digits of speakers that were not among the training rows were recognised.

    The estimators make the spectrograms once for each recording, not in every epoch.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import AudioNet
    >>> net = AudioNet(3, sampling_rate=8000)
    >>> net(torch.randn(2, 4000), torch.tensor([4000, 2500])).shape
    torch.Size([2, 3])
    """

    reads: ClassVar[str] = "spectrogram"
    recipe: ClassVar[Recipe] = Recipe(
        lr=0.004,
        weight_decay=0.05,
        label_smoothing=0.1,
        epochs=30,
        max_numbers=1.6e8,  # of spectrograms: 40 CPU seconds
        min_rows_to_split=None,
        largest_batch=32,
        n_networks_up_to=((1_000, 2),),
    )

    def __init__(
        self,
        out_features: int,
        sampling_rate: float | None = None,
        n_mels: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        width: int = 24,
        n_blocks: int = 2,
        dropout: float = 0.2,
        augment: bool = True,
    ) -> None:
        super().__init__()
        check_size("out_features", out_features)
        check_size("n_mels", n_mels, minimum=8)
        check_size("width", width)
        check_size("n_blocks", n_blocks)
        dropout = check_fraction("dropout", dropout)
        rate = check_sampling_rate(sampling_rate)
        self.log_mel = LogMel(rate, n_mels, window_ms, hop_ms, normalize=True)
        self.augment = SpecAugment() if augment else None
        widths = [width * 2**i for i in range(n_blocks + 1)]
        self.stem = _Convolution(1, width, stride=2)
        self.blocks = nn.ModuleList(_Block(before, after, stride=2) for before, after in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        n_bands = math.ceil(n_mels / 2 ** len(widths))
        self.out = nn.Linear(widths[-1] * n_bands, out_features)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Raw scores of a batch of recordings, or of their spectrograms."""
        if x.ndim == 2:
            x, lengths = self.log_mel(x, lengths)
        n_frames = lengths if lengths is not None else torch.full((len(x),), x.shape[2], device=x.device)
        x = _without_level(x, n_frames)
        if self.augment is not None:
            x, n_frames = self.augment(x, n_frames)
        mask = _mask(x, n_frames)[:, None]  # (batch, 1, 1, frames)
        x = x[:, None].contiguous(memory_format=torch.channels_last)
        x, mask = self.stem(x, mask)
        x = functional.relu(x)
        for block in self.blocks:
            x, mask = block(x, mask)
        features = x.sum(dim=3) / mask.sum(dim=3).clamp(min=1)  # (batch, channels, bands)
        return self.out(self.dropout(features.flatten(1)))


def _mask(x: Tensor, lengths: Tensor) -> Tensor:
    """1 for the frames of each row and 0 beyond, (batch, 1, frames)."""
    return (torch.arange(x.shape[-1], device=x.device) < lengths[:, None]).to(x.dtype)[:, None]


def _without_level(x: Tensor, lengths: Tensor) -> Tensor:
    """Spectrograms whose mean over all bands and frames is 0."""
    mask = _mask(x, lengths)
    mean = x.sum(dim=(1, 2)) / (lengths.clamp(min=1) * x.shape[1])
    return (x - mean[:, None, None]) * mask / _DB_PER_UNIT


class _Convolution(nn.Module):
    """Convolution of 3 x 3 and norm, with zeros beyond the end of each row, so that padding plays no part."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.convolution = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        mask = mask[..., :: self.stride]
        return self.norm(self.convolution(x)) * mask, mask


class _Block(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.first = _Convolution(in_channels, out_channels, stride)
        self.second = _Convolution(out_channels, out_channels, stride=1)
        same = in_channels == out_channels and stride == 1
        self.short_cut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        h, mask = self.first(x, mask)
        h, mask = self.second(functional.relu(h), mask)
        return functional.relu(h + self.short_cut(x)), mask
