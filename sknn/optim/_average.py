"""Exponential moving average of the weights."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["WeightAverage"]


class WeightAverage:
    r"""Exponential moving average of the weights, which replaces the last weights in validation and in the result.

    After step :math:`t = 1, 2, \dots`

    .. math:: a_t = a_{t-1} + \max\left(\frac{3}{t + 2}, 1 - \beta\right) (w_t - a_{t-1}),

    so that a short training run averages about the last third of its steps. With a large learning rate the weights
    oscillate around a minimum, and their mean lies closer to it, even if training stops before the rate has fallen.

    B. Polyak, A. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control Optim. 30(4), 1992.
    P. Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018, arXiv:1803.05407.
    """

    def __init__(self, live: list[Tensor], decay: float) -> None:
        self.live = [tensor.detach() for tensor in live]  # what the optimizer changes in place
        self.decay = decay
        self.average = [tensor.clone() for tensor in self.live]
        self.last: list[Tensor] | None = None  # the weights of the last step, while `live` holds the average
        self.n_steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Add the weights after another step to the average."""
        self.n_steps += 1
        share = max(3 / (self.n_steps + 2), 1 - self.decay)
        for average, live in zip(self.average, self.live, strict=True):
            average.lerp_(live, share)

    @torch.no_grad()
    def show(self) -> None:
        """Replace the weights by their average."""
        if self.last is None:
            self.last = [tensor.clone() for tensor in self.live]
        for live, average in zip(self.live, self.average, strict=True):
            live.copy_(average)

    @torch.no_grad()
    def hide(self) -> None:
        """Restore the weights, to continue training; does nothing if the average is not shown."""
        if self.last is None:
            return
        for live, last in zip(self.live, self.last, strict=True):
            live.copy_(last)
        self.last = None
