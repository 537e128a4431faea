"""The evidence that is there before the first step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .careful import careful
from .evidence import Evidence, copies
from .layers import LayerNorms
from .look import Look, first_look_at, some_rows
from .reference import Constant, best_constant, is_related, loss_of_constant, simple_skill
from .symmetry import SymmetricLayers
from .through_time import input_gradient

__all__ = ["begin"]


def begin(
    net: Any,
    dataset: Any,
    valid: Any,
    *,
    lr: float,
    planned_epochs: int,
    restores_best: bool,
    columns: Sequence[str] | None,
    clipping: Any,
    schedule: Any = None,
) -> Evidence:
    """Look at the network before its first step; what cannot be looked at is watched by losses and gradients alone."""
    rows, constant, looks = None, None, []
    if planned_epochs > 1 or not net.history[:-1]:  # later parts of a stream are too short to be judged
        rows, constant, looks = careful(_first_look, net, dataset, otherwise=(None, None, []))
    if constant is not None:
        constant.held_out = careful(loss_of_constant, net, looks[0], constant, valid, otherwise=math.nan)
    order = looks[0].order if looks else [name for name, _ in net.module_.named_parameters()]

    def ask_simple(linear: bool) -> float:
        if constant is None:
            return 0.0
        return careful(simple_skill, net, looks[0], dataset, constant, linear=linear, otherwise=0.0)

    def ask_related() -> bool:
        return careful(is_related, some_rows(net, dataset, 2000), otherwise=True)

    return Evidence(
        net=net,
        rows=rows,
        constant=constant,
        looks=looks,
        norms=careful(LayerNorms, net.module_, order, draws=False) or LayerNorms(net.module_, []),
        symmetric=careful(SymmetricLayers, net.module_, order, draws=False) or SymmetricLayers(net.module_, []),
        start=copies(net),
        ask_simple=ask_simple,
        ask_related=ask_related,
        restores_best=restores_best,
        columns=columns,
        lr=lr,
        planned_epochs=planned_epochs,
        n_train=len(dataset) if hasattr(dataset, "__len__") else 0,
        n_valid=len(valid) if hasattr(valid, "__len__") else 0,
        flow_at_start=None if rows is None else careful(input_gradient, net, rows),
        clipping=clipping,
        schedule=schedule,
    )


def _first_look(net: Any, dataset: Any) -> tuple[tuple[Any, Any] | None, Constant | None, list[Look]]:
    rows = some_rows(net, dataset)
    if rows is None:
        return None, None, []
    look = first_look_at(net, rows)
    return rows, best_constant(net, look, rows, dataset), [look]
