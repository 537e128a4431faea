"""Rules: gradients, losses or updates that are far too large, and gradients that get lost on their way."""

from __future__ import annotations

import math

import numpy as np
from torch import nn

from ..evidence import Evidence
from ..input_dependence import input_gradient
from ..record import Finding
from .growth import Root, root_of_large_loss, target_out_of_scale
from .remedies import USUAL_UPDATE, bounded_gradient, lower_lr

__all__ = ["exploding", "fades", "relative_gradients", "unscaled_target", "vanishing", "vanishing_over_time"]

_ORDERS_OF_MAGNITUDE = 1e3
# Growth of gradients towards the input that counts in a network of so many layers that only memorises its rows.
_CLEARLY, _MANY_LAYERS = 3.0, 6
_NOTHING_LEFT = 1e-5
_GATED = (nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell)


def exploding(e: Evidence, ended: bool) -> Finding | None:
    """A first loss far above a constant guess, gradients that grow towards the input, or updates beyond the weights.

    And the network learns poorly.
    """
    if not e.step_losses or e.constant is None:
        return None
    found = root_of_large_loss(e) or _grows_towards_input(e) or _updates_beyond_weights(e)
    return None if found is None or not e.learns_poorly else _exploding(e, found)


def unscaled_target(e: Evidence, ended: bool) -> Finding | None:
    """Targets far out of scale, and the network learns poorly; their large gradients may kill units, too."""
    found = target_out_of_scale(e)
    return None if found is None or not e.learns_poorly else _exploding(e, found)


def _exploding(e: Evidence, root: Root) -> Finding:
    lower = f"lr={lower_lr(e):.1g} (it is {e.lr:.3g})"
    evidence = f"{root.evidence}; the skill is now {e.skill:.3g}."
    remedy = root.remedy.format(lower=lower, clip=bounded_gradient(e))
    return Finding("exploding", root.layer, e.n_epochs, evidence, remedy, root.cause)


def _grows_towards_input(e: Evidence) -> Root | None:
    # Gains that only scale each unit are few numbers, whose gradient sums that of many rows and units.
    mixing = e.inspections[0].mixing if e.inspections else set(e.norms.parameters)
    kept = [i for i, name in enumerate(e.norms.parameters) if name in mixing]
    rows = e.norms.relative()[:, kept]
    if len(rows) < 3 or len(kept) < 3:
        return None
    relative = np.median(rows[:5, :, 0], axis=0)
    n = max(1, len(relative) // 3)
    first, last = np.median(relative[:n]), relative[-n:].max()
    # Growth that does not keep the training rows from being learned makes outputs of other rows unrelated to them.
    if len(relative) > _MANY_LAYERS and e.memorises:
        is_clear, last = True, np.median(relative[-n - 1 : -1])
    else:
        is_clear = False
    if not 0 < last < first / (_CLEARLY if is_clear else _ORDERS_OF_MAGNITUDE):
        return None
    layer = e.norms.names[kept[int(np.argmax(relative[:n]))]]
    seen = (
        f"the gradient of {layer}, relative to its weights, was {first / last:.2g} times that of the last layers in "
        "the first steps"
    )
    if is_clear:
        seen += f", and of the training skill of {e.train_skills[-1]:.2g} little is left on held-out rows"
    return Root(layer, "gradients", seen, "{clip}, smaller initial weights, norm layers or shortcuts, or {lower}.")


def _updates_beyond_weights(e: Evidence) -> Root | None:
    size = e.update_size()
    if not size > 1:
        return None
    seen = (
        f"one step at a learning rate of {e.largest_lr:.3g} changes the weights by {size:.3g} times their norm "
        f"({USUAL_UPDATE:g} is usual)"
    )
    raised = f"lr_schedule='cosine', which does not exceed lr={e.lr:.3g}, or {{clip}}."
    return Root(None, "updates", seen, raised if e.schedule_raises_lr else "{lower}, {clip}, or a warm-up.")


def relative_gradients(e: Evidence) -> list[tuple[list[str], np.ndarray]]:
    """Names and median relative gradients of the layers on every path, over the first and over the later steps.

    In a branch beside a shortcut, or in the queries and keys of attention, small gradients are no fault.
    """
    rows = e.norms.relative()[:, :, 0]
    chain = e.inspections[0].chain if e.inspections else set(e.norms.parameters)
    kept = [i for i, name in enumerate(e.norms.parameters) if name in chain]
    if len(rows) < 6 or len(kept) < 3:
        return []
    names = [e.norms.names[i] for i in kept]
    return [(names, np.median(part, axis=0)) for part in (rows[:5, kept], rows[len(rows) // 2 :, kept])]


def fades(e: Evidence) -> tuple[str, float] | None:
    """The layer at which rows hardly differ before the first step, and the share of the differences that is left."""
    if not e.inspections:
        return None
    chain = [a for a in e.inspections[0].activations if not a.is_avoidable and not math.isnan(a.spread)]
    if len(chain) >= 2 and chain[0].spread > 0:
        left = chain[-1].spread / max(a.spread for a in chain)
        if left < 1e-5 and chain[-2].spread > 0.1 * max(a.spread for a in chain):
            return None  # all at once: what follows makes rows equal, as the mean over a batch does
        if left < 0.1 / _ORDERS_OF_MAGNITUDE:
            return chain[-1].layer, left
    # All paths meet in front of the last layer: there, the share must be near the precision of float32.
    shares = [share for _, share in e.inspections[0].differences if not math.isnan(share)]
    if len(shares) >= 3 and shares[-1] < _NOTHING_LEFT < 0.01 * max(shares):
        is_gradual = any(10 * _NOTHING_LEFT < share < 0.3 * max(shares) for share in shares)
        return (e.inspections[0].differences[-1][0], shares[-1] / max(shares)) if is_gradual else None
    return None


def vanishing(e: Evidence, ended: bool) -> Finding | None:
    """First layers have gradients orders of magnitude below the largest, and the network learns poorly."""
    for names, relative in relative_gradients(e):
        # The last layer may rightly start near zero; then it passes little on, and its own relative gradient is large.
        hidden = relative[:-1]
        first, most = int(np.argmin(hidden[: max(1, len(hidden) // 2)])), int(np.argmax(hidden))
        if first < most and hidden[first] < hidden[most] / _ORDERS_OF_MAGNITUDE and e.learns_poorly:
            name, ratio = names[first], hidden[first] / hidden[most]
            what = f"the gradient of {name}, relative to its weights, is {ratio:.1e} of that of {names[most]}"
            return _vanishing(e, name, what)
    fading = fades(e)
    if fading is None or not e.learns_poorly:
        return None
    layer, left = fading
    return _vanishing(e, layer, f"before the first step, {left:.1e} of the differences between rows is left there")


def vanishing_over_time(e: Evidence, ended: bool) -> Finding | None:
    """The first steps of a sequence hardly affect the loss, which only gradients of the inputs can show."""
    if not e.skill < 0.5:
        return None
    now = None if e.rows is None else input_gradient(e.net, e.rows)
    shares = [share for share in map(_share_of_first_steps, (e.flow_at_start, now)) if share is not None]
    if not shares or min(shares) * 10 * _ORDERS_OF_MAGNITUDE >= 1 or not e.learns_poorly:
        return None
    if any(isinstance(part, _GATED) for part in e.net.module_.modules()) and e.is_unrelated:
        return None  # gates forget what does not help
    layer = e.norms.names[0] if e.norms.names else None
    what = f"the gradient with respect to the first steps of the input is {min(shares):.1e} of that of the last"
    return _vanishing(e, layer, what)


def _vanishing(e: Evidence, layer: str | None, what: str) -> Finding:
    has_gates = any(isinstance(part, _GATED) for part in e.net.module_.modules())
    over_time = "the mean of all steps instead of the last one, or shorter sequences" if has_gates else "an LSTM or GRU"
    return Finding(
        "vanishing",
        layer,
        e.n_epochs,
        f"{what}; between 0.01 and 1 is usual. The skill is {e.skill:.3g}.",
        "module__activation=torch.nn.ReLU or GELU with the initialisation that belongs to it, norm layers or "
        f"shortcuts, or fewer layers; over time, {over_time}.",
    )


def _share_of_first_steps(flow: np.ndarray | None) -> float | None:
    """Gradient with respect to the first steps of a sequence, as a share of that of the last; None for other inputs."""
    if flow is None or not flow.max() > 0:
        return None
    n = max(1, len(flow) // 4)
    if not np.median(flow[:n]) and flow[flow > 0].min() > flow.max() / _ORDERS_OF_MAGNITUDE:
        return None  # it does not fade: the network does not read these steps
    return float(np.median(flow[:n]) / max(np.median(flow[-n:]), np.finfo(float).tiny))
