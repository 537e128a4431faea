"""Rows held out: how many, of which classes and groups, and when none can be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sknn import NeuralClassifier, NeuralRegressor
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


@pytest.mark.parametrize("with_labels", [False, True])
def test_any_groups_can_be_split_for_any_number_of_networks(with_labels: bool) -> None:
    draw = np.random.default_rng(0)
    for trial in range(600):
        n_groups, n_networks = int(draw.integers(2, 13)), int(draw.integers(1, 9))
        sizes = np.maximum(1, draw.lognormal(1.5, 1.5 * (trial % 3), size=n_groups).astype(int))
        groups = draw.permutation(np.repeat(np.arange(n_groups), sizes))
        labels = draw.integers(0, 2 + trial % 4, size=len(groups)) if with_labels else None
        fraction = float(draw.choice([0.01, 0.05, 0.15, 0.3, 0.5, 0.9]))
        parts = validation_splits(n_networks, len(groups), fraction=fraction, seed=trial, labels=labels, groups=groups)
        assert parts[0].shape[0] == parts[1].shape[0] == n_networks
        for train, valid in zip(*parts, strict=True):
            assert set(train) | set(valid) == set(range(len(groups)))
            assert len(train) > 0
            assert len(valid) > 0
            assert not set(groups[train]) & set(groups[valid])


def test_groups_are_held_out_by_their_rows() -> None:
    """A group with most rows is not held out, nor much more than was asked for."""
    groups = np.repeat(np.arange(7), [900, 20, 20, 20, 20, 10, 10])
    for seed in range(20):
        _, valid = validation_splits(2, len(groups), fraction=0.05, seed=seed, groups=groups)
        assert all(30 <= len(np.unique(part)) <= 70 for part in valid)
        assert not set(valid[0]) & set(valid[1])
    groups = np.repeat([0, 1], [95, 5])
    for part in validation_splits(3, 100, fraction=0.15, seed=0, groups=groups)[1]:
        assert set(groups[part]) == {1}


@pytest.mark.parametrize("n_groups", [2, 3])
def test_few_equal_groups_are_held_out_in_turn(n_groups: int) -> None:
    groups = np.arange(30) % n_groups
    first = set()
    for seed in range(10):
        _, valid = validation_splits(4, 30, fraction=0.15, seed=seed, groups=groups)
        held_out = [groups[part[0]] for part in valid]
        assert set(held_out) == set(range(n_groups))
        first.add(held_out[0])
    assert len(first) > 1


def test_a_class_within_one_group_stays_in_the_training_rows() -> None:
    groups = np.repeat(np.arange(6), 20)
    labels = np.arange(120) % 2
    labels[groups == 3] = 2
    for seed in range(20):
        train, _ = validation_splits(6, 120, fraction=0.15, seed=seed, labels=labels, groups=groups)
        assert all(set(labels[part]) == {0, 1, 2} for part in train)


def test_as_few_classes_as_possible_are_lost_where_groups_are_classes() -> None:
    groups = np.repeat([0, 1], [30, 20])
    labels = np.where(groups == 0, np.arange(50) % 3, 3)
    train, valid = split(50, 0.15, groups=groups, labels=labels)
    assert set(groups[valid]) == {1}
    assert set(labels[train]) == {0, 1, 2}


@pytest.mark.parametrize("fraction", [0.01, 0.15, 0.5, 0.8, 0.95])
def test_every_class_has_training_rows(fraction: float) -> None:
    draw = np.random.default_rng(0)
    for seed in range(200):
        n_classes, n_networks = int(draw.integers(2, 8)), int(draw.integers(1, 9))
        rare = np.repeat(np.arange(n_classes), draw.integers(1, 4, size=n_classes))
        labels = draw.permutation(np.r_[rare, np.zeros(draw.integers(2, 60), int)])
        parts = validation_splits(n_networks, len(labels), fraction=fraction, seed=seed, labels=labels)
        for train, valid in zip(*parts, strict=True):
            assert len(valid) > 0
            assert set(labels[train]) == set(range(n_classes))
            assert sorted({*train, *valid}) == list(range(len(labels)))
            assert not set(train) & set(valid)


def test_every_row_may_be_a_group() -> None:
    groups = np.arange(200_000)
    train, valid = validation_splits(4, len(groups), fraction=0.15, seed=0, labels=groups % 50, groups=groups)
    assert valid.shape == (4, 30_000)
    assert len(np.unique(valid)) == 120_000
    assert train.shape == (4, 170_000)


@pytest.mark.parametrize("n_groups", [2, 3, 7, 11])
def test_grouped_fits_of_any_size_end_in_finite_predictions(n_groups: int) -> None:
    draw = np.random.default_rng(n_groups)
    groups = np.repeat(np.arange(n_groups), np.maximum(1, draw.lognormal(2, 1, size=n_groups).astype(int)) + 4)
    X, y = draw.normal(size=(len(groups), 2)), draw.integers(0, 3, size=len(groups))
    y[groups == 0] = 1 + y[groups == 0] % 2
    weight = 1.0 * (np.arange(len(groups)) % 4 > 0)
    for fraction in (0.05, 0.9):
        params: dict[str, Any] = dict(validation_fraction=fraction, max_epochs=1, early_stopping=True, random_state=0)
        classifier = NeuralClassifier(gradient_health=None, **params).fit(X, y, weight, groups=groups)
        assert np.isfinite(classifier.predict_proba(X)).all()
        regressor = NeuralRegressor(MLP, n_networks=3, gradient_health=None, **params).fit(X, X[:, 0], groups=groups)
        assert np.isfinite(regressor.validation_scores_).all()
