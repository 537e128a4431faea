"""How many networks of a committee can be trained within a time limit."""

from __future__ import annotations

import math
import time
from typing import Any

from .._data.training_data import EncodedData
from .._network.checks import first_output
from .._network.table_network import network_inputs
from .._random import isolated_random_state
from .make_net import untrained_network
from .plan import TrainingPlan

__all__ = ["affordable_networks"]

# A step of one more network in a committee takes about this share of a step of one network alone.
_COST_IN_A_COMMITTEE = 0.5
_LEAST = 2  # so that early stopping has two choices of held-out rows


def affordable_networks(n_networks: int, params: dict[str, Any], data: EncodedData, plan: TrainingPlan) -> int:
    """As many networks as can take all planned steps before the deadline of the plan, from 2 to `n_networks`.

    Few networks that are trained to the end predict better than many that are not. One step of one network is timed.
    """
    assert plan.deadline is not None
    if n_networks <= _LEAST:
        return n_networks
    try:
        seconds = _seconds_of_a_step(params, data, plan.batch_size)
    except Exception:  # of a class of the user's, which is reported when the network is built
        return n_networks
    n_steps = plan.epochs * math.ceil(data.train.n_per_epoch / plan.batch_size)
    left = plan.deadline - time.perf_counter()
    affordable = left / max(n_steps * seconds * _COST_IN_A_COMMITTEE, 1e-9)
    return max(_LEAST, min(n_networks, int(affordable)))


def _seconds_of_a_step(params: dict[str, Any], data: EncodedData, batch_size: int) -> float:
    """Forward and backward pass of one network."""
    rows = data.train
    with isolated_random_state(0, rows.device):
        network = untrained_network(params, data.inputs, data.targets.n_targets, 1, len(rows)).to(rows.device)
        batch = rows.inputs(slice(0, batch_size))
        seconds = math.inf
        for _ in range(3):  # the first call is slower than all others
            started = time.perf_counter()
            total = first_output(network(*network_inputs(batch))).sum()
            total.backward()
            total.item()  # waits for a GPU
            seconds = min(seconds, time.perf_counter() - started)
    return seconds
