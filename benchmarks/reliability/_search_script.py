"""The script that :mod:`benchmarks.reliability.journal` kills: a grid search of a small network in a journal.

    python -m benchmarks.reliability._search_script JOURNAL RESULT N_JOBS

JOURNAL is a folder, or "-" for none. Writes ``RESULT.started`` when the search begins, and RESULT, JSON, when it is
done.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

import sknn
from sknn.modules import MLP

GRID = {"lr": [1e-3, 1e-2], "module__dropout": [0.0, 0.2]}
N_SPLITS = 3
N_FITS = N_SPLITS * 4


def main() -> None:
    journal, result, n_jobs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    X, y = load_digits(return_X_y=True)
    X, y = X[:600], y[:600]
    model = sknn.NeuralClassifier(MLP, max_epochs=20, early_stopping=False, random_state=0)
    search = GridSearchCV(model, GRID, cv=N_SPLITS, n_jobs=n_jobs, refit=False, return_train_score=True)
    with contextlib.nullcontext() if journal == "-" else sknn.journal(journal) as fits:
        result.with_suffix(".started").touch()
        search.fit(X, y)
    columns = {name: list(map(str, column)) for name, column in search.cv_results_.items() if "time" not in name}
    done = {"columns": columns, "n_skipped": getattr(fits, "n_skipped", 0), "n_stored": getattr(fits, "n_stored", 0)}
    partial = result.with_suffix(".partial")
    partial.write_text(json.dumps(done))
    os.replace(partial, result)


if __name__ == "__main__":
    main()
