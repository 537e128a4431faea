"""Quality and price of sknn's defaults beside its peers, on a suite of real tables or on data sets of OpenML.

    python -m benchmarks.quality --data ../shared/data --models sknn,catboost,lightgbm --seeds 3
    python -m benchmarks.quality --openml 31,44 --models sknn,histgb,linear
    python -m benchmarks.quality --data ../shared/data --rows 600 --draws 3 --seeds 1 --models sknn,catboost,linear,mlp

The folder holds NAME.parquet (columns, target, split), suite.json and, of peers that are not run, peers.jsonl. The
report is printed in Markdown, progress goes to stderr. Each fit is kept in a file at once, and the next run does not
repeat it: after a change to sknn, say --fresh sknn.

loss: log-loss (probabilities clipped at 1e-7) or mean squared error on the test rows. skill: 1 - loss / loss of the
constant predictor fitted on the training rows.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import joblib
import torch

from benchmarks._timing import machine
from benchmarks.quality.models import MODELS, check_installed, expand_names
from benchmarks.quality.plot import plot_pareto
from benchmarks.quality.report import report
from benchmarks.quality.results import Records, collect, read_peers
from benchmarks.quality.running import Plan, run_tables, variant_name
from benchmarks.quality.summary import BASE, summarize
from benchmarks.quality.tables import Table, cut_tables, openml_tables, suite_tables


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _ids(text: str) -> list[int]:
    return [int(name) for name in _names(text)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = ", ".join([*MODELS, "skorch"])
    parser.add_argument("--data", type=Path, help="folder of the suite")
    parser.add_argument("--tables", type=_names, default=[], help="only these tables of the suite, comma-separated")
    parser.add_argument("--openml", type=_ids, default=[], metavar="ID,...", help="data sets of OpenML (by network)")
    parser.add_argument("--rows", type=int, help="at most so many training rows of each table")
    parser.add_argument("--draws", type=int, default=1, help="how often the --rows are drawn")
    parser.add_argument("--models", type=_names, default=["sknn"], help=f"models to run, of {known}; mlp means both")
    parser.add_argument("--recorded", type=_names, help="recorded peers to show; all that are not run by default")
    parser.add_argument(
        "--seeds", type=int, default=3, help="fits of each model that depends on a seed; medians are shown"
    )
    parser.add_argument("--threads", type=int, default=joblib.cpu_count(), help="all cores by default")
    parser.add_argument(
        "--max-time-ratio", type=float, help="add sknn with max_time of this share of its own seconds on each table"
    )
    parser.add_argument("--memory", action="store_true", help="a process for each fit, and its peak memory")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/quality.jsonl"), help="file of the fits")
    parser.add_argument(
        "--fresh",
        type=_names,
        nargs="?",
        const=[],
        help="repeat fits that are in the file: all, or of these models",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw skill over seconds")
    return parser


def _tables(args: argparse.Namespace) -> Iterator[Table]:
    suite = suite_tables(args.data, args.tables) if args.data else ()
    tables = itertools.chain(suite, openml_tables(args.openml) if args.openml else ())
    return tables if args.rows is None else cut_tables(tables, args.rows, args.draws)


def _fresh_models(args: argparse.Namespace, plan: Plan) -> list[str]:
    """Whose earlier fits are ignored; sknn's variants follow it."""
    if args.fresh is None:
        return []
    models = expand_names(args.fresh) if args.fresh else plan.models
    return [*models, variant_name(plan.max_time_ratio)] if plan.max_time_ratio and BASE in models else models


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print, draw.

    Returns
    -------
    status : int
        1 if a fit failed.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if not args.data and not args.openml:
        parser.error("nothing to run on: give --data FOLDER, --openml ID,... or both")
    try:
        models = expand_names(args.models)
        plan = Plan(models, args.seeds, args.threads, args.max_time_ratio, args.memory)
        records = Records(args.out, _fresh_models(args, plan))
        if args.max_time_ratio is not None and BASE not in models:
            parser.error("--max-time-ratio takes its seconds from sknn: add it to --models")
        check_installed(models)
    except (ValueError, ImportError) as error:
        parser.error(str(error))
    names, done, n_failed = run_tables(plan, _tables(args), records)
    peers = read_peers(args.data / "peers.jsonl") if args.data and args.rows is None else []
    shown = {record["model"] for record in peers} - set(models) if args.recorded is None else set(args.recorded)
    results = collect(names, done, [record for record in peers if record["model"] in shown])
    torch.set_num_threads(args.threads)  # what machine() reports
    print(f"{machine()}, medians over {args.seeds} seed(s)\n")
    print(report(results), flush=True)
    if args.plot and done + peers:
        plot_pareto(summarize(results), args.plot)
    if n_failed:
        print(f"{n_failed} fit(s) failed; their lines above say why", file=sys.stderr)
    return int(n_failed > 0)


if __name__ == "__main__":
    sys.exit(main())
