"""How many rows are looked at."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sknn._data.rows import Rows
from sknn._data.stores import Dense
from sknn._health.sampling import RowSource


@pytest.mark.parametrize(("shape", "n"), [((5,), 128), ((3, 8, 8), 32), ((5, 4), 32)])
def test_an_inspection_looks_at_fewer_images_than_rows_of_tables(shape: tuple[int, ...], n: int) -> None:
    rows = Rows(Dense(torch.zeros(1000, *shape)), torch.zeros(1000), None, torch.device("cpu"))
    source = RowSource(None, rows, is_resident=True)
    some, many = source.some(), source.some(500)
    assert some is not None
    assert many is not None
    assert n <= len(some[1]) == len(some[0]["x"]) < 2 * n
    assert len(many[1]) == 500


def test_held_out_rows_of_a_committee_are_those_that_its_networks_hold_out() -> None:
    y = torch.arange(10.0)
    rows = Rows(Dense(torch.zeros(10, 2)), y, None, torch.device("cpu")).shared_out(np.array([[1, 2, 3], [3, 4, 5]]))
    source = RowSource(None, rows, is_resident=True, of_shares=True)
    assert source.n_rows == 5
    for taken in (source.targets(100), source.some(100)):
        assert taken is not None
        assert taken[1].tolist() == [1, 2, 3, 3, 4, 5]
