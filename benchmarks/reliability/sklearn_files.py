"""Which estimators of scikit-learn stay alive whatever a damaged file says; the others need trust in `sknn.load`.

    python -m benchmarks.reliability.sklearn_files --write sknn/_file/foreign/tried.py

fits each estimator of scikit-learn, saves it, damages arrays and numbers of the file, loads it and uses it, in a child
process that may crash. It then writes the list of those that never crashed. As a section of the benchmark, it tries the
estimators that need no trust.
"""

from __future__ import annotations

import argparse
import importlib
import io
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from scipy import sparse

import sknn
from sknn.exceptions import FileError

from . import _sklearn_fitted
from ._figures import Figure
from ._file_parts import Parts
from ._sklearn_damage import WIDE, damages

__all__ = ["measure"]

_TIMEOUT_S = 10.0  # of one file
_WIDE_ONLY = "wide, nothing else"
_BAD = ("crashed", "read", "hung")
_STARTING_S = 120.0
_ENOUGH = 2  # crashes of one estimator, or files that take too long
_MEMORY = 4 * 2**30
_PERTURB = 0xA5  # the byte that freed memory is filled with; new memory gets the inverse
_METHODS = (
    "predict", "predict_proba", "decision_function", "transform", "score_samples", "inverse_transform", "kneighbors",
    "radius_neighbors", "kneighbors_graph", "apply", "staged_predict", "get_feature_names_out", "mahalanobis", "score",
    "sample", "partial_fit",
)  # fmt: skip
_OF_COLUMNS = ("predict", "decision_function", "transform", "score_samples", "kneighbors", "radius_neighbors")
_OF_Y = ("score", "partial_fit")
_WITHOUT_X = ("get_feature_names_out", "sample")


def _use(model: Any, X: Any, y: Any) -> tuple[bool, bool]:
    """Call all that computes; return whether it accepted a table of `WIDE` columns, and returned memory never written.

    Errors of Python are what a damaged model should give.
    """
    tables, accepts_wide, unwritten = [X], False, False
    n_features = vars(model).get("n_features_in_")
    if type(n_features) is int and n_features == WIDE:
        tables.insert(0, np.ones((1, WIDE)))
    for table in tables:
        for name in _METHODS:
            if name == "get_feature_names_out" and not (type(n_features) is int and n_features <= WIDE):
                continue  # a list of any length
            try:
                method = getattr(model, name)
                if name == "inverse_transform":
                    found = method(model.transform(table))
                else:
                    found = method(*(() if name in _WITHOUT_X else (table, y) if name in _OF_Y else (table,)))
                if name.startswith("staged"):
                    list(found)
                unwritten |= _is_unwritten(found)
                accepts_wide |= table is not X and name in _OF_COLUMNS
            except Exception:
                continue
    if "warm_start" in vars(model):
        try:
            model.set_params(warm_start=True, max_iter=3) if "max_iter" in vars(model) else model.set_params(
                warm_start=True
            )
            model.fit(X, y)
        except Exception:
            pass
    return accepts_wide, unwritten


def _is_unwritten(found: Any) -> bool:
    """Whether an array, sparse or not, contains a number of the bytes with which new and freed memory is filled."""
    found = found.data if sparse.issparse(found) else found
    if not isinstance(found, np.ndarray) or found.dtype != np.float64:
        return False
    numbers = np.ascontiguousarray(found).view(np.uint64)
    return any(bool((numbers == int.from_bytes(bytes([byte] * 8))).any()) for byte in (_PERTURB, _PERTURB ^ 0xFF))


def _child(pipe: Any) -> None:
    """Load and use each file that comes; tell how it ended."""
    import faulthandler
    import resource

    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    faulthandler.disable()
    _enable_experimental()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + _MEMORY,) * 2)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    while True:
        path, trusted, X, y, learned = pipe.recv()
        try:
            model = sknn.load(path, trusted=trusted)
        except FileError:
            pipe.send("refused")
            continue
        except BaseException as error:
            pipe.send(f"wrong error: {type(error).__name__}: {error}"[:200])
            continue
        accepts_wide, unwritten = _use(model, X, y)
        # It has learned something of fewer columns, and compares it with more without an error.
        reads_beyond = accepts_wide and learned
        pipe.send("read beyond its arrays" if reads_beyond else "read unwritten memory" if unwritten else "used")


class _Worker:
    """One child process, started again after it has crashed or hung."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None

    def run(self, job: tuple[Any, ...]) -> str:
        """How it ended: refused, used, hung, wrong error, or crashed."""
        is_new = self._process is None
        if is_new:
            self._pipe, other = self._context.Pipe()
            self._process = self._context.Process(target=_child, args=(other,), daemon=True)
            os.environ["MALLOC_PERTURB_"] = str(_PERTURB)  # of glibc, read when a process starts
            self._process.start()
            del os.environ["MALLOC_PERTURB_"]
            other.close()
        self._pipe.send(job)
        if not self._pipe.poll(_TIMEOUT_S + (_STARTING_S if is_new else 0.0)):
            self.stop()
            return "hung"
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            self._process = None
            return f"crashed: signal {-code}"

    def stop(self) -> None:
        """End the child."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def _enable_experimental() -> None:
    """Let scikit-learn, and files, use estimators that may still change."""
    importlib.import_module("sklearn.experimental.enable_halving_search_cv")
    importlib.import_module("sklearn.experimental.enable_iterative_imputer")


def _tried(n_each: int, seed: int, only: str, trust_all: bool) -> Iterator[tuple[str, str, str, str, frozenset[str]]]:
    """Class, variant, damage, outcome and the classes in the file, for each damaged file."""
    _enable_experimental()
    estimators = {f"{kind.__module__}.{kind.__name__}" for kind in _sklearn_fitted.kinds()}
    worker = _Worker()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case"
        for kind in _sklearn_fitted.kinds():
            if not re.search(only, kind.__name__):
                continue
            worker.stop()  # memory that one class has spoiled may show in a later one
            for name, model, X, y in _sklearn_fitted.fitted(kind):
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    try:
                        sknn.save(model, path)
                    except TypeError:
                        continue
                trusted = sorted({n for w in caught for n in re.findall(r"'([\w.]+)'", str(w.message))})
                # What contains a tree, or a function, needs trust whatever its own class survives.
                if set(trusted) - estimators or (trusted and not trust_all):
                    continue
                data = path.read_bytes()
                classes = frozenset(_classes(data))
                cases = list(damages(data))
                random.Random(f"{seed} {name}").shuffle(cases)
                # First: one that shows whether columns are compared, and those that change all positions at once.
                cases.sort(key=lambda case: (case[0] != _WIDE_ONLY, not case[0].startswith("all of")))
                n_crashed = 0
                for what, make in cases[:n_each]:
                    path.write_bytes(make())
                    # Another damage, such as a mask of nothing, may be a reason to accept more columns.
                    learned = what == _WIDE_ONLY and _has_learned_columns(data)
                    outcome = worker.run((str(path), trusted, X, y, learned))
                    yield f"{kind.__module__}.{kind.__name__}", name, what, outcome, classes
                    n_crashed += outcome.startswith(_BAD)
                    if n_crashed == _ENOUGH:
                        break
    worker.stop()


def _has_learned_columns(data: bytes) -> bool:
    """Whether an array in the file has as many entries along an axis as the table has columns."""
    parts = Parts(Parts(data).parts["sklearn.skops"]).parts
    arrays = [np.load(io.BytesIO(content)) for name, content in parts.items() if name.endswith(".npy")]
    return any(_sklearn_fitted.N_COLUMNS in array.shape for array in arrays)


def _classes(data: bytes) -> Iterator[str]:
    """The classes of scikit-learn of which a file creates objects."""
    stack = [Parts(Parts(data).parts["sklearn.skops"]).json("schema.json")]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if value.get("__loader__") == "ObjectNode" and str(value["__module__"]).startswith("sklearn."):
                yield f"{value['__module__']}.{value['__class__']}"
            stack += value.values()
        elif isinstance(value, list):
            stack += value


def measure(seed: int, data: Path, share: float) -> list[Figure]:
    """No damaged file of an estimator that needs no trust may crash the process."""
    outcomes: Counter[str] = Counter()
    failures = []
    for _, name, what, outcome, _ in _tried(max(2, round(40 * share)), seed, "", trust_all=False):
        outcomes[outcome.split(":")[0]] += 1
        if outcome.startswith(("crashed", "read", "wrong")):
            failures.append(f"{name}, {what}: {outcome}")
    n = outcomes.total()
    measured = f"{outcomes['crashed']} of {n} ({', '.join(f'{k} {v}' for k, v in sorted(outcomes.items()))})"
    least = round(5000 * share)
    bar = "0 of >= 5000, no other error than FileError"
    return [
        Figure(
            "crashes by damaged scikit-learn files that need no trust",
            measured,
            bar,
            not failures and n >= least,
            failures,
        )
    ]


def main() -> None:
    """Try all estimators, print what happened, and write the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help="the file with the list, replaced")
    parser.add_argument("--each", type=int, default=100, help="damaged files of each estimator")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="regular expression: names of classes")
    args = parser.parse_args()
    started = time.perf_counter()
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    inside: dict[str, set[str]] = defaultdict(set)
    for path, name, what, outcome, classes in _tried(args.each, args.seed, args.only, trust_all=True):
        outcomes[path][outcome.split(":")[0]] += 1
        inside[path] |= classes
        if outcome.startswith(("wrong", *_BAD)):
            print(f"{name}, {what}: {outcome}", flush=True)
        elif outcomes[path].total() == 1:
            print(path, flush=True)
    crashed = {path for path, counts in outcomes.items() if any(how.startswith(_BAD[:2]) for how in counts)}
    survived = {path for path, counts in outcomes.items() if counts["used"]} - crashed
    helpers = {name for path in survived for name in inside[path] if _is_python(name)} - crashed - set(outcomes)
    print(f"{sum(counts.total() for counts in outcomes.values())} files, {time.perf_counter() - started:.0f} s")
    print(f"crashed: {sorted(crashed)}\nsurvived: {sorted(survived)}\nhelpers: {sorted(helpers)}")
    print({path: dict(counts) for path, counts in outcomes.items()})
    if args.write:
        args.write.write_text(_listed(sorted(survived | helpers)))


def _is_python(path: str) -> bool:
    """Whether a class is written in Python, not compiled."""
    return str(importlib.import_module(path.rpartition(".")[0]).__file__).endswith(".py")


def _listed(names: list[str]) -> str:
    """The module that `sknn.load` reads the list from."""
    lines = "\n".join(f'    "{name}",' for name in names)
    return f'''"""Classes of scikit-learn whose objects survived damaged files: no crash, no memory of others read.

Written by ``python -m benchmarks.reliability.sklearn_files --write sknn/_file/foreign/tried.py``; with other versions
of scikit-learn than `TRIED_WITH`, the same list is used without that promise.
"""

from __future__ import annotations

__all__ = ["TRIED", "TRIED_WITH"]

TRIED_WITH = ("{sklearn.__version__}",)
# fmt: off
TRIED: frozenset[str] = frozenset((
{lines}
))
# fmt: on
'''


if __name__ == "__main__":
    main()
