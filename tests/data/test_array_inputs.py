"""Numbers that reach the network untouched: cast, checked, and scaled only if a repair asks for it."""

import numpy as np
import pandas as pd
import pytest
import torch

from sknn._data import array_inputs
from sknn._data.array_inputs import ArrayInputs
from sknn._data.rows import Rows

GENERATOR = np.random.default_rng(0)


def fitted(X, preprocessing=False):
    raw = ArrayInputs.read_first(X, preprocessing, None)
    return raw, raw.learn(None, None)


def scaled(X):
    raw, inputs = fitted(X, preprocessing=True)
    rows = Rows(inputs.encode_rows(raw), torch.zeros(len(X)), None, torch.device("cpu"))
    inputs.scale_from_now_on([rows])
    return inputs, rows


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float64])
def test_numbers_of_any_dtype_become_float32(dtype):
    X = np.array([[[0, 1], [1, 0]]], dtype=dtype)
    store = fitted(X)[1].encode(X)
    assert store.x.dtype == torch.float32
    assert store.x_cat is None
    np.testing.assert_array_equal(store.x, X)


def test_what_is_not_an_array_of_numbers_is_cast_once(monkeypatch):
    cast = []
    untouched = array_inputs._untouched
    monkeypatch.setattr(array_inputs, "_untouched", lambda X, p: (cast.append(len(X)), untouched(X, p))[1])
    X = GENERATOR.normal(size=(10, 2))
    for table in (X.astype(object), pd.DataFrame(X)):
        raw, inputs = fitted(table)
        inputs.encode_rows(raw, np.arange(7))
        inputs.encode_rows(raw, np.arange(7, 10))
        assert cast == [10]
        cast.clear()
    raw, inputs = fitted(X)  # needs no parsing: each part is cast by itself, and the whole is not held twice
    inputs.encode_rows(raw, np.arange(7))
    assert cast == [7]


@pytest.mark.parametrize(
    ("X", "preprocessing", "message"),
    [
        (
            np.array([[1.0, np.nan]]),
            False,
            r"^X: Input X contains NaN(?s:.*)preprocessing=False hands X to the network",
        ),
        (np.array([[["a"]]]), True, r"^X: (?s:.*)Arrays of more than two dimensions go to the network untouched"),
        (np.array([[1e300]]), False, r"^X: Input X contains infinity"),
        (np.array([[1j]]), False, "Complex data not supported"),
    ],
)
def test_what_the_network_cannot_take_is_refused(X, preprocessing, message):
    with pytest.raises(ValueError, match=message):
        fitted(X, preprocessing)[1].encode(X)


def test_rows_of_another_shape_are_refused():
    inputs = fitted(np.ones((3, 2, 4)), preprocessing=True)[1]
    with pytest.raises(ValueError, match=r"expected rows of shape \(2, 4\) as in fit, got \(4, 2\)"):
        inputs.encode(np.ones((3, 4, 2)))


@pytest.mark.parametrize(("shape", "dims"), [((200, 3), (0,)), ((50, 6, 3), (0, 1)), ((20, 3, 4, 4), (0, 1, 2, 3))])
def test_columns_and_features_are_standardised_one_by_one_and_images_as_a_whole(shape, dims):
    X = GENERATOR.normal(5.0, 3.0, size=shape) * np.arange(1, 1 + shape[-1])
    x_num = scaled(X)[1].store.x
    assert torch.allclose(x_num.mean(dims), torch.tensor(0.0), atol=1e-4)
    assert torch.allclose(x_num.std(dims), torch.tensor(1.0), atol=1e-4)


def test_columns_of_zeros_are_divided_and_constant_ones_become_zero():
    X = np.zeros((100, 2))
    X[:10, 0], X[:, 1] = 50.0, 7.0
    x_num = scaled(X)[1].store.x
    assert x_num[:, 0].unique().tolist() == [0.0, 1.0]
    assert x_num[:, 1].unique().tolist() == [0.0]


def test_numbers_scaled_twice_are_scaled_in_one_step_at_predict():
    X = GENERATOR.normal(1e3, 10.0, size=(100, 2)).astype(np.float32)
    inputs, _ = scaled(X)
    other = 3 * X + 500  # in another unit than the rows of the first scaling
    rows = Rows(inputs.encode(other), torch.zeros(100), None, torch.device("cpu"))
    assert abs(rows.store.x.mean()) > 10
    inputs.scale_from_now_on([rows])
    assert torch.allclose(rows.store.x.mean(0), torch.zeros(2), atol=1e-3)
    np.testing.assert_allclose(inputs.encode(other).x, rows.store.x, atol=1e-2)


def test_a_sparse_frame_with_dates_is_refused():
    frame = pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.0]), "day": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    with pytest.raises(TypeError, match=r"^X: .*preprocessing=False hands X to the network untouched"):
        ArrayInputs.read_first(frame, False, None)


@pytest.mark.parametrize("shape", [(200, 3, 20), (200, 3, 6, 7)])
def test_channels_of_different_scale_are_scaled_one_by_one(shape):
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    X[:, 1] *= 3e4
    x_num = scaled(X)[1].store.x
    pooled = (0, *range(2, len(shape)))
    np.testing.assert_allclose(x_num.double().numpy().std(pooled), 1.0, rtol=1e-3)


def test_features_behind_the_steps_are_scaled_one_by_one():
    X = np.random.default_rng(0).normal(size=(200, 12, 3)).astype(np.float32) * [1.0, 50.0, 4000.0]
    x_num = scaled(X.astype(np.float32))[1].store.x
    np.testing.assert_allclose(x_num.double().numpy().std((0, 1)), 1.0, rtol=1e-3)
