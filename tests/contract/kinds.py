"""One tiny data set of each kind, with a tiny network: what `test_kinds` drives through the estimators.

A new kind is added here, and the whole contract holds for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from torch import Tensor, nn

from sknn.modules import AudioNet, SequenceTransformer, TabM, TextTransformer

__all__ = ["KINDS", "N_ROWS", "Kind", "rows_of"]

N_ROWS = 36
SMALL_TABM = {"n_members": 2, "n_blocks": 1, "width": 8, "n_bins": 4}
SMALL_SEQUENCE_NET = {"n_members": 2, "width": 8, "n_kernels": 84}


@dataclass(frozen=True)
class Kind:
    """X of `N_ROWS` rows and two classes y that can be learned from it.

    `params` are those of an estimator that learns in a moment, `searched` a parameter of the module with two values,
    `other` is data of another kind, `classes` are the user's own modules.
    """

    name: str
    X: Any
    other: Any
    params: dict[str, Any]
    searched: tuple[str, list[Any]]
    classes: list[type] = field(default_factory=list)
    has_columns: bool = False  # n_features_in_ is set, and other widths are refused


RANDOM = np.random.default_rng(0)
Y = np.arange(N_ROWS) % 2
NAMES = np.array(["no", "yes"])[Y]


def rows_of(X: Any, rows: Any) -> Any:
    """Rows of X by their positions, in the type of X."""
    positions = np.arange(N_ROWS)[rows]
    if isinstance(X, list):
        return [X[i] for i in positions]
    return X.iloc[positions] if isinstance(X, (pd.DataFrame, pd.Series)) else X[positions]


def _numbers(*shape: int) -> np.ndarray:
    """Noise whose level tells the classes apart."""
    x = RANDOM.normal(size=(N_ROWS, *shape))
    return (x + 2.0 * Y.reshape(-1, *[1] * len(shape))).astype(np.float32)


class Recurrent(nn.Module):
    """A user's network for arrays of three dimensions, (batch, time, channels)."""

    def __init__(self, in_features: int, out_features: int, hidden_size: int = 4) -> None:
        super().__init__()
        self.lstm = nn.LSTM(in_features, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


class Embedded(nn.Module):
    """A user's network for integer codes, (batch, n) int64."""

    def __init__(self, out_features: int, width: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, width)
        self.head = nn.Linear(width, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embedding(x).mean(1))


class Pictures(nn.Module):
    """A user's network for arrays of four dimensions, (batch, channels, height, width)."""

    def __init__(self, out_features: int, channels: int = 4) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, channels, 3)
        self.head = nn.Linear(channels, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.convolution(x).relu().mean((2, 3)))


class RecurrentOfSequences(nn.Module):
    """A user's network for sequences of several lengths, (batch, channels, time) and their lengths."""

    reads = "sequence"

    def __init__(self, in_features: int, out_features: int, hidden_size: int = 4) -> None:
        super().__init__()
        self.lstm = nn.LSTM(in_features, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, out_features)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        outputs = self.lstm(x.transpose(1, 2))[0]
        return self.head(outputs[torch.arange(len(x)), lengths - 1])


class Waveforms(nn.Module):
    """A user's network for recordings of sound, (batch, samples) and their lengths."""

    reads = "audio"

    def __init__(self, out_features: int, channels: int = 4) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(1, channels, 5, padding=2)
        self.head = nn.Linear(channels, out_features)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        exists = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        power = self.convolution(x[:, None]).square() * exists[:, None]
        return self.head(power.sum(2) / lengths[:, None])


def _sounds() -> list[np.ndarray]:
    """Tones of several lengths and levels whose pitch tells the classes apart, int16."""
    times = [np.arange(RANDOM.integers(60, 400)) / 2000 for _ in Y]
    return [
        (RANDOM.uniform(300, 30_000) * np.sin(time * (500 + 2000 * y))).astype(np.int16)
        for time, y in zip(times, Y, strict=True)
    ]


def _table() -> pd.DataFrame:
    numbers = _numbers(2)
    numbers[3, 0] = np.nan
    return pd.DataFrame({"a": numbers[:, 0], "b": numbers[:, 1], "c": np.array(["u", "v", "w"])[np.arange(N_ROWS) % 3]})


def _mixed_table() -> pd.DataFrame:
    """Columns of free text and of dates beside numbers."""
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(RANDOM.integers(0, 700, N_ROWS), unit="D")
    text = [f"{'a good' if y else 'no'} {'thing' if i % 3 else 'day'} of {i}" for i, y in enumerate(Y)]
    return pd.DataFrame({"a": _numbers(1)[:, 0], "text": text, "day": days})


def _series() -> list[np.ndarray]:
    """Sequences of two channels and several lengths, whose level tells the classes apart; one value is missing."""
    series = [(RANDOM.normal(size=(2, RANDOM.integers(9, 15))) + 2 * y).astype(np.float32) for y in Y]
    series[3][0, 4] = np.nan
    return series


def _texts() -> list[str | None]:
    """Words of which some tell the classes apart; one text is missing."""
    words = np.array([["red", "green", "blue", "it's"], ["one", "two", "!!!", "четыре"]])
    texts: list[str | None] = [" ".join(RANDOM.choice(words[y], RANDOM.integers(1, 9))) for y in Y]
    texts[3] = None
    return texts


def _pictures(*shape: int) -> np.ndarray:
    """Images whose brightness tells the classes apart, uint8."""
    return (128 + 30 * _numbers(*shape)).clip(0, 255).astype(np.uint8)


ARRAYS = _numbers(5, 3)
BY_HAND = {"lr": 0.05, "max_epochs": 3, "batch_size": 16}
BY_RECIPE = {"max_epochs": 3, "n_networks": 2, "batch_size": 16}

KINDS = [
    Kind(
        "table",
        _table(),
        ARRAYS,
        {"module": TabM, "module_params": SMALL_TABM, **BY_RECIPE},
        ("module__width", [4, 8]),
        has_columns=True,
    ),
    Kind(
        "sparse",
        scipy.sparse.csr_matrix(_numbers(4) * (RANDOM.random((N_ROWS, 4)) < 0.7)),
        ARRAYS,
        {"module": TabM, "module_params": {**SMALL_TABM, "n_bins": 0}, **BY_RECIPE},
        ("module__width", [4, 8]),
        has_columns=True,
    ),
    Kind(
        "arrays and a recurrent network of the user's",
        ARRAYS,
        _numbers(5),
        {"module": Recurrent, **BY_HAND},
        ("module__hidden_size", [2, 4]),
        classes=[Recurrent],
        has_columns=True,
    ),
    Kind(
        "arrays and a convolutional network of the user's",
        _numbers(1, 6, 6),
        _numbers(5),
        {"module": Pictures, **BY_HAND},
        ("module__channels", [2, 4]),
        classes=[Pictures],
        has_columns=True,
    ),
    Kind(
        "integer codes and an embedding of the user's",
        (RANDOM.integers(0, 7, size=(N_ROWS, 5)) + 3 * Y[:, None]).astype(np.int64),
        ARRAYS,
        {"module": Embedded, **BY_HAND},
        ("module__width", [2, 4]),
        classes=[Embedded],
        has_columns=True,
    ),
    Kind(
        "texts",
        _texts(),
        _numbers(5),
        BY_RECIPE,
        ("module__max_features", [20, 200]),
    ),
    Kind(
        "images",
        _pictures(6, 6, 3),
        _numbers(5),
        {"module_params": {"width": 4}, **BY_RECIPE},
        ("module__augmentation", ["flip", None]),
    ),
    Kind(
        "images of several sizes",
        [image[: 5 + i % 3] for i, image in enumerate(_pictures(7, 6))],
        ["a.png"] * N_ROWS,
        {"module_params": {"width": 4}, **BY_RECIPE},
        ("module__image_size", [None, 4]),
    ),
    Kind(
        "table with text and dates",
        _mixed_table(),
        ARRAYS,
        {"module_params": SMALL_TABM, **BY_RECIPE},
        ("module__width", [4, 8]),
        has_columns=True,
    ),
    Kind(
        "sequences",
        _numbers(2, 12),
        _numbers(5),
        {"module_params": SMALL_SEQUENCE_NET, **BY_RECIPE},
        ("module__width", [4, 8]),
    ),
    Kind(
        "sequences of several lengths",
        _series(),
        _numbers(5),
        {"module_params": SMALL_SEQUENCE_NET, **BY_RECIPE},
        ("module__n_kernels", [84, 168]),
    ),
    Kind(
        "sequences and a transformer",
        _series(),
        _numbers(5),
        {
            "module": SequenceTransformer,
            "module_params": {"token_size": 8, "n_heads": 2, "n_blocks": 1},
            **BY_RECIPE,
        },
        ("module__n_blocks", [1, 2]),
    ),
    Kind(
        "sequences and a recurrent network of the user's",
        _series(),
        _numbers(5),
        {"module": RecurrentOfSequences, **BY_HAND},
        ("module__hidden_size", [2, 4]),
        classes=[RecurrentOfSequences],
    ),
    Kind(
        "sounds",
        _sounds(),
        ["a.wav"] * N_ROWS,
        {
            "module": AudioNet,
            "module_params": {"sampling_rate": 2000, "width": 4, "n_blocks": 1, "n_mels": 8},
            **BY_RECIPE,
        },
        ("module__n_mels", [8, 10]),
    ),
    Kind(
        "sounds and a network of the user's",
        _sounds(),
        [np.zeros((2, 50))] * N_ROWS,
        {"module": Waveforms, **BY_HAND},
        ("module__channels", [2, 4]),
        classes=[Waveforms],
    ),
    Kind(
        "texts and a transformer",
        _texts(),
        _numbers(5),
        {"module": TextTransformer, "module_params": {"width": 8, "n_blocks": 1, "n_heads": 2}, **BY_RECIPE},
        ("module__max_tokens", [4, 8]),
    ),
]
