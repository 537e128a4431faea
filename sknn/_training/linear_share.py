"""The share of a linear model in the prediction of a trained network, by the rows that the network held out."""

from __future__ import annotations

import math

import torch

from .._data.rows import Rows
from .._network.start_rows import TrainingRows
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
_SHARES = torch.linspace(0, 1, 21, dtype=torch.float64).tolist()


@torch.no_grad()
def mix_linear_models(net: _Net, rows: Rows, valid: Rows) -> None:
    """Replace the raw scores of a network for few rows by the best mixture with those of a linear model.

    Each network of a committee gets a linear model of its own training rows. The share, common to all, is the mean of
    its posterior distribution by the held-out rows, where all shares are equally likely before.
    """
    committee = committee_of(net.module_)
    parts = [users_network(net.module_)] if committee is None else list(committee.networks)
    networks = [part for part in parts if type(part) is TabM]  # a subclass may compute something else
    if len(networks) < len(parts):
        return
    net._set_training(False)
    with threads(1):  # the same bits, however many there are
        fitted = [one.linear_model(_rows(net, rows, i)) for i, one in enumerate(networks)]
        linear = [model for model in fitted if model is not None]
        if len(linear) < len(networks):
            return
        share = _share(net, networks, linear, valid)
        for one, model in zip(networks, linear, strict=True):
            one.mix_with(model, share)


def _rows(net: _Net, rows: Rows, i: int) -> TrainingRows:
    width = net.criterion_.out_features(net.n_classes)
    return TrainingRows(net.module_, rows, i, net.target_kind, net.criterion_, width)


def _share(net: _Net, networks: list[TabM], linear: list[LinearPath], valid: Rows) -> float:
    """Mean of the posterior distribution of the share."""
    scores, targets, weights = [], [], []
    for i, (network, model) in enumerate(zip(networks, linear, strict=True)):
        for inputs, y, weight in _rows(net, valid, i).parts():
            of_network = network(*inputs).float()
            scores.append(torch.stack([of_network, model(*inputs).unsqueeze(1).expand_as(of_network)]))
            targets.append(y)
            weights.append(torch.ones(len(y), dtype=torch.float32, device=y.device) if weight is None else weight)
    (of_network, of_linear), y, weight = torch.cat(scores, dim=1), torch.cat(targets), torch.cat(weights)
    if not bool(torch.isfinite(of_network).all()):
        return 0.0
    # Early stopping has chosen the epoch of the network by the same rows, so that its loss is too good.
    logs, n_rows = [], float(weight.sum())
    for share in _SHARES:
        raw = net.criterion_.combine(torch.lerp(of_network, of_linear, share))
        losses = net.criterion_.pointwise(raw, y)
        if net.criterion_.target_scaling == "robust":  # beside a wild target, the other rows would not count
            losses = losses.clamp(max=_FAR)
        total = float(losses @ weight)
        # Of real targets the likelihood with the spread that suits it best.
        is_real = net.target_kind == "real"
        logs.append(-0.5 * n_rows * math.log(max(total / n_rows, 1e-12)) if is_real else -total)
    shares = torch.tensor(_SHARES, dtype=torch.float64)
    density = (torch.tensor(logs, dtype=torch.float64) + _LOG_ODDS * shares).softmax(0)
    return float(density @ shares)
