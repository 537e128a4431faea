"""A grid search in a journal, killed at random moments and run again: what it gives, and how much it does twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ._figures import Figure
from ._search_script import N_FITS

__all__ = ["measure"]

_N_KILLS = 30
_IN_WORKERS = 5  # each so-manieth search has its fits done by two processes
_TIMEOUT_S = 600.0


def _start(journal: str, result: Path, n_jobs: int) -> subprocess.Popen[bytes]:
    """The script, leader of a process group of its own, to which its workers belong."""
    command = [sys.executable, "-m", "benchmarks.reliability._search_script", journal, str(result), str(n_jobs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)


def _finish(journal: str, result: Path, n_jobs: int) -> tuple[dict[str, Any], float]:
    """What the script gives, and the seconds that its search took."""
    process = _start(journal, result, n_jobs)
    code = process.wait(_TIMEOUT_S)
    if code:
        raise RuntimeError(f"the search ended with exit status {code}")
    started = result.with_suffix(".started")
    return json.loads(result.read_text()), result.stat().st_mtime - started.stat().st_mtime


def _kill(journal: str, result: Path, n_jobs: int, after_s: float) -> bool:
    """Kill script and workers `after_s` seconds into the search; False if it was done by then."""
    process = _start(journal, result, n_jobs)
    started = result.with_suffix(".started")
    while not started.exists() and process.poll() is None:
        time.sleep(0.005)
    time.sleep(after_s)
    killed = process.poll() is None
    if killed:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(_TIMEOUT_S)
    return killed


def measure(seed: int, data: Path, share: float) -> list[Figure]:
    """Kill, run again, compare with a run that nobody disturbed."""
    rng = random.Random(seed)
    n_kills = max(1, round(_N_KILLS * share))
    failures: list[str] = []
    n_equal = n_found = n_killed = n_tried = 0
    with tempfile.TemporaryDirectory() as folder:
        unbroken, duration = _finish("-", Path(folder, "unbroken.json"), 1)
        while n_killed < n_kills and n_tried < 3 * n_kills:
            n_tried += 1
            n_jobs = 2 if n_tried % _IN_WORKERS == 0 else 1
            journal, after_s = f"{folder}/journal-{n_tried}", rng.uniform(0.0, duration)
            if not _kill(journal, Path(folder, f"killed-{n_tried}.json"), n_jobs, after_s):
                continue
            n_killed += 1
            n_stored = len(list(Path(journal).glob("*.fit")))
            again, _ = _finish(journal, Path(folder, f"again-{n_tried}.json"), n_jobs)
            n_found += again["n_skipped"]
            what = f"killed after {after_s:.2f} s, n_jobs={n_jobs}"
            if again["columns"] == unbroken["columns"]:
                n_equal += 1
            else:
                failures.append(f"{what}: other results than without a break")
            if again["n_skipped"] != n_stored or again["n_stored"] != N_FITS - n_stored:
                failures.append(
                    f"{what}: {n_stored} fits were stored; then {again['n_skipped']} skipped, {again['n_stored']} done"
                )
    measured = f"{n_equal} of {n_killed}; {n_found} of {n_killed * N_FITS} fits were not done again"
    met = n_equal == n_killed == n_kills and not failures
    return [
        Figure("searches killed and run again: results as without a break", measured, f"all {n_kills}", met, failures)
    ]
