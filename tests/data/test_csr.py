"""Sparse matrices of every format become checked float32 rows."""

import numpy as np
import pytest
import scipy.sparse

from sknn._data.csr import float32_csr, real_csr, with_columns

NAN = np.nan


@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, bool])
def test_sparse_becomes_float32_rows(make, dtype):
    dense = np.array([[0, 1], [1, 0], [0, 0]], dtype=dtype)
    rows = float32_csr(real_csr(make(dense)))
    assert isinstance(rows, scipy.sparse.csr_array)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows.toarray(), dense)


def test_sparse_keeps_explicit_nan_and_adds_duplicates_without_touching_the_input():
    X = scipy.sparse.csr_array(
        (np.array([1, 2, NAN], dtype=np.float32), np.array([1, 1, 0]), np.array([0, 3])), shape=(1, 2)
    )
    np.testing.assert_array_equal(float32_csr(real_csr(X)).toarray(), [[NAN, 3]])
    np.testing.assert_array_equal(X.data, [1, 2, NAN])
    np.testing.assert_array_equal(X.indices, [1, 1, 0])


@pytest.mark.parametrize("value", [np.inf, 1e300])
def test_sparse_infinity_and_float32_overflow_name_the_column(value):
    X = scipy.sparse.coo_array(([value], ([0], [2])), shape=(1, 4))
    with pytest.raises(ValueError, match=r"column 2 contains infinity .* too large for float32"):
        float32_csr(real_csr(X))


def test_complex_numbers_are_refused():
    with pytest.raises(ValueError, match="Complex data not supported"):
        real_csr(scipy.sparse.csr_array([[1j]]))


def test_dense_rows_of_numbers_are_rows():
    assert real_csr([[0, 1], [2, 0]]).toarray().tolist() == [[0, 1], [2, 0]]
    with pytest.raises(ValueError, match=r"^X: .*numbers in every column, as in the sparse matrix of fit"):
        real_csr([["a", "b"]])


@pytest.mark.parametrize("columns", [[0], [3], [0, 2, 3], [1, 2], [0, 1, 2, 3]])
def test_columns_are_those_of_scipy(columns):
    dense = np.random.default_rng(0).normal(size=(6, 4)) * np.array([[1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]] * 2)
    matrix = scipy.sparse.csr_array(dense.astype(np.float32))
    found, expected = with_columns(matrix, np.array(columns)), matrix[:, columns]
    np.testing.assert_array_equal(found.toarray(), expected.toarray())
    assert found.has_canonical_format
    assert (found.dtype, found.indices.dtype, found.nnz) == (expected.dtype, expected.indices.dtype, expected.nnz)


def test_memory_does_not_depend_on_the_number_of_columns():
    cells = (np.ones(3, dtype=np.float32), ([0, 1, 1], [5, 7, 2**50]))
    matrix = scipy.sparse.coo_array(cells, shape=(2, 2**51)).tocsr()
    assert with_columns(matrix, np.array([5, 6, 2**50])).toarray().tolist() == [[1, 0, 0], [0, 0, 1]]
