"""Hostile and broken input: thousands of random fits and predictions, large tables, and predictions from many threads.

    python -m benchmarks.reliability --only fuzz
    python -m benchmarks.reliability.fuzz 4711     one case again, by the number that a failure was printed with

Each case is drawn from a number: an estimator, a table, a target, weights, groups, validation rows, and what is done to
the table before predictions. ``_fuzz_judge`` says what is right.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from ._figures import Figure
from ._fuzz_case import Outcome, run_case
from ._fuzz_memory import LARGE, measured_apart
from ._fuzz_threads import MODULES, different_in_threads

__all__ = ["measure"]

# A case makes two to three calls.
_N_CASES = 8000
_MIN_CALLS = 5000
_MAX_GIGABYTES = 2.0


def _run_cases(seeds: range, results: Connection) -> None:
    """In a process of its own, since a case may end it; each result is sent before the next case begins."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:  # a checkpoint may be among the parameters
        os.chdir(folder)
        for seed in seeds:
            results.send(run_case(seed))
        os.chdir("/")
    results.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    results.close()


def _outcomes(seeds: range) -> tuple[list[Outcome], float]:
    """Outcomes of all cases, and the peak memory of their process in GB (0 if it died)."""
    context = multiprocessing.get_context("spawn")
    outcomes: list[Outcome] = []
    peak = 0.0
    while len(outcomes) < len(seeds):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_run_cases, args=(seeds[len(outcomes) :], theirs))
        process.start()
        theirs.close()
        try:
            while not isinstance(received := ours.recv(), int):
                outcomes.append(received)
            peak = received / (2**30 if sys.platform == "darwin" else 2**20)
        except EOFError:
            process.join()
            seed = seeds[len(outcomes)]
            outcomes.append(Outcome(seed, failures=[f"ended the process with exit code {process.exitcode}"]))
        process.join()
    return outcomes, peak


def _calls(seed: int, share: float) -> Figure:
    first = seed * 1_000_000
    outcomes, peak = _outcomes(range(first, first + max(1, round(_N_CASES * share))))
    n_calls = sum(outcome.n_calls for outcome in outcomes)
    n_served = sum(outcome.n_served for outcome in outcomes)
    failures = [
        f"seed {outcome.seed}: {outcome.described}: {failure}" for outcome in outcomes for failure in outcome.failures
    ]
    return Figure(
        "calls of fit and predict that are neither served rightly nor refused clearly",
        f"{len(failures)} of {n_calls} ({n_served} served, peak {peak:.2f} GB)",
        f"0 of >= {round(_MIN_CALLS * share)}",
        not failures and n_calls >= _MIN_CALLS * share,
        failures,
    )


def _large(name: str, seed: int) -> Figure:
    measured = measured_apart(name, seed)
    failed = isinstance(measured, str)
    return Figure(
        f"peak memory of a fit that is large in {name}",
        "failed" if failed else f"{measured[0]:.2f} GB in {measured[1]:.0f} s",
        f"< {_MAX_GIGABYTES:g} GB",
        not failed and measured[0] < _MAX_GIGABYTES,
        [measured] if failed else [],
    )


def _threads(seed: int) -> Figure:
    wrong = [failure for module in MODULES for failure in different_in_threads(module, seed)]
    return Figure(
        "predictions from 8 threads, beside a fit, that differ from one alone",
        f"{len(wrong)} ({len(MODULES)} modules)",
        "0",
        not wrong,
        wrong,
    )


def measure(seed: int, data: Path, share: float) -> list[Figure]:
    """Figures of this section; `share` scales the number of cases, and below 0.5 leaves large tables out."""
    large = [_large(name, seed) for name in LARGE] if share >= 0.5 else []
    return [_calls(seed, share), *large, _threads(seed)]


if __name__ == "__main__":
    for number in sys.argv[1:]:
        print(run_case(int(number)))
