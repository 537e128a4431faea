"""What the networks of a trained net predict for the rows that they held out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .._data.rows import Rows
from .._network.table_network import committee_of, first_output, network_inputs
from .._threads import limited_threads
from .net import _Net

__all__ = ["HeldOut", "held_out_predictions"]

# More rows would make the quantiles of their errors no surer in practice, and files larger. There are fewer if each has
# many outputs or classes, since what all networks predict is in memory together.
_MOST_ROWS, _MOST_NUMBERS = 10_000, 2**23
# That are predicted together, and numbers of theirs.
_ROWS_AT_ONCE, _NUMBERS_AT_ONCE = 1024, 2**20


class HeldOut(NamedTuple):
    """Some held-out rows, each once, and raw predictions for them on the CPU."""

    rows: Tensor  # their positions, int64 (n,), increasing
    y: Tensor  # as in `Rows`, (n, ...)
    weight: Tensor | None  # float32 (n,)
    raw: Tensor  # float32 (n, out_features), of the network that held the row out, or of all if none has learned it
    by_network: Tensor  # float32 (n, n_networks, out_features)
    has_learned: Tensor  # bool (n, n_networks): whether the row was among the training rows of the network
    holder: Tensor  # int64 (n,): the first network that held it out


@torch.no_grad()
def held_out_predictions(net: _Net, valid: Rows, seed: int) -> HeldOut:
    """Predictions for the held-out rows, or for at most 10,000 of them, drawn by the seed."""
    net._set_training(False)
    committee = committee_of(net.module_)
    n_networks = 1 if committee is None else len(committee.networks)
    most_rows = min(_MOST_ROWS, max(1000, _MOST_NUMBERS // (n_networks * net.n_classes)))
    rows, held_out = _rows_of_networks(valid, n_networks, most_rows, seed)
    chunk = max(1, min(_ROWS_AT_ONCE, _NUMBERS_AT_ONCE // valid.store.row_size))
    found, positions = [], []
    with limited_threads(chunk * net.multiplications, repeatable=True):
        for some in rows.to(valid.device).split(chunk):
            for part in valid.store[some].parts(_NUMBERS_AT_ONCE):
                found.append(_raw_by_network(net, valid.store[some[part]].tensors()).float().cpu())
                positions.append(some[part].cpu())
        by_network = torch.cat(found)[torch.cat(positions).argsort()]
        holder = held_out.int().argmax(dim=1)
        if valid.shares is None:  # none has learned them: the prediction that a user gets
            raw = net.criterion_.combine(by_network) if n_networks > 1 else by_network[:, 0]
        else:
            raw = by_network[torch.arange(len(rows), dtype=torch.int64), holder]
    weight = None if valid.weight is None else valid.weight.cpu()[rows]
    return HeldOut(rows, valid.targets.cpu()[rows], weight, raw, by_network, ~held_out, holder)


def _rows_of_networks(valid: Rows, n_networks: int, most_rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Sorted positions of the rows, int64 (n,), and which networks hold each of them out, bool (n, n_networks)."""
    if valid.shares is None:
        held_out = np.ones((len(valid), n_networks), dtype=bool)
    else:
        held_out = np.zeros((len(valid), n_networks), dtype=bool)
        for network, share in enumerate(valid.shares.cpu().numpy()):
            held_out[share, network] = True
    rows = np.flatnonzero(held_out.any(axis=1))
    if len(rows) > most_rows:
        rows = np.sort(np.random.RandomState(seed).choice(rows, most_rows, replace=False))
    return torch.from_numpy(rows), torch.from_numpy(held_out[rows])


def _raw_by_network(net: _Net, inputs: dict[str, Tensor]) -> Tensor:
    """Raw predictions (n, n_networks, out_features)."""
    committee = committee_of(net.module_)
    if committee is None:
        return net.infer(inputs).unsqueeze(1)
    output = first_output(net.module_(*network_inputs(inputs)))
    return torch.stack([net.criterion_.combine(part) for part in committee.split(output)], dim=1)
