"""The intervals or sets of one confidence level, as a part of what is exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._conformal.intervals import IntervalBounds
from .._conformal.spread import Spread
from .._errors import shown
from .._estimator.conformal import class_thresholds, floor_of, interval_scores

__all__ = ["ExportedIntervals", "exported_intervals", "refuse_condition"]


@dataclass(frozen=True)
class ExportedIntervals:
    """What is computed beside the predictions."""

    bounds: IntervalBounds | None  # of real targets
    target: dict[str, Any]  # entries of the description of the target


def exported_intervals(estimator: Any, confidence_level: float | None, asked_by: str) -> ExportedIntervals:
    """The intervals of a fitted estimator; nothing if `confidence_level` is None."""
    if confidence_level is None:
        return ExportedIntervals(None, {"confidence_level": None})
    if estimator._targets.kind == "ranking":
        raise ValueError(
            f"confidence_level={confidence_level}: scores of a ranking have no unit, and so no intervals. Leave it out."
        )
    kept, scores = interval_scores(estimator, confidence_level, f"{asked_by} with confidence_level")
    level = float(confidence_level)
    if kept.labels is not None:
        thresholds = class_thresholds(kept, level, by_class=False, n_classes=estimator._targets.n_targets)
        return ExportedIntervals(None, {"confidence_level": level, "thresholds": thresholds.tolist()})
    loss = estimator._loss
    spread = None if kept.spread is None else Spread(kept.spread, estimator._inputs.cardinalities)
    bounds = IntervalBounds(spread, loss.bound_columns, scores, floor_of(loss))
    return ExportedIntervals(bounds, {"confidence_level": level})


def refuse_condition(condition: Any, asked_by: str) -> None:
    """Raise for a condition, since exports hold one quantile of the scores, that of all rows."""
    if condition is not None:
        raise ValueError(
            f"condition={shown(condition)}: {asked_by} writes the intervals or sets of one level for all rows. Leave "
            "condition out, export a model of each part of the rows, or use predict_interval and predict_set of the "
            "estimator."
        )
