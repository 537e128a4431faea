"""input_scale names the column, and is the cause of overflows."""

from __future__ import annotations

import torch
from sklearn.datasets import load_breast_cancer

from sknn.modules import MLP
from tests.health.subjects import CANCER, SCALED, classifier, findings, record


def test_a_column_far_out_of_scale_is_named_as_the_table_names_it():
    table = load_breast_cancer(as_frame=True).data
    table = (table - table.mean()) / table.std()
    table["mean area"] *= 1e6
    (finding,) = findings(classifier(preprocessing=False), table, CANCER[1])
    assert (finding.symptom, finding.layer) == ("input_scale", "mean area")
    assert "preprocessing=True" in finding.remedy
    assert findings(classifier(), table, CANCER[1]) == []


def test_inputs_far_too_small():
    (finding,) = findings(classifier(preprocessing=False), SCALED * 1e-6, CANCER[1])
    assert finding.symptom in ("input_scale", "not_learning")


def test_an_overflow_of_inputs_out_of_scale_is_named_by_its_cause():
    model = classifier(MLP, preprocessing=False, optimizer=torch.optim.SGD, lr=0.1, gradient_clipping=None)
    (finding,) = record(model, SCALED * 1e6, CANCER[1]).findings
    assert finding.symptom == "input_scale"
    assert "In step" in finding.evidence
