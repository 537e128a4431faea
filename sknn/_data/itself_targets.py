"""Rows that are their own targets."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ItselfTargets"]


class ItselfTargets:
    """There is no y: the network learns the rows themselves, and returns the loss of each.

    See :class:`sknn.losses.RowLoss`.
    """

    kind = "itself"
    ndim = 1
    n_targets = 1
    is_constant = False

    def for_further(self, y: Any) -> ItselfTargets:
        """These targets for training that continues."""
        return self

    def encode(self, y: Any) -> np.ndarray:
        """Zeros float32 (n_samples, 1), which nothing reads."""
        return np.zeros((len(y), 1), dtype=np.float32)

    def to_state(self) -> dict[str, Any]:
        """As plain values, for a file."""
        return {}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ItselfTargets:
        """The same from a file that may be damaged."""
        if state:
            raise ValueError("targets that are the rows themselves have no state")
        return cls()
