"""The moving average of the weights."""

from __future__ import annotations

import pytest
import torch

from sknn.optim import WeightAverage


def test_weight_average_forgets_where_it_began():
    live = [torch.zeros(1)]
    average = WeightAverage(live, decay=0.75)
    expected = None
    for t, value in enumerate([1.0, 3.0, 5.0, 7.0, 1.0, 2.0] * 3, start=1):
        live[0].fill_(value)
        average.update()
        expected = value if t == 1 else expected + max(3 / (t + 2), 0.25) * (value - expected)
    average.show()
    assert float(live[0]) == pytest.approx(expected)
    average.hide()
    assert float(live[0]) == 2.0
