"""How far training has moved the weights from their start."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["WeightMovement"]


class WeightMovement:
    """The trained weights of a net now, compared with copies made when this object was."""

    def __init__(self, net: Any) -> None:
        self._net = net
        with torch.no_grad():
            self._start = [p.detach().clone() for p in _trained_parameters(net)]

    def displacement(self) -> float:
        """Distance of the weights from their start, relative to their norm: the largest over the layers.

        Without the component along the weights themselves, which is the effect of weight decay.
        """
        furthest = 0.0
        for now, start in self._now_and_start():
            size = max(float(start.norm()), 0.1 * math.sqrt(start.numel() / max(1, start[:1].numel())))
            moved = now - start
            if start.any():
                moved = moved - start * ((moved * start).sum() / start.square().sum())
            furthest = max(furthest, float(moved.norm()) / size)
        return furthest

    def shrinkage(self) -> float:
        """Norm of the weight matrices now, as a share of that at the start: the median over the layers."""
        shares = [
            float(now.norm() / start.norm()) for now, start in self._now_and_start() if now.ndim > 1 and start.any()
        ]
        return float(np.median(shares)) if shares else 1.0

    def _now_and_start(self) -> list[tuple[Tensor, Tensor]]:
        return [
            (p.detach().cpu().double(), start.cpu().double())
            for p, start in zip(_trained_parameters(self._net), self._start, strict=True)
        ]


def _trained_parameters(net: Any) -> list[nn.Parameter]:
    """Real parameters of the network that require gradients."""
    return [p for p in net.module_.parameters() if p.requires_grad and p.is_floating_point()]
