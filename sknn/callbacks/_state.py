"""A copy of everything that training changes in a net's modules, and the exceptions that end training."""

from __future__ import annotations

import dis
import signal
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .._health.origin import has_overflown, largest_of
from ._protocol import flat_parameters_of

__all__ = ["ModuleState", "StopTraining", "UserStop", "raised_on_purpose"]

_RAISE = dis.opmap["RAISE_VARARGS"]


def raised_on_purpose(error: KeyboardInterrupt) -> bool:
    """Whether a ``raise`` statement raised it, as skorch's callbacks do to stop, and not the signal of Ctrl-C.

    A signal is delivered between two instructions, so the innermost frame never stands on the instruction of ``raise``.
    """
    traceback = error.__traceback__
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    # A signal handler written in Python uses ``raise``, too.
    if traceback.tb_frame.f_code is getattr(signal.getsignal(signal.SIGINT), "__code__", None):
        return False
    return traceback.tb_frame.f_code.co_code[traceback.tb_lasti] == _RAISE


class StopTraining(KeyboardInterrupt):
    """Ends training early.

    skorch's only way to stop is KeyboardInterrupt, which it catches. With a class of its own, sknn's loop distinguishes
    it from Ctrl-C, which must reach the caller. `stopped_by` is what the estimators' attribute of this name says.
    """

    def __init__(self, stopped_by: Literal["early_stopping", "health", "callback"]) -> None:
        super().__init__(stopped_by)
        self.stopped_by = stopped_by


class UserStop(StopTraining):
    """A callback that is not part of sknn asked to stop: no further run is begun."""

    def __init__(self) -> None:
        super().__init__("callback")


class ModuleState:
    """Weights and buffers of every module of a net, the criterion included."""

    def __init__(self, net: Any) -> None:
        modules = [getattr(net, f"{name}_") for name in (*net._modules, *net._criteria)]
        modules = [module for module in modules if isinstance(module, nn.Module)]
        # Flat buffers hold all their parameters at once: one copy instead of many.
        flat = flat_parameters_of(net)
        inside = set() if flat is None else {id(parameter) for parameter in flat.parameters}
        parameters = [p for m in modules for p in m.parameters() if id(p) not in inside]
        together = [] if flat is None else [flat.data]
        self._tensors = [*together, *(p.detach() for p in parameters)]
        # By module and name, since some modules replace a buffer instead of changing it.
        parts = {id(part): part for module in modules for part in module.modules()}
        self._buffers = [(part, name) for part in parts.values() for name, b in part._buffers.items() if b is not None]
        self.saved = [tensor.clone() for tensor in self.live]
        # Attention masks are infinite on purpose.
        self._exempt = [~(t.abs() <= largest_of(t.dtype)) if has_overflown(t) else None for t in self.saved]

    @property
    def live(self) -> list[Tensor]:
        """The tensors as they are now."""
        buffers = (part._buffers[name] for part, name in self._buffers)
        return [*self._tensors, *(buffer for buffer in buffers if buffer is not None)]

    def __copy__(self) -> ModuleState:
        """Copies the saved tensors; the live ones are shared."""
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
        """Restore the saved tensors."""
        for i, (saved, live) in enumerate(zip(self.saved, self.live, strict=True)):
            self._put(i, saved, live)

    @torch.no_grad()
    def restore_overflown(self) -> bool:
        """Restore tensors with NaN, infinity, or numbers without a finite square; return whether there were any.

        Values that were so from the start do not count.
        """
        found = False
        for i, (saved, live) in enumerate(zip(self.saved, self.live, strict=True)):
            if has_overflown(self._without_exempt(i, live)):
                self._put(i, saved, live)
                found = True
        return found

    def is_finite(self) -> bool:
        """Whether no live tensor has NaN, infinity, or a number without a finite square, except those of the start."""
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
