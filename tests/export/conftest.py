"""Estimators that several files of this directory export."""

from __future__ import annotations

import gc

import numpy as np
import pandas as pd
import pytest

from sknn import NeuralClassifier
from sknn.modules import MLP

from .exported import N_ROWS, QUICK, SECRET, SMALL, Exported, labels, numbers, raw_table


@pytest.fixture(scope="session", autouse=True)
def rare_collections():
    """A recording makes many objects, and each full collection of garbage takes a fifth of its time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    yield
    gc.set_threshold(*before)


@pytest.fixture(scope="session")
def plain():
    """A classifier of four numeric columns without names."""
    X = numbers()
    return NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(X, X[:, 0] > 0)


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """A small table with its estimator and both exports."""
    table = pd.DataFrame(
        {"age": np.arange(N_ROWS) * 1.0, "city": np.array(["Lyon", "Oslo", None])[np.arange(N_ROWS) % 3]}
    )
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(table, np.arange(N_ROWS) % 2)
    return Exported(clf, tmp_path_factory.mktemp("people")), table, clf


@pytest.fixture(scope="session")
def raw(tmp_path_factory):
    """A table with columns of every kind, with its estimator, which has a temperature, and both exports."""
    table = raw_table()
    table.loc[7, "amount"] = SECRET
    clf = NeuralClassifier(MLP, module_params={"hidden_sizes": (128, 128)}, categorical_features=["code"], **QUICK)
    clf.fit(table, labels(table, 3))
    clf.net_.criterion_.temperature.fill_(3.0)
    return Exported(clf, tmp_path_factory.mktemp("raw")), table, clf
