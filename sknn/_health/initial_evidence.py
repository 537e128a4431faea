"""What is known of a training run before its first step."""

from __future__ import annotations

from typing import Any

from .careful import careful
from .evidence import Evidence
from .input_dependence import input_gradient
from .inspection import Inspection, inspect_before_training
from .layers import LayerNorms
from .reference import Constant, best_constant, judge_held_out
from .sampling import RowSource
from .symmetry import SymmetricLayers
from .weight_movement import WeightMovement

__all__ = ["initial_evidence"]


def initial_evidence(net: Any, train: RowSource, valid: RowSource, *, planned_epochs: int, **settings: Any) -> Evidence:
    """Inspect the network before its first step; without rows, only losses and gradients are evidence later.

    `settings` are further fields of `Evidence`.
    """
    rows, constant, inspections = None, None, []
    if planned_epochs > 1 or not net.history[:-1]:  # later parts of a stream are too short to be judged
        rows, constant, inspections = careful(_inspect, net, train, otherwise=(None, None, []))
    if constant is not None:
        careful(judge_held_out, net, inspections[0], constant, valid)
    order = inspections[0].order if inspections else [name for name, _ in net.module_.named_parameters()]
    mixing = [name for name in order if not inspections or name in inspections[0].mixing]
    return Evidence(
        net=net,
        train=train,
        valid=valid,
        rows=rows,
        constant=constant,
        inspections=inspections,
        norms=careful(LayerNorms, net.module_, order, draws=False) or LayerNorms(net.module_, []),
        symmetric=careful(SymmetricLayers, net.module_, mixing, draws=False) or SymmetricLayers(net.module_, []),
        weights=WeightMovement(net),
        planned_epochs=planned_epochs,
        flow_at_start=None if rows is None else careful(input_gradient, net, rows),
        **settings,
    )


def _inspect(net: Any, train: RowSource) -> tuple[tuple[Any, Any] | None, Constant | None, list[Inspection]]:
    rows = train.some()
    if rows is None:
        return None, None, []
    inspection = inspect_before_training(net, rows)
    return rows, best_constant(net, inspection, rows, train), [inspection]
