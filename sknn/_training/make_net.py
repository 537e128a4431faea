"""Parameters of an estimator -> loss, network, and the net that trains them."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from .._data.inputs import Inputs
from .._data.kinds import module_for
from .._data.rows import Rows
from .._network.build import build_network, fit_knots
from .._network.checks import check_loss, check_network
from .._network.start_rows import fit_start
from .._random import isolated_random_state
from .._threads import threads
from ..losses import Loss, make_loss
from ..losses._base import Target
from ..losses._make import can_smooth_labels
from ..modules._recipe import params_for_table, recipe_of
from .net import _Net
from .plan import TrainingPlan

__all__ = ["loss_of", "make_net", "untrained_network"]

# Quantiles of more rows are no different for a few dozen knots; of a sparse matrix few rows are made dense.
_ROWS_FOR_KNOTS, _SPARSE_ROWS_FOR_KNOTS = 20_000, 1000


def make_net(
    params: dict[str, Any],
    inputs: Inputs,
    targets: Any,
    rows: Rows,
    *,
    plan: TrainingPlan,
    seed: int,
    n_networks: int = 1,
    is_stream: bool = False,
) -> _Net:
    """An initialised net, not yet trained. The `rows` of a stream say nothing about their number."""
    n_rows = math.inf if is_stream else len(rows)
    loss = loss_of(params, inputs, targets.kind)
    if not loss.supports_sample_weight and rows.weight is not None:
        raise ValueError(
            f"criterion: {_name_of(params['criterion'])} cannot weigh rows, but sample_weight or "
            "class_weight was given. Give it a `reduction` argument as torch's losses have, or derive it from "
            "sknn.losses.Loss."
        )
    with isolated_random_state(seed, rows.device), threads(1):  # some initialisations decompose matrices
        network = _make_network(params, inputs, targets, rows, loss, n_networks, n_rows)
    net = _Net(
        network,
        loss.to(rows.device),
        target_kind=targets.kind,
        n_classes=targets.n_targets,
        optimizer=params["optimizer"],
        optimizer_params=dict(params["optimizer_params"] or {}),
        lr=plan.lr,
        max_epochs=plan.epochs,
        batch_size=plan.batch_size,
        callbacks=plan.callbacks,
        device=str(rows.device),
    )
    net.n_rows_ = n_rows
    return net.prepare(plan)


def loss_of(params: dict[str, Any], inputs: Inputs, target: Target) -> Loss:
    """The loss that these parameters mean for a kind of target, with the label smoothing of the module's recipe."""
    criterion, given = params["criterion"], dict(params["criterion_params"] or {})
    smoothing = recipe_of(module_for(params["module"], type(inputs))).label_smoothing
    is_auto = given.get("label_smoothing", "auto") == "auto"
    if smoothing is not None and is_auto and can_smooth_labels(criterion, target):
        given["label_smoothing"] = smoothing
    return make_loss(criterion, given, target)


def untrained_network(
    params: dict[str, Any], inputs: Inputs, out_features: int, n_networks: int, n_rows: float
) -> nn.Module:
    """The network, or a committee of them, that these parameters mean for these columns and so many rows."""
    module, module_params = module_for(params["module"], type(inputs)), dict(params["module_params"] or {})
    if len(inputs.row_shape) == 1:
        is_sparse = inputs.kind == "sparse"
        n_columns = inputs.row_shape[-1]
        module_params = params_for_table(module, module_params, n_columns=n_columns, is_sparse=is_sparse, n_rows=n_rows)
    module_params = {**inputs.network_params, **module_params}
    network = build_network(
        module,
        module_params,
        in_features=inputs.in_features,
        in_shape=inputs.row_shape,
        cat_cardinalities=inputs.cardinalities,
        out_features=out_features,
        n_inputs=inputs.n_inputs,
        n_networks=n_networks,
    )
    return network.float()


def _make_network(
    params: dict[str, Any], inputs: Inputs, targets: Any, rows: Rows, loss: Loss, n_networks: int, n_rows: float
) -> nn.Module:
    module = module_for(params["module"], type(inputs))
    width = loss.out_features(targets.n_targets)
    for_knots = _SPARSE_ROWS_FOR_KNOTS if rows.store.gathers else _ROWS_FOR_KNOTS
    network = untrained_network(params, inputs, width, n_networks, n_rows)
    network = network.to(rows.device)
    some = slice(None, None, 1 + len(rows) // for_knots)
    fit_knots(network, lambda: (rows.inputs(some), None if rows.weight is None else rows.weight[some]))
    # Two classes may be told by one raw score and a sigmoid.
    expected = (width, 1) if targets.kind == "classes" and width == 2 else (width,)
    few = slice(0, 64)
    is_instance = isinstance(module, nn.Module)
    raw = check_network(network, rows.inputs(few), expected, _name_of(module), is_instance=is_instance)
    check_loss(loss, raw, rows.targets[few])
    fit_start(network, rows, target=targets.kind, loss=loss, n_targets=targets.n_targets)
    return network


def _name_of(component: Any) -> str:
    """Of a class, function or instance."""
    return getattr(component, "__name__", type(component).__name__)
