"""y there and back: numbers keep their shape and unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sknn import NeuralRegressor
from sknn._data.real_targets import RealTargets
from sknn.modules import MLP

VALUES = np.array([1.0, 2.0, 4.0, 9.0])


@pytest.mark.parametrize("weight", [None, np.array([1.0, 0.5, 2.0, 4.0])], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("shape", [(4,), (4, 1), (2, 2)], ids=str)
@pytest.mark.parametrize("scaling", ["standard", "robust", "scale", None])
def test_numbers_come_back_as_they_were(scaling: str | None, shape: tuple[int, ...], weight: Any) -> None:
    y = VALUES.reshape(shape)
    weight = None if weight is None else weight[: len(y)]
    targets = RealTargets(y, weight, scaling)
    encoded = targets.encode(y)
    assert encoded.dtype == np.float32
    assert encoded.shape == (len(y), y.size // len(y))
    mean = np.average(encoded, axis=0, weights=weight)
    if scaling == "standard":
        np.testing.assert_allclose(mean, 0, atol=1e-6)
        np.testing.assert_allclose(np.average(encoded**2, axis=0, weights=weight), 1, rtol=1e-5)
    elif scaling == "scale":
        np.testing.assert_allclose(mean, 1, rtol=1e-6)
    elif scaling is None:
        np.testing.assert_array_equal(encoded, y.reshape(len(y), -1))
    decoded = targets.predict(encoded)
    assert decoded.shape == shape
    assert decoded.dtype == (np.float32 if len(shape) == 1 else np.float64)
    np.testing.assert_allclose(decoded, y, rtol=1e-6)


@pytest.mark.parametrize("scaling", ["standard", "robust", "scale"])
def test_a_weight_of_k_is_k_copies(scaling: str) -> None:
    weight = np.array([1, 0, 2, 3])
    counted = weight > 0
    weighted = RealTargets(VALUES[counted], weight[counted].astype(float), scaling)
    repeated = RealTargets(VALUES.repeat(weight), None, scaling)
    np.testing.assert_allclose(weighted.mean, repeated.mean, rtol=1e-14)
    np.testing.assert_allclose(weighted.scale, repeated.scale, rtol=1e-14)


@pytest.mark.parametrize("wild", [1e3, -1e6, 1e15])
@pytest.mark.parametrize("share", [0.001, 0.1])
def test_a_robust_scale_does_not_follow_wild_values(wild: float, share: float) -> None:
    y = np.random.default_rng(0).normal(5.0, 2.0, size=1000)
    spoiled = y.copy()
    spoiled[: int(1000 * share)] = wild
    plain, robust = RealTargets(y, None, "standard"), RealTargets(spoiled, None, "robust")
    assert abs(robust.mean[0] - plain.mean[0]) < 0.25 * plain.scale[0]
    assert 0.9 < robust.scale[0] / plain.scale[0] < 2


def test_a_robust_scale_of_mostly_equal_values_is_that_of_the_others() -> None:
    y = np.zeros(1000)
    y[:50] = np.linspace(50, 150, 50)
    targets = RealTargets(y, None, "robust")
    assert targets.mean[0] == 0
    assert 40 < targets.scale[0] < 150
    # A group of an eighth of the rows is no noise: it is within reach of a network.
    y = np.random.default_rng(0).normal(scale=1e-3, size=1000)
    y[:200] += 50
    assert np.abs(RealTargets(y, None, "robust").encode(y)).max() < 5


@pytest.mark.parametrize("value", [0.0, 0.1, -3e10, 1e-30])
@pytest.mark.parametrize("scaling", ["standard", "robust", None])
def test_a_constant_target_stays_constant(value: float, scaling: str | None) -> None:
    targets = RealTargets(np.full(10, value), None, scaling)
    encoded = targets.encode(np.full(10, value))
    assert targets.is_constant == (scaling is not None)
    assert np.abs(encoded).max() <= (1e-5 if scaling else abs(value) * 1.0001)
    np.testing.assert_allclose(targets.predict(encoded), value, rtol=1e-6)


@pytest.mark.parametrize("scaling", ["standard", "robust", "scale"])
def test_an_output_that_never_varies_is_predicted_exactly(scaling: str) -> None:
    y = np.c_[np.full(10, 0.1), np.arange(1.0, 11)]
    targets = RealTargets(y, None, scaling)
    assert not targets.is_constant
    predicted = targets.predict(np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32))
    assert (predicted[:, 0] == 0.1).all()
    assert np.unique(predicted[:, 1]).size == 5


def test_an_output_that_varies_later_is_learned_from_then_on() -> None:
    targets = RealTargets(np.full(10, 3.0), None, "standard")
    assert targets.for_further(np.full(4, 3.0)).is_constant
    further = targets.for_further(np.array([3.0, 4.0]))
    assert not further.is_constant
    assert targets.is_constant  # a fit that fails leaves them as they were
    np.testing.assert_allclose(further.predict(np.ones((1, 1), dtype=np.float32)), 4.0)


@pytest.mark.parametrize("n_outputs", [1, 4])
def test_another_number_of_outputs_is_refused_before_anything_is_compared(n_outputs: int) -> None:
    targets = RealTargets(np.eye(2), None, "standard")
    with pytest.raises(ValueError, match=f"expected 2 outputs as in the training target, got {n_outputs}"):
        targets.for_further(np.ones((3, n_outputs)))


def test_a_large_mean_keeps_the_spread() -> None:
    y = 1.7e9 + np.arange(100.0)
    targets = RealTargets(y, None, "standard")
    decoded = targets.predict(targets.encode(y))
    assert decoded.dtype == np.float64
    np.testing.assert_allclose(decoded - 1.7e9, np.arange(100.0), atol=1e-4)


def test_several_quantiles_keep_their_columns() -> None:
    targets = RealTargets(VALUES, None, "standard")
    assert targets.predict(np.zeros((5, 3), dtype=np.float32)).shape == (5, 3)


def test_another_number_of_outputs_is_named() -> None:
    with pytest.raises(ValueError, match="expected 2 outputs as in the training target, got 1"):
        RealTargets(np.ones((3, 2)), None, "standard").encode(np.ones(3))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "y is None"),
        ([1.0, np.nan], r"Input y contains NaN.\nEvery row needs a finite number"),
        ([1.0, np.inf], "Input y contains infinity"),
        (["a", "b"], r"numbers were expected.*NeuralClassifier"),
        (np.ones((2, 2, 2)), r"dim 3|\(2, 2, 2\)"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "numbers were expected"),
    ],
)
def test_a_target_of_no_numbers_is_an_error_that_says_what_to_do(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RealTargets.check(y)


@pytest.mark.parametrize("make", [list, pd.Series, pl.Series, lambda y: pd.Series(y, dtype="Float64"), np.float16,
                                  lambda y: y.astype(int), lambda y: y.astype(object)])  # fmt: skip
def test_numbers_of_every_kind_are_float64(make: Any) -> None:
    checked = RealTargets.check(make(VALUES))
    assert checked.dtype == np.float64
    np.testing.assert_array_equal(checked, VALUES)


X = np.random.default_rng(0).normal(size=(40, 2))


@pytest.mark.parametrize("shape", [(40,), (40, 1), (40, 3)], ids=str)
def test_the_regressor_predicts_in_ys_shape_and_unit(shape: tuple[int, ...]) -> None:
    y = 1e4 + 50 * np.resize(X[:, 0], shape[::-1]).T.reshape(shape)
    predicted = NeuralRegressor(MLP, max_epochs=5, random_state=0).fit(X, y).predict(X)
    assert predicted.shape == shape
    assert 9_800 < predicted.mean() < 10_200


def test_the_regressor_does_not_touch_y_without_preprocessing() -> None:
    model = NeuralRegressor(MLP, preprocessing=False, max_epochs=1, gradient_health=None).fit(X, 1e4 + X[:, 0])
    assert (model._targets.mean, model._targets.scale) == (0, 1)
