"""Bytes of a fitted default estimator on disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import joblib

from benchmarks.quality.tables import suite_tables
from sknn import NeuralClassifier, NeuralRegressor

from ._figures import Figure

__all__ = ["measure"]

_BAR = 3_000_000  # bytes, on adult


def measure(seed: int, data: Path, share: float) -> list[Figure]:
    """Size of ``joblib.dump``, uncompressed, of a default fit on each table's training rows.

    Parameters
    ----------
    seed : int
        ``random_state``.
    data : Path
        Folder of the quality suite.
    share : float
        Of the tables; adult is always among them. Less than 1 also trains for one epoch only: the size is the same.
    """
    tables = sorted(suite_tables(data), key=lambda table: table.name != "adult")
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for table in tables[: max(1, round(share * len(tables)))]:
            kind = NeuralClassifier if table.task == "classification" else NeuralRegressor
            model = kind(random_state=seed, max_epochs=1 if share < 1 else "auto").fit(table.X_train, table.y_train)
            path = Path(folder) / "model.joblib"
            joblib.dump(model, path)
            sizes[table.name] = path.stat().st_size
            weights = 4 * sum(parameter.numel() for parameter in model.module_.parameters())
            print(f"{table.name}: {sizes[table.name]:,} bytes, of which weights {weights:,}", flush=True)
    return [
        Figure(
            "size of a fitted default estimator, adult",
            f"{sizes['adult'] / 1e6:.2f} MB",
            "<= 3 MB",
            sizes["adult"] <= _BAR,
            [],
        )
    ]
