"""Sparse matrices stay sparse, are scaled without a shift, and may be dense at predict."""

import numpy as np
import pytest
import scipy.sparse

from sknn._data import sparse_inputs
from sknn._data.encoder import Encoder
from sknn._data.sparse_inputs import SparseInputs

GENERATOR = np.random.default_rng(0)
DENSE = np.where(GENERATOR.random((30, 4)) < 0.7, 0.0, GENERATOR.normal(size=(30, 4)))
X = scipy.sparse.csc_array(DENSE)


def test_scales_are_those_of_the_weighted_training_rows():
    rows, weight = np.arange(0, 30, 2), 1.0 + np.arange(30) % 3
    inputs = SparseInputs.read_first(X, True, None).learn(rows, weight)
    expected = Encoder.from_sparse(scipy.sparse.csr_array(DENSE[rows].astype(np.float32)), weight[rows])
    assert inputs.encoder.scale.tolist() == expected.scale.tolist()
    whole = SparseInputs.read_first(X, True, None).learn(None, weight)
    assert whole.encoder.scale.tolist() == Encoder.from_sparse(X.tocsr().astype(np.float32), weight).scale.tolist()


def test_dense_tables_are_read_at_predict():
    inputs = SparseInputs.read_first(X, True, None).learn(None, None)
    expected = inputs.encode(X).x
    for table in (DENSE, DENSE.astype(object), scipy.sparse.coo_matrix(DENSE)):
        encoded = inputs.encode(table).x
        assert scipy.sparse.issparse(encoded)
        np.testing.assert_array_equal(encoded.toarray(), expected.toarray())
    with pytest.raises(ValueError, match="Found array with dim 3, expected 2 as in fit"):
        inputs.encode(np.ones((2, 4, 1)))


@pytest.mark.parametrize("unit", [1e-42, 1e-60])
def test_columns_too_small_for_float32_are_scaled_as_others(unit):
    units = np.array([unit, 1, unit, 1])
    small = SparseInputs.read_first(X @ scipy.sparse.diags_array(units), True, None).learn(None, None)
    usual = SparseInputs.read_first(X, True, None).learn(None, None)
    for rows in (slice(None), slice(0, 5)):
        expected = usual.encode(DENSE[rows]).x.toarray()
        for table in (DENSE[rows] * units, scipy.sparse.csr_array(DENSE[rows] * units)):
            encoded = small.encode(table).x
            assert encoded.dtype == np.float32
            np.testing.assert_allclose(encoded.toarray(), expected, rtol=1e-5)
    with_noise = X + scipy.sparse.csr_array(([unit], ([np.flatnonzero(DENSE[:, 0] == 0)[0]], [0])), shape=X.shape)
    assert SparseInputs.read_first(with_noise, True, None).matrix.dtype == np.float32


def test_only_small_matrices_are_made_dense_to_be_compared(monkeypatch):
    raw = SparseInputs.read_first(X, True, None)
    np.testing.assert_array_equal(raw.keys()[0], DENSE.astype(np.float32))
    monkeypatch.setattr(sparse_inputs, "_MAX_DENSE_CELLS", 119)
    assert raw.keys() is None


def test_columns_cannot_be_categorical():
    with pytest.raises(ValueError, match=r"categorical_features=\[0\] names columns of a sparse matrix"):
        SparseInputs.read_first(X, True, [0])
    assert SparseInputs.read_first(X, False, [0]).learn(None, None).can_be_scaled


@pytest.mark.parametrize("preprocessing", [True, False])
def test_infinity_is_found_in_fit(preprocessing):
    with pytest.raises(ValueError, match="column 0 contains infinity"):
        SparseInputs.read_first(scipy.sparse.csc_array([[np.inf]]), preprocessing, None)


def test_squares_of_huge_values_beside_tiny_ones_do_not_overflow():
    values = np.array([[3e300, 2e-300], [-4e300, 0.0], [0.0, 5e-300]])
    inputs = SparseInputs.read_first(scipy.sparse.csr_array(values), True, None).learn(None, None)
    numbers = inputs.encode(scipy.sparse.csr_array(values)).x
    usual = SparseInputs.read_first(scipy.sparse.csr_array(values * [1e-300, 1e300]), True, None).learn(None, None)
    expected = usual.encode(scipy.sparse.csr_array(values * [1e-300, 1e300])).x
    np.testing.assert_allclose(numbers.toarray(), expected.toarray(), rtol=1e-6)


def test_nan_does_not_reach_a_network_untouched():
    with_gap = scipy.sparse.csr_array([[1.0, 0.0], [0.0, np.nan]])
    with pytest.raises(ValueError, match=r"^X: column 1 contains NaN\. preprocessing=False hands X to the network"):
        SparseInputs.read_first(with_gap, False, None)
    untouched = SparseInputs.read_first(scipy.sparse.csr_array(np.eye(2)), False, None).learn(None, None)
    with pytest.raises(ValueError, match=r"^X: column 1 contains NaN"):
        untouched.read(with_gap)
    assert SparseInputs.read_first(with_gap, True, None).learn(None, None).read(with_gap).matrix.nnz == 2
