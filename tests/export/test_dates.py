"""Dates of every unit and container mean the same in both exports as in sknn."""

from __future__ import annotations

import numpy as np
import pytest

from sknn import NeuralClassifier
from sknn.modules import MLP

from .exported import N_ROWS, QUICK, SMALL, Exported, assert_same

# Unit -> the first date and the distance between two dates, both in that unit.
FAR = {"Y": (8030, 1), "M": (-60_000, 7), "D": (10**7, 1000), "h": (-(10**10), 10**5), "s": (10**14, 10**9)}


@pytest.mark.parametrize("unit", FAR)
def test_dates_far_from_1970(unit, tmp_path):
    start, step = FAR[unit]
    X = (start + step * np.arange(N_ROWS)).astype(f"datetime64[{unit}]")[:, None]
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(X, np.arange(N_ROWS) > N_ROWS / 2)
    assert np.ptp(clf.predict_proba(X)[:, 0]) > 1e-3
    assert_same(clf, X, Exported(clf, tmp_path))
