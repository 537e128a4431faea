"""The default estimators on real tables of a folder: healthy all of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.quality.tables import Table as WholeTable
from benchmarks.quality.tables import suite_tables

from .case import Case, Table, classifier, healthy, regressor

__all__ = ["real_cases"]

_ROWS = 800


def _some_rows(whole: WholeTable, seed: int) -> Table:
    """Raw columns of some training and some test rows."""
    task = "classes" if whole.task == "classification" else "real"
    train, test = (frame.sample(min(_ROWS, len(frame)), random_state=seed) for frame in (whole.X_train, whole.X_test))
    y = whole.y_train[whole.X_train.index.get_indexer(train.index)]
    y_test = whole.y_test[whole.X_test.index.get_indexer(test.index)]
    return Table(task, train, y, test, y_test)


def real_cases(folder: Path) -> list[Case]:
    """A case for each table of the quality suite."""
    return [
        healthy(
            f"the default, {table.name}",
            partial(_some_rows, table),
            classifier(max_epochs=20, n_networks=1) if table.task == "classification" else regressor(n_networks=1),
            learns=0.1,
        )
        for table in suite_tables(folder)
    ]
