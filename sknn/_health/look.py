"""A look at the network: some rows through it, in evaluation mode, with an eye on every activation."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from skorch.dataset import unpack_data
from torch import Tensor, nn

from .bounds import ending_of, probed_bounds
from .observer import LARGE_SHARE, Activation, FirstLayer, Observer
from .recorder import Recorder, first_tensor, recorded

__all__ = ["Look", "as_evaluated", "first_look_at", "look_at", "same_random_numbers", "some_rows"]

# Enough for a share of rows, few enough to cost no more than a step.
N_ROWS = 128
_MOST_SPARSE = 512


@dataclass
class Look:
    """What a look has seen.

    Attributes
    ----------
    loss : float
        In evaluation mode.
    raw : Tensor
        What the loss is given, (n_rows, ...).
    last : str
        Name of the last operation of the network, as in `Ending`.
    bounds : (float, float)
        Between which outputs can be.
    has_open_end : bool
        Whether `bounds` may be narrower than the last operation tells.
    activations : list of Activation
        From the input to the output; without that of the output.
    first : FirstLayer or None
        None behind a normalisation, and where the first weights do not multiply the input.
    order : list of str
        Parameters in the order of their first use.
    differences : list of (str, float)
        Of each layer with weights, the share of what goes into it that tells rows apart: the standard deviation over
        the rows, relative to the root mean square.
    chain : set of str
        Those of them that everything passes on its way to the output: not in a branch beside a shortcut.
    """

    loss: float
    raw: Tensor
    last: str
    bounds: tuple[float, float]
    has_open_end: bool
    activations: list[Activation]
    first: FirstLayer | None
    order: list[str] = field(default_factory=list)
    differences: list[tuple[str, float]] = field(default_factory=list)
    chain: set[str] = field(default_factory=set)

    @property
    def is_suspicious(self) -> bool:
        """Whether there is a layer most of whose units are inactive, or flat."""
        return any(
            a.inactive >= LARGE_SHARE or (a.saturated >= LARGE_SHARE and not a.is_gate) for a in self.activations
        )


def some_rows(net: Any, dataset: Any, most: int = N_ROWS) -> tuple[Any, Any] | None:
    """Inputs and targets of rows from all over a dataset; None of one that cannot be asked for rows."""
    n_rows = len(dataset) if hasattr(dataset, "__len__") else 0
    if not n_rows:
        return None
    if getattr(dataset, "sparse", False):  # what is made dense shall be no more than a batch
        most = min(most, _MOST_SPARSE)
    step = max(1, n_rows // most)
    if hasattr(dataset, "take"):
        x_num, x_cat, y, weight = dataset.take(slice(None, None, step))
        if dataset.sparse:
            x_num = torch.from_numpy(x_num.toarray()).to(dataset.device)
        inputs = {"x_num": x_num.clone(), "x_cat": x_cat, "sample_weight": weight}
        return {name: values for name, values in inputs.items() if values is not None}, y
    subset = torch.utils.data.Subset(dataset, range(0, n_rows, step))
    batches = [unpack_data(batch) for batch in net.get_iterator(subset, training=False)]
    if all(isinstance(part, Tensor) for batch in batches for part in batch):
        return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    return batches[0]


@contextmanager
def as_evaluated(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, but with the statistics of the batch in batch norms: theirs may not have been learned yet.

    Modes and buffers are as before afterwards; that random numbers are, too, `careful` sees to.
    """
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        for part, _ in modes:
            part.training = isinstance(part, nn.modules.batchnorm._BatchNorm)
        yield
    finally:
        for part, training in modes:
            part.training = training
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """What is drawn inside does not move the generators of the training: torch's, numpy's and Python's."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


def first_look_at(net: Any, rows: tuple[Any, Any]) -> Look:
    """A look that also finds out between which outputs a network stays whose last operation does not tell."""
    look = look_at(net, rows)
    if look.has_open_end and look.bounds == (-math.inf, math.inf):
        with as_evaluated(net.module_):
            look.bounds = probed_bounds(net, rows[0])
    return look


@torch.no_grad()
def look_at(net: Any, rows: tuple[Any, Any]) -> Look:
    """Send rows through the network of a net, and see what they meet."""
    x, y = rows
    module = net.module_
    n_rows = first_tensor(x).shape[0]
    observer = Observer(n_rows)
    recorder = Recorder(module, observer.before, observer.after)
    observer.recorder = recorder
    with as_evaluated(module):
        recorder.follow(x)
        with recorded(module, recorder):
            output = net.infer(x)
        raw = output if isinstance(output, Tensor) else output[0]
        loss = net.get_loss(output, y, X=x, training=False).item()
        result = recorder.result[0] if isinstance(recorder.result, (tuple, list)) else recorder.result
    ending = ending_of(recorder, result)
    unavoidable = recorder.ways.get(id(result), frozenset())
    for operation, activation in observer.activations.items():
        activation.is_avoidable = operation not in unavoidable
    observer.activations.pop(id(ending.operation), None)
    recorder.release()
    return Look(
        loss=loss,
        raw=raw,
        last=ending.name,
        bounds=ending.bounds,
        has_open_end=not ending.is_free,
        activations=list(observer.activations.values()),
        first=observer.first,
        order=list(observer.order),
        differences=observer.differences,
        chain={name for operation in unavoidable for name in observer.weighing.get(operation, ())},
    )
