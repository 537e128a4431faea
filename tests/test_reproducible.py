"""The same random_state learns the same bits, whatever else is so or otherwise."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor, _threads
from sknn.modules import MLP, FTTransformer, ResNet

few_examples = settings(
    max_examples=8, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def users_network(in_features: int, out_features: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(in_features, 32), nn.BatchNorm1d(32), nn.GELU(), nn.Dropout(0.2), nn.Linear(32, out_features)
    )


NETWORKS: dict[str, dict[str, Any]] = {
    "TabM": {},
    "TabM with dropout": {"module_params": {"dropout": 0.1}},
    "MLP": {"module": MLP, "module_params": {"hidden_sizes": (32, 32), "dropout": 0.1}},
    "ResNet": {"module": ResNet, "module_params": {"width": 32}},
    "FTTransformer": {"module": FTTransformer, "module_params": {"token_size": 16}},
    "user's": {"module": users_network},
}
N_TRAIN = 150


def rows() -> tuple[np.ndarray, np.ndarray]:
    """Numbers that float32 holds exactly, and gaps."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_TRAIN + 37, 5)).astype(np.float32).astype(np.float64)
    y = X[:, 0] * X[:, 1] + 0.3 * X[:, 2]
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, y


X, Y = rows()


def estimator(kind: type, network: str, **params: Any) -> Any:
    return kind(**{"max_epochs": 2, "random_state": 0, **NETWORKS[network], **params})


def learned(model: Any, table: Any = X[:N_TRAIN], test: Any = X[N_TRAIN:], y: Any = None) -> tuple[bytes, ...]:
    """Weights, losses and predictions of a fit."""
    if y is None:
        y = Y[:N_TRAIN] if isinstance(model, NeuralRegressor) else Y[:N_TRAIN] > 0
    model.fit(table, y)
    predicted = model.predict_proba(test) if hasattr(model, "predict_proba") else model.predict(test)
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.module_.state_dict().values())
    return weights, repr(model.loss_curve_).encode(), predicted.tobytes()


EXPECTED: dict[str, tuple[bytes, ...]] = {}


def expected(kind: type, network: str, stop: bool) -> tuple[bytes, ...]:
    """What the plain fit learns, on one thread."""
    key = f"{kind.__name__} {network} {stop}"
    if key not in EXPECTED:
        EXPECTED[key] = learned(estimator(kind, network, early_stopping=stop))
    return EXPECTED[key]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before, state = torch.get_num_threads(), torch.get_rng_state()
    yield
    torch.set_num_threads(before)
    torch.set_rng_state(state)


class Passive(Callback):
    """Listens to every event, and does nothing."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Nothing."""

    on_train_end = on_epoch_begin = on_epoch_end = on_train_begin
    on_batch_begin = on_batch_end = on_grad_computed = on_train_begin


class Interrupts(Callback):
    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        """A signal, as of Ctrl-C, in the middle of a step."""
        torch.rand(3)
        signal.raise_signal(signal.SIGINT)


def use_generators() -> None:
    torch.manual_seed(5)
    np.random.seed(3)
    np.random.rand(2)


def interrupt_a_fit() -> None:
    with suppress(KeyboardInterrupt):
        learned(estimator(NeuralRegressor, "MLP", callbacks=[Interrupts()]))


def fail_a_fit() -> None:
    with pytest.raises(ValueError, match="NaN"):
        estimator(NeuralRegressor, "TabM").fit(X, np.full(len(X), np.nan))


TABLES: dict[str, Callable[[np.ndarray], Any]] = {
    "Fortran": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "strided": lambda X: np.repeat(np.repeat(X, 2, 0), 3, 1)[::2, ::3],
    "pandas": pd.DataFrame,
    "pandas float32": lambda X: pd.DataFrame(X.astype(np.float32)),
    "polars": lambda X: pl.DataFrame(X, schema=[f"x{i}" for i in range(X.shape[1])], nan_to_null=True),
    "list": lambda X: X.tolist(),
}
COPIES: dict[str, Callable[[Any], Any]] = {
    "clone": clone,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
}


@few_examples
@given(
    kind=st.sampled_from([NeuralClassifier, NeuralRegressor]),
    network=st.sampled_from(list(NETWORKS)),
    stop=st.booleans(),
    table=st.sampled_from([None, *TABLES]),
    n_threads=st.sampled_from([1, 2, 3]),
    before=st.sampled_from([None, use_generators, interrupt_a_fit, fail_a_fit]),
    watch=st.sampled_from([{}, {"gradient_health": None}, {"callbacks": [Passive()]}, {"verbose": 1}]),
    copied=st.sampled_from([None, *COPIES]),
    seed=st.sampled_from([0, np.random.RandomState]),
)
def test_no_setting_changes_a_bit(kind, network, stop, table, n_threads, before, watch, copied, seed):
    reference = expected(kind, network, stop)
    if before is not None:
        before()
    torch.set_num_threads(n_threads)
    seed = np.random.RandomState(0) if seed is np.random.RandomState else seed
    model = estimator(kind, network, early_stopping=stop, **{**watch, "random_state": seed})
    model = model if copied is None else COPIES[copied](model)
    made = TABLES[table] if table is not None else lambda X: X
    assert learned(model, made(X[:N_TRAIN]), made(X[N_TRAIN:])) == reference


@pytest.mark.parametrize("network", ["TabM with dropout", "MLP", "ResNet", "FTTransformer", "user's"])
def test_more_threads_than_a_step_is_worth_change_no_bit(network, monkeypatch):
    """Work that is worth threads: without a bound on what they share, ResNet and the user's network differ."""
    monkeypatch.setattr(_threads, "_WORK_PER_THREAD", 1)
    assert learned(_on(1, estimator(NeuralClassifier, network))) == learned(
        _on(3, estimator(NeuralClassifier, network))
    )


def _on(n_threads: int, model: Any) -> Any:
    torch.set_num_threads(n_threads)
    return model


def test_the_largest_steps_and_those_without_a_seed_get_all_threads():
    torch.set_num_threads(2)
    for work, repeatable, n_threads in [(2**26, True, 1), (2**28, True, 2), (2**26, False, 2), (1, False, 1)]:
        with _threads.limited_threads(work, repeatable=repeatable):
            assert torch.get_num_threads() == n_threads
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor])
@pytest.mark.parametrize("network", list(NETWORKS))
def test_a_callback_that_only_listens_changes_no_bit(kind, network):
    assert learned(estimator(kind, network, early_stopping=True, callbacks=[Passive()])) == expected(
        kind, network, True
    )


def test_targets_of_any_layout():
    y = np.column_stack([Y, 3 * Y + 1e4])[:N_TRAIN]
    wanted = learned(estimator(NeuralRegressor, "MLP"), y=y)
    for other in (np.asfortranarray(y), np.repeat(y, 2, 1)[:, ::2], pd.DataFrame(y), y.tolist()):
        assert learned(estimator(NeuralRegressor, "MLP"), y=other) == wanted


def test_sparse_tables_of_any_format():
    table = np.nan_to_num(np.round(X))
    wanted = learned(
        estimator(NeuralClassifier, "MLP"), *(sparse.csr_array(part) for part in (table[:N_TRAIN], table[N_TRAIN:]))
    )
    for kind in (sparse.csc_array, sparse.coo_array):
        assert learned(estimator(NeuralClassifier, "MLP"), kind(table[:N_TRAIN]), kind(table[N_TRAIN:])) == wanted


def test_categories_of_any_kind_of_table():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": X[:, 0], "b": rng.choice(["u", "v", "w"], len(X)), "c": X[:, 1]})

    def parts(table: Any) -> tuple[Any, Any]:
        return table[:N_TRAIN], table[N_TRAIN:]

    wanted = learned(estimator(NeuralRegressor, "TabM"), *parts(frame))
    for table in (frame.astype({"b": "category"}), frame.astype(object), pl.from_pandas(frame), frame.to_numpy()):
        assert learned(estimator(NeuralRegressor, "TabM"), *parts(table)) == wanted


def test_a_generator_is_moved_on_and_its_state_decides():
    generator, other = np.random.RandomState(4), np.random.RandomState(4)
    first, second = (learned(estimator(NeuralClassifier, "MLP", random_state=generator)) for _ in range(2))
    assert first != second
    assert first == learned(estimator(NeuralClassifier, "MLP", random_state=other))
    assert str(generator.get_state()) != str(other.get_state())
    assert second == learned(estimator(NeuralClassifier, "MLP", random_state=other))


@pytest.mark.parametrize("network", list(NETWORKS))
def test_a_prediction_does_not_depend_on_the_rows_beside_it(network):
    model = estimator(NeuralRegressor, network).fit(X[:N_TRAIN], Y[:N_TRAIN])
    together = model.predict(X)
    for size in (1, 7, 64):
        parts = np.concatenate([model.predict(X[start : start + size]) for start in range(0, len(X), size)])
        np.testing.assert_allclose(parts, together, rtol=1e-6, atol=1e-6)


def test_fits_at_the_same_time_and_in_any_order():
    names = ["TabM", "user's", "MLP"]
    alone = [expected(NeuralClassifier, name, True) for name in names]
    fits = [delayed(learned)(estimator(NeuralClassifier, name, early_stopping=True)) for name in names]
    assert Parallel(n_jobs=3, backend="threading")(fits) == alone
    assert Parallel(n_jobs=1)(fits[::-1]) == alone[::-1]


SCRIPT = """
import hashlib, sys
import {imports}
from tests.test_reproducible import NeuralClassifier, estimator, learned
for network in ("TabM", "user's"):
    print(hashlib.sha256(b"".join(learned(estimator(NeuralClassifier, network, early_stopping=True)))).hexdigest())
"""


def digests() -> list[str]:
    import hashlib

    parts = [b"".join(expected(NeuralClassifier, network, True)) for network in ("TabM", "user's")]
    return [hashlib.sha256(part).hexdigest() for part in parts]


def test_a_fresh_process_with_other_hashes_threads_and_imports():
    environment = {**os.environ, "PYTHONHASHSEED": "11", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "1"}
    script = SCRIPT.format(imports="sklearn.ensemble, scipy.stats")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment, timeout=120,
        cwd=os.path.dirname(os.path.dirname(__file__)),
    )  # fmt: skip
    assert done.stdout.split() == digests()


def _child(queue: Any) -> None:
    queue.put((torch.get_num_threads(), learned(estimator(NeuralClassifier, "TabM", early_stopping=True))))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_learns_the_same_and_does_not_wait_for_threads_it_has_not():
    wanted = expected(NeuralClassifier, "TabM", True)
    torch.set_num_threads(2)
    torch.rand(2000, 2000).exp().sum()  # OpenMP's threads wait in the parent now
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_child, args=(queue,), daemon=True)
    process.start()
    try:
        assert queue.get(timeout=60) == (1, wanted)
    finally:
        process.kill()


def test_ctrl_c_in_a_thread_of_its_own_leaves_the_lock_free():
    interrupt_a_fit()
    done: list[tuple[bytes, ...]] = []
    thread = threading.Thread(
        target=lambda: done.append(learned(estimator(NeuralClassifier, "MLP", early_stopping=True)))
    )
    thread.start()
    thread.join(60)
    assert done == [expected(NeuralClassifier, "MLP", True)]


class Stops(Callback):
    """Ends the training in a step, as skorch's callbacks do."""

    def __init__(self, step: int) -> None:
        self.left = step

    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        """Stop."""
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("stop", [True, False])
def test_a_stop_within_an_epoch_tells_of_the_whole_epochs(stop):
    n_steps = 8 if stop else 10  # of an epoch: 16 rows each
    for step, n_epochs in [(1, 0), (n_steps + 2, 1)]:
        model = estimator(NeuralClassifier, "MLP", early_stopping=stop, callbacks=[Stops(step)])
        learned(model)
        assert model.n_iter_ == len(model.loss_curve_) == n_epochs
        assert (model.validation_scores_ is not None and len(model.validation_scores_) == n_epochs) == (
            stop or not n_epochs
        )
