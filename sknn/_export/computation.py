"""What a fitted estimator computes for a batch, as one module."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from .._conformal.intervals import IntervalBounds
from .._data.inputs import Inputs
from .._data.ranking_inputs import RankingInputs
from .._data.table_inputs import TableInputs
from .._network.table_network import first_output, network_inputs, users_network
from .._training.net import _Net
from .relative import relative_to_one_query

__all__ = ["Computation", "module_name"]


class Computation(nn.Module):
    """Encoder, network, combination of the members and inverse link in one module; and bounds of intervals, if given.

    Where numbers are given relative to those of a query, a batch is one query.

    Shape
    -----
    numeric : float64 (batch, ...); codes : int64 (batch, n_categorical); output : float32 (batch, n_values), and
    then the lower and the upper bounds, (batch, n_values + 2 n_outputs).
    """

    def __init__(self, net: _Net, inputs: Inputs, bounds: IntervalBounds | None = None) -> None:
        super().__init__()
        self.is_one_query = isinstance(inputs, RankingInputs)
        if isinstance(inputs, RankingInputs):
            inputs = inputs.table
        self.network = copy.deepcopy(net.module_).cpu().eval()
        self.criterion = copy.deepcopy(net.criterion_).cpu().eval()
        self.encoder = None if inputs.encoder is None else copy.deepcopy(inputs.encoder).cpu()
        self.used = None if inputs.used is None else torch.from_numpy(inputs.used)
        self.is_table = isinstance(inputs, TableInputs)
        self.rescaling = inputs.rescaling
        self.bounds = bounds

    def forward(self, numeric: Tensor, codes: Tensor | None = None) -> Tensor:
        """The output of the inverse link, from which `predict_proba` and `predict` are computed, and bounds."""
        if not self.is_table:
            numeric = numeric.float()  # rows that are not a table are float32 before they are encoded
        if self.used is not None:
            numeric = numeric.index_select(-1, self.used)
        if self.encoder is not None:
            numeric = self.encoder(numeric)
        if self.is_one_query:
            numeric = relative_to_one_query(numeric)
        if self.rescaling is not None:
            center, spread = self.rescaling
            numeric = (numeric - center) / spread
        batch = {"x": numeric} if codes is None else {"x": numeric, "x_cat": codes}
        raw = first_output(self.network(*network_inputs(batch)))
        if raw.ndim == 3:
            raw = self.criterion.combine(raw)
        raw = raw if raw.ndim > 1 else raw.unsqueeze(1)
        values = self.criterion.inverse_link(raw.float())
        return values if self.bounds is None else torch.cat([values, self.bounds(numeric, codes, raw, values)], dim=1)


def module_name(net: _Net) -> str:
    """Class of the module that the user gave."""
    return type(users_network(net.module_)).__name__
