"""A network -> the hand-written gradient that serves it, if there is one."""

from __future__ import annotations

from torch import nn

from ..optim import FlatParameters
from .chain import Chain
from .tabm_stack import TabMStack as Stack

__all__ = ["Stack", "gradient_by_hand"]


def gradient_by_hand(network: nn.Module, flat: FlatParameters, precision: str, batch_size: int) -> Chain | Stack | None:
    """The chain or the stack that computes a network and differentiates it, or None: it is left to torch.

    Only a stack computes a network in evaluation mode.
    """
    chain = Chain.of(network, flat.parameters, precision, batch_size)
    return chain if chain is not None or precision == "bfloat16" else Stack.of(network, flat)
