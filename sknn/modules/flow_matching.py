"""Flow matching: a network that estimates velocities, and with it ways from noise to rows of data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["FlowNetwork", "time_features"]

_GOLDEN = 0.6180339887498949  # multiples of it, modulo 1, fill [0, 1) evenly, however many there are
_SEED_OF_EVALUATION = 0
_FREQUENCIES = (1.0, 100.0)  # lowest and highest, in radians over the whole time


class FlowNetwork(nn.Module, ABC):
    r"""A network that generates rows by flow matching; a subclass defines `velocity`.

    A row of data :math:`x_1` and noise :math:`x_0 \sim N(0, 1)` are joined by a straight line,
    :math:`x_t = (1 - t) x_0 + t x_1`, and the network estimates its direction :math:`x_1 - x_0` from :math:`x_t`. The
    mean direction at a point is the velocity of a flow that carries the distribution of noise to that of the data, so
    that :math:`dx / dt = v(x, t)`, integrated from noise, makes rows.

    Called with rows, as in training, it returns the loss of each, :math:`\frac{1}{d} \lVert v(x_t, t) - (x_1 - x_0)
    \rVert^2` for rows of :math:`d` numbers. It is never near zero: the ways to many rows cross.

    Notes
    -----
    In training mode noise and times are drawn from torch's global generator, as in dropout. In evaluation mode they
    are the same in every call, so that losses of epochs can be compared.

    References
    ----------
    .. [1] Y. Lipman, R. T. Q. Chen, H. Ben-Hamu, M. Nickel, M. Le. Flow Matching for Generative Modeling. ICLR 2023.
       arXiv:2210.02747 (the paths of optimal transport with sigma_min = 0).
    .. [2] X. Liu, C. Gong, Q. Liu. Flow Straight and Fast. ICLR 2023. arXiv:2209.03003.
    """

    def __init__(self) -> None:  # that of nn.Module takes any argument
        super().__init__()

    @abstractmethod
    def velocity(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """Estimate directions.

        Parameters
        ----------
        x : Tensor (batch, ...)
            Points on the ways from noise to data.
        t : Tensor (batch,)
            Their times, 0 for noise to 1 for data.
        condition : Tensor float32 (batch, condition_size), default=None
            What is known about each row: indicators of its class, or numbers.

        Returns
        -------
        Tensor (batch, ...)
            In the shape of `x`.
        """

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Loss of rows `x` (batch, ...) at random points of the ways to them, (batch, 1)."""
        t, noise = self._draws(x)
        share = t.view(-1, *[1] * (x.ndim - 1))
        error = self.velocity(torch.lerp(noise, x, share), t, condition) - (x - noise)
        return error.flatten(1).square().mean(dim=1, keepdim=True)

    def _draws(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Times (batch,), evenly spread over [0, 1), and noise in the shape and memory format of the rows."""
        generator = None
        if not self.training:
            generator = torch.Generator(x.device).manual_seed(_SEED_OF_EVALUATION)
        start = torch.rand(1, dtype=x.dtype, device=x.device, generator=generator)
        steps = torch.arange(len(x), dtype=x.dtype, device=x.device)
        return (start + _GOLDEN * steps) % 1, torch.empty_like(x).normal_(generator=generator)

    @torch.no_grad()
    def integrate(self, noise: Tensor, condition: Tensor | None = None, n_steps: int = 16, **known: Any) -> Tensor:
        r"""Rows that the flow carries `noise` to, by Heun's method.

        Parameters
        ----------
        noise : Tensor (batch, ...)
            Standard normal numbers.
        condition : Tensor float32 (batch, condition_size), default=None
        n_steps : int, default=16
            Steps of two evaluations of the network each. Times are :math:`1 - (1 - i / n)^2`: steps get short where
            the last noise vanishes.
        **known
            Further arguments of `velocity`.

        Returns
        -------
        Tensor (batch, ...)
        """
        x = noise
        times = 1 - (1 - torch.linspace(0, 1, n_steps + 1, dtype=x.dtype, device=x.device)).square()
        for start, end in pairwise(times):
            first = self.velocity(x, start.expand(len(x)), condition, **known)
            second = self.velocity(x + (end - start) * first, end.expand(len(x)), condition, **known)
            x = x + (end - start) / 2 * (first + second)
        return x


def time_features(t: Tensor, n_features: int) -> Tensor:
    """Sines and cosines of times t (batch,) with frequencies in a geometric sequence, (batch, n_features), even."""
    low, high = _FREQUENCIES
    exponents = torch.linspace(0, 1, n_features // 2, dtype=t.dtype, device=t.device)
    angles = t[:, None] * (low * (high / low) ** exponents)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
