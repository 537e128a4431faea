"""Every row once an epoch, in batches that a batch norm can use, whatever holds the rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from sknn._data import rows as _batches
from sknn._data.rows import Batches, Rows, batch_bounds
from sknn._data.stores import Dense, Sparse

CPU = torch.device("cpu")


def make_rows(n_rows: int, kind: str = "dense") -> Rows:
    """Rows whose number is written into every part of them."""
    number = torch.arange(n_rows)
    x = torch.stack([number.float() + 1, torch.zeros(n_rows)], dim=1)
    weight = number.float() + 1 if kind == "weighted" else None
    x_cat = number.unsqueeze(1) if kind == "categories" else None
    store = Sparse(sparse.csr_array(x.numpy())) if kind == "sparse" else Dense(x, x_cat)
    return Rows(store, number, weight, CPU)


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "sizes"),
    [
        (10, 4, [4, 4, 2]),
        (8, 4, [4, 4]),
        (9, 4, [4, 5]),  # a last batch of one row joins its neighbour
        (3, 4, [3]),
        (1, 4, [1]),
        (5, 4, [5]),
        (3, 1, [1, 2]),
        (2, 1, [2]),
    ],
)
def test_sizes_of_batches(n_samples: int, batch_size: int, sizes: list[int]) -> None:
    assert np.diff(batch_bounds(n_samples, batch_size)).tolist() == sizes
    batches = Batches(make_rows(n_samples), batch_size, torch.Generator().manual_seed(0))
    assert [len(y) for _, y in batches] == sizes
    assert len(batches) == len(sizes)


@pytest.mark.parametrize("gather_rows", [1, 7, 10**6], ids=["a batch a gather", "two batches a gather", "one gather"])
@pytest.mark.parametrize("kind", ["dense", "weighted", "categories", "sparse"])
def test_an_epoch_holds_every_row_once_with_its_own_parts(
    kind: str, gather_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_batches, "_GATHER_BYTES", gather_rows * 8)
    rows = make_rows(23, kind)
    batches = Batches(rows, 3, torch.Generator().manual_seed(0))
    epochs = []
    for _ in range(2):
        numbers = []
        for inputs, y in batches:
            assert inputs["x"].dtype == torch.float32
            assert torch.equal(inputs["x"], torch.stack([y.float() + 1, torch.zeros(len(y))], dim=1))
            assert set(inputs) == {"x"} | {"weighted": {"sample_weight"}, "categories": {"x_cat"}}.get(kind, set())
            if kind == "weighted":
                assert torch.equal(inputs["sample_weight"], y.float() + 1)
            if kind == "categories":
                assert torch.equal(inputs["x_cat"][:, 0], y)
            numbers += y.tolist()
        assert sorted(numbers) == list(range(23))
        epochs.append(numbers)
    assert epochs[0] != epochs[1]
    assert epochs[0] != list(range(23))


def test_the_size_of_a_gather_does_not_change_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def order() -> list[int]:
        batches = Batches(make_rows(23), 4, torch.Generator().manual_seed(5))
        return [number for _, y in batches for number in y.tolist()]

    at_once = order()
    monkeypatch.setattr(_batches, "_GATHER_BYTES", 1)
    assert order() == at_once


def test_without_a_generator_the_order_stays() -> None:
    batches = Batches(make_rows(10), 4, None)
    assert [number for _, y in batches for number in y.tolist()] == list(range(10))


def test_shuffling_leaves_the_global_generator() -> None:
    before = torch.get_rng_state()
    list(Batches(make_rows(10), 4, torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), before)


def test_images_keep_their_shape() -> None:
    images = torch.rand(6, 3, 5, 4)
    rows = Rows(Dense(images), torch.arange(6), None, CPU)
    for inputs, y in Batches(rows, 4, torch.Generator().manual_seed(0)):
        torch.testing.assert_close(inputs["x"], images[y], rtol=0, atol=0)


def test_a_sparse_matrix_is_never_dense_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_rows(64, "sparse")
    sizes = []
    toarray = sparse.csr_array.toarray
    monkeypatch.setattr(sparse.csr_array, "toarray", lambda self: sizes.append(self.shape[0]) or toarray(self))
    list(Batches(rows, 8, torch.Generator().manual_seed(0)))
    assert sizes == [8] * 8


@pytest.mark.parametrize("kind", ["dense", "categories", "sparse"])
def test_rows_are_a_dataset_for_skorch(kind: str) -> None:
    rows = make_rows(3, kind)
    assert len(rows) == 3
    assert rows.X is rows
    inputs, labels = zip(*rows, strict=True)
    assert [int(y) for y in labels] == [0, 1, 2]
    assert torch.equal(inputs[1]["x"], torch.tensor([2.0, 0.0]))
    assert ("x_cat" in inputs[1]) == (kind == "categories")


@pytest.mark.parametrize("kind", ["dense", "categories", "sparse"])
def test_inputs_are_what_the_network_gets(kind: str) -> None:
    inputs = make_rows(5, kind).inputs(slice(0, 2))
    assert torch.equal(inputs["x"], torch.tensor([[1.0, 0.0], [2.0, 0.0]]))
    assert set(inputs) == ({"x", "x_cat"} if kind == "categories" else {"x"})
