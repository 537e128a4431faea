"""A residual network over log-mel spectrograms."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._checks import check_fraction, check_size
from ._recipe import Recipe
from .activations import initialize_linear_
from .conv_net import ResidualBlock, Stem, multiplications_of
from .log_mel import LogMel, check_sampling_rate
from .spec_augment import SpecAugment

__all__ = ["AudioNet"]

_USUAL_FRAMES = 100  # of a second of sound, by which the number of threads is chosen
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
    augmentation : "auto", callable or None, default="auto"
        How spectrograms are changed during training. "auto": by :class:`SpecAugment`. A callable is given the
        spectrograms of a batch in about the range -4 to 4, ``(batch, n_mels, frames)``, and their numbers of frames,
        and returns such two.

    Attributes
    ----------
    log_mel : LogMel
        What makes spectrograms of recordings.
    multiplications : int
        Of a forward pass of a second of sound, about; the estimators choose the number of threads by it.

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
        augmentation: str | Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = "auto",
    ) -> None:
        super().__init__()
        check_size("out_features", out_features)
        check_size("n_mels", n_mels, minimum=8)
        check_size("width", width)
        check_size("n_blocks", n_blocks)
        dropout = check_fraction("dropout", dropout)
        if not (augmentation is None or callable(augmentation) or augmentation == "auto"):
            raise ValueError(
                f"augmentation={augmentation!r} is unknown; expected 'auto', None, or a callable on tensors."
            )
        rate = check_sampling_rate(sampling_rate)
        self.log_mel = LogMel(rate, n_mels, window_ms, hop_ms, normalize=True)
        self.augmentation = SpecAugment() if augmentation == "auto" else augmentation
        widths = [width * 2**i for i in range(n_blocks + 1)]
        self.stem = Stem(1, width, n_halvings=1)
        self.blocks = nn.ModuleList(_MaskedBlock(*sizes) for sizes in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        n_bands = math.ceil(n_mels / 2 ** len(widths))
        self.head = initialize_linear_(nn.Linear(widths[-1] * n_bands, out_features), None)
        self.multiplications = multiplications_of(self, n_mels, _USUAL_FRAMES)
        self.to(memory_format=torch.channels_last)  # of the features  # pyright: ignore[reportCallIssue]

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Raw scores of a batch of recordings, or of their spectrograms."""
        if x.ndim == 2:
            x, lengths = self.log_mel(x, lengths)
        n_frames = (
            lengths if lengths is not None else torch.full((len(x),), x.shape[2], dtype=torch.int64, device=x.device)
        )
        x = _without_level(x, n_frames)
        if self.training and self.augmentation is not None:
            x, n_frames = self.augmentation(x, n_frames)
        mask = _mask(x, n_frames)[:, None]  # (batch, 1, 1, frames)
        mask, x = mask[..., ::2], self.stem(x[:, None]) * mask[..., ::2]
        for block in self.blocks:
            x, mask = block(x, mask)
        features = x.sum(dim=3) / mask.sum(dim=3).clamp(min=1)  # (batch, channels, bands)
        return self.head(self.dropout(features.flatten(1)))


def _mask(x: Tensor, lengths: Tensor) -> Tensor:
    """1 for the frames of each row and 0 beyond, (batch, 1, frames)."""
    return (torch.arange(x.shape[-1], dtype=torch.int64, device=x.device) < lengths[:, None]).to(x.dtype)[:, None]


def _without_level(x: Tensor, lengths: Tensor) -> Tensor:
    """Spectrograms whose mean over all bands and frames is 0."""
    mask = _mask(x, lengths)
    mean = x.sum(dim=(1, 2)) / (lengths.clamp(min=1) * x.shape[1])
    return (x - mean[:, None, None]) * mask / _DB_PER_UNIT


class _MaskedBlock(nn.Module):
    """A residual block that halves time, in which nothing beyond the end of a row reaches what is before it."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block = ResidualBlock(in_channels, out_channels, stride=2)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Features and mask, of half the length."""
        share = functional.avg_pool2d(mask, (1, 2), ceil_mode=True)  # how many of two frames exist
        mask = (share > 0).to(x.dtype)
        first, second = self.block.branch[:3], self.block.branch[3:]
        shortcut = self.block.shortcut(x) / share.clamp(min=0.5)  # the mean of the frames that exist
        return functional.relu(shortcut + second(first(x) * mask)) * mask, mask
