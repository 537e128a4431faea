"""The best constant guess."""

from __future__ import annotations

import numpy as np
import pytest
from skorch import NeuralNetClassifier
from torch import nn

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
