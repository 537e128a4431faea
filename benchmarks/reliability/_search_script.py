"""The script that :mod:`benchmarks.reliability.searches` kills: a grid search of a small network with a folder.

    python -m benchmarks.reliability._search_script FOLDER RESULT N_JOBS

FOLDER is that of the checkpoints, or "-" for none. Writes ``RESULT.started`` when the search begins, and RESULT, JSON
with ``cv_results_`` except the times, when it has ended.
"""

from __future__ import annotations

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
    """Search."""
    folder, result, n_jobs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    X, y = load_digits(return_X_y=True)
    X, y = X[:600], y[:600]
    model = sknn.NeuralClassifier(
        MLP, max_epochs=20, early_stopping=False, random_state=0, checkpoint_every_epochs=5,
        checkpoint=None if folder == "-" else folder,
    )  # fmt: skip
    search = GridSearchCV(model, GRID, cv=N_SPLITS, n_jobs=n_jobs, refit=False, return_train_score=True)
    result.with_suffix(".started").touch()
    search.fit(X, y)
    columns = {name: list(map(str, column)) for name, column in search.cv_results_.items() if "time" not in name}
    partial = result.with_suffix(".partial")
    partial.write_text(json.dumps(columns))
    os.replace(partial, result)


if __name__ == "__main__":
    main()
