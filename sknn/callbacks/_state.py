"""A copy of everything that training changes in a net's modules."""

from __future__ import annotations

import dis
import signal
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .._health.origin import has_overflown, largest_of

__all__ = ["ModuleState", "StopTraining", "TrainAgain", "UserStop", "raised_on_purpose"]

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


class UserStop(StopTraining):
    """Somebody else's callback asked to stop: nothing is begun after it."""


class TrainAgain(StopTraining):
    """Ends the present run of epochs; another one follows after a change.

    Parameters
    ----------
    change : callable
        Called without arguments once the schedule of the learning rate has been undone.
    epochs : int or None
        Of the next run; None for as many as were planned for this one, 0 for no run after the change.
    instead : callable or None
        Called without arguments if training is to end instead: what has to be undone in any case.
    """

    def __init__(
        self, change: Callable[[], None], epochs: int | None = None, instead: Callable[[], None] | None = None
    ) -> None:
        super().__init__()
        self.change, self.epochs, self.instead = change, epochs, instead

    def end(self) -> None:
        """Do what is left to do if training is not to go on."""
        if self.instead is not None:
            self.instead()


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
        together = [] if flat is None else [flat.data]
        self._tensors = [*together, *(p.detach() for p in parameters)]
        # By their place: some modules put another tensor there instead of changing the one there is.
        parts = {id(part): part for module in modules for part in module.modules()}
        self._buffers = [(part, name) for part in parts.values() for name, b in part._buffers.items() if b is not None]
        self.saved = [tensor.clone() for tensor in self.live]
        # Masks of attention are infinite from the start, and shall be.
        self._exempt = [_overflown(tensor) if has_overflown(tensor) else None for tensor in self.saved]

    @property
    def live(self) -> list[Tensor]:
        """The tensors as they are now."""
        buffers = (part._buffers[name] for part, name in self._buffers)
        return [*self._tensors, *(buffer for buffer in buffers if buffer is not None)]

    def __copy__(self) -> ModuleState:
        """What was saved is copied; the live tensors are the same."""
        twin = object.__new__(ModuleState)
        vars(twin).update(vars(self), saved=[tensor.clone() for tensor in self.saved])
        return twin

    @torch.no_grad()
    def save(self) -> None:
        """Copy the live tensors."""
        for i, live in enumerate(self.live):
            if live.shape == self.saved[i].shape:
                self.saved[i].copy_(live)
            else:
                self.saved[i] = live.clone()

    @torch.no_grad()
    def restore(self) -> None:
        """Put the copy back."""
        for i, (saved, live) in enumerate(zip(self.saved, self.live, strict=True)):
            self._put(i, saved, live)

    @torch.no_grad()
    def restore_overflown(self) -> bool:
        """Put tensors back that hold NaN, infinity, or numbers without a finite square; whether there were any.

        What was so from the start does not count.
        """
        found = False
        for i, (saved, live) in enumerate(zip(self.saved, self.live, strict=True)):
            if has_overflown(self._without_exempt(i, live)):
                self._put(i, saved, live)
                found = True
        return found

    def is_finite(self) -> bool:
        """Whether no live tensor holds NaN, infinity, or a number without a finite square, but those of the start."""
        return not any(has_overflown(self._without_exempt(i, tensor)) for i, tensor in enumerate(self.live))

    def _without_exempt(self, i: int, tensor: Tensor) -> Tensor:
        exempt = self._exempt[i]
        return tensor if exempt is None or exempt.shape != tensor.shape else tensor.detach().masked_fill(exempt, 0.0)

    def _put(self, i: int, saved: Tensor, live: Tensor) -> None:
        if saved.shape == live.shape:
            live.copy_(saved)
            return
        part, name = self._buffers[i - len(self._tensors)]
        part._buffers[name] = saved.clone()


def _overflown(tensor: Tensor) -> Tensor:
    return (tensor.abs() <= largest_of(tensor.dtype)).logical_not_()
