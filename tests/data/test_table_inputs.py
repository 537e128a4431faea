"""Tables of a fit and at predict: chunks, categories without gaps, other kinds of tables."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from sknn._data import table_inputs
from sknn._data.table_inputs import TableInputs

N = 600
FRAME = pd.DataFrame({"size": np.arange(N) % 17.0, "city": ["Rome", "Bonn", "Oslo"] * (N // 3)})


def fitted(X, rows=None, weight=None):
    raw = TableInputs.read_first(X, True, "from_dtype")
    return raw, raw.learn(rows, weight)


@pytest.mark.parametrize("rows", [None, np.arange(N)[::-1].copy()], ids=["all", "some"])
def test_chunks_change_nothing(rows, monkeypatch):
    raw, inputs = fitted(FRAME)
    x_num, x_cat = inputs.encode_rows(raw, rows)
    monkeypatch.setattr(table_inputs, "_CHUNK_BYTES", 1)  # 256 rows a chunk
    again = inputs.encode_rows(raw, rows)
    assert torch.equal(again[0], x_num)
    assert torch.equal(again[1], x_cat)


def test_scales_are_those_of_the_training_rows():
    raw, inputs = fitted(FRAME, np.arange(17))
    assert inputs.encoder.center.tolist() == [8.0]
    weight = np.zeros(N)
    weight[[3, 5]] = 1.0
    assert raw.learn(None, weight).encoder.center.tolist() == [4.0]


def test_a_gap_in_a_column_without_gaps_is_an_unknown_category():
    with_gap = FRAME.assign(city=[None, *FRAME["city"][1:]])
    assert fitted(FRAME)[1].encode(with_gap)[1][0].tolist() == [0]
    assert fitted(with_gap)[1].encode(with_gap)[1][0].tolist() == [4]
    # Training rows decide, not all rows.
    assert fitted(with_gap, np.arange(1, N))[1].encode(with_gap)[1][0].tolist() == [0]


def test_tables_of_another_kind_are_refused_or_read():
    _, inputs = fitted(FRAME)
    sparse = scipy.sparse.csr_array(np.ones((3, 2)))
    with pytest.raises(ValueError, match="X is sparse, but was a table with categories in fit"):
        inputs.encode(sparse)
    with pytest.raises(ValueError, match="Found array with dim 3, expected 2 as in fit"):
        inputs.encode(np.ones((3, 2, 2)))
    numbers = fitted(np.arange(12.0).reshape(6, 2))[1]
    assert torch.equal(numbers.encode(sparse)[0], numbers.encode(np.ones((3, 2)))[0])
