"""A process killed at any step of storing a fit loses nothing that was stored before, and leaves nothing that misleads."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

# One process that imports once, and forks one for each kill: k counts the calls of the system that storing makes.
SCRIPT = """
import json, os, signal, sys, warnings
warnings.simplefilter("ignore")
import sknn
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True)


def scores(folder):
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, cv=2, refit=False)
    with sknn.journal(folder) as fits:
        found = search.fit(X, y).cv_results_
    return {name: list(map(str, found[name])) for name in found if "time" not in name}, fits.n_stored, fits.n_skipped


def dying_at(k):
    steps = iter(range(k))
    def wrap(function):
        def call(*args, **kwargs):
            if next(steps, None) is None:
                if function is os.write_half:
                    args[0].raw_write(args[1][: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)
        return call
    return wrap


class Half:
    # A file of which a kill leaves half.
    def __init__(self, file, wrap):
        self.file, self.write = file, lambda content: wrap(os.write_half)(self, content)
    def raw_write(self, content):
        self.file.write(content)
        self.file.flush()
    def __enter__(self):
        return self
    def __exit__(self, *exception):
        self.file.close()
    def __getattr__(self, name):
        return getattr(self.file, name)


os.write_half = lambda half, content: half.raw_write(content)
expected, n_stored, n_skipped = scores(sys.argv[1] + "/unbroken")
outcomes = []
for k in range(int(sys.argv[2])):
    folder = f"{sys.argv[1]}/{k}"
    pid = os.fork()
    if pid == 0:
        wrap, plain_open = dying_at(k), open
        os.replace, os.fsync = wrap(os.replace), wrap(os.fsync)
        import builtins
        builtins.open = lambda path, *how, **more: (
            Half(plain_open(path, *how, **more), wrap) if how == ("xb",) else plain_open(path, *how, **more)
        )
        scores(folder)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    whole = len([name for name in os.listdir(folder) if name.endswith(".fit")])
    found, n_stored, n_skipped = scores(folder)
    outcomes.append([os.WIFSIGNALED(status), found == expected, whole, n_stored, n_skipped])
print(json.dumps(outcomes))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_killed_at_any_step_of_storing(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), "28"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    outcomes = json.loads(ran.stdout)
    # Four calls a file: write, fsync, replace, fsync of the folder. The first file is the mark of the folder.
    wholes = []
    for killed, equal, whole, n_stored, n_skipped in outcomes:
        assert killed
        assert equal
        assert n_skipped == whole
        assert n_stored == 6 - whole
        wholes.append(whole)
    assert wholes == sorted(wholes)
    assert set(wholes) == set(range(7))
