"""The best constant guess."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from sknn._health.relation import is_related
from sknn.callbacks import GradientHealth


def test_classes_at_each_point_of_a_sequence_have_a_constant_of_their_own():
    rng = np.random.default_rng(0)
    y = (rng.random((200, 20)) > 0.95).astype(np.int64)
    x = rng.normal(size=(200, 4, 20)).astype(np.float32)
    net = NeuralNetClassifier(
        nn.Conv1d(4, 2, 3, padding=1), criterion=nn.CrossEntropyLoss, train_split=None, max_epochs=3, verbose=0,
        callbacks=[GradientHealth()],
    )  # fmt: skip
    net.fit(x, y)
    share = y.mean()
    expected = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert dict(net.callbacks_)["GradientHealth"].health_.constant_loss == pytest.approx(expected, rel=0.15)


def _rows(signal: float, n: int = 600, d: int = 12):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy((signal * x.sum(1) / d**0.5 + rng.normal(size=n)).astype(np.float32))


def test_a_relation_that_only_all_columns_together_show():
    x, y = _rows(0.3)
    assert is_related((x, y))
    assert is_related((x, (y > 0).long()))
    assert not is_related(_rows(0.0))
    assert not is_related((x, y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]))


def test_wild_targets_do_not_hide_a_relation():
    x, y = _rows(0.5)
    y[:6] = torch.tensor([1e6, -1e6, 1e6, -1e6, 1e6, -1e6])
    assert is_related((x, y))


def test_weights_of_the_rows_count_in_the_tests():
    x, y = _rows(0.5)
    hides = torch.ones(len(y))
    hides[::2] = 1000.0
    y[::2] = y[::2][torch.randperm(len(y) // 2, generator=torch.Generator().manual_seed(1))]
    for target in (y, (y > 0).long()):
        assert is_related((x, target))
        assert not is_related(({"x_num": x, "sample_weight": hides}, target))
        assert is_related(({"x_num": x, "sample_weight": 1001.0 - hides}, target))
