"""Does gradient health name the fault of a training run, report nothing on healthy ones, repair what can be repaired?

    python -m benchmarks.health [--seeds 3] [--only vanishing] [--no-repair] [--data ../shared/data]
    python -m benchmarks.health --validate

Training runs of a second or less each. A line is printed for each wrong result, then the tables. --validate trains
without health checks and prints the skill on held-out rows (1 - loss / loss of the best constant) of each faulty run,
of the same task set up well, and of the healthy runs, to check the assumptions of the benchmark.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from benchmarks._timing import machine

from .case import Case
from .cases import all_cases
from .report import Run, print_healthy, print_limited, print_recall, print_repair, went_wrong
from .running import run
from .validation import validate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.health", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name or symptom contains it")
    parser.add_argument("--kind", choices=["faulty", "limited", "healthy"], help="only these cases")
    parser.add_argument("--no-repair", action="store_true", help="skip repair: a third of the time")
    parser.add_argument("--validate", action="store_true", help="train without health checks, print skills")
    parser.add_argument("--data", type=Path, help="folder of the quality suite: its tables as further healthy cases")
    return parser


def _runs(case: Case, seed: int, repair: bool) -> Run:
    watched = run(case, seed, "warn")
    if not repair or case.is_plain:
        return Run(case, seed, watched)
    if case.kind == "healthy":
        return Run(case, seed, watched, repaired=run(case, seed, "repair"))
    if not case.repairable:
        return Run(case, seed, watched)
    return Run(case, seed, watched, run(case, seed, "repair"), run(case, seed, None, good=True))


def main(argv: Sequence[str] | None = None) -> int:
    """Train, and print."""
    args = _parser().parse_args(argv)
    torch.set_num_threads(1)
    threadpool_limits(1)
    cases = [case for case in all_cases(args.data) if args.only in case.name or args.only == case.symptom]
    if args.kind:
        cases = [case for case in cases if case.kind == args.kind]
    if args.validate:
        return validate(cases, args.seeds)
    print(f"{machine()}\n")
    runs: list[Run] = []
    for case in cases:
        for seed in range(args.seeds):
            runs.append(_runs(case, seed, not args.no_repair))
            for line in went_wrong(runs[-1]):
                print(line, flush=True)
    print_recall(runs)
    print_limited(runs)
    print_healthy(runs)
    if not args.no_repair:
        print_repair(runs)
    print("\nOverhead: python -m benchmarks.health.overhead")
    return 0


if __name__ == "__main__":
    sys.exit(main())
