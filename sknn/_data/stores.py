"""The rows of X in memory after they have been encoded, and the tensors that a network receives for some of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

__all__ = ["Bags", "Dense", "Ragged", "Sparse", "Store", "whole_tiles"]

# Matrix products process rows in tiles and sum the remaining rows in another order, so that the last bits of a
# prediction would depend on the number of rows in the call. Whole tiles make it a function of the row alone.
_ROW_TILE = 4


class Store(ABC):
    """Encoded rows. A batch is `tensors()` of some of them."""

    lengths: Tensor | None = None  # int64 (n_rows,), where rows differ in length
    gathers: ClassVar[bool] = True  # whether `tensors` fills memory that nothing else refers to
    n_axes: int = 1  # of a row

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abstractmethod
    def __getitem__(self, index: Any) -> Store:
        """The rows at these positions, an int64 tensor or a slice."""

    @abstractmethod
    def tensors(self, copies: bool = False) -> dict[str, Tensor]:
        """What a network receives for all rows, under the names of its arguments, in their order.

        `copies`: in memory of their own, since a module may change its input in place.
        """

    @abstractmethod
    def to(self, device: torch.device) -> Store:
        """The same on a device."""

    @property
    @abstractmethod
    def row_size(self) -> int:
        """Numbers that a network receives for one row; of rows of several lengths, for the mean length."""

    def parts(self, most: int) -> list[Tensor]:
        """Positions of rows of about the same length, so many together that they are at most `most` numbers."""
        if self.lengths is None:
            return [torch.arange(len(self), dtype=torch.int64)]
        order = self.lengths.argsort(stable=True)
        size = max(1, self.row_size // max(1, int(self.lengths.float().mean())))  # of a step
        parts, start = [], 0
        for stop, length in enumerate(self.lengths[order].tolist()):
            if stop > start and (stop - start + 1) * length * size > most:
                parts.append(order[start:stop])
                start = stop
        return [*parts, order[start:]]


class Dense(Store):
    """Rows of one shape: ``x`` (n_rows, ...), and ``x_cat`` int64 (n_rows, n_categorical) if there are categories."""

    gathers = False

    def __init__(self, x: Tensor, x_cat: Tensor | None = None) -> None:
        self.x, self.x_cat = x, x_cat
        self.n_axes = x.ndim - 1

    def __len__(self) -> int:
        return self.x.shape[0]

    def __getitem__(self, index: Any) -> Dense:
        return Dense(self.x[index], None if self.x_cat is None else self.x_cat[index])

    def tensors(self, copies: bool = False) -> dict[str, Tensor]:
        x = self.x.clone() if copies else self.x
        return {"x": x} if self.x_cat is None else {"x": x, "x_cat": self.x_cat}

    def to(self, device: torch.device) -> Dense:
        return Dense(self.x.to(device), None if self.x_cat is None else self.x_cat.to(device))

    @property
    def row_size(self) -> int:
        return max(1, int(np.prod(self.x.shape[1:])))


class Sparse(Store):
    """A csr matrix float32 in the memory of the CPU, of which a batch is made dense: ``x`` (n_rows, n_columns)."""

    def __init__(self, x: sparse.csr_array, device: torch.device | None = None) -> None:
        self.x, self.device = x, device or torch.device("cpu")

    def __len__(self) -> int:
        return self.x.shape[0]

    def __getitem__(self, index: Any) -> Sparse:
        return Sparse(self.x[index if isinstance(index, slice) else np.asarray(index.cpu())], self.device)

    def tensors(self, copies: bool = False) -> dict[str, Tensor]:
        return {"x": torch.from_numpy(self.x.toarray()).to(self.device)}

    def to(self, device: torch.device) -> Sparse:
        return Sparse(self.x, device)

    @property
    def row_size(self) -> int:
        return max(1, self.x.shape[1])


class Ragged(Store):
    """Rows of several lengths, one after the other in `values` (n_values, ...) from `starts` on.

    A network receives ``x``, filled up with zeros, and ``lengths``. Of values (n_values,) the rows are
    (n_rows, longest), of values (n_values, n_channels) they are (n_rows, n_channels, longest).
    """

    lengths: Tensor

    def __init__(self, values: Tensor, starts: Tensor, lengths: Tensor) -> None:
        self.values, self.starts, self.lengths = values, starts, lengths

    @classmethod
    def of(cls, rows: list[np.ndarray]) -> Ragged:
        """Of arrays (length_i,) or (n_channels, length_i)."""
        lengths = torch.tensor([row.shape[-1] for row in rows], dtype=torch.int64)
        values = np.concatenate([row.T for row in rows])
        return cls(torch.from_numpy(np.ascontiguousarray(values)), lengths.cumsum(0) - lengths, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: Any) -> Ragged:
        return Ragged(self.values, self.starts[index], self.lengths[index])

    def tensors(self, copies: bool = False) -> dict[str, Tensor]:
        x = _padded(self.values, *_positions(self.starts, self.lengths))
        return {"x": x.movedim(1, 2) if x.ndim == 3 else x, "lengths": self.lengths.clone()}

    def to(self, device: torch.device) -> Ragged:
        return Ragged(self.values.to(device), self.starts.to(device), self.lengths.to(device))

    @property
    def row_size(self) -> int:
        per_step = max(1, int(np.prod(self.values.shape[1:])))
        return max(1, per_step * int(self.lengths.sum()) // max(1, len(self)))


class Bags(Store):
    """Rows that are sets of codes with a weight each, of which each row has another number.

    A network receives ``x`` int64 (n_rows, longest), where 0 is padding, and ``x_weight`` float32 of that shape.
    """

    lengths: Tensor

    def __init__(self, codes: Tensor, weights: Tensor, starts: Tensor, lengths: Tensor) -> None:
        self.codes, self.weights, self.starts, self.lengths = codes, weights, starts, lengths

    @classmethod
    def of(cls, matrix: sparse.csr_array) -> Bags:
        """Of a csr matrix float32: code i + 1 is column i, its weight is the value."""
        starts = torch.from_numpy(matrix.indptr.astype(np.int64))
        codes = torch.from_numpy(matrix.indices.astype(np.int64) + 1)
        return cls(codes, torch.from_numpy(matrix.data.astype(np.float32)), starts[:-1], starts.diff())

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: Any) -> Bags:
        return Bags(self.codes, self.weights, self.starts[index], self.lengths[index])

    def tensors(self, copies: bool = False) -> dict[str, Tensor]:
        where = _positions(self.starts, self.lengths)
        return {"x": _padded(self.codes, *where), "x_weight": _padded(self.weights, *where)}

    def to(self, device: torch.device) -> Bags:
        return Bags(*(part.to(device) for part in (self.codes, self.weights, self.starts, self.lengths)))

    @property
    def row_size(self) -> int:
        return max(1, 2 * int(self.lengths.sum()) // max(1, len(self)))


def whole_tiles(rows: Tensor) -> Tensor:
    """The rows, the last one repeated until their number is a multiple of the tile."""
    missing = -rows.shape[0] % _ROW_TILE
    return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])]) if missing else rows


def _positions(starts: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of the values of each row, int64 (n_rows, longest), and which of them exist, bool; at least one."""
    longest = max(1, int(lengths.max())) if len(lengths) else 1
    steps = torch.arange(longest, dtype=torch.int64, device=starts.device)
    exists = steps < lengths[:, None]
    return torch.where(exists, starts[:, None] + steps, 0), exists


def _padded(values: Tensor, positions: Tensor, exists: Tensor) -> Tensor:
    if not len(values):
        return values.new_zeros((*positions.shape, *values.shape[1:]))
    x = values[positions]
    return x.masked_fill_(~exists.view(*exists.shape, *[1] * (x.ndim - 2)), 0)
