"""The process of one fit: a pickled `Job` on stdin, its record on stdout. Started by `fitting.run_isolated`."""

from __future__ import annotations

import json
import pickle
import resource
import sys
from pathlib import Path

from benchmarks.quality.fitting import run_job, warm_up

__all__ = ["peak_mib"]


def peak_mib() -> float:
    """Peak resident memory of this process in MiB.

    Notes
    -----
    Linux hands ``ru_maxrss`` down to a new process: it starts with the peak of the one that started it. ``VmHWM``
    belongs to the program alone.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, others kilobytes


if __name__ == "__main__":
    job = pickle.load(sys.stdin.buffer)
    warm_up(job)
    start = peak_mib()
    record = run_job(job)
    peak = peak_mib()
    print(json.dumps({**record, "memory_mib": peak, "memory_increase_mib": peak - start}))
