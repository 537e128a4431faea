"""Hidden layers whose units are all identical."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from .observer import bias_of, layer_of

__all__ = ["SymmetricLayers"]

# Matrix kernels sum equal units in different orders, so that rounding makes them differ.
_SAME_AT_START, _SAME_LATER = 1e-6, 1e-3
# A layer of up to four groups of identical units, of eight units or more each, still counts as symmetric.
_MOST_KINDS, _UNITS_OF_A_KIND = 4, 8


def _deviation(units: Tensor) -> float:
    """Largest distance of a unit (a row) from its group, relative to the longest row; 0 if all are zero.

    Cells written by hand stack the units of two to four gates: the units of each gate are a group.
    """
    rows = units.detach().flatten(1).cpu().double()
    longest = float(rows.norm(dim=1).max())
    if not longest > 0:
        return 0.0
    furthest = torch.full((len(rows),), math.inf, dtype=rows.dtype, device=rows.device)
    for _ in range(min(_MOST_KINDS, len(rows) // _UNITS_OF_A_KIND) or 1):
        kind = rows[int(furthest.argmax())]
        furthest = torch.minimum(furthest, (rows - kind).norm(dim=1))
        if float(furthest.max()) < _SAME_AT_START * longest:
            break
    return float(furthest.max()) / longest


def _units_of_gates(weight: Tensor, hidden_size: int) -> Tensor:
    """(n_gates * hidden_size, n) -> (hidden_size, n_gates * n)."""
    return weight.view(-1, hidden_size, weight.shape[1]).transpose(0, 1)


class SymmetricLayers:
    """Finds hidden layers that start with identical units, and those of them whose units still are.

    Zeros at the start are common in last layers and residual branches; only units that stay identical are a fault.
    Of the parameters in the order of their first use, the last matrix makes the output, and has no hidden units.
    """

    def __init__(self, module: nn.Module, order: Sequence[str]) -> None:
        found = dict(module.named_parameters())
        hidden_sizes = {
            id(p): part.hidden_size
            for part in module.modules()
            if isinstance(part, (nn.RNNBase, nn.RNNCellBase))
            for p in part.parameters(recurse=False)
        }
        embeddings = {id(part.weight) for part in module.modules() if isinstance(part, (nn.Embedding, nn.EmbeddingBag))}
        matrices = [n for n in order if n in found and found[n].ndim > 1 and id(found[n]) not in embeddings]
        self.layers: list[tuple[str, Callable[[], Tensor]]] = []
        # Layers whose units are identical and not zero, which is never intended.
        self.constant: list[str] = []
        for name in matrices[:-1]:
            weight = found[name]
            if not weight.requires_grad or min(weight.shape[:2]) < 2 or not weight.is_floating_point():
                continue
            if id(weight) in hidden_sizes and weight.shape[0] % hidden_sizes[id(weight)] == 0:  # a unit's gates
                self._note(name, partial(_units_of_gates, weight, hidden_sizes[id(weight)]))
                continue
            # The units of a layer are rows; those of a matrix that a module multiplies itself may be columns.
            axes = (0,) if name.endswith("weight") else (0, 1) if weight.ndim == 2 else ()
            for axis in axes:
                bias = bias_of(name, found)
                if bias is None or bias.ndim != 1 or _deviation(bias.unsqueeze(1)) < _SAME_AT_START:
                    self._note(name, partial(torch.movedim, weight, axis, 0))

    def _note(self, name: str, units: Callable[[], Tensor]) -> None:
        if _deviation(units()) < _SAME_AT_START:
            self.layers.append((name, units))
            if units().detach().any():
                self.constant.append(layer_of(name))

    def still_symmetric(self) -> list[str]:
        """Layers whose units are still identical."""
        return [layer_of(name) for name, units in self.layers if _deviation(units()) < _SAME_LATER]
