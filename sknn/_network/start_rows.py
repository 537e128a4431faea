"""Training rows as a module may read them before it is trained."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._data.rows import Rows
from ..losses import Loss
from ..modules import Committee
from .table_network import inner_inputs, users_network

__all__ = ["SUPERVISED", "TrainingRows", "fit_start"]

# Kinds of targets of which each row has its own: those that a module may read before it is trained.
SUPERVISED = ("classes", "multilabel", "real")

# Numbers and rows of a batch, at most: sparse ones are made dense.
_NUMBERS_AT_ONCE, _ROWS_AT_ONCE = 2**20, 1024


class TrainingRows:
    """`sknn.modules._start.StartRows`: the rows of network i of a committee, or of a single network.

    `n_targets` is the number of classes, labels or outputs.
    """

    def __init__(self, network: nn.Module, rows: Rows, i: int, target: str, loss: Loss, n_targets: int) -> None:
        self.target, self.link = target, loss.link_name
        self._network, self._rows, self._n_targets = network, rows, n_targets
        self._one_score = target == "classes" and n_targets == 2 and loss.out_features(2) == 1
        self._positions = None if rows.shares is None else rows.shares[i]

    def __len__(self) -> int:
        return len(self._rows) if self._positions is None else len(self._positions)

    def parts(self, at_most: int | None = None) -> Iterator[tuple[tuple[Tensor, ...], Tensor, Tensor | None]]:
        """As `batches`, with the targets that the loss is given."""
        rows, step = self._rows, 1 if at_most is None else -(-len(self) // at_most)
        chosen = torch.arange(0, len(self), step, dtype=torch.int64, device=rows.device)
        chosen = chosen if self._positions is None else self._positions[chosen]
        for part in chosen.split(max(16, min(_ROWS_AT_ONCE, _NUMBERS_AT_ONCE // rows.store.row_size))):
            store, y, weight = rows.take(part)
            yield inner_inputs(self._network, store.tensors()), y, weight

    def batches(self, at_most: int | None = None) -> Iterator[tuple[tuple[Tensor, ...], Tensor, Tensor | None]]:
        """Inputs, indicators or real targets, and weights."""
        for inputs, y, weight in self.parts(at_most):
            if self.target == "classes":
                y = F.one_hot(y, self._n_targets).to(torch.float32)
                y = y[:, 1:] if self._one_score else y  # two classes with one score are told by the second
            yield inputs, y, weight


@torch.no_grad()
def fit_start(network: nn.Module, rows: Rows, *, target: str, loss: Loss, n_targets: int) -> None:
    """Give their training rows to the networks that have a method ``fit_start``.

    `n_targets` is the number of classes, labels or outputs.
    """
    if target not in SUPERVISED:
        return
    inside = users_network(network)
    for i, one in enumerate(inside.networks if isinstance(inside, Committee) else [inside]):
        if hasattr(one, "fit_start"):
            one.fit_start(TrainingRows(network, rows, i, target, loss, n_targets))  # pyright: ignore[reportCallIssue]
