"""The transformer over the steps of sequences."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from sknn.modules import SequenceTransformer


def rows(n: int = 6, longest: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([longest, 1, 2, 17, longest - 1, 8][:n])
    x = torch.randn(n, 3, longest)
    return x * (torch.arange(longest) < lengths[:, None])[:, None], lengths


def small(**params: int) -> SequenceTransformer:
    return SequenceTransformer(3, 4, **{"token_size": 16, "n_heads": 2, **params}).eval()


@pytest.mark.parametrize("params", [{}, {"patch_size": 1}, {"max_tokens": 4}, {"patch_size": 100}])
def test_a_row_does_not_depend_on_its_padding_nor_on_other_rows(params: dict[str, int]) -> None:
    network, (x, lengths) = small(**params), rows()
    together = network(x, lengths)
    assert together.shape == (6, 4)
    filled = torch.where(torch.arange(50) < lengths[:, None, None], x, 1e6)
    torch.testing.assert_close(network(filled, lengths), together)
    for i in range(6):
        alone = network(x[i : i + 1, :, : lengths[i]], lengths[i : i + 1])
        torch.testing.assert_close(alone, together[i : i + 1], rtol=1e-4, atol=1e-5)


def test_every_step_and_its_order_count() -> None:
    network, (x, lengths) = small(max_tokens=4), rows()
    before = network(x, lengths)
    for step in (0, 7, 24, 48):
        changed = x.clone()
        changed[0, 1, step] += 3
        assert (network(changed, lengths)[0] - before[0]).abs().max() > 1e-6
    assert not torch.allclose(network(x[:1].flip(2), lengths[:1]), before[:1], atol=1e-4)


def test_gradients_reach_every_parameter_and_copies_agree() -> None:
    network, (x, lengths) = small(), rows()
    network(x, lengths).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(other(x, lengths), network(x, lengths))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"token_size": 15}, "token_size=15 is not a multiple"),
        ({"n_heads": 3}, "not a multiple of 2 and of n_heads=3"),
        ({"patch_size": 0}, "patch_size=0 is out of range"),
        ({"max_tokens": 2.0}, "max_tokens=2.0 is a float"),
        ({"dropout": 1.0}, "dropout=1.0 is out of range"),
        ({"in_features": 0}, "in_features=0 is out of range"),
    ],
)
def test_arguments_out_of_range_are_refused(params: dict[str, int], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        SequenceTransformer(**{"in_features": 3, "out_features": 2, **params})


def test_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(batch, 3, time\)"):
        small()(torch.zeros(2, 4, 9), torch.tensor([9, 9]))
