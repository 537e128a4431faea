"""The share of a linear model in the prediction of a trained network, by the rows that the network held out."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from .._data.rows import Rows
from .._network.start_rows import SUPERVISED, TrainingRows
from .._network.table_network import committee_of, users_network
from .._threads import threads
from ..modules import TabM
from ..modules._linear_path import LinearPath
from .net import _Net

__all__ = ["mix_linear_models"]

# Logarithm of how much likelier the linear model is beforehand.
_LOG_ODDS = 2.0
# Loss of a row, of targets in units of their spread, beyond which it is one with a wild target.
_FAR = 5.0
# What the linear models may take beyond the time limit of a fit: seconds, or a share of that time.
_SECONDS_BEYOND, _SHARE_BEYOND = 0.2, 0.1
_SHARES = torch.linspace(0, 1, 21, dtype=torch.float64).tolist()


@torch.no_grad()
def mix_linear_models(net: _Net, rows: Rows, valid: Rows) -> None:
    """Replace the raw scores of a network by the best mixture with those of a linear model.

    Each network of a committee gets a linear model of its own training rows. The share, common to all, is the mean of
    its posterior distribution by the held-out rows, where all shares are equally likely before.
    """
    if net.target_kind not in SUPERVISED:
        return
    committee = committee_of(net.module_)
    parts = [users_network(net.module_)] if committee is None else list(committee.networks)
    networks = [part for part in parts if type(part) is TabM]  # a subclass may compute something else
    if len(networks) < len(parts) or any(bool(network.linear.weight.any()) for network in networks):
        return  # in training that continues, the linear models stay
    net._set_training(False)
    with threads(1):  # the same bits, however many there are
        linear = _linear_models(net, networks, rows)
        if linear is None:
            return
        share = _share(net, networks, linear, valid)
        for one, model in zip(networks, linear, strict=True):
            one.mix_with(model, share)


def _linear_models(net: _Net, networks: list[TabM], rows: Rows) -> list[LinearPath] | None:
    """A linear model for each network; None where they do not help, or would take too long after the deadline."""
    run, started, fitted = net.run, time.perf_counter(), []
    latest = math.inf
    if run is not None and run.deadline is not None:
        latest = run.deadline + max(_SECONDS_BEYOND, _SHARE_BEYOND * (run.deadline - run.started))
    for i, network in enumerate(networks):
        model = network.linear_model(_rows(net, rows, i), latest)
        seconds = time.perf_counter() - started
        if model is None or started + seconds / (i + 1) * len(networks) > latest:
            return None
        fitted.append(model)
    return fitted


def _rows(net: _Net, rows: Rows, i: int) -> TrainingRows:
    return TrainingRows(net.module_, rows, i, net.target_kind, net.criterion_, net.n_classes)


def _share(net: _Net, networks: list[TabM], linear: list[LinearPath], valid: Rows) -> float:
    """Mean of the posterior distribution of the share."""
    scores, y, weight = _held_out(net, networks, linear, valid)
    if not bool(torch.isfinite(scores).all()):
        return 0.0
    # Early stopping has chosen the epoch of the network by the same rows, so that its loss is too good.
    totals = []
    for share in _SHARES:
        raw = net.criterion_.combine(torch.lerp(scores[0], scores[1], share))
        losses = net.criterion_.pointwise(raw, y)
        if net.criterion_.target_scaling == "robust":  # beside a wild target, the other rows would not count
            losses = losses.clamp(max=_FAR)
        total = float(losses @ weight)
        totals.append(math.inf if math.isnan(total) else total)  # outside the domain of a loss of the user's
    if not math.isfinite(totals[0]):
        return 0.0
    logs = [-total for total in totals]
    # Of errors of real targets the likelihood with the spread that suits it best.
    if net.target_kind == "real" and min(totals) >= 0:
        n_rows = float(weight.sum())
        logs = [-0.5 * n_rows * math.log(max(total / n_rows, 1e-12)) for total in totals]
    shares = torch.tensor(_SHARES, dtype=torch.float64)
    density = (torch.tensor(logs, dtype=torch.float64) + _LOG_ODDS * shares).softmax(0)
    return float(density @ shares)


def _held_out(net: _Net, networks: list[TabM], linear: list[LinearPath], valid: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """Raw scores of networks and linear models, (2, n_rows, n_members, out_features), targets, and weights."""
    scores, targets, weights = [], [], []
    for i, (network, model) in enumerate(zip(networks, linear, strict=True)):
        own = []
        for inputs, y, weight in _rows(net, valid, i).parts():
            of_network = network(*inputs).float()
            own.append(torch.stack([of_network, model(*inputs).unsqueeze(1).expand_as(of_network)]))
            targets.append(y)
            weights.append(torch.ones(len(y), dtype=torch.float32, device=y.device) if weight is None else weight)
        scores.append(torch.cat(own, dim=1))
    if valid.shares is not None:
        return torch.cat(scores, dim=1), torch.cat(targets), torch.cat(weights)
    # All networks predict the same rows, of `X_val`, whose members are averaged as those of one network.
    n_parts = len(targets) // len(networks)
    return torch.cat(scores, dim=2), torch.cat(targets[:n_parts]), torch.cat(weights[:n_parts])
