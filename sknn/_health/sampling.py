"""Rows of a dataset, for inspections and for the simple models that a network is compared with."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from skorch.dataset import unpack_data
from torch import Tensor

__all__ = ["RowSource"]

# Enough for a share of rows, few enough to cost no more than a step.
N_ROWS = 128
# Of images, each of which shows a unit at many places.
_N_ROWS_OF_SEVERAL_AXES = 32
_MOST_SPARSE = 512


class RowSource:
    """Gives rows from all over a dataset; sknn's `Rows` are resident, with all tensors in memory."""

    def __init__(self, net: Any, dataset: Any, *, is_resident: bool, of_shares: bool = False) -> None:
        self.net, self.dataset, self.is_resident = net, dataset, is_resident
        # An iterable dataset has no length, and cannot be asked for rows.
        self.n_rows = len(dataset) if hasattr(dataset, "__len__") else 0
        # Each network of a committee holds out other rows; None if all rows of the dataset count.
        self._shares = None
        if of_shares and is_resident and dataset is not None and dataset.shares is not None:
            self._shares = dataset.shares.reshape(-1)
            self.n_rows = len(self._shares.unique())

    def some(self, most: int | None = None) -> tuple[Any, Any] | None:
        """Inputs and targets of `most` rows, or up to twice as many; None if the dataset cannot be asked for rows.

        By default as many as an inspection needs.
        """
        if not self.n_rows:
            return None
        if most is None:
            most = _N_ROWS_OF_SEVERAL_AXES if self.is_resident and self.dataset.store.n_axes > 1 else N_ROWS
        if self.is_resident:
            return self._resident(most)
        subset = torch.utils.data.Subset(self.dataset, range(0, self.n_rows, max(1, self.n_rows // most)))
        batches = [unpack_data(batch) for batch in self.net.get_iterator(subset, training=False)]
        if all(isinstance(part, Tensor) for batch in batches for part in batch):
            return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
        return batches[0]

    def _resident(self, most: int) -> tuple[dict[str, Tensor], Tensor]:
        rows = self.dataset
        if rows.store.gathers:  # no more rows are made dense than in a batch
            most = min(most, _MOST_SPARSE)
        store, y, weight = rows.take(self._some(most))
        inputs = store.tensors(copies=True)
        return inputs if weight is None else {**inputs, "sample_weight": weight}, y

    def targets(self, most: int) -> tuple[dict[str, Tensor], Tensor] | None:
        """Weights and targets of resident rows, cheaper than the rows themselves; else None."""
        if not self.is_resident:
            return None
        index, weight = self._some(most), self.dataset.weight
        return {} if weight is None else {"sample_weight": weight[index]}, self.dataset.targets[index]

    @cached_property
    def n_effective(self) -> float:
        """Rows of equal weight that would say as much as these, whose weights differ: (sum w)^2 / sum w^2."""
        weight = self.dataset.weight if self.is_resident and self.n_rows else None
        if weight is None or self._shares is not None:
            return self.n_rows
        weight = weight.double()
        weight = weight[weight > 0]
        return float(weight.sum().square() / weight.square().sum()) if len(weight) else 0.0

    @cached_property
    def n_telling(self) -> int:
        """Rows of an evenly distributed target that would say as much: where most targets are equal, the others count.

        Of n rows with a share p of one class, 4 n p, as the variance p (1 - p) is at most 1/4.
        """
        _, y = (self.targets(self.n_rows) if self.n_rows else None) or ({}, None)
        if y is None or not len(y) or y.numel() != len(y):
            return self.n_rows
        usual = int(y.flatten().unique(return_counts=True)[1].max())
        return min(self.n_rows, 4 * (len(y) - usual))

    def _some(self, most: int) -> Tensor | slice:
        """Positions of `most` rows, or up to twice as many."""
        if self.is_resident and self.dataset.queries is not None:  # of a query, the loss needs all rows
            return torch.from_numpy(self.dataset.queries.some(most)).to(self.dataset.device)
        every = slice(None, None, max(1, (self.n_rows if self._shares is None else len(self._shares)) // most))
        return every if self._shares is None else self._shares[every]
