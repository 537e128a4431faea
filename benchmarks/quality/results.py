"""What was measured: records on disk, peers' recorded results, and the medians of both."""

from __future__ import annotations

import json
import statistics
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Cell", "Records", "Results", "collect", "read_peers"]

Record = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A model on a table: medians over the seeds, None where nothing was measured.

    Parameters
    ----------
    loss, skill, fit_s, predict_s : float
    accuracy, ece, memory_mib, memory_increase_mib : float or None
    recorded : bool
        Whether it was read rather than run.
    """

    loss: float
    skill: float
    fit_s: float
    predict_s: float
    accuracy: float | None = None
    ece: float | None = None
    memory_mib: float | None = None
    memory_increase_mib: float | None = None
    recorded: bool = False


# Table -> model -> cell, both in the order in which they are shown.
Results = dict[str, dict[str, Cell]]


class Records:
    """Records of fits in a file of JSON lines, one line a fit; of equal fits the last counts.

    Parameters
    ----------
    path : Path
        Read if it exists, and appended to.
    fresh : collection of str or None, default=()
        Models whose earlier records are ignored; None: those of all.
    """

    def __init__(self, path: Path, fresh: Collection[str] | None = ()) -> None:
        self._path = path
        self._records: dict[tuple[str, str, int], Record] = {}
        if fresh is None or not path.exists():
            return
        for line in path.read_text().splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:  # a run was ended while it wrote
                continue
            if record["model"] not in fresh:
                self._records[record["model"], record["data"], record["seed"]] = record

    def find(self, model: str, table: str, seed: int, **needed: Any) -> Record | None:
        """The record of a fit, if it has the needed entries and values, as ``threads=2``; a None needs no entry."""
        record = self._records.get((model, table, seed))
        if record is None or any(record.get(name) != value for name, value in needed.items()):
            return None
        return record

    def add(self, record: Record) -> None:
        """Keep, and write down at once."""
        self._records[record["model"], record["data"], record["seed"]] = record
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            # An unfinished last line must not swallow this one.
            if file.tell() and not self._ends_a_line():
                file.write(b"\n")
            file.write((json.dumps(record) + "\n").encode())

    def _ends_a_line(self) -> bool:
        return self._path.read_bytes().endswith(b"\n")


def read_peers(path: Path) -> list[Record]:
    """Recorded results of peers, one JSON line a model and table; none if there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _cell(records: list[Record], recorded: bool) -> Cell:
    names = ["loss", "skill", "fit_s", "predict_s", "accuracy", "ece", "memory_mib", "memory_increase_mib"]
    medians: dict[str, Any] = {}
    for name in names:
        values = [record[name] for record in records if record.get(name) is not None]
        medians[name] = statistics.median(values) if values else None
    return Cell(**medians, recorded=recorded)


def collect(tables: Iterable[str], run: Iterable[Record], recorded: Iterable[Record]) -> Results:
    """Medians over the seeds of what was run, and the recorded results of models that were not run at all.

    Parameters
    ----------
    tables : iterable of str
        In the order to show; records of others are left out.
    run, recorded : iterable of dict
        The recorded ones that are to be shown.
    """
    run = list(run)
    models_run = {record["model"] for record in run}
    results: Results = {}
    for table in tables:
        here = [record for record in run if record["data"] == table]
        by_model: dict[str, list[Record]] = {}
        for record in here:
            by_model.setdefault(record["model"], []).append(record)
        cells = {model: _cell(records, recorded=False) for model, records in by_model.items()}
        for record in recorded:
            if record["data"] == table and record["model"] not in models_run:
                cells[record["model"]] = _cell([record], recorded=True)
        results[table] = cells
    return results
