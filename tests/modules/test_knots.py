"""Knots of piecewise linear encodings."""

from __future__ import annotations

import torch

from sknn.modules.numeric_embeddings import quantile_knots


def test_knots_of_a_spike_leave_pieces_for_the_other_values():
    column = torch.cat([torch.zeros(900), torch.arange(1.0, 101.0)])
    knots = quantile_knots(column.unsqueeze(1), 10)[0]
    assert knots[0] == 0
    assert (knots > 0).sum() >= 8  # plain quantiles would give one
    assert knots[-1] == 100


def test_knots_are_all_values_where_these_are_few():
    knots = quantile_knots(torch.tensor([[3.0], [1.0], [1.0], [2.0]]), 5)[0]
    assert knots.tolist() == [1.0, 2.0, 3.0, 3.0, 3.0, 3.0]


def test_a_weight_counts_as_rows_for_knots():
    generator = torch.Generator().manual_seed(0)
    x_num, weight = torch.randn(300, 2, generator=generator), torch.randint(1, 6, (300,), generator=generator)
    weighted = quantile_knots(x_num, 10, weight / weight.float().mean())
    torch.testing.assert_close(weighted, quantile_knots(x_num.repeat_interleave(weight, 0), 10), rtol=0, atol=0)
    assert not torch.equal(weighted, quantile_knots(x_num, 10))
