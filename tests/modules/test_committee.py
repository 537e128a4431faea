"""A committee divides a batch among its networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sknn.modules import Committee, TabM, tabm


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


def test_knots_of_equal_networks_are_found_once(monkeypatch):
    found = []
    quantile_knots = tabm.quantile_knots
    monkeypatch.setattr(tabm, "quantile_knots", lambda *given: found.append(quantile_knots(*given)) or found[-1])
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    networks = [TabM(3, 1, width=4, n_bins=n_bins) for n_bins in (4, 4, 8)]
    Committee(networks).fit_knots(x)
    assert len(found) == 2
    for network in networks:
        alone = TabM(3, 1, width=4, n_bins=network.knots.shape[1] - 1).fit_knots(x)
        assert torch.equal(network.knots, alone.knots)
