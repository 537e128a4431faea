"""Rows that are their own targets."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .inputs import Inputs
from .stores import Store

__all__ = ["ItselfTargets"]


class ItselfTargets:
    """The encoded row is what the network predicts, as in an autoencoder or a generator; there is no y.

    What of a row is a target, its kind of data says: `Inputs.own_targets`.
    """

    kind = "itself"
    ndim = 2
    is_constant = False
    n_targets = 0  # known as soon as the inputs have been learned

    def for_further(self, y: Any) -> ItselfTargets:
        """These targets for training that continues."""
        return self

    def of(self, inputs: Inputs) -> ItselfTargets:
        """These targets for what was learned about X."""
        targets = type(self)()
        targets.n_targets = inputs.n_own_targets
        return targets

    @staticmethod
    def encode(inputs: Inputs, store: Store) -> Tensor:
        """Targets float32 (n_samples, n_targets) of encoded rows."""
        return inputs.own_targets(store)

    def to_state(self) -> dict[str, Any]:
        """As plain values, for a file."""
        return {"n_targets": self.n_targets}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ItselfTargets:
        """The same from a file that may be damaged."""
        targets = cls()
        (targets.n_targets,) = (int(state[name]) for name in ("n_targets",))
        if targets.n_targets < 1:
            raise ValueError(f"n_targets is {targets.n_targets}")
        return targets
