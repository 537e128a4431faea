"""TabM against a slow reference of one member."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from sknn.modules import TabM


def half_sine(units: Tensor) -> Tensor:
    middle = len(units) // 2
    return torch.stack([unit.relu() if i < middle else unit.sin() for i, unit in enumerate(units)])


def member_by_hand(tabm: TabM, i: int, x_num: torch.Tensor, x_cat: torch.Tensor | None) -> torch.Tensor:
    """What member `i` says, a column, a piece and a row at a time."""
    size = tabm.curves.shape[2] // tabm.n_members if tabm.curves is not None else 0
    rows = []
    for row in range(len(x_num)):
        shared = x_num[row]
        if tabm.embeddings is not None:
            shared = torch.cat([shared, tabm.embeddings(x_cat[row : row + 1])[0]])
        first = tabm.first_weight.view(-1, tabm.n_members, tabm.width)[:, i]
        hidden = (shared * tabm.scale * (1 + 12 * tabm.gain)) @ first + tabm.first_bias[i, 0]
        own = []
        for i_curve, column in enumerate(tabm.curved.tolist()):
            knots, value = tabm.knots[column], x_num[row, column]
            shares = [float(((value - a) / (b - a)).clamp(0, 1)) if b > a else 0.0 for a, b in pairwise(knots)]
            gain = 4 * tabm.scale[column] * (1 + 12 * tabm.curve_gain[i_curve, 0, 0])
            own.append(gain * torch.tensor(shares) @ tabm.curves[i_curve, :, i * size : (i + 1) * size])
        if own:
            hidden = hidden + torch.cat(own) @ tabm.curve_weight[i]
        hidden = half_sine(hidden)
        for block in tabm.blocks:
            hidden = hidden + half_sine(block.weight @ hidden + block.bias[i, 0])
        rows.append(hidden @ tabm.head_weight[i] + tabm.head_bias[i, 0])
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("in_features", "cardinalities", "n_bins", "curved"),
    [(3, (), 5, [0, 1, 2]), (2, (4, 30), 4, [0, 1]), (0, (5,), 4, []), (3, (), 0, []), (4, (30,), 5, [1, 3])],
)
def test_every_member_is_a_residual_network_of_its_own(in_features, cardinalities, n_bins, curved):
    torch.manual_seed(0)
    sizes = {"n_curved": len(curved) or None, "cat_cardinalities": cardinalities}
    tabm = TabM(in_features, 2, n_members=3, n_blocks=2, width=8, n_bins=n_bins, **sizes)
    tabm.curved.copy_(torch.tensor(curved, dtype=torch.int64))
    x_num = torch.randn(6, in_features)
    x_cat = torch.stack([torch.randint(0, c, (6,)) for c in cardinalities], 1) if cardinalities else None
    if in_features:
        tabm.fit_knots(torch.randn(50, in_features))
    for parameter in (tabm.gain, tabm.curve_gain, *(block.bias for block in tabm.blocks)):
        if parameter is not None:
            nn.init.normal_(parameter)
    nn.init.uniform_(tabm.scale)
    out = tabm.eval()(x_num, x_cat)
    assert out.shape == (6, 3, 2)
    for i in range(3):
        torch.testing.assert_close(out[:, i], member_by_hand(tabm, i, x_num, x_cat))


def test_dropout_acts_in_training_only_and_keeps_the_mean():
    torch.manual_seed(0)
    tabm = TabM(3, 1, width=256, n_blocks=0, dropout=0.5)
    x = torch.ones(6, 400, 256)
    dropped = tabm._drop(x)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert abs(float(dropped.mean()) - 1) < 0.02
    assert tabm.eval()._drop(x) is x
