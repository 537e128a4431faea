"""Norms of gradients, weights and real updates of each layer, at a few steps."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..modules import Committee
from .observer import layer_of
from .record import LayerHealth

__all__ = ["LayerNorms"]

_torch: Any = torch  # functions of lists of tensors are not part of its documented API

_FIRST_STEPS = 5


class LayerNorms:
    """Measures weights of two or more dimensions: in each of the first five steps, then in one of twenty or fewer."""

    def __init__(self, module: nn.Module, order: Sequence[str]) -> None:
        found = dict(module.named_parameters())
        # The networks of a committee are alike, so the first one is measured for all.
        others = {
            id(parameter)
            for part in module.modules()
            if isinstance(part, Committee)
            for network in part.networks[1:]
            for parameter in network.parameters()
        }
        chosen = [
            name
            for name in order
            if name in found and found[name].ndim > 1 and found[name].requires_grad and found[name].numel()
            if found[name].is_floating_point()
            if "bias" not in name and id(found[name]) not in others
        ]
        self.parameters = chosen  # weights, whose layers are `names`
        self.names = [layer_of(name) for name in chosen]
        self.names = [n if self.names.count(n) == 1 else c for n, c in zip(self.names, chosen, strict=True)]
        self.weights = [found[name] for name in chosen]
        # A gradient is divided by the norm of the weights, or by a usual norm if the layer starts at zero.
        smallest = [0.1 * (p.numel() / max(1, p[0].numel())) ** 0.5 for p in self.weights]
        self.smallest_norms = torch.tensor(smallest, dtype=torch.float64)
        self.next_step = 1
        self.step_of: list[int] = []
        self._norms: list[tuple[Tensor, Tensor]] = []
        self._updates: dict[int, Tensor] = {}
        self._turns: list[Tensor] = []  # updates of the first steps without the effect of weight decay
        self._before: list[Tensor] | None = None
        self._table = np.zeros((0, len(self.names), 3))
        self.lrs: list[float] = []

    def new_epoch(self) -> None:
        """Measure the next step in any case."""
        self.next_step = 0

    def is_due(self, step: int) -> bool:
        """Whether there is something to be measured in this step."""
        return self._before is not None or step >= self.next_step

    @torch.no_grad()
    def at_gradient(self, step: int, lr: float) -> None:
        """Between the backward pass and the step number `step`, from 1, at a learning rate."""
        if not self.weights:
            return
        if self._before is not None:
            change = _torch._foreach_sub([w.detach() for w in self.weights], self._before)
            self._updates[len(self._norms) - 1] = torch.stack(_torch._foreach_norm(change))
            if len(self._turns) < _FIRST_STEPS:
                self._turns.append(_without_decay(change, self._before))
            self._before = None
        if step < self.next_step:
            return
        is_first_of_epoch = self.next_step == 0
        self.next_step = step + 1 if step < _FIRST_STEPS else step + max(20, step // 4)
        weights = [w.detach() for w in self.weights]
        gradients = [w.new_zeros(()) if w.grad is None else w.grad for w in self.weights]
        gradients = [g.to_dense() if g.is_sparse else g for g in gradients]
        self._norms.append((torch.stack(_torch._foreach_norm(gradients)), torch.stack(_torch._foreach_norm(weights))))
        self.step_of.append(step)
        self.lrs.append(lr)
        if is_first_of_epoch or step <= _FIRST_STEPS:  # measuring updates costs more than the rest
            self._before = [w.clone() for w in weights]

    def relative(self) -> np.ndarray:
        """(n_samples, n_layers, 3): relative gradient, update and norm of the weights; NaN where not measured."""
        new = []
        for i in range(len(self._table), len(self._norms)):
            gradients, weights = (norms.cpu().double() for norms in self._norms[i])
            update = self._updates.get(i)
            changes = torch.full_like(weights, torch.nan) if update is None else update.cpu().double()
            size = torch.maximum(weights, self.smallest_norms)
            new.append(torch.stack([gradients / size, changes / size, weights], dim=1).numpy())
        if not new:
            return self._table
        table = np.concatenate([self._table, np.array(new)])
        # The update of the last step may be still unknown.
        self._table = table[:-1] if self._before is not None else table
        return table

    @property
    def is_without_gradient(self) -> bool:
        """Whether in most steps no gradient at all reached a layer."""
        gradients = self.relative()[:, :, 0]
        return len(gradients) >= 6 and bool(self.names) and not np.median(gradients, axis=0).any()

    def update_per_lr(self) -> float:
        """Norm of a first update, relative to the initial weights and for a learning rate of 1; NaN if unknown.

        Median over layers, and over the first three steps that changed anything: later ones may follow a divergence.
        Schedules begin with small steps, which the learning rate accounts for. Weight decay is left out.
        """
        if not self._turns:
            return float("nan")
        # Of the first weights: a step may have blown them up.
        size = torch.maximum(self._norms[0][1].cpu().double(), self.smallest_norms)
        turns = [turn.cpu().double() / size for turn in self._turns]
        steps = zip(turns, self.lrs, strict=False)
        sizes = [float(turn.median()) / lr for turn, lr in steps if lr > 0 and bool(torch.isfinite(turn).all())]
        usable = sorted([size for size in sizes if size > 0][:3])
        return usable[(len(usable) - 1) // 2] if usable else float("nan")

    def of_epoch(self, first_step: int) -> dict[str, LayerHealth]:
        """Medians over the steps from `first_step` on."""
        n_before = bisect_left(self.step_of, first_step)
        rows = self.relative()[n_before:]
        if not len(rows):
            return {}
        # Updates are measured in some of the steps.
        updates = rows[~np.isnan(rows[:, 0, 1]), :, 1]
        medians = _median(rows)
        medians[:, 1] = _median(updates) if len(updates) else np.nan
        return {name: LayerHealth(*row) for name, row in zip(self.names, medians.tolist(), strict=True)}


def _median(rows: np.ndarray) -> np.ndarray:
    """Over the first axis; for few rows this is many times quicker than numpy's."""
    ordered, n = np.sort(rows, axis=0), len(rows)
    return 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])


def _without_decay(change: list[Tensor], before: list[Tensor]) -> Tensor:
    """Norms of the components of the changes that are orthogonal to the weights."""
    found = []
    for part, weights in zip(change, before, strict=True):
        share = (part * weights).sum() / weights.square().sum().clamp(min=torch.finfo(weights.dtype).tiny)
        found.append((part - share * weights).norm())
    return torch.stack(found)
