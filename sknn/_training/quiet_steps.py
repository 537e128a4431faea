"""Steps that no callback needs to be told of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..callbacks._protocol import SknnCallback
from ..optim._norms import pieces, sum_of_squares

__all__ = ["QuietSteps"]


class QuietSteps:
    """Lets steps pass whose gradient is smaller than what any callback would do something about.

    Telling callbacks of a step costs several times what the norm of the gradient does. Those of sknn say what they need
    not be told (``quiet(net)``: a norm, and for how many steps), and are given the norms of such steps together, later
    (``passed(norms)``).

    Parameters
    ----------
    gradient : Tensor of shape (n,), float32
        All gradients, on the CPU.
    callbacks : sequence of callbacks
    """

    def __init__(self, gradient: Tensor, callbacks: Sequence[Any]) -> None:
        self.parts = pieces(gradient.numpy())
        self.callbacks = callbacks
        self.squares: list[float] = []
        self.limit = self.left = 0.0

    @staticmethod
    def can_serve(callbacks: Sequence[Any]) -> bool:
        """Whether all callbacks know what they need not be told; a subclass may want to be told of more."""
        kinds = [type(callback) for callback in callbacks]
        return bool(kinds) and all(
            issubclass(kind, SknnCallback) and kind.__module__.startswith("sknn.") for kind in kinds
        )

    def passes(self, net: Any) -> bool:
        """Whether this step is none to tell of."""
        if not self.left:  # bounds follow the norms
            self.deliver()
            self.renew(net)
            if not self.left:
                return False
        square = sum_of_squares(self.parts)
        if not square <= self.limit:  # NaN is told, too
            self.left = 0
            return False
        self.left -= 1
        self.squares.append(square)
        return True

    def deliver(self) -> None:
        """Tell of the steps that have passed."""
        if self.squares:
            norms = [math.sqrt(square) for square in self.squares]
            self.squares = []
            for callback in self.callbacks:
                callback.passed(norms)

    def renew(self, net: Any) -> None:
        """Ask what may pass from now on."""
        answers = [callback.quiet(net) for callback in self.callbacks]
        limit, self.left = min(norm for norm, _ in answers), min(steps for _, steps in answers)
        self.limit = limit * limit
