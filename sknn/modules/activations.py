"""An activation of two kinds of units, and initial weights of a linear layer for the activation that follows it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ._checks import check_module_class


class HalfSine(nn.Module):
    r"""ReLU for the first half of the units, the sine for the others: :math:`f(x) = (\max(x_1, 0), \sin x_2)`.

    Units of two kinds learn different functions, so that a network of both errs less than one of either: measured in
    docs/quality.md. Of an odd number of units, the sine has one more. Mixtures of activations: F. Manessi, A. Rozza,
    Learning Combinations of Activation Functions, ICPR 2018, arXiv:1801.09403; the sine: V. Sitzmann et al., Implicit
    Neural Representations with Periodic Activation Functions, NeurIPS 2020, arXiv:2006.09661.

    Shape
    -----
    - Input and output: ``(..., n_units)``.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Units behind the activation."""
        n_rectified = x.shape[-1] // 2
        return torch.cat([x[..., :n_rectified].relu(), x[..., n_rectified:].sin()], dim=-1)


# gain = E[f(z)^2]^(-1/2) for z ~ N(0, 1), so that f keeps a second moment of 1 (tests compute the integral).
# He's sqrt(2) is too small for the smooth relatives of ReLU: at depth 10 SiLU would keep 1 % of the variance.
_KAIMING_GAINS: dict[type[nn.Module], float] = {
    nn.ReLU: math.sqrt(2.0),
    nn.LeakyReLU: math.sqrt(2.0 / (1.0 + 0.01**2)),
    nn.GELU: 1.533530,
    nn.SiLU: 1.676532,
    nn.Mish: 1.486848,
    HalfSine: 1.464636,
}
# SELU's constants are derived for a gain of exactly 1. Identity: a linear map that keeps the variance.
_LECUN_GAINS: dict[type[nn.Module], float] = {nn.SELU: 1.0, nn.Identity: 1.0}
_XAVIER_GAINS: dict[type[nn.Module], float] = {nn.Tanh: 5.0 / 3.0, nn.Sigmoid: 4.0}
# Raw predictions start near 0, which is the mean of a standardised target, or equal probabilities: the first steps
# need not undo a random prediction. Not exactly 0, or hidden layers would have no gradient.
_OUTPUT_GAIN = 0.1


@torch.no_grad()
def initialize_linear_(
    linear: nn.Linear, activation: type[nn.Module] | None, generator: torch.Generator | None = None
) -> nn.Linear:
    r"""Draw the weights of ``linear`` for the activation that follows it, in place, and return it; the bias becomes 0.

    ================================ =============================================== ====================
    activation                       distribution of the weights                     source
    ================================ =============================================== ====================
    ``ReLU``                         normal, std = sqrt(2 / fan_in)                  He et al. [1]_
    ``LeakyReLU`` (slope 0.01)       normal, std = sqrt(2 / (1 + 0.01^2) / fan_in)   He et al. [1]_
    ``GELU``                         normal, std = 1.534 / sqrt(fan_in)              as [1]_, see Notes
    ``SiLU``                         normal, std = 1.677 / sqrt(fan_in)              as [1]_, see Notes
    ``Mish``                         normal, std = 1.487 / sqrt(fan_in)              as [1]_, see Notes
    ``HalfSine``                     normal, std = 1.465 / sqrt(fan_in)              as [1]_, see Notes
    ``SELU``, ``Identity``           normal, std = 1 / sqrt(fan_in) (LeCun)          Klambauer et al. [2]_
    ``Tanh``                         Xavier uniform, gain 5/3                        Glorot and Bengio [3]_
    ``Sigmoid``                      Xavier uniform, gain 4                          Glorot and Bengio [3]_
    ``None`` (an output layer)       normal, std = 0.1 / sqrt(fan_in)
    any other class                  PyTorch's default, also for the bias
    ================================ =============================================== ====================

    Parameters
    ----------
    linear : nn.Linear
        The layer to initialise.
    activation : type[nn.Module] or None
        Class of the activation applied to the output of ``linear``; None for the output of a network or
        of a residual branch, ``nn.Identity`` for a linear projection inside a network.
    generator : torch.Generator, default=None
        Source of randomness; None takes torch's global generator.

    Notes
    -----
    The gains of the Kaiming rows are :math:`E[f(z)^2]^{-1/2}` with :math:`z \sim N(0, 1)`, which for ReLU is
    the sqrt(2) of He et al.

    Xavier with gain 1 assumes an activation of slope 1 at 0. A sigmoid's slope is 1/4, hence 4: with gain
    1, the gradient of the first of ten layers of 256 units is 4e-6 times the last one's; with gain 4, 2e-2.
    For tanh, 5/3 makes up for the contraction: variance 0.42 after ten layers, against 0.05 with gain 1.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun. Delving Deep into Rectifiers. ICCV 2015. arXiv:1502.01852.
    .. [2] G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter. Self-Normalizing Neural Networks.
       NeurIPS 2017. arXiv:1706.02515.
    .. [3] X. Glorot, Y. Bengio. Understanding the difficulty of training deep feedforward neural networks.
       AISTATS 2010.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from sknn.modules.activations import initialize_linear_
    >>> generator = torch.Generator().manual_seed(0)
    >>> linear = initialize_linear_(nn.Linear(512, 256), nn.ReLU, generator)
    >>> round(linear.weight.std().item() * 512**0.5, 2)
    1.42
    """
    weight = linear.weight
    if activation is None:
        gain: float | None = _OUTPUT_GAIN
    else:
        activation = check_module_class("activation", activation, "nn.ReLU")
        gain = _KAIMING_GAINS.get(activation, _LECUN_GAINS.get(activation))
    if gain is not None:
        nn.init.normal_(weight, std=gain / math.sqrt(linear.in_features), generator=generator)
    elif activation in _XAVIER_GAINS:
        nn.init.xavier_uniform_(weight, gain=_XAVIER_GAINS[activation], generator=generator)
    else:
        return linear
    if linear.bias is not None:
        nn.init.zeros_(linear.bias)
    return linear


def make_dropout(activation: type[nn.Module], probability: float) -> nn.Module:
    """Dropout behind ``activation``: AlphaDropout for SELU, since it keeps mean 0 and variance 1 (Klambauer et al.)."""
    return nn.AlphaDropout(probability) if activation is nn.SELU else nn.Dropout(probability)


__all__ = ["HalfSine", "initialize_linear_", "make_dropout"]
