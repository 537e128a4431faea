"""The evidence that is collected before the first step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .careful import careful
from .evidence import Evidence, copies
from .input_dependence import input_gradient
from .inspection import Inspection, inspect_before_training
from .layers import LayerNorms
from .reference import Constant, best_constant, is_related, loss_of_constant, simple_skill
from .sampling import RowSource
from .symmetry import SymmetricLayers

__all__ = ["initial_evidence"]


def initial_evidence(
    net: Any,
    train: RowSource,
    valid: RowSource,
    *,
    lr: float,
    planned_epochs: int,
    restores_best: bool,
    checks_shapes: bool,
    loss_name: str,
    columns: Sequence[str] | None,
    clipping: Any,
    schedule: Any,
) -> Evidence:
    """Inspect the network before its first step; without rows, only losses and gradients are evidence later."""
    rows, constant, inspections = None, None, []
    if planned_epochs > 1 or not net.history[:-1]:  # later parts of a stream are too short to be judged
        rows, constant, inspections = careful(_inspect, net, train, otherwise=(None, None, []))
    if constant is not None:
        constant.held_out = careful(loss_of_constant, net, inspections[0], constant, valid, otherwise=math.nan)
    order = inspections[0].order if inspections else [name for name, _ in net.module_.named_parameters()]

    def fit_simple(linear: bool) -> float:
        if constant is None:
            return 0.0
        return careful(simple_skill, net, inspections[0], train, constant, linear=linear, otherwise=0.0)

    def test_relation() -> bool:
        return careful(is_related, train.some(2000), otherwise=True)

    return Evidence(
        net=net,
        rows=rows,
        constant=constant,
        inspections=inspections,
        norms=careful(LayerNorms, net.module_, order, draws=False) or LayerNorms(net.module_, []),
        symmetric=careful(SymmetricLayers, net.module_, order, draws=False) or SymmetricLayers(net.module_, []),
        start=copies(net),
        fit_simple=fit_simple,
        test_relation=test_relation,
        restores_best=restores_best,
        checks_shapes=checks_shapes,
        loss_name=loss_name,
        columns=columns,
        lr=lr,
        planned_epochs=planned_epochs,
        n_train=train.n_rows,
        n_valid=valid.n_rows,
        flow_at_start=None if rows is None else careful(input_gradient, net, rows),
        clipping=clipping,
        schedule=schedule,
    )


def _inspect(net: Any, train: RowSource) -> tuple[tuple[Any, Any] | None, Constant | None, list[Inspection]]:
    rows = train.some()
    if rows is None:
        return None, None, []
    inspection = inspect_before_training(net, rows)
    return rows, best_constant(net, inspection, rows, train), [inspection]
