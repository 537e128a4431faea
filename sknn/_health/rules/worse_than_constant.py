"""Rule: the weights that are kept are clearly worse than a constant guess, whatever the cause."""

from __future__ import annotations

from ..evidence import ENOUGH_HELD_OUT, MEMORISED, Evidence
from ..record import Finding
from .growth import root_of_large_loss
from .remedies import bounded_gradient, lower_lr

__all__ = ["worse_than_constant"]

# Losses that count after enough steps, after a few if the loss has risen, and after a few that no further ones mend; in
# units of that of a constant guess.
_WORSE, _FAR_WORSE, _OUT_OF_SCALE = 2.0, 100.0, 1e4
# Far below the resolution of float32: the target is constant but for rounding.
_NO_VARIATION = 1e-20
# A network that has learned its training rows, but has such a skill on others.
_LOST = -0.03
# The same after the epoch that is kept.
_FAR_BELOW = -0.5


def worse_than_constant(e: Evidence, ended: bool) -> Finding | None:
    """At the end the loss is many times that of the best constant guess, or above it on held-out rows only."""
    if not ended or e.constant is None or not e.constant.is_bounded or not e.train_skills:
        return None
    if e.constant.loss < _NO_VARIATION:
        return None
    most = _WORSE if e.had_rows_and_time else _FAR_WORSE if e.has_risen else _OUT_OF_SCALE
    if e.kept_skill < 1 - most:
        return _far_above(e)
    has_learned = e.train_skills[-1] >= MEMORISED and e.valid.n_telling >= ENOUGH_HELD_OUT
    if e.had_rows_and_time and has_learned and e.kept_skill < _LOST:
        return _overfitted(e, "worse than a constant guess")
    # Where the loss of the held-out rows soon rose far above that of a constant, little was worth keeping.
    if e.had_rows_and_time and e.memorises and not (e.proves_relation and e.valid_skills[-1] >= _FAR_BELOW):
        return _overfitted(e, f"where a simple model reaches {e.simple_skill:.2g}")
    return None


def _far_above(e: Evidence) -> Finding:
    assert e.constant is not None
    seen = f"the loss on {e.judged_on} is {1 - e.kept_skill:.3g} times that of the best constant guess"
    lower = f"lr={lower_lr(e):.1g} (it is {e.lr:.3g})"
    first = float(e.step_losses[0][0]) if e.step_losses else float("nan")
    if e.train_skills[-1] >= 0:
        seen += f", though the training skill is {e.train_skills[-1]:.3g}."
        return Finding("overfitting", None, e.n_epochs, seen, _OTHER_ROWS)
    root = None if e.has_risen else root_of_large_loss(e)
    if root is not None:
        remedy = root.remedy.format(lower=lower)
        return Finding("exploding", root.layer, e.n_epochs, f"{seen}; {root.evidence}.", remedy, root.cause)
    seen += f"; the first loss was {first:.3g}, and a constant guess has {e.constant.loss:.3g}."
    return Finding("loss_diverging", None, e.n_epochs, seen, f"{lower}, or {bounded_gradient(e)}.")


_OTHER_ROWS = (
    "early_stopping=True, a smaller module, or a check that held-out rows are like training rows, and each row of y "
    "belongs to its row of X."
)


def _overfitted(e: Evidence, compared: str) -> Finding:
    seen = f"the training skill is {e.train_skills[-1]:.3g}, and the skill on {e.judged_on} is {e.kept_skill:.2g}"
    return Finding("overfitting", None, e.n_epochs, f"{seen}, {compared}.", _OTHER_ROWS)
