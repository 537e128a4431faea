"""One pass over training or validation rows: steps, their losses, and the epoch's record in the history."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .._data.rows import Batch, Batches, network_by_network
from ..losses import Loss
from .net import _Net
from .state import TrainingState

__all__ = ["one_pass", "validation_score"]

Step = Callable[[Batch], dict[str, Tensor]]


def one_pass(
    net: _Net, run: TrainingState, batches: Batches, step: Step, *, training: bool, end: float = math.inf
) -> None:
    """Take a step for each batch, until the time `end`; the loss is summed on the device and read once.

    The net is in the mode, training or evaluation, that the steps need.
    """
    prefix = "train" if training else "valid"
    per_batch = bool(run.listeners["on_batch_begin"] or run.listeners["on_batch_end"])
    score = None if training else run.plan.validation_score
    # What is calibrated in the end is judged as a whole; other losses batch by batch.
    judged = not training and type(net.criterion_).validation_loss is not Loss.validation_loss
    losses: list[Tensor] = []
    sizes: list[int] = []
    raw: list[Tensor] = []
    targets: list[tuple[Tensor, Tensor | None]] = []
    with net.own_rows(batches.rows):
        for batch in batches:
            if per_batch:
                net.notify("on_batch_begin", batch=batch, training=training)
            result = step(batch)
            losses.append(result["loss"].detach())
            sizes.append(batch[1].shape[0])
            if score is not None or judged:
                raw.append(result["y_pred"])
            if judged:
                targets.append((batch[1], batch[0].get("sample_weight")))
            if per_batch:
                _end_batch(net, batch, result, prefix, training=training)
            if time.perf_counter() >= end:
                break
    total = torch.stack(losses) @ losses[0].new_tensor(sizes)
    if training:
        run.step_losses = torch.stack(losses)
    if judged:
        y, weights = (list(values) for values in zip(*targets, strict=True))
        weight = None if weights[0] is None else torch.cat(weights)
        total = sum(sizes) * net.criterion_.validation_loss(torch.cat(raw).float(), torch.cat(y), weight)
    _record_curve(net.history, f"{prefix}_loss", total.item() / sum(sizes))  # synchronises
    net.history.record(f"{prefix}_batch_count", len(sizes))
    if training:
        net.history.record("lr", net.optimizer_.param_groups[0]["lr"])
    if score is not None:
        if batches.rows.shares is not None:
            raw = [network_by_network(raw, len(batches.rows.shares))]
        values = net.criterion_.inverse_link(torch.cat(raw).float())
        _record_curve(net.history, "valid_score", score(values.cpu().numpy()), sign=-1)
    if run.saves_files and not per_batch:
        if training:
            net.history.new_batch()
        _record_batch(net, prefix, losses[-1], sizes[-1])


def _end_batch(net: _Net, batch: Batch, result: dict[str, Tensor], prefix: str, *, training: bool) -> None:
    """Record a batch, and tell the callbacks that listen to batches."""
    if result["y_pred"].ndim == 3:  # scorers know one prediction a row
        result["y_pred"] = net.criterion_.combine(result["y_pred"].detach())
    _record_batch(net, prefix, result["loss"], batch[1].shape[0])
    net.notify("on_batch_end", batch=batch, training=training, **result)


def _record_batch(net: _Net, prefix: str, loss: Tensor, size: int) -> None:
    net.history.record_batch(f"{prefix}_loss", loss.item())
    net.history.record_batch(f"{prefix}_batch_size", size)


def _record_curve(history: Any, name: str, value: float, *, sign: int = 1) -> None:
    """Record a value of the present epoch, and whether it is the best of all epochs, as skorch's callbacks ask.

    The lowest is the best, with ``sign=-1`` the highest; NaN never is.
    """
    epochs = reversed(history)
    present = next(epochs)
    is_best = bool(sign * value < math.inf)
    # Back to the last epoch that was the best; a history of an older version has no such marks.
    for record in epochs if is_best else ():
        if sign * record.get(name, math.nan) <= sign * value:
            is_best = False
            break
        if record.get(f"{name}_best"):
            break
    present[name], present[f"{name}_best"] = value, is_best


def validation_score(record: dict[str, Any]) -> float | None:
    """Higher is better: the scorer's value, or minus the loss."""
    if "valid_score" in record:
        return record["valid_score"]
    return -record["valid_loss"] if "valid_loss" in record else None
