"""overfitting is reported only if nothing stops it."""

from __future__ import annotations

import numpy as np

from sknn.modules import MLP
from tests.health.subjects import classifier, findings


def test_overfitting_is_found_only_where_nothing_stops_it():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20))
    y = (X[:, 0] + 1.5 * rng.normal(size=300) > 0).astype(int)
    params = {"max_epochs": 60, "module_params": {"hidden_sizes": (128, 128)}}
    params["criterion_params"] = {"temperature_scaling": False}  # which heals overconfidence
    rows = {"X_val": X[100:], "y_val": y[100:]}
    (finding,) = findings(classifier(MLP, early_stopping=False, **params), X[:100], y[:100], **rows)
    assert finding.symptom == "overfitting"
    assert findings(classifier(MLP, early_stopping=True, n_iter_no_change=50, **params), X[:100], y[:100], **rows) == []
