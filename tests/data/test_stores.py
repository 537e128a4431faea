"""Batches of rows of any kind hold what the rows hold, filled up with zeros."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from sknn._data.rows import Batches, Rows
from sknn._data.stores import Bags, Dense, Ragged, Sparse, Store

CPU = torch.device("cpu")
LENGTHS = [3, 1, 5, 0, 2, 5, 4, 1, 1, 7]


def flat() -> Ragged:
    """Row i is i + 1, repeated as often as it is long."""
    return Ragged.of([np.full(length, i + 1.0, dtype=np.float32) for i, length in enumerate(LENGTHS)])


def with_channels() -> Ragged:
    rows = [np.arange(2 * length, dtype=np.float32).reshape(2, length) + 10 * i for i, length in enumerate(LENGTHS)]
    return Ragged.of(rows)


def bags() -> Bags:
    generator = np.random.default_rng(0)
    return Bags.of(sparse.random_array((10, 6), density=0.4, format="csr", dtype=np.float32, rng=generator))


STORES = {
    "dense": lambda: Dense(torch.arange(20.0).reshape(10, 2), torch.arange(10)[:, None]),
    "sparse": lambda: Sparse(sparse.csr_array(np.eye(10, dtype=np.float32))),
    "ragged": flat,
    "ragged with channels": with_channels,
    "bags": bags,
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    return STORES[request.param]()


def padded(tensor: torch.Tensor, longest: int) -> torch.Tensor:
    missing = longest - tensor.shape[-1] if tensor.ndim > 1 else 0
    return torch.nn.functional.pad(tensor, (0, missing)) if missing > 0 else tensor


def test_some_rows_are_those_rows(store: Store) -> None:
    whole = store.tensors()
    index = torch.tensor([7, 2, 2, 0])
    for some, positions in ((store[index], index), (store[3:6], torch.arange(3, 6))):
        assert len(some) == len(positions)
        for name, values in some.tensors().items():
            expected = whole[name][positions]
            assert torch.equal(padded(values, expected.shape[-1]), expected)
            assert values.dtype == whole[name].dtype


def test_copies_share_no_memory_with_the_rows(store: Store) -> None:
    before = {name: values.clone() for name, values in store.tensors().items()}
    for values in [store.tensors(copies=True)["x"], *(store.tensors().values() if store.gathers else ())]:
        values.fill_(9)
    assert all(torch.equal(values, before[name]) for name, values in store.tensors().items())


def test_ragged_rows_are_filled_up_with_zeros() -> None:
    tensors = flat().tensors()
    assert tensors["lengths"].tolist() == LENGTHS
    assert tensors["x"].shape == (10, 7)
    assert tensors["x"].sum(dim=1).tolist() == [length * (i + 1) for i, length in enumerate(LENGTHS)]
    x = with_channels().tensors()["x"]
    assert x.shape == (10, 2, 7)
    assert x[2, :, :5].tolist() == (np.arange(10).reshape(2, 5) + 20).tolist()
    assert not x[2, :, 5:].any()


def test_the_codes_of_a_bag_are_columns_after_padding() -> None:
    matrix = sparse.csr_array(np.array([[0, 2.5, 0], [0, 0, 0], [1.5, 0, 3]], dtype=np.float32))
    tensors = Bags.of(matrix).tensors()
    assert tensors["x"].tolist() == [[2, 0], [0, 0], [1, 3]]
    assert tensors["x_weight"].tolist() == [[2.5, 0], [0, 0], [1.5, 3]]


def test_rows_without_any_step_are_one_step_of_padding() -> None:
    assert Ragged.of([np.zeros(0, dtype=np.float32)] * 2).tensors()["x"].tolist() == [[0.0], [0.0]]
    assert Bags.of(sparse.csr_array((2, 3), dtype=np.float32)).tensors()["x"].tolist() == [[0], [0]]


def test_parts_hold_all_rows_of_about_one_length(store: Store) -> None:
    parts = store.parts(12)
    assert torch.cat(parts).sort().values.tolist() == list(range(10))
    if isinstance(store, Ragged):
        assert len(parts) > 2
        assert all(len(part) == 1 or store[part].tensors()["x"].numel() <= 12 for part in parts)


@pytest.mark.parametrize("n_networks", [1, 2])
def test_batches_of_an_epoch_hold_each_row_once_and_little_padding(n_networks: int) -> None:
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 200, 1000)
    store = Ragged.of([np.full(length, i, dtype=np.float32) for i, length in enumerate(lengths)])
    rows = Rows(store, torch.arange(1000), None, CPU)
    if n_networks > 1:
        rows = rows.shared_out(generator.permutation(1000).reshape(2, 500))
    batches = Batches(rows, 16, torch.Generator().manual_seed(0))
    seen, n_padded = [], 0
    for inputs, y in batches:
        assert torch.equal(inputs["x"][:, 0].long(), y)
        n_padded += inputs["x"].numel()
        seen += y.tolist()
    assert sorted(seen) == list(range(1000))
    assert n_padded < 1.35 * lengths.sum()
    again = [y for _, y in Batches(rows, 16, torch.Generator().manual_seed(0))]
    assert torch.cat(again).tolist() == seen
    assert seen != [y for _, part in batches for y in part.tolist()]
