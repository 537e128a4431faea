"""A copy of everything that training changes in a net's modules."""

from __future__ import annotations

import dis
import signal
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .._health.origin import LARGEST, has_overflown

__all__ = ["ModuleState", "StopTraining", "TrainAgain", "raised_on_purpose"]

_RAISE = dis.opmap["RAISE_VARARGS"]


def raised_on_purpose(error: KeyboardInterrupt) -> bool:
    """Whether a ``raise`` statement threw it, as skorch's callbacks do to stop, and not the signal of Ctrl-C.

    A signal is delivered between two instructions, so the innermost frame never stands on the instruction of ``raise``.
    """
    traceback = error.__traceback__
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    # A handler written in Python raises, too.
    if traceback.tb_frame.f_code is getattr(signal.getsignal(signal.SIGINT), "__code__", None):
        return False
    return traceback.tb_frame.f_code.co_code[traceback.tb_lasti] == _RAISE


class StopTraining(KeyboardInterrupt):
    """Ends a training early.

    skorch's only way to stop is KeyboardInterrupt, and it swallows that. A class of its own lets sknn's loop tell it
    from a user's Ctrl-C, which must reach the caller.
    """


class TrainAgain(StopTraining):
    """Ends the present run of epochs; another one follows after a change.

    Parameters
    ----------
    change : callable
        Called without arguments once the schedule of the learning rate has been undone.
    epochs : int or None
        Of the next run; None for as many as were planned for this one, 0 for no run after the change.
    """

    def __init__(self, change: Callable[[], None], epochs: int | None = None) -> None:
        super().__init__()
        self.change, self.epochs = change, epochs


class ModuleState:
    """Weights and buffers of every module of a net, the criterion included.

    Parameters
    ----------
    net : skorch.NeuralNet
        An initialised net.
    """

    def __init__(self, net: Any) -> None:
        modules = [getattr(net, f"{name}_") for name in (*net._modules, *net._criteria)]
        modules = [module for module in modules if isinstance(module, nn.Module)]
        # Flat buffers hold all their parameters at once: one copy instead of many.
        flat = getattr(net, "flat_parameters", None)
        inside = set() if flat is None else {id(parameter) for parameter in flat.parameters}
        parameters = [p for m in modules for p in m.parameters() if id(p) not in inside]
        buffers = [b for m in modules for b in m.buffers()]
        together = [] if flat is None else [flat.data]
        self.live = [*together, *(t.detach() for t in (*parameters, *buffers))]
        self.saved = [tensor.clone() for tensor in self.live]

    def __copy__(self) -> ModuleState:
        """What was saved is copied; the live tensors are the same."""
        twin = object.__new__(ModuleState)
        twin.live, twin.saved = self.live, [tensor.clone() for tensor in self.saved]
        return twin

    @torch.no_grad()
    def save(self) -> None:
        """Copy the live tensors."""
        for saved, live in zip(self.saved, self.live, strict=True):
            saved.copy_(live)

    @torch.no_grad()
    def restore(self) -> None:
        """Put the copy back."""
        for saved, live in zip(self.saved, self.live, strict=True):
            live.copy_(saved)

    @torch.no_grad()
    def restore_overflown(self) -> bool:
        """Put tensors back that hold NaN, infinity, or numbers without a finite square; whether there were any."""
        found = False
        for saved, live in zip(self.saved, self.live, strict=True):
            if has_overflown(live):
                live.copy_(saved)
                found = True
        return found

    def is_finite(self) -> bool:
        """Whether no live tensor holds NaN, infinity, or a number without a finite square. One synchronisation."""
        flags = [tensor.abs().max() <= LARGEST for tensor in self.live if tensor.is_floating_point() and tensor.numel()]
        return bool(torch.stack(flags).all()) if flags else True
