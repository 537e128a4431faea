"""Same bits, safe files, no lost work, whatever is thrown at it.

    python -m benchmarks.reliability [--only kills,files] [--seed 0] [--data ../shared/data] [--share 1.0]

Sections: reproducibility, surroundings, kills, searches, files, sklearn_files, fuzz, parity, size. Each prints the
figure it measured and its bar; --share 0.1 does a tenth of the work, to try a section.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks._timing import machine

from ._figures import print_figures

# Module of this package that measures each section; imported when asked for, since some need extras.
_SECTIONS = (
    "reproducibility", "surroundings", "kills", "searches", "files", "sklearn_files", "fuzz", "parity", "size",
)  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reliability",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default=",".join(_SECTIONS), help="sections, separated by commas")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn at random")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the quality suite")
    parser.add_argument("--share", type=float, default=1.0, help="share of the work, in (0, 1]")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print; 1 if a bar is missed."""
    parser = _parser()
    args = parser.parse_args(argv)
    chosen = args.only.split(",")
    unknown = set(chosen) - set(_SECTIONS)
    if unknown:
        parser.error(f"--only: unknown sections {sorted(unknown)}; there are {list(_SECTIONS)}")
    print(machine())
    figures = []
    for section in chosen:
        started = time.perf_counter()
        measure = importlib.import_module(f"benchmarks.reliability.{section}").measure
        found = measure(seed=args.seed, data=args.data, share=args.share)
        print_figures(found)
        print(f"{section}: {time.perf_counter() - started:.0f} s\n", flush=True)
        figures += found
    print_figures(figures)
    return int(not all(figure.met for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
