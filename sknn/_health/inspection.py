"""An inspection of the network: a forward pass of some rows in evaluation mode, with statistics of its activations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..modules._layers import BATCH_NORMS
from .bounds import ending_of, probed_bounds
from .observer import LARGE_SHARE, Activation, FirstLayer, Observer
from .recorder import Recorder, first_tensor, recorded

__all__ = ["Inspection", "as_evaluated", "inspect_before_training", "inspect_network"]


@dataclass
class Inspection:
    """What a forward pass in evaluation mode showed."""

    loss: float
    raw: Tensor  # raw predictions, as given to the loss, (n_rows, ...)
    last: str  # name of the last operation of the network, as in `Ending`
    bounds: tuple[float, float]  # smallest and largest possible output
    has_open_end: bool  # whether `bounds` may be narrower than the last operation alone implies
    activations: list[Activation]  # from the input to the output, without an activation that makes the output
    first: FirstLayer | None  # None behind a normalisation, and if the first weights do not multiply the input
    order: list[str] = field(default_factory=list)  # parameters in the order of their first use
    # For each layer with weights, the standard deviation of its input over the rows, relative to the root mean square.
    differences: list[tuple[str, float]] = field(default_factory=list)
    # Root mean square of the output of each layer with weights, in the order of use.
    sizes: list[tuple[str, float]] = field(default_factory=list)
    # Parameters that multiply units, rather than shift or scale each of them.
    mixing: set[str] = field(default_factory=set)
    # Parameters that every path from the input to the output passes: not in a branch beside a shortcut.
    chain: set[str] = field(default_factory=set)

    @property
    def is_suspicious(self) -> bool:
        """Whether most of the units of a layer are inactive, or saturated."""
        return any(
            a.inactive >= LARGE_SHARE or (a.saturated >= LARGE_SHARE and not a.is_gate) for a in self.activations
        )


@contextmanager
def as_evaluated(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, but batch norms use the statistics of the batch: the running ones may not be learned yet.

    Modes and buffers are restored afterwards; `careful` restores the generators of random numbers.
    """
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        for part, _ in modes:
            part.training = isinstance(part, BATCH_NORMS)
        yield
    finally:
        for part, training in modes:
            part.training = training
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


def inspect_before_training(net: Any, rows: tuple[Any, Any]) -> Inspection:
    """An inspection that also probes the range of the outputs if the last operation does not determine it."""
    inspection = inspect_network(net, rows)
    if inspection.has_open_end and inspection.bounds == (-math.inf, math.inf):
        with as_evaluated(net.module_):
            inspection.bounds = probed_bounds(net, rows[0])
    return inspection


@torch.no_grad()
def inspect_network(net: Any, rows: tuple[Any, Any]) -> Inspection:
    """Send rows (inputs and targets) through the network of a net."""
    x, y = rows
    module = net.module_
    recorder = Recorder(module)
    observer = Observer(first_tensor(x).shape[0], recorder)
    recorder.before, recorder.after = observer.before, observer.after
    with as_evaluated(module):
        recorder.follow(x)
        with recorded(module, recorder):
            output = net.infer(x)
        raw = output if isinstance(output, Tensor) else output[0]
        loss = net.get_loss(output, y, X=x, training=False).item()
        result = recorder.result[0] if isinstance(recorder.result, (tuple, list)) else recorder.result
    ending = ending_of(recorder, result)
    unavoidable = recorder.passed.get(id(result), frozenset())
    for operation, activation in observer.activations.items():
        activation.is_avoidable = operation not in unavoidable
    observer.activations.pop(id(ending.operation), None)
    recorder.release()
    return Inspection(
        loss=loss,
        raw=raw,
        last=ending.name,
        bounds=ending.bounds,
        has_open_end=not ending.is_free,
        activations=list(observer.activations.values()),
        first=observer.first,
        order=list(observer.order),
        differences=observer.differences,
        sizes=observer.sizes,
        mixing={name for names in observer.weighing.values() for name in names},
        chain={name for operation in unavoidable for name in observer.weighing.get(operation, ())},
    )
