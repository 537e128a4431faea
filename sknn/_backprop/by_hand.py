"""A network -> the hand-written gradient that serves it, if there is one."""

from __future__ import annotations

from torch import nn

from .._network.table_network import committee_of, users_network
from ..modules import TabM
from ..optim import FlatParameters
from .chain import Chain
from .stack import Stack
from .tabm_stack import TabMStack

__all__ = ["gradient_by_hand"]

# Class of a network -> gradient of one such network, or of a committee of them. A new one is one line here.
STACKS: dict[type[nn.Module], type[Stack]] = {TabM: TabMStack}


def gradient_by_hand(network: nn.Module, flat: FlatParameters, precision: str, batch_size: int) -> Chain | Stack | None:
    """The chain or the stack that differentiates a network in training mode, or None: it is left to torch."""
    chain = Chain.of(network, flat.parameters, precision, batch_size)
    if chain is not None or precision == "bfloat16":
        return chain
    committee = committee_of(network)
    stack = STACKS.get(type(users_network(network) if committee is None else committee.networks[0]))
    return None if stack is None else stack.of(network, flat)
