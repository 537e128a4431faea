"""All fits, table by table, so that a machine that slows down or speeds up does so for every model."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.quality.fitting import Job, run_isolated, run_job
from benchmarks.quality.models import MODELS
from benchmarks.quality.results import Records
from benchmarks.quality.summary import BASE
from benchmarks.quality.tables import Table

__all__ = ["Plan", "run_tables", "variant_name"]


def variant_name(ratio: float) -> str:
    """Of sknn with that share of its own time."""
    return f"{BASE}_quarter" if ratio == 0.25 else f"{BASE}_{ratio:g}"


@dataclass(frozen=True)
class Plan:
    """What to run.

    Parameters
    ----------
    models : list of str
        Keys of `MODELS`.
    seeds, threads : int
    max_time_ratio : float or None
        Adds sknn with a `max_time` of that share of its own median seconds on the table.
    memory : bool
        A process for each fit.
    say : callable
        Takes lines of progress.
    run : callable or None
        From `Job` to record; by default the one that `memory` asks for.
    """

    models: list[str]
    seeds: int
    threads: int
    max_time_ratio: float | None = None
    memory: bool = False
    say: Callable[[str], None] = field(default=lambda line: print(line, file=sys.stderr, flush=True))
    run: Callable[[Job], dict[str, Any]] | None = None

    def seeds_of(self, model: str) -> range:
        """One where the seed changes nothing."""
        return range(self.seeds if MODELS[model].seeded else 1)


def _jobs(plan: Plan, table: Table) -> Iterator[Job]:
    """Models side by side, seed after seed."""
    for seed in range(plan.seeds):
        for model in plan.models:
            if seed in plan.seeds_of(model):
                yield Job(model, model, table, seed, plan.threads)


def _variant_jobs(plan: Plan, table: Table, base: list[dict[str, Any]]) -> Iterator[Job]:
    """sknn in a share of the seconds that it took here."""
    if plan.max_time_ratio is None or not base:
        return
    max_time = plan.max_time_ratio * statistics.median(record["fit_s"] for record in base)
    for seed in range(plan.seeds):
        yield Job(variant_name(plan.max_time_ratio), BASE, table, seed, plan.threads, max_time)


def _obtain(plan: Plan, records: Records, job: Job) -> dict[str, Any] | None:
    """The record of an earlier run or of this one; None if the fit fails."""
    record = records.find(job.name, job.table.name, job.seed, threads=job.threads, max_time=job.max_time)
    if record is not None and (not plan.memory or "memory_mib" in record):
        return record
    run = plan.run or (run_isolated if plan.memory else run_job)
    try:
        record = run(job)
    except Exception as error:  # one model that cannot do one table must not end hours of work
        plan.say(f"{job.table.name} {job.name} seed {job.seed} FAILED: {type(error).__name__}: {error}")
        return None
    records.add(record)
    figures = f"loss {record['loss']:.5g}, skill {record['skill']:.4f}, {record['fit_s']:.2f} s"
    plan.say(f"{job.table.name} {job.name} seed {job.seed}: {figures}")
    return record


def run_tables(plan: Plan, tables: Iterable[Table], records: Records) -> tuple[list[str], list[dict[str, Any]], int]:
    """Fit what is not among the records yet.

    Returns
    -------
    names : list of str
        Of the tables.
    done : list of dict
        Records of the plan, old and new.
    n_failed : int
    """
    names, done, n_failed = [], [], 0
    for table in tables:
        names.append(table.name)
        here = [_obtain(plan, records, job) for job in _jobs(plan, table)]
        base = [record for record in here if record is not None and record["model"] == BASE]
        here += [_obtain(plan, records, job) for job in _variant_jobs(plan, table, base)]
        n_failed += here.count(None)
        done += [record for record in here if record is not None]
    return names, done, n_failed
