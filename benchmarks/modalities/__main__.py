"""sknn's defaults on texts, images, sequences, sound and sensors, beside other models.

    python -m benchmarks.modalities --data ../shared/data_modalities [--only sms_spam,fsdd_dev] [--seeds 3]

The folder holds a list of tasks (tasks.json), their data, and results of other models (peers.jsonl). Further tasks:
spoken digits of a speaker who is not in the training rows, scikit-learn's digits, and 10,000 artificial colour images.
The measure is accuracy, for sensors R2. The report is printed in Markdown, progress goes to stderr. Each fit is kept in
a file at once, and the next run does not repeat it: after a change to sknn, say --fresh sknn.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.metrics import accuracy_score, r2_score
from threadpoolctl import threadpool_limits

from benchmarks._timing import machine, print_table
from benchmarks.modalities.bars import Score, bars
from benchmarks.modalities.models import DETERMINISTIC, MODELS, models_of
from benchmarks.modalities.tasks import Task, all_tasks
from benchmarks.quality.results import Records, read_peers

__all__ = ["main"]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.modalities",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with tasks.json, the data and peers.jsonl")
    parser.add_argument("--only", type=_names, default=[], help="only these tasks, comma-separated")
    parser.add_argument(
        "--models",
        type=_names,
        default=list(MODELS),
        help=f"of {', '.join(MODELS)} (default: all, each where it applies; sknn_flat reads sensors as a table)",
    )
    parser.add_argument(
        "--seeds", type=int, default=3, help="fits of each model that depends on a seed (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=joblib.cpu_count(), help="all cores by default")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("benchmarks/results/modalities.jsonl"),
        help="file of the fits (default: %(default)s)",
    )
    parser.add_argument("--fresh", type=_names, default=[], help="repeat fits of these models that are in the file")
    return parser


def _fit(task: Task, model: str, seed: int, threads: int) -> dict[str, Any]:
    """One fit, timed by the wall and by the CPU, and its score on the test rows."""
    data = task.flattened() if model == "sknn_flat" else task
    with threadpool_limits(threads):
        torch.set_num_threads(threads)
        estimator = MODELS[model][1](data, seed)
        cpu, wall = time.process_time(), time.perf_counter()
        estimator.fit(data.X_train, data.y_train)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        predicted = estimator.predict(data.X_test)
    measure = r2_score if task.is_regression else accuracy_score
    score = float(measure(task.y_test, np.asarray(predicted)))
    return {
        "model": model, "data": task.name, "seed": seed, "threads": threads,
        "score": score, "fit_s": wall, "cpu_fit_s": cpu,
    }  # fmt: skip


def _run(
    task: Task, args: argparse.Namespace, records: Records, recorded: set[str]
) -> tuple[list[dict[str, Any]], int]:
    """Records of all models on a task, and how many fits failed."""
    done, n_failed = [], 0
    for model in models_of(task, args.models, recorded):
        for seed in range(1 if model in DETERMINISTIC else args.seeds):
            record = records.find(model, task.name, seed, threads=args.threads)
            if record is None:
                try:
                    record = _fit(task, model, seed, args.threads)
                except Exception:  # the other fits go on; the exit status says that one failed
                    traceback.print_exc()
                    n_failed += 1
                    continue
                records.add(record)
            line = f"{task.name}, {model}, seed {seed}: {record['score']:.4f} in {record['fit_s']:.1f} s"
            print(f"{line} ({record['cpu_fit_s']:.1f} CPU)", file=sys.stderr, flush=True)
            done.append(record)
    return done, n_failed


def _scores(done: list[dict[str, Any]], peers: list[dict[str, Any]]) -> dict[str, Score]:
    """Of one task: what was run, and what is recorded of models that were not."""
    scores = {
        peer["peer"]: Score(peer["score"], fit_s=peer.get("wall_fit_s", peer.get("wall_s")), is_recorded=True)
        for peer in peers
    }
    for model in dict.fromkeys(record["model"] for record in done):
        here = [record for record in done if record["model"] == model]
        values = [record["score"] for record in here]
        seconds = statistics.median(record["fit_s"] for record in here)
        scores[model] = Score(statistics.mean(values), statistics.pstdev(values), seconds)
    return scores


def _row(task: str, name: str, score: Score) -> list[str]:
    spread = "" if score.is_recorded else f" ± {score.deviation:.4f}"
    seconds = "" if score.fit_s is None else f"{score.fit_s:.1f}"
    return [task, name, f"{score.mean:.4f}{spread}", seconds, "recorded" if score.is_recorded else "run"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print.

    Returns
    -------
    status : int
        1 if a fit failed.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if not (args.data / "tasks.json").is_file():
        parser.error(f"--data: {args.data} has no file tasks.json; expected the folder of the tasks")
    tasks = dict(all_tasks(args.data))
    if unknown := [name for name in args.only if name not in tasks]:
        parser.error(f"--only: {', '.join(unknown)} unknown; expected some of {', '.join(tasks)}")
    if unknown := [name for name in args.models if name not in MODELS]:
        parser.error(f"--models: {', '.join(unknown)} unknown; expected some of {', '.join(MODELS)}")
    peers = [record for record in read_peers(args.data / "peers.jsonl") if record.get("score") is not None]
    records, scores, n_failed = Records(args.out, args.fresh), {}, 0
    for name in args.only or tasks:
        here = [peer for peer in peers if peer["task"] == name]
        done, failed = _run(tasks[name](), args, records, {peer["peer"] for peer in here})
        scores[name] = _scores(done, here)
        n_failed += failed
    torch.set_num_threads(args.threads)  # what machine() reports
    print(f"{machine()}, means over {args.seeds} seed(s), median seconds of a fit\n")
    best_first = {
        task: sorted(models.items(), key=lambda item: (not item[0].startswith("sknn"), -item[1].mean))
        for task, models in scores.items()
    }
    head = ["task", "model", "accuracy or R2", "fit, s", ""]
    print_table(head, (_row(task, *item) for task, models in best_first.items() for item in models))
    print()
    print_table(["asked", "figure", "bar", ""], ([bar.name, bar.figure, bar.bar, bar.verdict] for bar in bars(scores)))
    if n_failed:
        print(f"{n_failed} fit(s) failed; their tracebacks above say why", file=sys.stderr)
    return int(n_failed > 0)


if __name__ == "__main__":
    sys.exit(main())
