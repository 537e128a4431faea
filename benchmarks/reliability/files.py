"""Damaged and hostile files: each must be a clear error, and none may crash the process or run code.

A child process loads them, so that a crash is noticed. Code that runs leaves a mark: the pickles, the commands and
``canary_module`` create a file.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn.pipeline
import sklearn.preprocessing

import sknn
from sknn.exceptions import FileError
from sknn.modules import MLP, TabM

from . import _file_faults_bytes as of_bytes
from . import _file_faults_content as of_content
from . import _file_faults_cost as of_cost
from . import _file_faults_parts as of_parts
from . import _file_faults_work as of_work
from ._figures import Figure
from ._file_parts import Parts

__all__ = ["faults", "measure", "models"]

_SLOW_S = 10.0  # of a processor, child processes included
_MEMORY = 2 * 2**30
_SMALL_TABM = {"width": 8, "n_members": 2, "n_blocks": 1, "n_bins": 4}
_CANARY = "from pathlib import Path\nPath({mark!r}).touch()\nclass Payload: pass\n"


def models(folder: Path, seed: int) -> dict[str, bytes]:
    """Files of four small models."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": rng.choice(["x", "y"], 120), "c": rng.normal(size=120)})
    y = np.where(frame["a"] > 0, "yes", "no")
    few: dict[str, Any] = {"max_epochs": 2, "random_state": seed, "gradient_health": None}
    numbers = frame[["a", "c"]].to_numpy()
    fitted = {
        "table": sknn.NeuralClassifier(TabM, module_params=_SMALL_TABM, n_networks=2, **few).fit(frame, y),
        "other": sknn.NeuralClassifier(TabM, module_params=_SMALL_TABM, n_networks=2, **few).fit(frame, np.roll(y, 1)),
        "numbers": sknn.NeuralRegressor(MLP, module_params={"hidden_sizes": (8,)}, **few).fit(numbers, numbers[:, 0]),
        "pipeline": sklearn.pipeline.make_pipeline(
            sklearn.preprocessing.StandardScaler(),
            sknn.NeuralClassifier(MLP, module_params={"hidden_sizes": (8,)}, **few),
        ).fit(numbers, y),
    }
    files = {}
    for name, model in fitted.items():
        sknn.save(model, folder / name)
        files[name] = (folder / name).read_bytes()
    return files


def faults(files: dict[str, bytes], mark: Path, seed: int, share: float) -> Iterator[tuple[str, bytes]]:
    """Files that must not load, each with its name."""
    draw = random.Random(seed)
    n = max(2, round(12 * share))
    parts = {name: Parts(data) for name, data in files.items()}
    groups = [of_bytes.damaged(name, files[name], draw, n) for name in ("table", "numbers", "pipeline")]
    groups += [
        of_bytes.disguised(f"touch {mark}", draw),
        of_bytes.zips("table", files["table"]),
        of_content.names(parts["table"], draw),
        of_content.sizes(parts["table"]),
        of_content.manifests(parts["table"]),
        of_content.values(parts["table"], draw, 40 * n),
        of_parts.tensors(parts["table"]),
        of_parts.swapped(parts["table"], parts["other"]),
        of_parts.swapped(parts["numbers"], parts["table"]),
        of_parts.skops_parts(parts["pipeline"]),
        of_parts.skops_objects(parts["pipeline"]),
        of_work.values(parts["table"]),
        of_work.layers(mark.parent),
    ]
    for case in itertools.chain(*groups):
        if share >= 1.0 or draw.random() < share:
            yield case


def _loaded(path: str) -> tuple[str, str, float]:
    """Outcome, message and seconds of one file, in the child process."""
    started = _seconds()
    try:
        model = sknn.load(path)
    except FileError as error:
        return "error" if str(error) else "no message", f"{type(error).__name__}: {error}"[:300], _seconds() - started
    except BaseException as error:
        return "crash", f"{type(error).__name__}: {error}"[:300], _seconds() - started
    seconds = _seconds() - started
    try:
        n = model.n_features_in_
        model.predict(np.zeros((2, n)).astype(object) if n == 3 else np.zeros((2, n)))
    except Exception as error:
        return "broken", f"loads and then fails: {type(error).__name__}: {error}"[:300], seconds
    return "loaded", "and predicts", seconds


def _seconds() -> float:
    """Seconds that this process and its children have computed: other programs do not matter."""
    return sum(os.times()[:4])


def _prepare(folder: str) -> None:
    sys.path.insert(0, folder)
    import resource
    import warnings

    warnings.simplefilter("ignore")
    # Far below what the hostile sizes ask for; child processes have the same limit.
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + _MEMORY,) * 2)


def outcomes(cases: Iterator[tuple[str, bytes]], folder: Path, mark: Path) -> Iterator[tuple[str, str, str, float]]:
    """Name, outcome, message and seconds of each case; outcomes: error, loaded, crash, died, ran code."""
    (folder / "canary_module.py").write_text(_CANARY.format(mark=str(mark)))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, context, _prepare, (str(folder),))
    path = folder / "case"
    try:
        for name, data in cases:
            path.write_bytes(data)
            try:
                outcome, message, seconds = pool.submit(_loaded, str(path)).result()
            except BrokenProcessPool:
                outcome, message, seconds = "died", "the process ended", 0.0
                pool = ProcessPoolExecutor(1, context, _prepare, (str(folder),))
            if mark.exists():
                mark.unlink()
                outcome = "ran code"
            yield name, outcome, message, seconds
    finally:
        pool.shutdown()


def measure(seed: int, data: Path, share: float) -> list[Figure]:
    """Each fault must be a clear error, each random edit with correct hashes an error or a model that predicts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mark = folder / "mark"
        files = models(folder, seed)
        intact = list(outcomes(iter(files.items()), folder, mark))
        found = list(outcomes(faults(files, mark, seed, share), folder, mark))
        edits = of_content.random_edits(Parts(files["table"]), random.Random(seed), max(10, round(1000 * share)))
        edited = list(outcomes(edits, folder, mark))
        costly = itertools.chain(of_cost.networks(folder), of_cost.texts(Parts(files["table"])))
        draw = random.Random(seed)
        some = (case for case in costly if share >= 1.0 or draw.random() < share)
        found_costly = list(outcomes(some, folder, mark))
    return [
        _figure("intact files that load", intact, ("loaded",), len(files), "all"),
        _figure(
            "damaged or hostile files that are a clear error", found, ("error",), round(200 * share), "all of >= 200"
        ),
        _figure("random edits: a clear error, or a model", edited, ("error", "loaded"), 1, "all"),
        _figure(
            "files that would take minutes or gigabytes",
            found_costly,
            ("error",),
            round(55 * share),
            f"all of >= 55 refused within {_SLOW_S:.0f} s and {_MEMORY / 2**30:.0f} GB",
        ),
    ]


def _figure(
    name: str, found: list[tuple[str, str, str, float]], wanted: tuple[str, ...], least: int, bar: str
) -> Figure:
    good = [case for case in found if case[1] in wanted]
    slowest = max(found, key=lambda case: case[3])
    failures = [f"{case}: {outcome}: {message}" for case, outcome, message, _ in found if outcome not in wanted]
    failures += [f"{case}: {seconds:.1f} s" for case, _, _, seconds in found if seconds > _SLOW_S]
    counts = {kind: sum(outcome == kind for _, outcome, _, _ in found) for kind in ("crash", "died", "ran code")}
    measured = f"{len(good)} of {len(found)}; {counts['crash'] + counts['died']} crashes, {counts['ran code']} ran code"
    measured += f"; slowest {slowest[3]:.1f} s"
    return Figure(name, measured, f"{bar}, 0 crashes, 0 code run", not failures and len(found) >= least, failures)
