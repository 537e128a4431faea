"""Rule: a few wild targets under a squared error, and all other rows are not learned."""

from __future__ import annotations

from torch import Tensor

from ..careful import careful
from ..dominance import far_from_others, is_squared
from ..evidence import HARDLY_ANY_SKILL, Evidence
from ..inspection import inspect_network
from ..record import Finding

__all__ = ["wild_targets"]


def wild_targets(e: Evidence, ended: bool) -> Finding | None:
    """Few targets hold nearly all of the squared error, and the other rows are not learned."""
    targets = e.train.targets(e.train.n_rows)
    if not ended or e.constant is None or e.rows is None or targets is None:
        return None
    x, y = targets
    wild = far_from_others(y)
    if wild is None or not is_squared(e.net, e.inspections[0], e.constant.value, y, x):
        return None
    skill = careful(_skill_on_others, e, y[~wild.is_wild], otherwise=0.0)
    if skill >= HARDLY_ANY_SKILL:
        return None
    return Finding(
        "not_learning",
        None,
        e.n_epochs,
        f"{int(wild.is_wild.sum())} of {len(y)} targets, which are up to {wild.furthest:.3g} standard deviations away "
        f"from the others, hold {wild.share:.4%} of the squared error: on the other rows the skill is {skill:.2g}.",
        "a look at these targets: are they errors? criterion='absolute_error' or 'huber' ignores them; for a target of "
        "many orders of magnitude, its logarithm.",
        "wild_targets",
    )


def _skill_on_others(e: Evidence, others: Tensor) -> float:
    """Of the inspected rows, those within the range of the `others`: 1 - squared error / that of their mean."""
    assert e.rows is not None
    y = e.rows[1].reshape(len(e.rows[1]), -1)
    raw = inspect_network(e.net, e.rows).raw
    if raw.numel() != y.numel():  # networks of a committee
        raw = raw.mean(1) if raw.ndim == 3 else raw[..., :1]
    raw = raw.reshape(y.shape)
    others = others.reshape(len(others), -1)
    kept = ((y >= others.amin(0)) & (y <= others.amax(0))).all(1)
    y, raw = y[kept].double(), raw[kept].double()
    return float(1 - (raw - y).square().sum() / (y - y.mean(0)).square().sum().clamp(min=1e-300))
