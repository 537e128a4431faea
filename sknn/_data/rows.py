"""Rows in memory as tensors. A batch is a slice of the rows that are gathered for an epoch."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from skorch.dataset import Dataset
from torch import Tensor

from .queries import Queries
from .stores import Store

__all__ = ["Batches", "Rows", "batch_bounds", "network_by_network"]

# An epoch's rows are gathered in pieces of at most this many bytes: large enough that one gather serves many
# batches, small enough that the table is never held twice.
_GATHER_BYTES = 8 * 2**20

# Batches whose rows are sorted by length together: the more, the less is filled up, and the less random they are.
_SORTED_TOGETHER = 16

Batch = tuple[dict[str, Tensor], Tensor]


class Rows(Dataset):
    """Training or validation rows on their device.

    It is a dataset of skorch, since skorch's scoring callbacks read X and y from such a dataset only.
    """

    def __init__(
        self,
        store: Store,  # n_samples rows of X
        y: Tensor,  # int64 (n_samples,) or float32 (n_samples, n_outputs)
        weight: Tensor | None,  # float32 (n_samples,), with mean one over the training rows
        device: torch.device,
        shares: Tensor | None = None,  # int32 (n_networks, n_rows): the rows of each network of a committee
        queries: Queries | None = None,  # that the rows belong to, if they are ranked
    ) -> None:
        self.store = store.to(device)
        self.targets = y.to(device)
        self.weight = None if weight is None else weight.to(device)
        self.device = device
        self.shares = None if shares is None else shares.to(device)
        self.queries = queries

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def y(self) -> Tensor:
        """Targets; of a committee those of the first network's rows, then of the second's, and so on."""
        return self.targets if self.shares is None else self.targets[self.shares.reshape(-1)]

    def shared_out(self, shares: np.ndarray) -> Rows:
        """The same rows, where network i of a committee is given those at the positions `shares[i]`."""
        shared = copy.copy(self)
        # Half the size of int64: of a table of few columns, positions would be a share of its memory.
        shared.shares = torch.from_numpy(shares.astype(np.int32)).to(self.device)
        return shared

    def of_networks(self, n_networks: int) -> Rows:
        """The same rows for the first networks of a committee."""
        fewer = copy.copy(self)
        fewer.shares = None if self.shares is None else self.shares[:n_networks]
        return fewer

    @property
    def n_per_epoch(self) -> int:
        """Rows, or whole queries, that a network sees in an epoch."""
        if self.queries is not None:
            share = 1.0 if self.shares is None else self.shares.shape[1] / len(self)
            return max(1, round(share * len(self.queries)))
        return len(self) if self.shares is None else self.shares.shape[1]

    def __getitem__(self, index: int) -> tuple[dict[str, Any], Tensor]:
        """One row, for callbacks that iterate over the dataset."""
        y = self.targets[index]  # raises an IndexError after the last row, which ends the iteration
        return {name: values[0] for name, values in self.inputs(slice(index, index + 1)).items()}, y

    @property
    def X(self) -> Rows:
        """The rows themselves, since skorch's scoring callbacks read X and y of a dataset."""
        return self

    def inputs(self, rows: slice) -> dict[str, Tensor]:
        """What the network is given for these rows, in memory of its own."""
        return self.store[rows].tensors(copies=True)

    def take(self, index: Tensor | slice) -> tuple[Store, Tensor, Tensor | None]:
        """Rows of X, targets and weights at `index`."""
        return self.store[index], self.targets[index], None if self.weight is None else self.weight[index]


def batch_bounds(n_samples: int, batch_size: int) -> np.ndarray:
    """Limits of the batches. A last batch of one row is joined to the one before, since batch norm needs two rows."""
    bounds = np.arange(0, n_samples, batch_size)
    if len(bounds) > 1 and n_samples - bounds[-1] == 1:
        bounds = bounds[:-1]
    return np.append(bounds, n_samples)


def network_by_network(outputs: Sequence[Tensor], n_networks: int) -> Tensor:
    """Outputs of the batches of a committee, reordered as `Rows.y`."""
    return torch.cat([part.unflatten(0, (n_networks, -1)) for part in outputs], dim=1).flatten(0, 1)


class Batches:
    """Iterate over `rows`, an epoch at a time, in batches of `batch_size` rows for each network.

    `generator` shuffles every epoch anew; None keeps the order. Rows of about the same length come together, so that
    little is filled up.
    """

    def __init__(self, rows: Rows, batch_size: int, generator: torch.Generator | None) -> None:
        self.rows = rows
        self.bounds = batch_bounds(rows.n_per_epoch, batch_size)
        self.generator = generator
        # The order within one batch changes nothing but rounding.
        self.shuffled = generator is not None and len(self) > 1
        self.batches_per_gather = max(1, _GATHER_BYTES // (4 * rows.store.row_size * batch_size))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __iter__(self) -> Iterator[Batch]:
        rows, bounds = self.rows, self.bounds
        if rows.shares is not None:
            yield from self._parts(rows.shares)
            return
        order = None
        if self.shuffled:
            order = self._by_length(self._permutation()[None]).to(rows.device)[0]
        for first in range(0, len(self), self.batches_per_gather):
            last = min(first + self.batches_per_gather, len(self))
            start, stop = int(bounds[first]), int(bounds[last])
            gathered = rows.take(slice(start, stop) if order is None else order[start:stop])
            yield from self._slices(gathered, (bounds[first : last + 1] - start).tolist())

    def _parts(self, shares: Tensor) -> Iterator[Batch]:
        """Batches in which the rows of the first network come first, then those of the second, and so on."""
        if self.shuffled:
            shuffled = torch.empty_like(shares)
            for given, share in zip(shares, shuffled, strict=True):  # in turn: a permutation takes twice their memory
                torch.index_select(given, 0, self._permutation().to(given.device), out=share)
            shares = self._by_length(shuffled)
        for start, stop in pairwise(self.bounds.tolist()):
            gathered = self.rows.take(shares[:, start:stop].reshape(-1))
            yield from self._slices(gathered, [0, gathered[1].shape[0]])

    def _permutation(self) -> Tensor:
        return torch.randperm(self.rows.n_per_epoch, generator=self.generator, dtype=torch.int64)

    def _by_length(self, orders: Tensor) -> Tensor:
        """Orders (n_networks, n_rows) of rows, in which each batch holds rows of about the same length.

        Rows are sorted within groups of `_SORTED_TOGETHER` batches only, and the batches of a group are shuffled.
        """
        lengths = self.rows.store.lengths
        if lengths is None:
            return orders
        lengths, orders, bounds = lengths.to(orders.device), orders.clone(), self.bounds.tolist()
        for first in range(0, len(self), _SORTED_TOGETHER):
            last = min(first + _SORTED_TOGETHER, len(self))
            group = orders[:, bounds[first] : bounds[last]]
            ranks = lengths[group].argsort(dim=1, stable=True)
            batches = group.gather(1, ranks).split(np.diff(bounds[first : last + 1]).tolist(), dim=1)
            # A smaller last batch stays the last: the bounds are those of the batches in order.
            shuffled = torch.randperm(len(batches) - 1, generator=self.generator, dtype=torch.int64).tolist()
            group.copy_(torch.cat([batches[i] for i in (*shuffled, len(batches) - 1)], dim=1))
        return orders

    def _slices(self, gathered: tuple[Store, Tensor, Tensor | None], bounds: list[int]) -> Iterator[Batch]:
        store, y, weight = gathered
        # Views, through which a module that works in place would change the rows.
        shows_rows = not (self.shuffled or self.rows.shares is not None)
        for start, stop in pairwise(bounds):
            inputs = store[start:stop].tensors(copies=shows_rows)
            if weight is not None:
                inputs["sample_weight"] = weight[start:stop]
            yield inputs, y[start:stop]
