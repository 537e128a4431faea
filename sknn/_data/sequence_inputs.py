"""Sequences as a network receives them: their steps, or features that are learned once in fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch

from ..exceptions import DamagedFileError
from ..modules import SequenceNet, SequenceTransformer
from .inputs import Inputs
from .sequence_features import SequenceFeatures
from .sequences import SequenceRows, SequenceScale, as_sequences, check_orientation, read_sequences
from .stored import check_names, stored_int
from .stores import Dense, Ragged, Store

__all__ = ["ConvolutionInputs", "SequenceInputs"]

_ROWS_AT_ONCE, _STEPS_AT_ONCE = 10_000, 2**18  # of rows that are scaled together, in float64


class _SequenceInputs(Inputs):
    """What both kinds of sequences share: the number of channels, and the length if all training rows have one."""

    content = "sequence"
    what = "sequences"
    n_channels: int
    length: int | None

    @classmethod
    def prepare(cls, X: Any) -> np.ndarray:
        return as_sequences(X)

    def read(self, X: np.ndarray) -> SequenceRows:
        rows = read_sequences(X, _no_second_fit)
        if rows.n_channels != self.n_channels:
            raise ValueError(f"X: expected sequences of {self.n_channels} channels as in fit, got {rows.n_channels}.")
        if self.length is not None and (rows.lengths != self.length).any():
            other = int(rows.lengths[rows.lengths != self.length][0])
            raise ValueError(
                f"X: expected sequences of length {self.length} as in fit, where all had this length, got {other}. Fit "
                "on sequences of several lengths to predict any."
            )
        return rows

    def contributions(self, X: np.ndarray, found: list[dict[str, np.ndarray]]) -> Any:
        """Arrays (n_channels, length), stacked where X is an array."""
        maps = [row["x"] for row in found]
        return maps if X.dtype == object else np.stack(maps)


class SequenceInputs(_SequenceInputs):
    """Steps, scaled channel by channel, gaps filled."""

    kind = "sequence"
    default_module = SequenceTransformer
    n_inputs = 2

    def __init__(self, scale: SequenceScale, length: int | None) -> None:
        self.scale, self.length = scale, length
        self.n_channels = len(scale.center)
        self.row_shape = self.given_shape = (self.n_channels,)

    @classmethod
    def read_first(cls, X: np.ndarray) -> SequenceRows:
        return _first_rows(X, lambda rows: cls(SequenceScale.learn(rows), rows.length))

    def encode_rows(self, raw: SequenceRows, rows: np.ndarray | None = None) -> Ragged:
        """Steps float32 (n_rows, n_channels, length)."""
        raw = raw if rows is None else raw.take(rows)
        starts = np.cumsum(raw.lengths) - raw.lengths
        values = np.empty((int(raw.lengths.sum()), self.n_channels), np.float32)
        for positions, x in raw.by_length(_ROWS_AT_ONCE, _STEPS_AT_ONCE):
            scaled = self.scale.scaled(self.scale.filled(x))
            values[starts[positions, None] + np.arange(x.shape[2])] = scaled.transpose(0, 2, 1)
        return Ragged(*map(torch.from_numpy, (values, starts, raw.lengths)))

    def to_state(self) -> dict[str, Any]:
        return {**self.scale.to_state(), "length": self.length}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SequenceInputs:
        check_names("sequences", state, {*SequenceScale.NAMES, "length"})
        return cls(SequenceScale.from_state(state), _length(state))

    def probe_rows(self, random: np.random.RandomState) -> np.ndarray:
        return self.scale.probe_rows(random, self.length)


class ConvolutionInputs(_SequenceInputs):
    """Features of random convolutions and statistics, as `SequenceFeatures` describes them."""

    kind = "convolutions"
    default_module = SequenceNet
    options: ClassVar[tuple[str, ...]] = ("n_kernels", "n_components")

    def __init__(self, features: SequenceFeatures, length: int | None) -> None:
        self.features, self.length = features, length
        self.n_channels = len(features.scale.center)
        self.row_shape = self.given_shape = (features.width,)

    @classmethod
    def read_first(cls, X: np.ndarray, n_kernels: int = 10_000, n_components: int = 256) -> SequenceRows:
        return _first_rows(X, lambda rows: cls(SequenceFeatures.learn(rows, n_kernels, n_components), rows.length))

    def encode_rows(self, raw: SequenceRows, rows: np.ndarray | None = None) -> Store:
        """Features float32 (n_rows, width)."""
        return Dense(self.features.encoded(raw if rows is None else raw.take(rows)))

    def to_state(self) -> dict[str, Any]:
        return {**self.features.to_state(), "length": self.length}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ConvolutionInputs:
        check_names("sequences", state, {*SequenceFeatures.NAMES, "length"})
        length = _length(state)
        features = SequenceFeatures.from_state(state)
        if features.n_values and length is None:
            raise DamagedFileError("sequences: their values are features, but they have no common length.")
        if features.n_values not in (0, (length or 0) * len(features.scale.center)):
            raise DamagedFileError("sequences: the number of values does not belong to channels and length.")
        return cls(features, length)

    def probe_rows(self, random: np.random.RandomState) -> np.ndarray:
        return self.features.scale.probe_rows(random, self.length)


def _first_rows(X: np.ndarray, learn: Callable[[SequenceRows], Inputs]) -> SequenceRows:
    rows = read_sequences(X, learn)
    check_orientation(rows, X.dtype == object)
    return rows


def _no_second_fit(rows: SequenceRows) -> Inputs:
    raise AssertionError("rows that were read for a fitted kind are not learned from")


def _length(state: dict[str, Any]) -> int | None:
    return None if state["length"] is None else stored_int("sequences", state, "length", 1, 10_000_000)
