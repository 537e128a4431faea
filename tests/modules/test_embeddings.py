"""Category codes to numbers, against slow references."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock as Mock

import pytest
import torch
from torch import Tensor, nn

from sknn.modules import CategoricalEmbeddings, OneHot, UnknownMasking

# One-hot encoded, embedded, embedded, one-hot encoded; 10 codes are the most that are one-hot encoded.
CARDINALITIES = (4, 11, 30, 10)


def make_codes(n_rows: int) -> Tensor:
    return torch.stack([torch.randint(0, size, (n_rows,)) for size in CARDINALITIES], dim=1)


def reference_columns(embeddings: CategoricalEmbeddings, codes: Tensor) -> Tensor:
    """Column by column and row by row: one-hot columns, then embeddings."""
    table = None if embeddings.embedding is None else embeddings.embedding.weight
    one_hot, embedded, offset = [], [], 0
    for column, size in enumerate(CARDINALITIES):
        if size <= 10:
            one_hot.append(nn.functional.one_hot(codes[:, column], size).float())
        else:
            places = [offset + code for code in codes[:, column].tolist()]
            embedded.append(torch.stack([table[place] * embeddings.trust[place] for place in places]))
            offset += size
    return torch.cat([*one_hot, *embedded], dim=1)


def test_embeddings_equal_a_slow_reference() -> None:
    embeddings = CategoricalEmbeddings(CARDINALITIES, embedding_size=3)
    nn.init.uniform_(embeddings.trust)
    codes = make_codes(200)
    output = embeddings(codes)
    assert output.shape == (200, embeddings.out_features) == (200, 4 + 10 + 2 * 3)
    assert torch.equal(output, reference_columns(embeddings, codes))


@pytest.mark.parametrize(("cardinalities", "width"), [((3, 4), 7), ((20, 30), 10), ((11,), 5), ((), 0)])
def test_embeddings_of_one_kind_only(cardinalities: tuple[int, ...], width: int) -> None:
    embeddings = CategoricalEmbeddings(cardinalities, embedding_size=5)
    assert embeddings(torch.ones(2, len(cardinalities), dtype=torch.int64)).shape == (2, width)
    assert embeddings.out_features == width


def test_rare_categories_are_trusted_less() -> None:
    embeddings = CategoricalEmbeddings([4, 30], embedding_size=3)
    codes = torch.tensor([[1, 2]] * 90 + [[2, 3]] * 9 + [[1, 4]])
    rows = Mock(batches=lambda at_most: iter([((torch.zeros(100, 2), codes), torch.rand(100, 1), None)]))
    rows.__len__ = lambda self: 100
    assert embeddings.trust is not None
    assert (embeddings.trust == 1).all()
    assert embeddings.embedding is not None
    before = embeddings.embedding.weight.clone()
    trust = embeddings.fit_start(rows).trust
    torch.testing.assert_close(embeddings.embedding.weight.detach(), 0.3 * before.detach())
    assert trust is not None
    assert 1 > trust[2] > trust[3] > trust[4] > trust[5] == 0
    assert trust[0] == 1


@pytest.mark.parametrize("cardinalities", [(3, 4), ()])
def test_one_hot_columns_need_no_trust(cardinalities: tuple[int, ...]) -> None:
    embeddings = CategoricalEmbeddings(cardinalities)
    assert embeddings.fit_start(Mock()).trust is None


def test_embeddings_of_unknown_and_missing_start_at_zero_and_others_at_length_one() -> None:
    embeddings = CategoricalEmbeddings([5000, 3000], embedding_size=8)
    unknown = torch.zeros(1, 2, dtype=torch.int64)
    missing = torch.tensor([[4999, 2999]])
    assert not embeddings(unknown).any()
    assert not embeddings(missing).any()
    assert embeddings.embedding is not None
    assert embeddings.embedding.weight.square().sum(dim=1).mean().item() == pytest.approx(1, rel=0.05)
    embeddings(torch.cat([unknown, missing])).sum().backward()  # zero, but trained
    assert (embeddings.embedding.weight.grad[[0, 4999, 5000, 7999]] == 1).all()


@pytest.mark.parametrize("make", [OneHot, CategoricalEmbeddings])
@pytest.mark.parametrize("cardinalities", [(3, 4), ()])
def test_one_hot_columns_follow_the_dtype_of_the_module(make: Any, cardinalities: tuple[int, ...]) -> None:
    codes = torch.zeros(2, len(cardinalities), dtype=torch.int64)
    assert make(cardinalities)(codes).dtype == torch.float32
    assert make(cardinalities).double()(codes).dtype == torch.float64


def test_one_hot_equals_torch() -> None:
    codes = make_codes(100)
    expected = [nn.functional.one_hot(codes[:, i], size) for i, size in enumerate(CARDINALITIES)]
    one_hot = OneHot(CARDINALITIES)
    assert torch.equal(one_hot(codes), torch.cat(expected, dim=1).float())
    assert one_hot(codes).dtype == torch.float32
    assert one_hot.out_features == sum(CARDINALITIES)
    assert OneHot(())(torch.zeros(3, 0, dtype=torch.int64)).shape == (3, 0)


@pytest.mark.parametrize("layer", [OneHot([3, 4]), CategoricalEmbeddings([3, 4]), CategoricalEmbeddings([20, 30])])
def test_another_number_of_columns_is_refused_and_not_broadcast(layer: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"codes have shape \(5, 1\); expected \(batch, 2\)"):
        layer(torch.zeros(5, 1, dtype=torch.int64))


def test_unknown_masking_replaces_its_share_while_training_only() -> None:
    codes = torch.randint(1, 50, (20_000, 3))
    masking = UnknownMasking(probability=0.1)
    masked = masking(codes)
    replaced = masked != codes
    assert (masked[replaced] == 0).all()
    torch.testing.assert_close(replaced.double().mean(dim=0), torch.full((3,), 0.1).double(), atol=0.01, rtol=0)
    # Cells are drawn one by one, not whole rows.
    assert (replaced.all(dim=1)).double().mean() < 0.01
    assert (codes > 0).all()
    assert masking.eval()(codes) is codes
    assert UnknownMasking(0.0)(codes) is codes


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_unknown_masking_refuses_what_is_no_probability(probability: float) -> None:
    with pytest.raises(ValueError, match=r"probability=.*\[0, 1\]"):
        UnknownMasking(probability)
