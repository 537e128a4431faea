"""Fair timings on a noisy machine: interleaved runs, medians of pairwise ratios, disturbed rounds thrown away."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

__all__ = ["Rounds", "machine", "measure", "print_table"]

# A round in which the reference kernel took more than this times its best was disturbed.
_DISTURBED = 1.5


def machine() -> str:
    """One line: date, processor, cores, versions."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor()
    return (
        f"{datetime.date.today()}, {model}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {torch.get_num_threads()} thread(s)"
    )


def _kernel_seconds() -> float:
    """Seconds of a 128x256 by 256x256 float32 product, best of three: about 0.17 ms on a quiet core."""
    a, b = torch.ones(128, 256), torch.ones(256, 256)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(5):
            a @ b
        best = min(best, (time.perf_counter() - started) / 5)
    return best


class Rounds:
    """Seconds of several contenders, measured in turn.

    Attributes
    ----------
    seconds : dict of str to list of float
        Undisturbed rounds, in order; equally many for each contender.
    dropped : int
        Disturbed rounds, left out.
    """

    def __init__(self, seconds: dict[str, list[float]], dropped: int) -> None:
        self.seconds = seconds
        self.dropped = dropped

    def median(self, name: str) -> float:
        """Median seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, to: str) -> float:
        """Median over the rounds of the ratio of two contenders."""
        return statistics.median(a / b for a, b in zip(self.seconds[name], self.seconds[to], strict=True))


def measure(contenders: dict[str, Callable[[], object]], rounds: int, warmup: int = 1) -> Rounds:
    """Run every contender once a round, in turn.

    A contender that returns a float is taken at its word: those are its seconds.
    """
    names = list(contenders)
    for _ in range(warmup):
        for name in names:
            contenders[name]()
    measured: list[tuple[float, dict[str, float]]] = []
    for i in range(rounds):
        kernel, row = _kernel_seconds(), {}
        for name in names[i % len(names) :] + names[: i % len(names)]:  # nobody always comes first
            started = time.perf_counter()
            result = contenders[name]()
            row[name] = result if isinstance(result, float) else time.perf_counter() - started
        measured.append((max(kernel, _kernel_seconds()), row))
    quiet = min(kernel for kernel, _ in measured)
    kept = [row for kernel, row in measured if kernel <= _DISTURBED * quiet]
    if len(kept) < 3:  # a busy machine: rather noisy figures than none
        kept = [row for _, row in measured]
    return Rounds({name: [row[name] for row in kept] for name in names}, rounds - len(kept))


def print_table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A table in Markdown."""
    head = list(head)
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
