"""What makes outputs or losses far too large before the first step: target, initial weights, depth or recurrence."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..dominance import logarithms
from ..evidence import Evidence
from ..recorder import first_tensor

__all__ = ["Root", "root_of_large_loss", "root_of_overflow", "target_out_of_scale"]

# A first loss this many times that of a constant guess comes from the initial weights, or from the scale of the target.
_FAR_ABOVE_CONSTANT = 20.0
# Root mean squares of targets and of outputs further apart than this; targets below the second are small.
_APART, _SMALL_TARGET = 100.0, 0.01
# Growth over all layers that explains a large loss; in each layer, the most that is due to depth rather than weights.
_GROWS, _PER_LAYER = 10.0, 2.5
_MANY_LAYERS, _MANY_STEPS = 8, 5
_OVERFLOWN = 1e38  # stands for outputs that are not finite


class Root(NamedTuple):
    """The fields of a finding."""

    layer: str | None
    cause: str
    evidence: str
    remedy: str


def root_of_large_loss(e: Evidence) -> Root | None:
    """Targets out of scale, or a first loss many times that of a constant guess, and what makes it so large."""
    assert e.constant is not None
    of_target = target_out_of_scale(e)
    if of_target is not None:
        return of_target
    first = float(e.step_losses[0][0]) if e.step_losses else e.inspections[0].loss
    if e.inspections[0].loss < first / _FAR_ABOVE_CONSTANT:  # large by what training adds: noise, or a few rows
        return None
    ratio = first / e.constant.start if e.constant.start > 0 else 0.0
    if not ratio > _FAR_ABOVE_CONSTANT:
        return None
    root = _growing_layers(e) or _of_outputs(e)
    seen = f"the first loss was {first:.3g}, {ratio:.3g} times that of a constant guess, {e.constant.start:.3g}"
    return root._replace(evidence=f"{seen}: {root.evidence}")


def root_of_overflow(e: Evidence, *, in_first_step: bool) -> Root | None:
    """The same for a value that became too large; in the first step no learning rate can have been the cause."""
    if e.constant is None or not e.inspections:
        return None
    root = root_of_large_loss(e)
    return (_growing_layers(e) or _of_outputs(e)) if root is None and in_first_step else root


def target_out_of_scale(e: Evidence) -> Root | None:
    """Targets far larger than the first outputs, or far smaller, under a loss that compares the two."""
    if e.constant is None or e.rows is None:
        return None
    raw, y = e.inspections[0].raw, e.rows[1]
    if not isinstance(y, Tensor) or not y.is_floating_point() or y.ndim != 2 or raw.shape[-1] != y.shape[-1]:
        return None
    has_link = logarithms(e.net, e.inspections[0], e.rows[0], y) is not None
    of_target, of_outputs = _size(y), _size(raw.exp() if has_link else raw)
    is_large = of_target > _APART * max(1.0, of_outputs)
    is_small = 0 < of_target < min(_SMALL_TARGET, of_outputs / _APART) and of_outputs < 10
    if not (is_large or is_small) or not math.isfinite(of_target) or not (has_link or _compares(e, y, raw)):
        return None
    seen = (
        f"targets have a root mean square of {of_target:.3g}, and the first outputs one of {of_outputs:.3g}; about 1 "
        "was expected of both"
    )
    return Root(
        "y", "target_scale", seen, "preprocessing=True, which scales the target, or a target of standard scale."
    )


@torch.no_grad()
def _compares(e: Evidence, y: Tensor, raw: Tensor) -> bool:
    """Whether outputs that equal the targets make the loss small: there is no link between the two."""
    assert e.constant is not None
    assert e.rows is not None
    exact = (y if raw.ndim == 2 else y.unsqueeze(1)).to(raw.dtype).expand_as(raw)
    loss = e.net.get_loss(exact, y, X=e.rows[0], training=False).item()
    return loss < 0.01 * e.constant.loss


def _size(values: Tensor) -> float:
    """Root mean square."""
    return float(torch.linalg.vector_norm(values.detach(), dtype=torch.float64)) / math.sqrt(max(1, values.numel()))


def _growing_layers(e: Evidence) -> Root | None:
    """Outputs that grow from layer to layer, or from step to step of a sequence."""
    inspection = e.inspections[0]
    sizes = [(layer, size if math.isfinite(size) else _OVERFLOWN) for layer, size in inspection.sizes]
    if not sizes:
        return None
    recurrence = _growing_recurrence(e, sizes)
    if recurrence is not None:
        return recurrence
    start = inspection.first.scale if inspection.first is not None else 1.0
    if not 0 < start < math.inf:
        start = 1.0
    before = [start, *(size for _, size in sizes)]
    n = 1 + max(range(len(sizes)), key=lambda i: sizes[i][1])
    growth = sizes[n - 1][1] / start
    if growth < _GROWS:
        return None
    layer = sizes[max(range(n), key=lambda i: sizes[i][1] / max(before[i], 1e-30))][0]
    per_layer = growth ** (1 / n)
    seen = (
        f"outputs grow from {start:.2g} (inputs) to {sizes[n - 1][1]:.2g} in {sizes[n - 1][0]}, {per_layer:.2g} times "
        "in each layer; about 1 is usual"
    )
    if n >= _MANY_LAYERS and per_layer < _PER_LAYER:
        return Root(
            layer,
            "depth",
            f"{seen}, and there are {n} layers",
            "norm layers, branches that start at zero, fewer layers.",
        )
    return Root(
        layer,
        "initial_weights",
        seen,
        "smaller initial weights: PyTorch's default, or torch.nn.init.kaiming_normal_ for ReLU; or norm layers.",
    )


def _growing_recurrence(e: Evidence, sizes: list[tuple[str, float]]) -> Root | None:
    """A layer that is applied many times, and whose output grows with the steps."""
    assert e.rows is not None
    for layer in dict.fromkeys(name for name, _ in sizes):
        over_time = [size for name, size in sizes if name == layer]
        n_steps, first, last = len(over_time), over_time[0], max(over_time)
        part = dict(e.net.module_.named_modules()).get(layer.rpartition(".weight")[0] or layer)
        if isinstance(part, nn.RNNBase):  # all steps are one operation
            x = first_tensor(e.rows[0])
            layer, n_steps, first = layer.rpartition(".")[0], (x.shape[1] if x.ndim > 1 else 1), 1.0
        if n_steps < _MANY_STEPS or last < _GROWS * _GROWS * max(first, 1e-30):
            continue
        seen = f"{layer} is applied in {n_steps} steps in a row, and its outputs grow to {last:.2g}; about 1 is usual"
        return Root(
            layer,
            "recurrence",
            seen,
            "smaller recurrent weights, as torch.nn.init.orthogonal_ gives, an LSTM or GRU, or shorter sequences.",
        )
    return None


def _of_outputs(e: Evidence) -> Root:
    """Layers do not grow: what follows the last one, or the target, makes the loss large."""
    seen = f"the first outputs have a root mean square of {_size(e.inspections[0].raw):.3g}"
    remedy = "smaller initial weights or factors, a target of standard scale (preprocessing=True), or norm layers."
    return Root(None, "initial_loss", seen, remedy)
