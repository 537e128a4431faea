"""Rule: a validation loss that rises while the training loss falls."""

from __future__ import annotations

import numpy as np

from ..evidence import Evidence
from ..record import Finding

__all__ = ["overfitting"]


def overfitting(e: Evidence, ended: bool) -> Finding | None:
    """The validation loss is lastingly above its best while the training loss falls, and nothing stops that."""
    valid, train = e.valid_skills, e.train_skills
    if not ended or e.restores_best or len(valid) < 8 or len(valid) != len(train) or e.n_valid < 20:
        return None
    best = int(np.argmax(valid))
    lasting = max(4, len(valid) // 5)
    if valid[best] < 0.01 or len(valid) - 1 - best < lasting:
        return None
    late = valid[-lasting:]
    lost = valid[best] - max(late)
    # A tenth of the skill, and a twentieth of the loss, since one of the two may be small.
    clearly = max(0.1 * valid[best], 0.05 * (1 - valid[best]), 0.02)
    if lost < clearly or float(np.mean(train[-lasting:])) <= train[best] + 0.02:
        return None
    return Finding(
        "overfitting",
        None,
        e.n_epochs,
        f"the validation skill was {valid[best]:.3g} in epoch {best + 1} and is {valid[-1]:.3g} now, while the "
        "training "
        f"skill went from {train[best]:.3g} to {train[-1]:.3g}.",
        "early_stopping=True, module__dropout=0.2, optimizer__weight_decay, or a smaller module.",
    )
