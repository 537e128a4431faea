"""Shapley values by sampled permutations, for networks of any kind.

Columns are switched from a baseline to the row one after the other, in a random order and then in the reverse one; what
a switch changes is the attribution of the column. The changes of a permutation sum to the difference of the
predictions, whatever is sampled. J. Castro, D. Gómez, J. Tejada, Polynomial calculation of the Shapley value based on
sampling, Computers & Operations Research 2009; R. Mitchell et al., Sampling Permutations for Shapley Value Estimation,
JMLR 2022, arXiv:2104.12199 (reverse permutations).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from .gradients import Attributions

__all__ = ["permutation_values"]

# Numbers of the rows that are predicted together, about.
_AT_ONCE = 2**20


@torch.no_grad()
def permutation_values(
    score: Callable[[dict[str, Tensor]], Tensor],
    rows: dict[str, Tensor],
    baselines: Sequence[dict[str, Tensor]],
    column_of: dict[str, Tensor],
    n_columns: int,
    max_evals: int,
) -> Attributions:
    """Attributions of columns; ``inputs["columns"]`` of the result is (n, n_columns, n_outputs).

    Parameters
    ----------
    score : callable
        Scores (batch, n_outputs) of a batch.
    rows, baselines
        Inputs (n, width) by name, as for `integrated_gradients`.
    column_of : dict of str to Tensor
        Column that each number of an input belongs to, int64 (width,).
    n_columns : int
    max_evals : int
        Evaluations for each row, about; a permutation and its reverse for each baseline at least.
    """
    used = torch.cat(list(column_of.values())).unique().tolist()  # the others change nothing
    n_pairs = max(1, max_evals // ((2 * len(used) + 1) * len(baselines)))
    random = np.random.RandomState(0)  # the same permutations for all rows, so that a row has the same in any batch
    orders = [random.permutation(used) for _ in range(n_pairs * len(baselines))]
    n_at_once = max(1, _AT_ONCE // sum(values[0].numel() for values in rows.values()))
    parts = []
    for first in range(0, len(rows["x"]), n_at_once):
        chosen = {name: values[first : first + n_at_once] for name, values in rows.items()}
        end = score(chosen)
        total, start = end.new_zeros(len(end), n_columns, end.shape[1]), torch.zeros_like(end)
        for i, order in enumerate(orders):
            baseline = {
                name: values.expand(len(end), *values.shape[1:]).clone()
                for name, values in baselines[i % len(baselines)].items()
            }
            start_score = score(baseline)
            start += start_score / len(orders)
            for along in (order, order[::-1]):
                present, before = {name: values.clone() for name, values in baseline.items()}, start_score
                for place, column in enumerate(along):
                    for name, values in present.items():
                        own = column_of[name] == int(column)
                        values[:, own] = chosen[name][:, own]
                    after = score(present) if place + 1 < len(along) else end
                    total[:, int(column)] += (after - before) / (2 * len(orders))
                    before = after
        parts.append((total, start, end))
    values, start, end = (torch.cat(part) for part in zip(*parts, strict=True))
    return Attributions({"columns": values}, [], start, end)
