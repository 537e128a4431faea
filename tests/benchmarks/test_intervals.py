"""The benchmark of intervals prints a row for each table, and the bars."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

# A bare `pytest`, unlike `python -m pytest`, does not look for modules here.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import intervals
from sknn import NeuralClassifier, NeuralRegressor


def test_it_prints_coverage_and_bars(tmp_path, capsys, monkeypatch):
    x = np.random.default_rng(0).normal(size=(300, 2))
    split = np.where(np.arange(300) < 200, "train", "test")
    for name, target in (("numbers", x.sum(axis=1)), ("classes", (x.sum(axis=1) > 0).astype(str))):
        frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1] + 1, "target": target, "split": split})
        frame.to_parquet(tmp_path / f"{name}.parquet")
    specs = [{"name": "numbers", "task": "regression"}, {"name": "classes", "task": "classification"}]
    (tmp_path / "suite.json").write_text(json.dumps(specs))

    def quick(table, seed):
        kind = NeuralRegressor if table.task == "regression" else NeuralClassifier
        return kind(max_epochs=1, n_networks=2, random_state=seed)

    monkeypatch.setattr(intervals, "_estimator", quick)
    assert intervals.main(["--data", str(tmp_path), "--seeds", "2"]) == 0
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()[1:3]] == ["numbers", "classes"]
    assert "widest fifth: " in printed
    assert printed.count("coverage: ") == 2
