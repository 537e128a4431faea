"""Rows held out: how many, of which classes and groups, and when none can be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sknn import NeuralRegressor
from sknn._data.split import validation_split, validation_splits
from sknn.modules import MLP


def split(n_samples: int, fraction: float = 0.2, seed: int = 0, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
    train, valid = validation_split(n_samples, fraction=fraction, seed=seed, **kwargs)
    assert sorted([*train, *valid]) == list(range(n_samples))
    assert (np.diff(train) > 0).all()
    assert (np.diff(valid) > 0).all()
    assert len(train) > 0
    assert len(valid) > 0
    return train, valid


@pytest.mark.parametrize(
    ("n_samples", "fraction", "n_valid"),
    [(100, 0.15, 15), (10, 0.15, 2), (5, 0.01, 1), (5, 0.99, 4), (2, 0.15, 1), (3, 0.5, 2)],
)
def test_the_share_is_rounded_and_neither_side_is_empty(n_samples: int, fraction: float, n_valid: int) -> None:
    _, valid = split(n_samples, fraction)
    assert len(valid) == n_valid


def test_the_seed_decides() -> None:
    np.testing.assert_array_equal(split(100, seed=1)[1], split(100, seed=1)[1])
    assert not np.array_equal(split(100, seed=1)[1], split(100, seed=2)[1])


def test_rows_are_drawn_from_everywhere() -> None:
    _, valid = split(1000)
    assert valid.min() < 50
    assert valid.max() > 950


def test_every_class_keeps_its_share() -> None:
    labels = np.repeat([0, 1, 2], [50, 40, 10])
    for seed in range(3):
        train, valid = split(100, seed=seed, labels=labels)
        np.testing.assert_array_equal(np.bincount(labels[valid]), [10, 8, 2])
        np.testing.assert_array_equal(np.bincount(labels[train]), [40, 32, 8])


def test_a_class_of_one_row_stays_in_the_training_rows() -> None:
    labels = np.repeat([0, 1, 2], [60, 39, 1])
    for seed in range(5):
        train, valid = split(100, seed=seed, labels=labels)
        assert len(valid) == 20
        assert 99 in train


def test_codes_without_rows_do_no_harm() -> None:
    """partial_fit may name classes that no row has."""
    train, valid = split(40, labels=np.repeat([1, 4], 20))
    assert len(valid) == 8


def test_too_few_rows_to_stratify_are_split_at_random() -> None:
    train, valid = split(6, fraction=0.2, labels=np.array([0, 0, 1, 1, 2, 2]))
    assert len(valid) == 1


def test_groups_stay_together() -> None:
    groups = np.repeat(np.arange(20), 5)
    train, valid = split(100, groups=groups)
    assert not set(groups[train]) & set(groups[valid])
    assert len(set(groups[valid])) == 4


def test_groups_may_be_strings() -> None:
    groups = np.array(["a", "b", "c", "d"] * 5)
    train, valid = split(20, groups=groups)
    assert not set(groups[train]) & set(groups[valid])


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(ValueError, match=r"groups: .*at least 2 groups .*got 1.*early_stopping=False or pass X_val"):
        split(10, groups=np.zeros(10))


def test_one_row_cannot_be_split() -> None:
    with pytest.raises(ValueError, match=r"at least 2 rows .*n_samples=1.*early_stopping=False"):
        split(1)


def test_the_estimator_keeps_groups_on_one_side() -> None:
    groups = np.repeat(np.arange(40), 10)
    held_out: list[np.ndarray] = []

    def score(estimator: Any, X: np.ndarray, y: np.ndarray) -> float:
        held_out.append(y)
        return 0.0

    model = NeuralRegressor(MLP, scoring=score, max_epochs=1, early_stopping=True, random_state=0)
    X = np.random.default_rng(0).normal(size=(400, 2))
    model.fit(X, groups, groups=groups)
    assert set(np.unique(held_out[0], return_counts=True)[1]) == {10}
    model.fit(X, groups)
    assert set(np.unique(held_out[1], return_counts=True)[1]) != {10}


@pytest.mark.parametrize("labels", [None, np.arange(100) % 3])
def test_no_row_is_held_out_twice_and_every_network_trains_on_the_rest(labels):
    train, valid = validation_splits(3, 100, fraction=0.2, seed=0, labels=labels)
    assert valid.shape == (3, 20)
    assert len(np.unique(valid)) == 60
    for inside, outside in zip(train, valid, strict=True):
        assert np.array_equal(np.sort(np.concatenate([inside, outside])), np.arange(100))


def test_groups_stay_on_one_side_of_every_split():
    groups = np.repeat(np.arange(20), np.arange(1, 21))
    train, valid = validation_splits(2, len(groups), fraction=0.2, seed=0, groups=groups)
    assert not set(groups[valid[0]]) & set(groups[valid[1]])
    for inside, outside in zip(train, valid, strict=True):
        assert not set(groups[inside]) & set(groups[outside])


def test_networks_share_held_out_rows_where_there_are_too_few():
    train, valid = validation_splits(2, 2, fraction=0.15, seed=0)
    assert valid.tolist() == [valid[0].tolist()] * 2
    assert sorted([*train[0], *valid[0]]) == [0, 1]
    assert validation_splits(4, 10, fraction=0.3, seed=0)[1].shape == (4, 3)
