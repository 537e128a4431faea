"""Random convolutions of sequences: how often each exceeds a threshold, over all steps, and later against earlier.

After MiniRocket: A. Dempster, D. F. Schmidt, G. I. Webb, MiniRocket: A Very Fast (Almost) Deterministic Transform for
Time Series Classification, KDD 2021, arXiv:2012.08791. DEPARTURES: each channel of a kernel has weights of its own, so
that the order of two channels counts (a lag to either side: accuracy 0.52 -> 1.00); the second half of a sequence
against the first tells when something happens (the order of two events: 0.89 -> 1.00).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..exceptions import DamagedFileError
from .stored import check_names, stored_array, stored_int

__all__ = ["N_KERNELS", "Convolutions", "draw_convolutions", "n_thresholds", "on_grid"]

_LENGTH = 9
# All ways to place three weights of 2 among nine, the others -1, so that a constant gives 0.
_KERNELS = np.full((84, _LENGTH), -1.0, np.float32)
for _kernel, _places in zip(_KERNELS, itertools.combinations(range(_LENGTH), 3), strict=True):
    _kernel[list(_places)] = 2.0
N_KERNELS = len(_KERNELS)
_MOST_CHANNELS = 8  # of one kernel
_MOST_DILATIONS = 8
# Numbers within 32 on a grid of 2^-12: the sum of 9 products with -1 and 2 of 8 channels is exact in float32, so that
# no order of summation, of threads or of rows changes a bit, and no count.
_LARGEST, _STEPS_PER_UNIT = 32.0, 4096.0


@dataclass(frozen=True)
class Convolutions:
    """84 convolutions of one dilation.

    `channels` int64 (n_used,): the channels that they read; `kernels` int64 (84, n_used): the row of `_KERNELS` for
    each of them, -1 for none; `thresholds` float32 (84, n_thresholds).
    """

    dilation: int
    channels: np.ndarray
    kernels: np.ndarray
    thresholds: np.ndarray

    @property
    def n_features(self) -> int:
        """Number of columns of `features`."""
        return 2 * self.thresholds.size

    def to_state(self) -> dict[str, Any]:
        """For a file."""
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: Any, n_channels: int) -> Convolutions:
        """From a file that may be damaged, for sequences of so many channels."""
        what = "convolutions"
        check_names(what, state, [field.name for field in fields(cls)])
        dilation = stored_int(what, state, "dilation", 1, 10_000_000)
        channels = stored_array(what, state, "channels", np.int64, (None,))
        kernels = stored_array(what, state, "kernels", np.int64, (N_KERNELS, len(channels)))
        thresholds = stored_array(what, state, "thresholds", np.float32, (N_KERNELS, None))
        if not 1 <= len(channels) <= _MOST_CHANNELS or not ((channels >= 0) & (channels < n_channels)).all():
            raise DamagedFileError(f"convolutions: channels must be some of {n_channels}.")
        if not ((kernels >= -1) & (kernels < N_KERNELS)).all():
            raise DamagedFileError("convolutions: a kernel does not exist.")
        if not thresholds.size or not np.isfinite(thresholds).all():
            raise DamagedFileError("convolutions: thresholds must be finite numbers for each kernel.")
        return cls(dilation, channels, kernels, thresholds)

    def outputs(self, x: Tensor) -> Tensor:
        """The convolutions of sequences on the grid (n, n_channels, length), float32 (n, 84, length).

        Beyond the ends there are zeros. Every second kernel is 0 there, if the sequence is long enough.
        """
        weights = torch.from_numpy(np.where(self.kernels[..., None] < 0, 0, _KERNELS[self.kernels]).reshape(84, -1))
        # A wider kernel reads nothing but zeros beside the middle, either: sequences may be shorter than those of fit.
        dilation = min(self.dilation, x.shape[2])
        reach = _LENGTH // 2 * dilation
        x = torch.nn.functional.pad(x[:, self.channels], (reach, reach))
        taps = x.unfold(2, 2 * reach + 1, 1)[..., ::dilation]  # (n, n_used, length, 9)
        return torch.matmul(weights, taps.transpose(2, 3).flatten(1, 2))

    def inside(self, length: int) -> slice:
        """Steps whose convolution does not reach beyond the ends; all if there are none."""
        reach = _LENGTH // 2 * self.dilation
        return slice(reach, length - reach) if length > 2 * reach else slice(0, length)

    def features(self, x: Tensor) -> Tensor:
        """Features (n, n_features) in [-1, 1] of sequences of one length on the grid (n, n_channels, length).

        For each threshold the share of the steps above it, and how much more of them are in the second half.
        """
        outputs = self.outputs(x)
        features = outputs.new_empty(len(x), N_KERNELS, self.thresholds.shape[1], 2)
        for first, steps in ((0, slice(0, x.shape[2])), (1, self.inside(x.shape[2]))):
            part = outputs[:, first::2, steps].contiguous()
            above, n_steps = torch.empty_like(part), part.shape[2]
            # Counts of 0 and 1, which are exact.
            late = torch.arange(n_steps, dtype=torch.int64) >= n_steps - n_steps // 2
            early = torch.arange(n_steps, dtype=torch.int64) < n_steps // 2
            counted = torch.stack([torch.ones(n_steps, dtype=torch.float32), late.float() - early.float()], dim=1)
            for i, thresholds in enumerate(torch.from_numpy(self.thresholds[first::2].T.copy())):
                torch.gt(part, thresholds[:, None], out=above)
                features[:, first::2, i] = torch.matmul(above, counted) / n_steps
        return features.flatten(1)


def on_grid(x: np.ndarray) -> Tensor:
    """Numbers as float32 of which sums of convolutions are exact."""
    return torch.from_numpy(
        (np.round(np.clip(x, -_LARGEST, _LARGEST) * _STEPS_PER_UNIT) / _STEPS_PER_UNIT).astype("f4")
    )


def n_thresholds(n_features: int, length: int) -> int:
    """Thresholds of each convolution of sequences of a length, so that there are about so many features in total."""
    return max(1, round(n_features / (2 * N_KERNELS * len(_dilations(length)))))


def draw_convolutions(
    rows: list[Tensor], length: int, n_features: int, random: np.random.RandomState
) -> list[Convolutions]:
    """Convolutions for sequences of about this length, about `n_features` in total.

    `rows` are some training rows (n_channels, length_i) on the grid. The thresholds of a convolution are quantiles of
    its outputs for them.
    """
    n_channels, number = rows[0].shape[0], n_thresholds(n_features, length)
    # Evenly spread, and other ones for each kernel.
    levels = (np.arange(1, N_KERNELS * number + 1) * (math.sqrt(5) + 1) / 2 % 1).reshape(N_KERNELS, number)
    drawn = []
    for dilation in _dilations(length):
        channels = np.sort(random.permutation(n_channels)[:_MOST_CHANNELS])
        kernels = np.full((N_KERNELS, len(channels)), -1)
        for i, kernel in enumerate(kernels):
            size = int(2 ** random.uniform(0, math.log2(len(channels) + 1)))
            kernel[random.permutation(len(channels))[:size]] = [i, *random.permutation(N_KERNELS)[: size - 1]]
        unfinished = Convolutions(dilation, channels, kernels, np.zeros((N_KERNELS, number), np.float32))
        outputs = [unfinished.outputs(row[None])[0] for row in rows]
        thresholds = np.empty((N_KERNELS, number), np.float32)
        for i in range(N_KERNELS):
            inside = [x[i, unfinished.inside(x.shape[1]) if i % 2 else slice(None)] for x in outputs]
            thresholds[i] = np.quantile(torch.cat(inside).numpy(), levels[i])
        drawn.append(Convolutions(dilation, channels, kernels, thresholds))
    return drawn


def _dilations(length: int) -> list[int]:
    """From 1 to an eighth of the length, evenly spaced on a logarithmic scale, each once."""
    widest = max(1.0, (length - 1) / (_LENGTH - 1))
    return [int(dilation) for dilation in np.unique(np.geomspace(1, widest, _MOST_DILATIONS).astype(np.int64))]
