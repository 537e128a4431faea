"""Tables as callers pass them become arrays, sparse matrices or data frames, or the message says what to pass."""

import pathlib
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch

from sknn import NeuralClassifier
from sknn._data.containers import as_table, take_rows
from sknn.modules import MLP

TABLES = {
    "numpy": np.eye(3),
    "pandas": pd.DataFrame(np.eye(3)),
    "polars": pl.DataFrame(np.eye(3)),
    "pyarrow": pa.table({"a": [1.0, 2.0, 3.0]}),
    "sparse": scipy.sparse.csc_array(np.eye(3)),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_not_copied_and_their_rows_are_tables_of_the_same_kind(name):
    X = TABLES[name]
    assert as_table(X) is X
    for rows in (np.array([2, 0]), slice(0, 2)):
        some = take_rows(X, rows)
        assert some.shape == (2, X.shape[1])
        assert isinstance(some, type(X)) or name == "sparse"


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pl.LazyFrame({"a": [1]}), r"^X is a polars LazyFrame.*collect\(\)"),
        (pd.DataFrame({"a": []}), r"^X: Found array with 0 sample\(s\) \(shape=\(0, 1\)\)"),
        (pl.DataFrame(), r"^X: Found array with 0 sample\(s\)"),
        (pd.DataFrame(index=[1]), r"^X: Found array with 0 feature\(s\) \(shape=\(1, 0\)\)"),
        (np.arange(3), "^X: Expected 2D array, got 1D array instead: a ndarray of 3 values, such as 0"),
        (np.array([[1j]]), "Complex data not supported"),
    ],
)
def test_what_is_not_a_table_is_refused(X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        as_table(X)


def test_lists_keep_numbers_beside_strings():
    assert as_table([[1.5, "b"], [2.0, "a"]]).tolist() == [[1.5, "b"], [2.0, "a"]]
    assert as_table([[1, 2], [3, 4]]).dtype.kind == "i"


def test_masked_entries_are_missing():
    X = np.ma.masked_array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])
    np.testing.assert_array_equal(as_table(X), [[1, np.nan], [3, 4]])
    assert as_table(X.astype(object)).tolist() == [[1, None], [3, 4]]
    assert as_table(X.astype(str)).tolist() == [["1", None], ["3", "4"]]
    rows = np.ma.masked_array(np.arange(20.0).reshape(10, 2), mask=np.arange(20).reshape(10, 2) % 3 == 0)
    fitted = NeuralClassifier(MLP, max_epochs=1, random_state=0).fit(rows, np.arange(10) % 2)
    np.testing.assert_array_equal(fitted.predict_proba(rows), fitted.predict_proba(rows.filled(np.nan)))


class Pictures(torch.utils.data.Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, position):
        return position


TENSOR = torch.arange(12.0).reshape(6, 2)
LOADER = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(TENSOR))
LONG = np.random.default_rng(0).normal(size=10_000)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (LOADER, r"^X is a DataLoader, .*Pass all of X, and y, as arrays"),
        (Pictures(), r"^X is a Pictures, but the rows themselves"),
        (LOADER.dataset, r"^X is a TensorDataset"),
        ({"a": LONG}, r"^X is a dict, but a table was expected\. Pass pandas\.DataFrame\(X\)"),
        ([{"a": 1}], r"^X is a list of dicts.*Pass pandas\.DataFrame\(X\)"),
        ("table.csv", r"^X is 'table.csv', .*pandas\.read_csv"),
        (pathlib.Path("table.csv"), r"^X is PosixPath\('table.csv'\), .*pandas\.read_csv"),
        (b"1,2", r"^X is b'1,2'"),
        ((row for row in LONG), r"^X is a generator, but a table was expected\. Pass list\(X\)"),
        (zip(LONG, LONG, strict=True), r"^X is a zip"),
        ({1, 2}, r"^X is a set"),
        (None, r"^X is None of type NoneType, but a table was expected"),
        (3, r"^X is 3 of type int"),
        (object, r"^X is <class 'object'> of type type"),
        (LONG, r"^X: Expected 2D array, got 1D array instead: a ndarray of 10000 values, such as 0\.12573.*Reshape your data"),
        (LONG.tolist(), r"^X: Expected 2D array, got 1D array instead: a list of 10000 values"),
        (pd.Series(LONG), r"^X: Expected 2D array, got 1D array instead: a Series of 10000 values"),
        (scipy.sparse.coo_array(LONG), r"^X: Expected 2D array, got 1D array instead: a coo_array of 10000 values, such as 0\.12573"),
        (["a text"] * 9999, r"^X: Expected 2D array, got 1D array instead: a list of 9999 values, such as 'a text'\. A list of texts is no table"),
        (np.array(["a text"] * 9999), r"such as 'a text'\. A list of texts is no table"),
        (LONG.reshape(-1, 2) + 1j, r"^Complex data not supported: X is complex.*Pass X\.real"),
        ((TENSOR + 1j), r"^Complex data not supported: X is complex"),
        ([[1j], [2]], r"^Complex data not supported: X is complex"),
        (TENSOR.to("meta"), r"^X is a tensor that is on the meta device"),
    ],
    ids=range(24),
)  # fmt: skip
def test_the_message_names_what_was_given_and_what_to_pass_and_quotes_no_table(X, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        as_table(X)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_quantized_tensors_are_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch says that they are deprecated
        X = torch.quantize_per_tensor(TENSOR, 0.1, 0, torch.qint8)
    with pytest.raises(TypeError, match=r"^X is a tensor that is quantized.*Pass X\.dequantize\(\)"):
        as_table(X)


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t, lambda t: t.double(), lambda t: t.half(), lambda t: t.bfloat16(), lambda t: t.to(torch.float8_e4m3fn),
        lambda t: t.clone().requires_grad_(), lambda t: t.T.contiguous().T, list, lambda t: [list(row) for row in t],
        lambda t: [row.clone().requires_grad_() for row in t], lambda t: t.to(torch.int16),
        lambda t: torch._neg_view(-t),
    ],
)  # fmt: skip
def test_tensors_of_every_dtype_are_arrays(make):
    np.testing.assert_array_equal(as_table(make(TENSOR)), TENSOR.numpy())


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize("form", ["to_sparse", "to_sparse_csr", "to_sparse_csc", "to_sparse_bsr"])
def test_sparse_tensors_are_sparse_matrices(form):
    given = TENSOR * (TENSOR % 3 == 0)
    tensor = getattr(given, form)((2, 2)) if form == "to_sparse_bsr" else getattr(given, form)()
    table = as_table(tensor)
    assert scipy.sparse.issparse(table)
    np.testing.assert_array_equal(table.toarray(), given.numpy())
    half = as_table(given.bfloat16().to_sparse().requires_grad_())
    np.testing.assert_array_equal(half.toarray(), given.numpy())


def test_sparse_tensors_of_more_dimensions_become_dense():
    assert as_table(torch.ones(3, 2, 2).to_sparse()).shape == (3, 2, 2)


@pytest.mark.parametrize("rows", [np.array([2, 0]), slice(1, 3)])
def test_rows_of_frames_in_another_byte_order(rows):
    values = np.array([[1.5, 2.0], [3.0, 4.0], [5.0, 6.0]])
    frame = pd.DataFrame(values.astype(">f8"), columns=["a", "a"])
    taken = take_rows(frame, rows)
    assert taken.columns.tolist() == ["a", "a"]
    np.testing.assert_array_equal(taken.to_numpy(), values[rows])
