"""The one root cause that the evidence speaks for."""

from __future__ import annotations

from ..evidence import Evidence
from ..record import Finding
from .divergence import loss_diverging, overfitting
from .flow import exploding, vanishing, vanishing_over_time
from .learning import cut_off, hardly_moving, not_learning, shrinking, unrelated_labels
from .scale import input_scale
from .structure import symmetric_init
from .units import dead_units, saturated_units

__all__ = ["diagnose"]


def diagnose(e: Evidence, *, ended: bool) -> Finding | None:
    """The first symptom in the order of causes; what follows from it is not reported.

    Parameters
    ----------
    e : Evidence
    ended : bool
        Whether the training is over, so that this is the last word.
    """
    symmetric = symmetric_init(e, ended)
    if symmetric is not None:
        return symmetric
    if e.has_few_rows:
        return None
    diverging = loss_diverging(e, ended)
    if diverging is not None and e.constant is not None and e.constant.is_bounded:
        return input_scale(e) or saturated_units(e, unavoidable=True) or exploding(e) or diverging
    if not e.had_time(ended):
        return diverging
    found = input_scale(e) or dead_units(e, ended) or saturated_units(e, unavoidable=True)
    for rule in (exploding, saturated_units, cut_off, shrinking, vanishing, hardly_moving, vanishing_over_time):
        found = found or rule(e)
    found = found or diverging or unrelated_labels(e)
    if found is None and ended:
        found = overfitting(e)
    return found or not_learning(e, ended)
