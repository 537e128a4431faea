"""Weights drawn anew and scaled by the data, so that no layer starts dead, saturated or out of scale."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..modules._layers import BATCH_NORMS
from .careful import same_random_numbers
from .inspection import Inspection, as_evaluated
from .observer import SATURATED_BEYOND, WEIGHING, bias_of
from .recorder import Operation, Recorder, first_tensor, recorded
from .reference import Constant

__all__ = ["can_initialise", "initialise_by_data"]

_RESET = (nn.RNNBase, nn.RNNCellBase, nn.Embedding)
# Root mean square of the inputs of a bounded activation from which on many of them are where it is flat.
_LARGE_INPUT = 2.0
# Root mean squares of outputs behind a last matrix of unit variance that a factor has made small, or zero.
_SHRUNK, _VANISHED = 0.03, 1e-12
# Activations whose mean is far from zero relative to their spread: in their sums, rows would hardly differ.
_OFF_CENTER = ("sigmoid", "hardsigmoid", "softplus")


def _matrices(module: nn.Module, order: list[str]) -> dict[str, nn.Parameter]:
    """Trainable weight matrices and filters by name, without those of `_RESET` layers."""
    reset = {id(p) for part in module.modules() if isinstance(part, _RESET) for p in part.parameters()}
    found = dict(module.named_parameters())
    names = [name for name in order if name in found and found[name].ndim > 1]
    return {name: found[name] for name in names if found[name].requires_grad and id(found[name]) not in reset}


def _layers_to_reset(module: nn.Module) -> list[Any]:
    parts = [part for part in module.modules() if isinstance(part, _RESET)]
    return [part for part in parts if all(p.requires_grad for p in part.parameters())]


def can_initialise(module: nn.Module, inspection: Inspection) -> bool:
    """Whether there are weights that `initialise_by_data` can draw."""
    return bool(_matrices(module, inspection.order) or _layers_to_reset(module))


def _open_forget_gates(layer: nn.Module) -> None:
    """A bias of 1 for the forget gate, as in R. Jozefowicz et al., ICML 2015."""
    for name, parameter in layer.named_parameters(recurse=False):
        if name.startswith("bias_ih"):
            parameter.chunk(4)[1].fill_(1.0)


def _keep_norms(layer: nn.Module) -> None:
    """Orthogonal recurrent weights, which keep the norm of a state: A. Saxe et al., ICLR 2014, arXiv:1312.6120."""
    for name, parameter in layer.named_parameters(recurse=False):
        if name.startswith("weight_hh"):
            nn.init.orthogonal_(parameter)
        elif name.startswith("bias"):
            parameter.zero_()


class _Scaling:
    """Scales each matrix at its first use, and centers its output.

    A second pass scales further down what a factor in front of a bounded activation makes too large.
    """

    def __init__(self, module: nn.Module, order: list[str], *, centers: bool) -> None:
        self.matrices = _matrices(module, order)
        self.parameters = dict(module.named_parameters())
        self.centers = centers
        self.done: list[str] = []
        self.sizes: dict[str, float] = {}  # of the outputs, if it is not 1

    def before(self, operation: Operation) -> None:
        """Note how large the input of a bounded activation is when the output of the matrix has unit variance."""
        if not self.done or operation.name not in SATURATED_BEYOND or not isinstance(operation.args[0], Tensor):
            return
        size = operation.args[0].float().square().mean().sqrt().item()
        if _LARGE_INPUT < size < math.inf:
            self.sizes.setdefault(self.done[-1], 1 / size)

    def __call__(self, operation: Operation) -> None:
        """After an operation of the forward pass; later ones are given the scaled output."""
        used = [name for name in operation.weights if name in self.matrices]
        output = operation.output
        if operation.name not in WEIGHING or len(used) != 1 or used[0] in self.done or not isinstance(output, Tensor):
            return
        self.done.append(used[0])
        units = 1 if operation.name.startswith("conv") else output.ndim - 1
        values = output.movedim(units, -1).flatten(0, -2).float()
        means = values.mean(0)
        size = (values - means if self.centers else values).square().mean().sqrt().item()
        if not math.isfinite(size) or size < 1e-12:
            return
        size /= self.sizes.get(used[0], 1.0)
        self.matrices[used[0]].mul_(1 / size)
        bias = next(
            (self.parameters[name] for name in operation.weights if self._is_bias(name, output.shape[units])), None
        )
        shift = means / size if self.centers and bias is not None else torch.zeros_like(means)
        if bias is not None:
            bias.sub_(shift.to(bias.dtype))
        shape = [1] * output.ndim
        shape[units] = -1
        operation.output = output / size - shift.view(shape).to(output.dtype)

    def _is_bias(self, name: str, width: int) -> bool:
        parameter = self.parameters.get(name)
        return parameter is not None and parameter.shape == (width,) and parameter.requires_grad


@torch.no_grad()
def initialise_by_data(net: Any, rows: tuple[Any, Any], inspection: Inspection, constant: Constant) -> None:
    """Draw all weight matrices and filters anew, then scale them in the order of their use.

    Matrices and filters get orthogonal directions, a scale at which their outputs for some rows have unit variance, and
    biases of zero, or behind sigmoids those at which the outputs have zero mean. The outputs of the last one start at
    the best constant guess with a tenth of the spread of the targets. Norm layers are reset; recurrent layers and
    embeddings get torch's defaults, but forget gates start open and recurrent weights without gates orthogonal.

    References
    ----------
    D. Mishkin, J. Matas, "All you need is a good init", ICLR 2016, arXiv:1511.06422.
    """
    x, y = rows
    module = net.module_
    for part in module.modules():
        is_norm = isinstance(part, (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm))
        if is_norm and all(parameter.requires_grad for parameter in part.parameters()):
            part.reset_parameters()
    for part in _layers_to_reset(module):
        part.reset_parameters()
        if isinstance(part, (nn.LSTM, nn.LSTMCell)):
            _open_forget_gates(part)
        elif isinstance(part, (nn.RNN, nn.RNNCell)):
            _keep_norms(part)
    scaling = _Scaling(
        module, inspection.order, centers=any(a.name in _OFF_CENTER and not a.is_gate for a in inspection.activations)
    )
    for name, matrix in scaling.matrices.items():
        matrix.copy_(nn.init.orthogonal_(torch.empty_like(matrix, dtype=torch.float32)))  # half precision has no QR
        bias = bias_of(name, scaling.parameters)
        if bias is not None and bias.requires_grad:
            bias.zero_()
    raw = _scaled(net, x, scaling)
    if scaling.sizes:
        scaling.done = []
        raw = _scaled(net, x, scaling)
    if scaling.done:
        _start_at_constant(scaling, y, raw, constant)


def _scaled(net: Any, x: Any, scaling: _Scaling) -> Tensor:
    """Raw scores of the rows, once the matrices are scaled."""
    recorder = Recorder(net.module_, before=None if scaling.sizes else scaling.before, after=scaling)
    with as_evaluated(net.module_), same_random_numbers(), recorded(net.module_, recorder):
        raw = first_tensor(net.infer(x))
    recorder.release()
    return raw


def _start_at_constant(scaling: _Scaling, y: Any, raw: Tensor, constant: Constant) -> None:
    """Outputs near the best constant guess, provided that they come directly from the last matrix and its bias."""
    name = scaling.done[-1]
    spread = 1.0
    if isinstance(y, Tensor) and y.is_floating_point() and y.numel() == raw.numel():
        spread = float(y.float().reshape(len(y), -1).std(0, correction=0).mean())
    # Of unit variance, unless a factor follows the last matrix; a bounded output is below 1 by nature.
    behind = float(raw.detach().float().square().mean().sqrt())
    if behind > 1.0 or _VANISHED < behind < _SHRUNK:
        spread /= behind if math.isfinite(behind) else 1.0
    scaling.matrices[name].mul_(0.1 * spread)
    bias = bias_of(name, scaling.parameters)
    if bias is not None and bias.requires_grad and bias.shape == constant.value.shape:
        bias.mul_(0.1 * spread)
        if bool(torch.isfinite(constant.value).all()):
            bias.add_(constant.value.to(bias.dtype))
