"""Batches of whole queries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from .rows import Batch, Batches, Rows

__all__ = ["QueryBatches"]

_NO_ROWS = np.empty(0, dtype=np.int64)


class QueryBatches(Batches):
    """Iterate over rows, an epoch at a time, in batches of `batch_size` whole queries for each network.

    Of a committee, the parts of a batch are of equal size: the shorter ones are filled up with rows that belong to no
    query, code -1, which count for nothing. Each part ends with such a row, so that the last query of a network and the
    first one of the next are told apart.

    Of a query of more than `most_rows` rows, half of so many are the most relevant ones, and the others are drawn at
    random: in each epoch, or once if there is no generator.
    """

    def __init__(self, rows: Rows, batch_size: int, generator: torch.Generator | None, most_rows: int) -> None:
        assert rows.queries is not None
        self.rows, self.generator, self.most_rows = rows, generator, most_rows
        self.queries = rows.queries
        self.relevance = rows.targets[:, 0].cpu().numpy()
        every = np.arange(len(self.queries))
        # The queries of each network.
        self.parts = [every] if rows.shares is None else [self._queries_of(share) for share in rows.shares]
        self.n_batches = max(1, -(-max(map(len, self.parts)) // batch_size))

    def _queries_of(self, share: Tensor) -> np.ndarray:
        codes = self.rows.targets[share.long(), 1].cpu().numpy()
        return np.searchsorted(self.queries.codes, np.unique(codes))

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[Batch]:
        orders = [part if self.generator is None else part[self._shuffled(len(part))] for part in self.parts]
        for queries in zip(*(np.array_split(order, self.n_batches) for order in orders), strict=True):
            yield self._batch([np.concatenate([_NO_ROWS, *map(self._rows_of, part.tolist())]) for part in queries])

    def _rows_of(self, query: int) -> np.ndarray:
        """Positions of the rows of a query, or of some of them."""
        rows = self.queries.rows_of(query)
        if len(rows) <= self.most_rows:
            return rows
        generator = self.generator or torch.Generator().manual_seed(query)
        rows = rows[torch.randperm(len(rows), generator=generator, dtype=torch.int64).numpy()]
        rows = rows[np.argsort(-self.relevance[rows], kind="stable")]
        n_first = self.most_rows // 2
        others = torch.randperm(len(rows) - n_first, generator=generator, dtype=torch.int64)[: self.most_rows - n_first]
        return np.concatenate([rows[:n_first], rows[n_first + others.numpy()]])

    def _shuffled(self, n: int) -> np.ndarray:
        return torch.randperm(n, generator=self.generator, dtype=torch.int64).numpy()

    def _batch(self, parts: list[np.ndarray]) -> Batch:
        width = max(map(len, parts)) + (len(parts) > 1)
        positions = np.zeros((len(parts), width), dtype=np.int64)
        is_filled_up = np.ones((len(parts), width), dtype=bool)
        for i, part in enumerate(parts):
            positions[i, : len(part)], is_filled_up[i, : len(part)] = part, False
        device = self.rows.device
        store, y, weight = self.rows.take(torch.from_numpy(positions.ravel()).to(device))
        y[torch.from_numpy(is_filled_up.ravel()).to(device), 1] = -1.0
        inputs = store.tensors(copies=False)
        if weight is not None:
            inputs["sample_weight"] = weight
        return inputs, y
