"""Every kind of data keeps the promises of its interface."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from sknn._data.inputs import rows_for_statistics
from sknn._data.kinds import KINDS
from sknn._data.rows import Rows
from sknn._data.stores import Dense
from tests.data.reading import read_first

GENERATOR = np.random.default_rng(0)
NUMBERS = np.where(GENERATOR.random((60, 4)) < 0.3, 0.0, GENERATOR.normal(size=(60, 4)))
FRAME = pd.DataFrame({"size": NUMBERS[:, 0], "city": ["Rome", "Bonn", None] * 20, "count": np.arange(60) % 7})

# Of each kind an X, preprocessing, and the class that reads it.
CASES = {
    "table": (FRAME, True, "table"),
    "numbers": (NUMBERS, True, "table"),
    "sparse": (scipy.sparse.coo_array(NUMBERS), True, "sparse"),
    "sparse untouched": (scipy.sparse.csr_array(NUMBERS), False, "sparse"),
    "images": (GENERATOR.normal(size=(60, 3, 4, 5)), True, "array"),
    "numbers untouched": (NUMBERS, False, "array"),
    "frame untouched": (pd.DataFrame(NUMBERS), False, "array"),
}


@pytest.fixture(params=CASES)
def case(request):
    X, preprocessing, _ = CASES[request.param]
    raw = read_first(X, preprocessing, "from_dtype")
    return X, raw, raw.learn(np.arange(40), None)


def dense(x):
    return x.toarray() if scipy.sparse.issparse(x) else x.numpy()


def same(encoded, expected):
    assert type(encoded) is type(expected)
    found, wanted = encoded.tensors(), expected.tensors()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in found)


@pytest.mark.parametrize("name", CASES)
def test_x_and_preprocessing_decide_the_kind(name):
    X, preprocessing, kind = CASES[name]
    inputs = read_first(X, preprocessing, "from_dtype").learn(None, None)
    assert inputs.kind == kind
    assert KINDS[kind] is type(inputs)


def test_encoded_rows_have_the_shape_and_the_codes_that_are_declared(case):
    X, raw, inputs = case
    tensors = inputs.encode(X).tensors()
    x_num, x_cat = tensors["x"], tensors.get("x_cat")
    assert x_num.shape == (60, *inputs.row_shape)
    assert x_num.dtype == torch.float32
    assert (x_cat is None) == (not inputs.cardinalities)
    if x_cat is not None:
        assert x_cat.dtype == torch.int64
        assert (x_cat >= 0).all()
        assert (x_cat < torch.tensor(inputs.cardinalities)).all()


def test_rows_of_the_fit_are_encoded_as_at_predict(case):
    X, raw, inputs = case
    same(inputs.encode_rows(raw), inputs.encode(X))
    rows = np.array([3, 59, 0, 17])
    whole = inputs.encode(X)
    expected = whole[torch.from_numpy(rows)]
    same(inputs.encode_rows(raw, rows), expected)
    same(inputs.encode_rows(raw.take(rows)), expected)
    assert len(raw) == 60
    assert len(raw.take(rows)) == 4


def test_keys_are_equal_for_equal_rows_only(case):
    X, raw, _ = case
    twice = raw.take(np.array([5, 8, 5])).keys()
    assert all((block[0] == block[2]).all() or np.isnan(block[0]).any() for block in twice)
    assert any((block[0] != block[1]).any() for block in twice)


def test_the_memory_of_the_caller_is_never_that_of_the_network(case):
    X, raw, inputs = case
    before = copy.deepcopy(X)
    store = inputs.encode_rows(raw)
    if isinstance(store, Dense):
        store.x.fill_(-1)
        pd.testing.assert_frame_equal(*(pd.DataFrame(np.reshape(x, (60, -1))) for x in (X, before)))


def test_copies_encode_the_same(case):
    X, _, inputs = case
    for again in (copy.deepcopy(inputs), pickle.loads(pickle.dumps(inputs))):
        same(again.encode(X), inputs.encode(X))


def test_numbers_that_were_untouched_are_scaled_from_now_on_and_put_back(case):
    X, raw, inputs = case
    assert inputs.can_be_scaled == (inputs.encoder is None)
    if not inputs.can_be_scaled:
        return
    before = inputs.encode(X)
    rows = Rows(before, torch.zeros(60), None, torch.device("cpu"))
    shared = rows.shared_out(np.arange(60).reshape(2, 30))
    undo = inputs.scale_from_now_on([rows, shared])
    assert rows.store is shared.store
    np.testing.assert_array_equal(dense(rows.store.x), dense(inputs.encode(X).x))
    assert not np.array_equal(dense(rows.store.x), dense(before.x))
    undo()
    same(rows.store, before)
    same(inputs.encode(X), before)


def test_scaling_can_be_put_back_from_outside(case):
    X, raw, inputs = case
    if not inputs.can_be_scaled:
        return
    before, scaling = inputs.encode(X), inputs.scaling
    inputs.scale_from_now_on([Rows(before, torch.zeros(60), None, torch.device("cpu"))])
    inputs.scaling = scaling
    same(inputs.encode(X), before)


def test_statistics_of_many_rows_are_those_of_evenly_spaced_ones():
    assert rows_for_statistics(100_000, None) is None
    few = np.arange(7)
    assert rows_for_statistics(10**6, few) is few
    chosen = rows_for_statistics(250_000, None)
    assert (len(chosen), chosen[0], chosen[-1]) == (100_000, 0, 249_999)
    odd = rows_for_statistics(10**6, np.arange(1, 500_001, 2))
    assert len(odd) == 100_000
    assert (odd % 2 == 1).all()
