"""Rule: all units of a hidden layer are identical."""

from __future__ import annotations

from ..evidence import Evidence
from ..record import Finding

__all__ = ["symmetric_init"]


def symmetric_init(e: Evidence, ended: bool) -> Finding | None:
    """All units of a hidden layer are identical before the first step, and still after a hundred steps."""
    if e.n_steps < (5 if ended else 100):
        return None
    layers = e.symmetric.still_symmetric()
    still = f"and after {e.n_steps} steps"
    if not layers and ended and e.has_no_skill:
        # If gradients are hardly more than rounding errors, Adam turns these into steps that make units differ.
        layers, still = e.symmetric.constant, "and only rounding errors have made them differ since"
    if not layers:
        return None
    return Finding(
        "symmetric_init",
        layers[0],
        e.n_epochs,
        f"all units of {', '.join(layers)} are identical, before the first step {still}: they get the same "
        "gradient, so the layer counts as one unit.",
        "random initial weights in the module, as torch.nn.init.kaiming_uniform_ gives, instead of constant ones.",
    )
