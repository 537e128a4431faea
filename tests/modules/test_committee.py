"""A committee divides a batch among its networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sknn.modules import Committee


def test_committee_gives_every_network_its_part_of_the_batch():
    torch.manual_seed(0)
    networks = [nn.Linear(3, 2), nn.Linear(3, 2)]
    committee, x = Committee(networks), torch.randn(8, 3)
    both = committee(x)
    torch.testing.assert_close(both, torch.stack([network(x) for network in networks], 1))
    with committee.own_rows():
        own = committee(x)
        with pytest.raises(ValueError, match="9 rows cannot be divided among 2 networks"):
            committee(torch.randn(9, 3))
    torch.testing.assert_close(own[:, 0], torch.cat([networks[0](x[:4]), networks[1](x[4:])]))


def test_committee_refuses_no_network():
    with pytest.raises(ValueError, match="networks is empty"):
        Committee([])
