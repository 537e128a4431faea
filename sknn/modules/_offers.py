"""What a network may offer the estimators beyond torch's contract, each a plain attribute of the user's own module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

__all__ = ["knots_of", "members_of"]


def members_of(network: nn.Module) -> int | None:
    """The attribute ``n_members`` of a network that returns ``(batch, n_members, out_features)``, else None."""
    return getattr(network, "n_members", None)


def knots_of(network: nn.Module) -> Callable[[Tensor, Tensor | None], Any] | None:
    """The method ``fit_knots``, called before training with encoded rows and their weights, or None without one."""
    return getattr(network, "fit_knots", None)
