"""Quantiles of scores, with the correction for a finite number of rows."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from sknn._conformal.quantiles import least_rows, quantile, quantiles_by_group

LEVELS = ("0.5", "0.8", "0.9", "0.95", "0.99")


@pytest.mark.parametrize("level", LEVELS)
def test_the_rank_is_that_of_exact_arithmetic(level):
    for n in range(1, 121):
        scores = np.random.default_rng(n).permutation(n).astype(np.float32)
        rank = math.ceil((n + 1) * Fraction(level))
        expected = math.inf if rank > n else float(rank - 1)
        assert quantile(scores, None, float(level)) == expected
        assert (n >= least_rows(float(level))) == (rank <= n)


@pytest.mark.parametrize("level", [0.5, 0.9])
@pytest.mark.parametrize("n", [9, 40])
def test_a_further_score_is_covered_as_often_as_asked(level, n):
    random, covered = np.random.default_rng(0), []
    for _ in range(4000):
        *scores, further = random.exponential(size=n + 1)
        covered.append(further <= quantile(np.array(scores), None, level))
    assert level - 0.02 <= np.mean(covered) <= level + 1 / (n + 1) + 0.02


def test_equal_weights_are_no_weights():
    scores = np.arange(30.0)
    assert quantile(scores, np.full(30, 7.0), 0.9) == quantile(scores, None, 0.9)


def test_weights_move_the_quantile():
    scores, weight = np.arange(100.0), np.where(np.arange(100) < 50, 1.0, 3.0)
    mean = weight.mean()
    reached = np.cumsum(weight) / (weight.sum() + mean) >= 0.6
    assert quantile(scores, weight, 0.6) == scores[reached][0] == 73
    assert quantile(scores[::-1].copy(), weight[::-1].copy(), 0.6) == 73


def test_rows_of_weight_zero_do_not_count():
    scores = np.append(np.arange(50.0), 1e9)
    assert quantile(scores, np.append(np.ones(50), 0.0), 0.9) < 50


def test_no_rows_give_infinity():
    assert quantile(np.empty(0), None, 0.5) == math.inf


def test_groups_have_quantiles_of_their_own():
    scores = np.concatenate([np.arange(20.0), 100 + np.arange(20.0)])
    groups = np.repeat([0, 1], 20)
    found = quantiles_by_group(scores, None, groups, 2, 0.8)
    assert found.tolist() == [quantile(scores[:20], None, 0.8), quantile(scores[20:], None, 0.8)]


def test_rare_groups_share_their_rows():
    scores = np.concatenate([np.arange(20.0), 50 + np.arange(6.0)])
    groups = np.concatenate([np.zeros(20, int), [1, 1, 2, 2, 3, 3]])
    found = quantiles_by_group(scores, None, groups, 5, 0.8)
    shared = quantile(scores[20:], None, 0.8)
    assert found.tolist() == [quantile(scores[:20], None, 0.8), *[shared] * 4]  # also of the last, which has no row


def test_too_few_rare_rows_get_the_largest_quantile():
    scores = np.concatenate([np.arange(20.0), 50 + np.arange(20.0), [0.0]])
    groups = np.concatenate([np.zeros(20, int), np.ones(20, int), [2]])
    found = quantiles_by_group(scores, None, groups, 4, 0.8)
    assert found[2] == found[3] == found[1] == 66


def test_too_few_rows_of_all_groups_give_infinity():
    assert np.isinf(quantiles_by_group(np.arange(3.0), None, np.arange(3), 3, 0.9)).all()
