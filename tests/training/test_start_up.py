"""The clock of `max_time` starts after what only the first fit of a process takes time for."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, time
import numpy as np
from sknn import NeuralRegressor

clock, n_loaded = time.perf_counter, []
def counting():
    n_loaded.append(len(sys.modules))
    return clock()

X = np.random.default_rng(0).normal(size=(200, 3))
time.perf_counter = counting
NeuralRegressor(max_epochs=1, max_time=1000.0, random_state=0).fit(X, X[:, 0])
print(n_loaded[-1] - n_loaded[0])
"""


def test_no_library_is_loaded_while_the_clock_of_the_first_fit_runs() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 30  # of hundreds
