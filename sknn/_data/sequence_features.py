"""Features of sequences, learned once: principal components of random convolutions, statistics and values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from .._threads import threads
from ..exceptions import DamagedFileError
from .random_convolutions import N_KERNELS, Convolutions, draw_convolutions, on_grid
from .sequences import SequenceRows, SequenceScale
from .stored import stored_array, stored_int
from .stores import whole_tiles

__all__ = ["SequenceFeatures"]

_ROWS_OF_THRESHOLDS = 32  # rows of which convolutions take their thresholds
_ROWS_OF_COMPONENTS = 1500  # rows of which the principal components are learned
# A few steps are described by statistics and values best, hundreds by convolutions.
_SHORT, _LEAST_SHARE = 25, 0.15
_MOST_VALUES = 512  # values of a sequence that are features themselves, if all are of one length
# Comparisons with thresholds, some seconds: steps of all rows x features.
_MOST_COMPARISONS = 1.5e10
_LEAST_FEATURES = 4 * N_KERNELS
_ROWS_AT_ONCE, _STEPS_AT_ONCE = (
    1000,
    12_000,
)  # of the rows whose convolutions are in memory together, so that they stay in the cache
_LARGEST = 6.0  # of a standardised feature
_LEAST_SPREAD = 1e-6  # of a feature; less is rounding
_LEAST_UNIT = 1e-300  # its inverse would overflow
_MOST = 1e100  # multiples of the scale; their sums do not overflow
_LEVELS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_N_STATISTICS = len(_LEVELS) + 7  # of a channel


class SequenceFeatures:
    """Sequences -> ``n_components`` numbers, from training rows.

    1. Each channel is taken twice: standardised within its row, since the form may matter and not the amplitude, and
       scaled by all training rows, ``asinh((x - center) / scale)``, since it may be the other way round.
    2. Random convolutions of both; statistics of each channel; the values, if all rows have one length and few of them.
    3. Each feature is standardised, and each of these blocks is given the same total variance; statistics and values of
       sequences of more than 25 steps are made smaller, in proportion to the length.
    4. Their principal components, of which the first has a standard deviation of 2. A ridge regression on them is one
       on all features. Behind them come the values of sequences of at most 25 steps, if all are of one length: axes
       along which a network can cut.
    """

    NAMES: ClassVar[tuple[str, ...]] = (
        *SequenceScale.NAMES,
        "convolutions",
        "n_values",
        "most_components",
        "mean",
        "limit",
        "directions",
    )

    def __init__(
        self,
        scale: SequenceScale,
        convolutions: Sequence[list[Convolutions]],  # of the rows' own scale, and of that of all
        n_values: int,  # of a row that are features, 0 or n_channels * length
        most_components: int,
    ) -> None:
        self.scale, self.convolutions, self.n_values = scale, convolutions, n_values
        self.most_components = most_components
        # Of each feature: mean, largest distance from it that counts, weight in each component.
        self.mean, self.limit = np.zeros(self.n_features, np.float32), np.zeros(self.n_features, np.float32)
        self.directions = np.zeros((self.n_features, 0), np.float32)

    @property
    def block_sizes(self) -> list[int]:
        """Number of features of each block."""
        n_statistics = len(self.scale.center) * _N_STATISTICS + 1
        return [*(sum(c.n_features for c in block) for block in self.convolutions), n_statistics, self.n_values]

    @property
    def n_features(self) -> int:
        """Number of features, of which the principal components are made."""
        return sum(self.block_sizes)

    @property
    def n_components(self) -> int:
        """Number of principal components."""
        return self.directions.shape[1]

    @property
    def n_columns(self) -> int:
        """Number of values that follow the components: of a row, if it is short."""
        return self.n_values if self.n_values <= _SHORT * len(self.scale.center) else 0

    @property
    def width(self) -> int:
        """Numbers of an encoded row: before values, components are as many as there may be, zeros if there are less."""
        return self.most_components + self.n_columns if self.n_columns else self.n_components

    @classmethod
    def learn(cls, rows: SequenceRows, n_kernels: int, n_components: int) -> SequenceFeatures:
        """From training rows: about `n_kernels` features of convolutions, fewer where there are many steps."""
        scale = SequenceScale.learn(rows)
        n_values = rows.n_channels * (rows.length or 0)
        random = np.random.RandomState(0)  # the same features for the same rows, whatever the seed of the network
        some = rows.take(np.sort(random.permutation(len(rows))[:_ROWS_OF_THRESHOLDS]))
        planes = [_planes(scale, scale.filled(x)) for _, x in some.by_length(1)]
        n_affordable = max(_LEAST_FEATURES, _MOST_COMPARISONS / int(rows.lengths.sum()))
        n_features, length = int(min(n_kernels, n_affordable)) // 2, int(np.median(rows.lengths))
        drawn = [
            draw_convolutions([plane[0] for plane in of_rows], length, n_features, random)
            for of_rows in zip(*planes, strict=True)
        ]
        learned = cls(scale, drawn, n_values if n_values <= _MOST_VALUES else 0, n_components)
        few = np.unique(np.linspace(0, len(rows) - 1, _ROWS_OF_COMPONENTS).astype(np.int64))
        with threads(1):  # sums that threads share are rounded in another order
            learned._learn_components(learned._features(rows.take(few)), length)
        return learned

    def encoded(self, rows: SequenceRows) -> Tensor:
        """Sequences as numbers, float32 (n, width)."""
        result = torch.zeros(len(rows), self.width, dtype=torch.float32)
        directions = torch.from_numpy(self.directions)
        for positions, x in rows.by_length(_ROWS_AT_ONCE, _STEPS_AT_ONCE):
            features = torch.from_numpy(self._features_of(x))
            part = result[torch.from_numpy(positions)]
            part[:, self.width - self.n_columns :] = features[:, self.n_features - self.n_columns :]
            with threads(1):
                components = torch.mm(whole_tiles(self._limited(features)), directions)
            part[:, : self.n_components] = components[: len(part)]
            result[torch.from_numpy(positions)] = part
        return result

    # ------------------------------------------------------------------ features

    def _features(self, rows: SequenceRows) -> np.ndarray:
        features = np.empty((len(rows), self.n_features), np.float32)
        for positions, x in rows.by_length(_ROWS_AT_ONCE, _STEPS_AT_ONCE):
            features[positions] = self._features_of(x)
        return features

    def _features_of(self, x: np.ndarray) -> np.ndarray:
        """All features, float32 (n, n_features), of sequences (n, n_channels, length), NaN for gaps."""
        filled = self.scale.filled(x)
        blocks = [
            c.features(plane).numpy()
            for plane, block in zip(_planes(self.scale, filled), self.convolutions, strict=True)
            for c in block
        ]
        blocks.append(self._statistics(filled, np.isnan(x)))
        if self.n_values:
            blocks.append(self.scale.scaled(filled).reshape(len(x), -1))
        return np.concatenate(blocks, axis=1, dtype=np.float32)

    def _statistics(self, x: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Statistics of each channel and the length, (n, 14 * n_channels + 1)."""
        length, unit = x.shape[2], self.scale.scale
        mean, spread = _mean_and_spread(x)
        ordered = np.sort(x, axis=2)
        levels = [ordered[..., round(level * (length - 1))] for level in _LEVELS]
        time = np.linspace(-1, 1, length) if length > 1 else np.zeros(1)
        with np.errstate(over="ignore"):
            relative = np.clip((x - mean[..., None]) / unit[..., None], -_MOST, _MOST)
            spread = np.minimum(spread / unit, _MOST)
        slope = np.einsum("nct,t->nc", relative, time) / max(1.0, (time**2).sum())
        change = np.abs(np.diff(relative, axis=2)).mean(axis=2) if length > 1 else np.zeros_like(mean)
        values = self.scale.scaled(np.stack([*levels, mean, x[..., 0], x[..., -1]], axis=2))
        sizes = np.log(np.stack([spread, change], axis=2) + 1e-6)
        others = np.stack([np.arcsinh(slope), missing.mean(axis=2)], axis=2)
        of_channels = np.concatenate([values, sizes, others], axis=2).reshape(len(x), -1)
        return np.concatenate([of_channels, np.full((len(x), 1), np.log(length))], axis=1)

    # ------------------------------------------------------------------ principal components

    def _learn_components(self, features: np.ndarray, length: int) -> None:
        """Of features (n, n_features) of training rows, overwritten; `length` is that of most sequences."""
        x = torch.from_numpy(features)
        spread, mean = torch.std_mean(x, 0, correction=0)
        spread = torch.where(spread > _LEAST_SPREAD, spread, 0.0)
        self.mean, self.limit = mean.numpy(), (_LARGEST * spread).numpy()
        weight = torch.where(spread > 0, 1 / spread, 0.0)
        share = min(1.0, max(_LEAST_SHARE, _SHORT / length))
        for block, factor in zip(weight.split(self.block_sizes), (1.0, 1.0, share, share), strict=True):
            block.mul_(factor / max(1.0, math.sqrt(int((block > 0).sum()))))
        x = self._limited(x).mul_(weight)
        is_wide = len(x) < x.shape[1]
        power, vectors = torch.linalg.eigh((torch.mm(x, x.t()) if is_wide else torch.mm(x.t(), x)).double())
        kept = torch.nonzero(power > 1e-6 * power[-1]).flatten().flip(0)[: self.most_components]
        if not len(kept):  # nothing varies: any direction will do
            kept = torch.tensor([len(power) - 1], dtype=torch.int64)
        power, vectors = power[kept].clamp(min=1e-12), vectors[:, kept]
        directions = torch.mm(x.t(), (vectors / power.sqrt()).float()) if is_wide else vectors.float()
        unit = 2 / math.sqrt(float(power[0]) / len(x))
        self.directions = (weight[:, None] * directions * unit).numpy()

    def _limited(self, features: Tensor) -> Tensor:
        """Centred features within six standard deviations, in place."""
        limit = torch.from_numpy(self.limit)
        features.sub_(torch.from_numpy(self.mean))
        return torch.minimum(torch.maximum(features, -limit, out=features), limit, out=features)

    # ------------------------------------------------------------------ files

    def to_state(self) -> dict[str, Any]:
        """For a file."""
        return {
            **self.scale.to_state(),
            "convolutions": [[convolutions.to_state() for convolutions in block] for block in self.convolutions],
            "n_values": self.n_values,
            "most_components": self.most_components,
            "mean": self.mean,
            "limit": self.limit,
            "directions": self.directions,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SequenceFeatures:
        """From a file that may be damaged."""
        scale, blocks = SequenceScale.from_state(state), state["convolutions"]
        if not (isinstance(blocks, list) and len(blocks) == 2 and all(isinstance(block, list) for block in blocks)):
            raise DamagedFileError("sequences: expected two lists of convolutions.")
        n_values = stored_int("sequences", state, "n_values", 0, _MOST_VALUES)
        most_components = stored_int("sequences", state, "most_components", 1, 100_000)
        n_channels = len(scale.center)
        drawn = [[Convolutions.from_state(convolutions, n_channels) for convolutions in block] for block in blocks]
        features = cls(scale, drawn, n_values, most_components)
        n = features.n_features
        for name, shape in (("mean", (n,)), ("limit", (n,)), ("directions", (n, None))):
            setattr(features, name, stored_array("sequences", state, name, np.float32, shape))
        if not all(np.isfinite(values).all() for values in (features.mean, features.limit, features.directions)):
            raise DamagedFileError("sequences: mean, limit and directions of the features must be finite.")
        if (features.limit < 0).any() or not 1 <= features.n_components <= most_components:
            raise DamagedFileError("sequences: a limit is negative, or there are no components, or too many.")
        return features


def _planes(scale: SequenceScale, x: np.ndarray) -> tuple[Tensor, Tensor]:
    """What convolutions read, on their grid: sequences on their own scale, and on that of the training rows."""
    mean, spread = _mean_and_spread(x)
    with np.errstate(over="ignore"):  # the grid ends long before
        own = (x - mean[..., None]) / np.where(spread > 0, spread, np.inf)[..., None]
    return on_grid(own), on_grid(scale.scaled(x))


def _mean_and_spread(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each channel of sequences (n, n_channels, length); a spread of rounding errors is 0."""
    unit = np.abs(x).max(axis=2)  # squares would overflow, or vanish
    unit[unit < _LEAST_UNIT] = 1.0
    x = x / unit[..., None]
    mean, spread = x.mean(axis=2), x.std(axis=2)
    return mean * unit, np.where(spread > 1e-6 * np.abs(mean), spread, 0.0) * unit
