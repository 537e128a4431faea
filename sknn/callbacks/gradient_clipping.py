"""Bound the global norm of the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor

__all__ = ["GradientClipping"]


class GradientClipping(Callback):
    """Bound the global norm of the gradient.

    Parameters
    ----------
    max_norm : float, default=1.0
        Largest Euclidean norm over all gradients together. Larger gradients are scaled down to it.

    Notes
    -----
    ``g <- g * min(1, max_norm / |g|)``; on a GPU without a branch on its value and so without a synchronisation.

    References
    ----------
    R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    arXiv:1211.5063.

    Examples
    --------
    >>> from sknn.callbacks import GradientClipping
    >>> GradientClipping(max_norm=0.5).max_norm
    0.5
    """

    def __init__(self, max_norm: float = 1.0) -> None:
        self.max_norm = max_norm

    def on_grad_computed(
        self, net: Any, named_parameters: Iterable[tuple[str, Tensor]], X: Any = None, y: Any = None, **kwargs: Any
    ) -> None:
        """Clip, after the backward pass and before the step."""
        flat = getattr(net, "flat_parameters", None)
        if flat is None:
            all_gradients = [p.grad for _, p in named_parameters]
        else:  # and groups that a callback has added
            added = net.optimizer_.param_groups[len(flat.groups) :]
            all_gradients = [flat.gradient, *(p.grad for group in added for p in group["params"])]
        gradients = [gradient for gradient in all_gradients if gradient is not None]
        if gradients:
            self.clip_(gradients)

    def clip_(self, gradients: list[Tensor]) -> Tensor:
        """Scale `gradients` in place; return their norm before."""
        gradients = [gradient.detach() for gradient in gradients]
        norms = [torch.linalg.vector_norm(g) for g in gradients]
        norm = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))
        # 1e-6 as in torch.nn.utils.clip_grad_norm_: a zero gradient stays zero instead of 0 / 0.
        if norm.is_cpu:  # where reading a number costs less than computing with it as a tensor
            factor: Any = self.max_norm / (norm.item() + 1e-6)
            if factor >= 1:
                return norm
        else:
            factor = (self.max_norm / (norm + 1e-6)).clamp_(max=1.0)
        for gradient in gradients:
            gradient.mul_(factor)
        return norm
