"""Statistics of a forward pass, operation by operation: activations, the first weights, the order of layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .recorder import Operation, Recorder, tensors_in

__all__ = [
    "LARGE_SHARE",
    "SATURATED_BEYOND",
    "WEIGHING",
    "Activation",
    "FirstLayer",
    "Observer",
    "bias_of",
    "column_name",
    "layer_of",
]

# This share of the units of a layer counts as most of them.
LARGE_SHARE = 0.5

# With inputs below these on every row a unit is inactive: its derivative is below 1e-3.
_INACTIVE_BELOW = {
    "relu": 0.0, "relu_": 0.0, "threshold": 0.0, "relu6": 0.0, "clamp_min": 0.0, "hardswish": -3.0,
    "gelu": -4.0, "silu": -12.0, "mish": -12.0, "elu": -8.0, "selu": -8.0, "celu": -8.0, "softplus": -8.0,
}  # fmt: skip
_INACTIVE_ABOVE = {"relu6": 6.0}
# Units that are inactive between minus and plus their threshold.
_INACTIVE_WITHIN = frozenset(["softshrink", "hardshrink"])
# Beyond these inputs the derivative is below a twentieth of its largest.
SATURATED_BEYOND = {"tanh": 2.2, "sigmoid": 4.4, "hardtanh": 1.0, "hardsigmoid": 3.0, "softsign": 3.5, "erf": 1.75}
_SATURATED_TANH = 0.975  # its value there
_GATES = frozenset(["sigmoid", "hardsigmoid"])
_OF_RECURRENT = {"rnn_tanh": "tanh", "rnn_tanh_cell": "tanh", "rnn_relu": "relu", "rnn_relu_cell": "relu"}
# Operations that multiply with weights.
WEIGHING = frozenset([
    "linear", "matmul", "rmatmul", "mm", "addmm", "bmm", "baddbmm", "bilinear", "einsum", "conv1d", "conv2d",
    "conv3d", "lstm", "gru", "lstm_cell", "gru_cell", "rnn_tanh", "rnn_relu", "rnn_tanh_cell", "rnn_relu_cell"
])  # fmt: skip
_NORMS = frozenset([
    "batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm", "normalize"
])  # fmt: skip


@dataclass
class Activation:
    """Statistics of an activation function over the rows."""

    layer: str  # the layer that computes its input
    name: str  # of the function
    n_units: int
    inactive: float = 0.0  # share of the units of a rectifier that are inactive, and active, on every row
    active: float = 0.0
    spread: float = math.nan  # standard deviation of its input over the rows, averaged over the units
    saturated: float = 0.0  # share of rows and units at which a bounded function is nearly flat
    is_gate: bool = False  # whether its output, between 0 and 1, is multiplied with another tensor
    is_avoidable: bool = False  # whether a path from the input to the output avoids it, as a shortcut does


@dataclass
class FirstLayer:
    """The scale of the inputs of the first weights."""

    layer: str
    operation: str
    scale: float  # root mean square of the non-zero inputs
    output_scale: float  # root mean square of the outputs
    # Standard deviation and mean of each column, feature of a sequence, or channel, (n_columns,).
    spread: Tensor | None
    center: Tensor | None = None


class Observer:
    """Collects the statistics of an inspection from the operations that a recorder reports."""

    def __init__(self, n_rows: int, recorder: Recorder) -> None:
        self.n_rows, self.recorder = n_rows, recorder
        self.activations: dict[int, Activation] = {}  # by the identity of their operation
        self.first: FirstLayer | None = None
        self.seen_weights = False
        self.layer = ""
        self.convolved = False
        self.order: dict[str, None] = {}
        self.weighing: dict[int, tuple[str, ...]] = {}  # by the identity of the operation
        self.differences: list[tuple[str, float]] = []
        self.sizes: list[tuple[str, float]] = []
        self.pending: Activation | None = None

    def before(self, operation: Operation) -> None:
        """Measure the input of an activation, which in-place functions overwrite."""
        self.pending = None
        name = operation.name
        if not self.seen_weights or not operation.args or not isinstance(operation.args[0], Tensor):
            return
        x = operation.args[0]
        if not x.is_floating_point() or x.ndim < 2:
            return
        if name in _INACTIVE_BELOW:
            if name == "clamp_min" and operation.args[1:] not in ((0,), (0.0,)):
                return
            given = [*operation.args[1:2], *(v for k, v in operation.kwargs.items() if k == "threshold")]
            limit = given[0] if name == "threshold" and given else _INACTIVE_BELOW[name]
            self.pending = _rectified(
                self.layer, name, self._by_unit((x <= limit) | (x >= _INACTIVE_ABOVE.get(name, math.inf)))
            )
        elif name == "hardtanh":
            low, high = _limits(operation)
            flat = self._by_unit((x <= low) | (x >= high))
            if low == 0:  # as torch.nn.ReLU6 calls it
                self.pending = _rectified(self.layer, name, flat)
            else:
                self.pending = Activation(self.layer, name, flat[0].numel(), saturated=flat.float().mean().item())
        elif name in _INACTIVE_WITHIN:
            within = next((v for v in (*operation.args[1:], *operation.kwargs.values())), 0.5)
            self.pending = _rectified(self.layer, name, self._by_unit(x.abs() <= within))
        elif name in SATURATED_BEYOND:
            flat = self._by_unit(x.abs() > SATURATED_BEYOND[name])
            self.pending = Activation(self.layer, name, flat[0].numel(), saturated=flat.float().mean().item())
        if self.pending is not None:
            self.pending.spread = self._by_unit(x).std(0, correction=0).mean().item()

    def after(self, operation: Operation) -> None:
        """Note weights, gates and recurrent units."""
        name = operation.name
        for weight in operation.weights:
            self.order[weight] = None
        if name in WEIGHING and operation.weight is not None:
            if not self.seen_weights:
                self.first = self._first_layer(operation)
            self.weighing[id(operation)] = operation.weights
            self.recorder.marked.add(id(operation))
            self.seen_weights = True
            self.layer = layer_of(operation.weight)
            self.convolved = name.startswith("conv")
            self._note_differences(operation)
            self._note_size(operation)
        elif name in _NORMS or name == "embedding":
            self.seen_weights = True
        if self.pending is not None:
            self._note(operation, self.pending)
        if name in _OF_RECURRENT:
            self._recurrent(operation)
        if name in ("mul", "rmul", "imul") and len(operation.args) > 1:
            factors = [factor for factor in operation.args[:2] if isinstance(factor, Tensor) and factor.numel() > 1]
            for factor in factors if len(factors) == 2 else ():
                source = self.recorder.made_by.get(id(factor))
                if source is not None and source.name in _GATES and id(source) in self.activations:
                    self.activations[id(source)].is_gate = True

    def _note_differences(self, operation: Operation) -> None:
        """How much the input of weights differs between rows."""
        x = next((t for t in tensors_in(operation.args) if id(t) not in self.recorder.weights), None)
        if x is not None and x.ndim > 1 and x.shape[0] == self.n_rows and x.is_floating_point():
            units = x.flatten(1)
            size = float(units.square().mean().sqrt())
            spread = float((units - units.mean(0)).square().mean().sqrt())
            self.differences.append((self.layer, spread / size if size > 0 else math.nan))

    def _note_size(self, operation: Operation) -> None:
        output = next(tensors_in([operation.output]), None)
        if output is not None and output.is_floating_point() and output.numel():
            norm = float(torch.linalg.vector_norm(output, dtype=torch.float64))
            self.sizes.append((self.layer, norm / math.sqrt(output.numel())))

    def _recurrent(self, operation: Operation) -> None:
        """Units inside a fused function, judged by its output: (batch, time, units), or (batch, units) of a cell."""
        output = next(t for t in tensors_in([operation.output]))
        if operation.name.startswith("rnn_relu"):
            found = _rectified(self.layer, "relu", (output <= 0).flatten(0, -2))
        else:
            flat = (output.abs() > _SATURATED_TANH).float().mean().item()
            found = Activation(self.layer, "tanh", output.shape[-1], saturated=flat)
        self._note(operation, found)

    def _note(self, operation: Operation, activation: Activation) -> None:
        self.activations[id(operation)] = activation
        self.recorder.marked.add(id(operation))

    def _by_unit(self, units: Tensor) -> Tensor:
        """(n, ...): rows first, then units.

        The rows are the dimension as long as the batch; if it is the first one, time and space are counted as rows.
        """
        rows = next((i for i, size in enumerate(units.shape) if size == self.n_rows), 0)
        if rows == 0:
            unit = 1 if units.ndim > 3 or (units.ndim == 3 and self.convolved) else units.ndim - 1
            return units.movedim(unit, -1).flatten(0, -2)
        return units.movedim(rows, 0)

    def _first_layer(self, operation: Operation) -> FirstLayer | None:
        tensors = list(tensors_in(operation.args[:2]))
        x = tensors[0]
        if not x.is_floating_point() or not x.numel() or not isinstance(operation.output, (Tensor, tuple)):
            return None
        n_filled = max(1, int((x != 0).sum()))
        scale = (x.cpu().double().square().sum() / n_filled).sqrt().item()
        output = next(tensors_in([operation.output]))
        columns = x.movedim(1, -1) if operation.name.startswith("conv") and x.ndim > 2 else x
        spread, center = torch.std_mean(columns.flatten(0, -2).cpu().double(), 0, correction=0)
        output_scale = output.cpu().double().square().mean().sqrt().item()
        return FirstLayer(layer_of(operation.weight), operation.name, scale, output_scale, spread, center)


def _limits(operation: Operation) -> tuple[float, float]:
    """The bounds of a `hardtanh`, which are -1 and 1 unless given."""
    given = dict(zip(("min_val", "max_val"), operation.args[1:3], strict=False)) | operation.kwargs
    return float(given.get("min_val", -1.0)), float(given.get("max_val", 1.0))


def _rectified(layer: str, name: str, inactive: Tensor) -> Activation:
    """From whether each unit is inactive, (n, ...)."""
    never, always = inactive.all(0).float().mean().item(), inactive.logical_not().all(0).float().mean().item()
    return Activation(layer, name, inactive[0].numel(), inactive=never, active=always)


def layer_of(weight: str | None) -> str:
    """The layer that a parameter belongs to: its module, or itself if its module has several weights."""
    prefix, _, name = (weight or "").rpartition(".")
    return prefix if prefix and name in ("weight", "bias", "in_proj_weight") else weight or ""


def bias_of(weight: str, parameters: Mapping[str, nn.Parameter]) -> nn.Parameter | None:
    """The bias that belongs to a parameter named weight."""
    return parameters.get(weight.removesuffix("weight") + "bias") if weight.endswith("weight") else None


def column_name(columns: Sequence[str] | None, position: int, n_columns: int) -> str:
    """The name in the table, or the position if the names do not belong to the input of the network."""
    return str(columns[position]) if columns is not None and len(columns) == n_columns else f"column {position}"
