"""Rule: a loss that does not fall, for one of several causes."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
import torch

from ..evidence import HARDLY_ANY_SKILL, SKILL_OF_A_RELATION, Evidence
from ..input_dependence import depends_on_input
from ..inspection import Inspection
from ..record import Finding
from .gradients import fades, relative_gradients
from .remedies import LONG_STEP, USUAL_UPDATE, large_eps, lower_lr, suggested_lr
from .unregistered import unregistered_weights

__all__ = [
    "UNRELATED",
    "cut_off",
    "frozen",
    "hardly_moving",
    "not_learning",
    "output_spread",
    "shrinking",
    "unrelated_labels",
]

# Change over all steps, relative to the weights, that counts as hardly any; more is needed if the rate fell at once.
_HARDLY_MOVED, _HALFWAY = 0.02, 0.5
# With fewer rows a real relation may not be significant.
_ROWS_TO_DOUBT_LABELS = 200
# Their decay is part of the gradient, which they divide by its size.
_SCALED_DECAY = (torch.optim.Adam, torch.optim.Adagrad, torch.optim.RMSprop, torch.optim.Adamax, torch.optim.LBFGS)
UNRELATED = "neither a single column nor a simple model of all (tests at 1 %) is related to the target"
# Shares of the largest learning rate, and of the initial norm of the weights, that count as hardly anything.
_HARDLY_ANY_LR, _SHRUNK = 0.01, 0.05
# Skill of a simple model beside which hardly any skill is a fault.
_CLEAR_RELATION = 0.3
# Training of so many epochs and steps may have settled.
_MANY_EPOCHS, _MANY_STEPS = 10, 200
# Gain of skill in the second half of the epochs beyond which more of them may help: as a share of the distance to a
# simple model, and of the gain in the first half.
_COMES_NEARER, _SLOWER = 0.05, 0.6
# Weight decay that takes longer than this many epochs to forget is usual.
_FORGETS = 2.0
_CHECK_ROWS = (
    "a check that each row of y belongs to its row of X: was one of them shuffled, sorted or merged? Or a larger "
    "module and more epochs, if the relation is more complicated."
)


def shrinking(e: Evidence, ended: bool) -> Finding | None:
    """The weights have shrunk to nearly nothing, and the network learns poorly."""
    decay = max(group.get("weight_decay", 0.0) for group in e.net.optimizer_.param_groups)
    weaker = f"optimizer__weight_decay={decay / 100:.1g} (it is {decay:.3g}), or a weaker penalty in the loss."
    shrinkage = e.weights.shrinkage()
    if shrinkage < _SHRUNK and e.learns_poorly:
        return _not_learning(e, "weight_decay", f"the weights have shrunk to {shrinkage:.1%} of their norm", weaker)
    # After 1 / (lr * decay) steps of plain gradient descent or AdamW little is left of what was learned.
    optimizer = e.net.optimizer_
    is_scaled = isinstance(optimizer, _SCALED_DECAY) and not isinstance(optimizer, torch.optim.AdamW)
    if not ended or not decay or is_scaled or e.constant is None:
        return None
    epochs = e.n_epochs / max(1, e.n_steps) / (e.largest_lr * decay)
    if epochs >= _FORGETS or not _is_behind(e):
        return None
    why = f"weight decay makes weights forget within {epochs:.2g} epochs what they learned; tens of epochs are usual"
    return _not_learning(e, "weight_decay", why, weaker)


def _is_behind(e: Evidence) -> bool:
    """Whether a simple model learns more than the network, even of the training rows."""
    learned = max([skill for skill in (e.skill, *e.train_skills[-1:]) if not math.isnan(skill)], default=math.nan)
    return learned < 0.8 * e.simple_skill and e.simple_skill >= 2 * SKILL_OF_A_RELATION


def hardly_moving(e: Evidence, ended: bool) -> Finding | None:
    """The weights are nearly where they started, and the network has no skill."""
    if e.constant is None or not e.constant.is_bounded:
        return None
    late = float(np.median(e.norms.lrs[len(e.norms.lrs) // 2 :] or [e.lr]))
    rate_fell = late < _HARDLY_ANY_LR * e.largest_lr
    too_far = _HALFWAY if rate_fell else _HARDLY_MOVED
    hardly_moved = e.skill < 0.1 and e.weights.displacement() < too_far and e.learns_poorly
    # A rate that fell too soon also keeps a network with some skill from what a simple model learns.
    if not hardly_moved and not (ended and rate_fell and _is_behind(e)):
        return None
    moved = f"all steps together changed {e.weights.displacement():.1e} of the weights"
    if e.largest_lr < 0.03 * e.lr:
        kept = f"the schedule has kept the learning rate at or below {e.largest_lr:.1e}, where lr is {e.lr:.3g}, and "
        return _not_learning(e, "schedule", kept + moved, "lr_schedule='cosine', or a shorter warm-up.")
    if rate_fell:
        fell = f"the schedule soon took the learning rate from {e.largest_lr:.1e} to {late:.1e}, and "
        return _not_learning(e, "schedule", fell + moved, "lr_schedule='cosine', or one that falls more slowly.")
    lr = suggested_lr(e)
    if not e.update_size() > 0 or not lr > e.lr:
        seen = f"updates are too small: {moved}, though lr={e.lr:.3g} is usual: the gradient itself is near zero"
        return _not_learning(e, "small_updates", seen, "optimizer='auto', which divides by its size, or a larger loss.")
    eps = large_eps(e.net.optimizer_)
    if eps is not None:
        seen = f"updates are too small: {moved}; they are divided by the optimizer's eps of {eps:.3g}; 1e-8 is usual"
        return _not_learning(e, "small_updates", seen, f"optimizer__eps=1e-8 (it is {eps:.3g}).")
    unbound = f"gradient_clipping='auto' (it is {e.clipping!r}), " if isinstance(e.clipping, Real) else ""
    return _not_learning(
        e,
        "small_updates",
        f"updates are too small: {moved}, one of the first steps {e.update_size():.1e}; {USUAL_UPDATE:g} is usual",
        f"{unbound}lr={lr:.1g}, about {lr / e.lr:.1g} times what it is ({e.lr:.3g}); unfreeze layers if most are "
        "frozen.",
    )


def frozen(e: Evidence, ended: bool) -> Finding | None:
    """No weight matrix is trained, and the network learns poorly."""
    has_matrices = any(parameter.ndim > 1 for parameter in e.net.module_.parameters())
    if e.norms.names or not has_matrices or not e.learns_poorly:
        return None
    return _frozen(e)


def _frozen(e: Evidence) -> Finding:
    remedy = "requires_grad=True for more layers: most are frozen."
    return _not_learning(e, "frozen", "no weight matrix is trained", remedy)


def cut_off(e: Evidence, ended: bool) -> Finding | None:
    """Some layers get no gradient at all, though others do, and the network learns poorly."""
    first = e.inspections[0].first if e.inspections else None
    if first is not None and first.scale == 0 and e.learns_poorly:
        return _not_learning(
            e, "ignores_inputs", f"the inputs of {first.layer} are all zero", "a module whose forward uses its input."
        )
    # Long steps may have taken the gradient from units that had one, which is another cause.
    if e.norms.is_without_gradient and e.learns_poorly and not e.update_size() > LONG_STEP:
        return _not_learning(
            e,
            "cut_off",
            "in most steps no gradient at all reaches the weights",
            "less dropout (module__dropout), or check the loss and the last layers for detach(), masks and flat parts.",
        )
    for names, relative in [] if fades(e) else relative_gradients(e)[:1]:
        for name, this, following in zip(names, relative, relative[1:], strict=False):
            # Gradients that only vanish become smaller step by step.
            if this == 0 and following > 1e-6 * relative.max() and e.learns_poorly:
                return _not_learning(
                    e,
                    "cut_off",
                    f"no gradient at all reaches {name}, though the layers after it have one",
                    "checking the operations after that layer for detach(), no_grad(), .data, round, argmax, or a "
                    "factor of 0.",
                )
    return None


def not_learning(e: Evidence, ended: bool) -> Finding | None:
    """The skill is near zero without an upward trend; finds out which of several causes."""
    if e.constant is None or not e.constant.is_bounded or math.isnan(e.skill) or not e.train_skills:
        return None
    skill = max(e.skill, e.train_skills[-1])
    if skill >= 0.3 or len(e.skills) < 3:
        return None
    first, middle, last = (float(np.mean(part)) for part in np.array_split(e.skills, 3))
    has_settled = ended and _has_settled(e, skill)
    if last > middle > first and last > first + 0.01 and not has_settled:  # it learns slowly
        return None
    learns = skill >= 0.02 and skill >= (0.3 * e.linear_skill if e.linear_skill >= 0.1 else 0.02)
    is_clear = e.skill < HARDLY_ANY_SKILL and e.simple_skill >= _CLEAR_RELATION
    if not ended or (learns and not is_clear and not has_settled):
        return None  # before the end it may be a plateau
    if e.is_unrelated:
        if e.train.n_rows < _ROWS_TO_DOUBT_LABELS:
            return None
        return _not_learning(e, "unrelated_labels", UNRELATED, _CHECK_ROWS)
    spread = output_spread(e, e.inspections[-1])
    if spread < 1e-3:
        lower, check = f"lr={lower_lr(e):.1g} (it is {e.lr:.3g})", "checking for a layer that is multiplied with zero"
        is_large = suggested_lr(e) < 0.1 * e.lr
        return _not_learning(
            e,
            "constant_outputs",
            f"outputs are constant over the rows: their spread is {spread:.1e} of that of the target",
            f"{lower}, or {check}, detached or dead."
            if is_large
            else f"{check}, detached or dead; or {lower} if a few large steps may have caused that.",
        )
    if e.rows is not None and not depends_on_input(e.net, e.rows):
        return _not_learning(
            e,
            "ignores_inputs",
            "outputs do not depend on the inputs: they differ as much for the same rows as for other ones",
            "a module whose forward uses its input.",
        )
    return None if e.linear_skill < 0.1 and e.simple_skill < _CLEAR_RELATION else _unknown(e)


def _has_settled(e: Evidence, skill: float) -> bool:
    """Whether the skill is surely far below that of a simple model, after many steps, and hardly comes nearer."""
    if len(e.skills) < _MANY_EPOCHS or e.n_steps < _MANY_STEPS or e.simple_skill < _CLEAR_RELATION:
        return False
    first, half, best = e.skills[0], max(e.skills[: len(e.skills) // 2]), max(e.skills)
    # It comes hardly nearer to the simple model, and ever more slowly, unless the start is a plateau.
    slows_down = best - half <= min(_COMES_NEARER * (e.simple_skill - best), _SLOWER * (half - first))
    still_rises = best - half > 0.01 and not slows_down
    is_sure = e.simple_skill - skill > 3 * e.error_beside_simple(skill)
    return not still_rises and is_sure and skill < 0.25 * e.simple_skill


def _unknown(e: Evidence) -> Finding:
    """No cause was found; weights that nothing trains, or the size of the updates, may indicate one."""
    unregistered = unregistered_weights(e.net.module_)
    if unregistered:
        seen = f"weights in {', '.join(unregistered)} are no parameters of the module, so that no step trains them"
        remedy = "nn.Parameter for tensors, nn.ModuleList or nn.ModuleDict for layers in a list or dict."
        return _not_learning(e, "frozen", f"{_beside(e)}; {seen}", remedy)
    if not e.norms.names:
        return _frozen(e)
    size, lr = e.update_size(), suggested_lr(e)
    is_unusual = not 1 / 3 < lr / e.lr < 3
    return _not_learning(
        e,
        "unknown",
        f"{_beside(e)}; one of the first steps changed {size:.1e} of the weights; {USUAL_UPDATE:g} is usual",
        (f"lr={lr:.1g} (it is {e.lr:.3g}), " if is_unusual else "")
        + "more epochs, a larger module, or check which inputs `forward` uses.",
    )


def _beside(e: Evidence) -> str:
    return f"a simple model reaches {e.simple_skill:.2g}"


def unrelated_labels(e: Evidence, ended: bool) -> Finding | None:
    """The network is never better than a constant on held-out rows, and no column is related to the target."""
    valid = [skill for skill in e.valid_skills if not math.isnan(skill)]
    if len(valid) < 3 or e.valid.n_rows < 50 or e.train.n_rows < _ROWS_TO_DOUBT_LABELS:
        return None
    # Half of what hardly any network reaches by chance: beyond, there may be a weak relation.
    if max(valid) > min(0.03, 0.5 * e.by_chance(e.valid.n_rows)):
        return None
    if e.weights.displacement() < _HARDLY_MOVED or not e.is_unrelated:
        return None
    return _not_learning(
        e,
        "unrelated_labels",
        f"on {e.valid.n_rows} held-out rows no epoch was clearly better than a constant guess (best skill "
        f"{max(valid):.3g}), and {UNRELATED}",
        _CHECK_ROWS,
    )


def _not_learning(e: Evidence, cause: str, why: str, remedy: str) -> Finding:
    constant = math.nan if e.constant is None else e.constant.loss
    return Finding(
        "not_learning",
        None,
        e.n_epochs,
        f"after {e.n_steps} steps the skill is {e.skill:.2g} (0 is a constant guess, with a loss of "
        f"{constant:.3g}): {why}.",
        remedy,
        cause,
    )


def output_spread(e: Evidence, inspection: Inspection) -> float:
    """Standard deviation of the outputs over the rows, relative to that of the targets, or to 1 for raw scores."""
    raw = inspection.raw.cpu().double().reshape(len(inspection.raw), -1)
    unit = 1.0
    y = None if e.rows is None else e.rows[1]
    if isinstance(y, torch.Tensor) and y.is_floating_point() and y.numel() == raw.numel():
        unit = float(y.cpu().double().std(correction=0)) or 1.0
    return float(raw.std(0, correction=0).max()) / unit
