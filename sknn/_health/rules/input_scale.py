"""Rule: inputs that are far too large or too small."""

from __future__ import annotations

import math

from ..evidence import Evidence
from ..observer import FirstLayer, column_name
from ..record import Finding
from ..recorder import first_tensor

__all__ = ["input_scale", "out_of_scale", "overflow_of_scale"]

_TOO_LARGE, _TOO_SMALL = 30.0, 1e-2
# Factors at which inputs explain an overflow, and at which no skill of a simple model has to be shown.
_OVERFLOWS, _EXTREME = 1e2, 1e3
# One column's share of the variance, and the factor by which its spread exceeds that of the median column.
_DOMINATES, _FAR_BEYOND = 0.99, 20.0


def input_scale(e: Evidence, ended: bool) -> Finding | None:
    """Inputs are far out of scale, and the network has less skill than a linear model."""
    found = out_of_scale(e)
    if found is None or not e.is_worse_than_linear:
        return None
    layer, evidence, factor = found
    # If a linear model learns nothing either, the scale is no proven fault, unless it is extreme.
    if factor < _EXTREME and e.linear_skill < 0.05 and e.skill > -0.5:
        return None
    skill = f" The network's skill is {e.skill:.3g}" + (
        f", a linear model's on scaled inputs {e.linear_skill:.3g}." if e.linear_skill > 0 else "."
    )
    return Finding("input_scale", layer, e.n_epochs, evidence + skill, _remedy_of_scale(e))


def _remedy_of_scale(e: Evidence) -> str:
    if e.rows is not None and first_tensor(e.rows[0]).ndim > 2:
        return "standardised inputs: subtract the mean of each channel, divide by its standard deviation."
    return "preprocessing=True, which scales every column, or a StandardScaler in front of the network."


def out_of_scale(e: Evidence) -> tuple[str, str, float] | None:
    """The column or layer that is far out of scale, whatever the skill; the evidence, and the factor."""
    first = e.inspections[0].first if e.inspections else None
    if first is None or not math.isfinite(first.scale):
        return None
    return _column_out_of_scale(first, e) or _all_out_of_scale(first, e)


def _all_out_of_scale(first: FirstLayer, e: Evidence) -> tuple[str, str, float] | None:
    is_bounded = first.operation.startswith(("rnn", "lstm", "gru"))
    is_large = first.scale > _TOO_LARGE and (is_bounded or first.output_scale > _TOO_LARGE / 3)
    if not is_large and not 0 < first.scale < _TOO_SMALL:
        return None
    factor = max(first.scale, 1 / first.scale)
    seen = (
        f"inputs arrive at {first.layer} with a root mean square of {first.scale:.3g}, and leave it with "
        f"{first.output_scale:.3g}; about 1 was expected."
    )
    if first.center is not None and is_large and len(first.center) > 1:
        position = int(first.center.abs().argmax())
        if first.center[position].square() > _DOMINATES * first.center.square().sum():
            column = column_name(e.columns, position, len(first.center))
            return column, f"{column} has a mean of {float(first.center[position]):.3g}; " + seen, factor
    return first.layer, seen, factor


def _column_out_of_scale(first: FirstLayer, e: Evidence) -> tuple[str, str, float] | None:
    spread = first.spread
    if spread is None or first.scale < 3:
        return None
    varying = spread[spread > 0].sort().values
    if len(varying) < 2:
        return None
    usual = float(varying[(len(varying) - 1) // 2])
    share = float(spread.max().square() / spread.square().sum())
    beyond = float(spread.max()) / usual
    few = int((spread > _FAR_BEYOND * usual).sum())
    if not (share > _DOMINATES or (few and few <= len(varying) // 2)) or beyond < _FAR_BEYOND:
        return None
    position = int(spread.argmax())
    column = column_name(e.columns, position, len(spread))
    seen = (
        f"{column} has a standard deviation of {float(spread.max()):.3g}, {beyond:.3g} times that of the median "
        f"column, and carries {share:.2%} of the variance of the inputs."
    )
    return column, seen, beyond


def overflow_of_scale(e: Evidence, what: str) -> Finding | None:
    """Inputs far out of scale as the cause of a value that became NaN or infinite."""
    found = out_of_scale(e)
    if found is None or found[2] < _OVERFLOWS:
        return None
    layer, evidence, _ = found
    return Finding("input_scale", layer, e.n_epochs + 1, f"{evidence} {what}", _remedy_of_scale(e))
