"""How far the rows of a category are trusted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sknn.modules._category_statistics import trust_in_categories


def effects_of(n_rows: int, size: int, noise: float) -> tuple[Tensor, Tensor]:
    """Codes (n_rows, 1) from 1 to size - 2, and a target with an effect of variance 1 of each of them."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(1, size - 1, (n_rows, 1), generator=generator)
    effect = torch.randn(size, generator=generator)
    return codes, effect[codes] + noise * torch.randn(n_rows, 1, generator=generator)


@pytest.mark.parametrize("noise", [2.0, 4.0])
def test_trust_is_that_of_a_random_effect(noise):
    codes, y = effects_of(20_000, 202, noise)
    trust = trust_in_categories(codes, [202], y, torch.ones(20_000))
    n = torch.bincount(codes[:, 0], minlength=202)
    torch.testing.assert_close(trust[1:-1], (n / (n + noise**2))[1:-1], rtol=0.05, atol=0)


def test_categories_without_effect_are_trusted_least_and_unknown_is_learned():
    codes, y = effects_of(2000, 202, 1.0)
    both = torch.cat([codes, codes[torch.randperm(2000)]], dim=1)
    trust = trust_in_categories(both, [202, 202], y, torch.ones(2000)).view(2, 202)
    assert trust[:, 0].tolist() == [1, 1]
    assert trust[:, -1].tolist() == [0, 0]  # "missing" did not occur
    assert trust[0, 1:-1].mean() > 0.85
    assert trust[1, 1:-1].mean() < 0.3


def test_the_label_that_the_categories_tell_decides():
    codes, y = effects_of(3000, 52, 0.5)
    labels = torch.cat([(y > 0).float(), torch.rand(3000, 2).round()], dim=1)
    torch.testing.assert_close(
        trust_in_categories(codes, [52], labels, torch.ones(3000)),
        trust_in_categories(codes, [52], labels[:, :1], torch.ones(3000)),
    )


def test_weights_are_rows_and_a_share_of_the_rows_stands_for_all():
    codes, y = effects_of(500, 42, 2.0)
    weight = torch.arange(500) % 3
    repeated = torch.arange(500).repeat_interleave(weight)
    ones = torch.ones(len(repeated))
    weighted = trust_in_categories(codes, [42], y, weight.float())
    torch.testing.assert_close(weighted, trust_in_categories(codes[repeated], [42], y[repeated], ones))
    k = 1 / weighted[1:-1] - 1
    halves = 1 / trust_in_categories(codes, [42], y, weight.float(), share=0.5)[1:-1] - 1
    torch.testing.assert_close(halves, k / 2)


def test_a_constant_target_or_weights_of_zero_are_no_error():
    codes, y = effects_of(50, 22, 1.0)
    assert trust_in_categories(codes, [22], y, torch.zeros(50)).isfinite().all()
    assert trust_in_categories(codes, [22], torch.ones(50, 1), torch.ones(50)).isfinite().all()
