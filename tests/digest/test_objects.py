"""Equal objects have equal digests, in other processes too; objects that differ have other digests."""

from __future__ import annotations

import ast
import copy
import functools
import subprocess
import sys
import threading
from collections import Counter, OrderedDict, defaultdict
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import accuracy_score, fbeta_score, make_scorer
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from skorch.callbacks import EpochScoring

from sknn import NeuralClassifier
from sknn._digest import UndigestibleError, digest
from tests.digest.written import written

X, Y = load_iris(return_X_y=True)
FRAME = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": ["x", None, "z"], "c": pd.Categorical(["u", "v", "u"])})
MOMENTS = pd.DataFrame({"t": pd.to_datetime(["2020-01-01", None, "2020-01-03"]), "d": pd.to_timedelta([1, 2, 3], "h")})
NULLABLE = pd.DataFrame({"i": pd.array([1, None, 3], dtype="Int64"), "s": pd.array(["x", None, "z"], dtype="string")})


class Net(torch.nn.Module):
    def __init__(self, in_features, out_features, width=4):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(in_features, width), torch.nn.Linear(width, out_features))

    def forward(self, x):
        return self.layers(x)


def fitted(**params):
    return LogisticRegression(**params).fit((X - X.mean(axis=0)) / X.std(axis=0), Y)


def generator_at(n_drawn: int):
    generator = np.random.default_rng(0)
    generator.random(n_drawn)
    return generator


def changed(table, place, value):
    table = table.copy()
    table.iloc[place] = value
    return table


def circle():
    found: list = [1]
    found.append(found)
    return found


# Made anew by each call, and equal each time.
OBJECTS = {
    "plain": lambda: [None, True, 1, -0.0, float("nan"), 1e300, 2j, "ä\ud800", b"b", ..., (1,), {"k": {1, "two", None}}],
    "collections": lambda: [OrderedDict(a=1), Counter("aab"), defaultdict(list, a=[1]), Decimal("1.10"), Path("/a")],
    "circle": circle,
    "arrays": lambda: [np.arange(6).reshape(2, 3), np.array(["x", None, 2.5], dtype=object), np.array(3.0), np.zeros((0, 3))],
    "numpy values": lambda: [np.float64(1), np.int8(2), np.str_("s"), np.datetime64("2020-01-01"), np.dtype("f4"), np.sin],
    "records": lambda: np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "masked": lambda: np.ma.array([1, 2], mask=[True, False]),
    "tensors": lambda: [torch.arange(4.0), torch.ones(2, dtype=torch.bfloat16), torch.tensor(True), torch.float32],
    "network": lambda: (torch.manual_seed(0), Net(2, 3))[1],
    "sparse": lambda: [sp.csr_array(np.eye(3)), sp.coo_matrix(np.eye(2)), sp.dok_array((2, 2)), sp.coo_array([0, 1, 2])],
    "pandas": lambda: [FRAME.copy(), MOMENTS.copy(), NULLABLE.copy(), FRAME["a"].copy(), FRAME["b"].copy()],
    "time zones": lambda: MOMENTS["t"].dt.tz_localize("Europe/Paris"),
    "levels": lambda: pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
    "polars": lambda: pl.DataFrame({"a": [1.0, None], "b": ["x", None], "c": pl.Series(["u", "v"], dtype=pl.Categorical)}),
    "moments": lambda: [pl.DataFrame({"t": [datetime(2020, 1, 1), None], "d": [date(2020, 1, 1), None], "h": [time(1), None]}), datetime(2020, 1, 1, tzinfo=UTC)],
    "arrow": lambda: pa.table({"a": [1, None], "b": ["x", "y"]}),
    "random states": lambda: [np.random.RandomState(3), np.random.default_rng(3), np.random.PCG64(5)],
    "functions": lambda: [written, len, np.linalg.norm, functools.partial(fbeta_score, beta=2), "x".join, [].append],
    "lambda": lambda: written("subject = lambda x, k=2: [x * k for _ in range(3)]"),
    "classes": lambda: [Net, LogisticRegression, int, torch.optim.AdamW, NeuralClassifier],
    "scorers": lambda: [make_scorer(fbeta_score, beta=2), make_scorer(accuracy_score)],
    "splitters": lambda: [KFold(3, shuffle=True, random_state=1), GroupKFold(2), ShuffleSplit(random_state=0)],
    "kernel": lambda: GaussianProcessRegressor(RBF(2.0) + WhiteKernel()),
    "pipeline": lambda: make_pipeline(
        ColumnTransformer([("n", StandardScaler(), ["a"]), ("c", OneHotEncoder(), [1])]), FunctionTransformer(np.log1p), SGDClassifier()
    ),
    "frozen": lambda: FrozenEstimator(StandardScaler().fit([[0.0], [1.0]])),
    "ours": lambda: NeuralClassifier(Net, module_params={"width": 5}, callbacks=[EpochScoring("accuracy")], random_state=0),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_equal_objects(name):
    first = digest(OBJECTS[name]())
    assert digest(OBJECTS[name]()) == first
    if name != "polars":
        assert digest(copy.deepcopy(OBJECTS[name]())) == first


def test_the_same_in_another_process():
    """With another seed of hashes, on which the order of sets depends."""
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from tests.digest.test_objects import OBJECTS, digest\n"
        "print({name: digest(make()) for name, make in OBJECTS.items()})\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONHASHSEED": "77", "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert {name: digest(make()) for name, make in OBJECTS.items()} == ast.literal_eval(ran.stdout)


ALIKE = {
    "layout of memory": (np.asfortranarray(X), np.ascontiguousarray(X)),
    "a view with gaps": (np.repeat(X, 2, axis=0)[::2], X),
    "order of a set": ({"a", "b", "c"}, {"c", "b", "a"}),
    "format of a sparse matrix": (sp.csr_array(np.eye(3)), sp.csr_array(sp.coo_array(np.eye(3)))),
    "equal and one": ([X, X], [X, X.copy()]),
    "order of keys": ({"a": 1, 2: "b", (1,): 3}, {(1,): 3, 2: "b", "a": 1}),
    "a number of numpy": ([3, 0.1, True, "a"], [np.int64(3), np.float64(0.1), np.bool_(True), np.str_("a")]),
}  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
def test_differences_that_do_not_count(name):
    one, other = ALIKE[name]
    assert digest(one) == digest(other)


def test_a_memory_map_equals_its_array(tmp_path):
    np.save(tmp_path / "X.npy", X)
    assert digest(np.load(tmp_path / "X.npy", mmap_mode="r")) == digest(X)


DIFFERENT = {
    "int and float": (1, 1.0),
    "int and bool": (1, True),
    "float of another precision": (0.1, np.float32(0.1)),
    "a span of time": (3, np.timedelta64(3, "ns")),
    "order that was asked for": (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
    "zeros": (0.0, -0.0),
    "text and bytes": ("a", b"a"),
    "list and tuple": ([1], (1,)),
    "nesting": ([[1], 2], [[1, 2]]),
    "split text": (["ab", "c"], ["a", "bc"]),
    "a value and its repr": ("None;", None),
    "one number": (X, np.where(X[3, 1] == X, X + 1e-12, X)),
    "shape": (np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)),
    "dtype": (np.arange(3), np.arange(3, dtype=np.int32)),
    "order of rows": (X, X[::-1]),
    "tensor grad": (torch.ones(2), torch.ones(2, requires_grad=True)),
    "mask": (np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[0, 0])),
    "column names": (FRAME, FRAME.rename(columns={"a": "z"})),
    "order of columns": (FRAME, FRAME[["b", "a", "c"]]),
    "a text in a table": (FRAME, changed(FRAME, (2, 1), "y")),
    "a gap": (FRAME, changed(FRAME, (0, 0), np.nan)),
    "None and NaN": (pd.Series(["a", None], dtype=object), pd.Series(["a", np.nan], dtype=object)),
    "categories": (FRAME, FRAME.assign(c=FRAME["c"].cat.add_categories("w"))),
    "order of categories": (FRAME["c"], FRAME["c"].cat.as_ordered()),
    "index": (FRAME, FRAME.set_axis([5, 6, 7])),
    "a moment": (MOMENTS, changed(MOMENTS, (0, 0), pd.Timestamp("2020-01-02"))),
    "time zone": (MOMENTS["t"].dt.tz_localize("UTC"), MOMENTS["t"].dt.tz_localize("Europe/Paris")),
    "a gap and zero, polars": (pl.DataFrame({"a": [1, 0]}), pl.DataFrame({"a": [1, None]})),
    "a moment, polars": tuple(pl.DataFrame({"t": [datetime(2020, 1, d), None]}) for d in (1, 2)),
    "a moment, Arrow": tuple(pa.table({"t": [datetime(2020, 1, d), None]}) for d in (1, 2)),
    "a gap among moments": tuple(pl.DataFrame({"t": [datetime(2020, 1, 1), t]}) for t in (None, datetime(1970, 1, 1))),
    "dates and moments": (date(2020, 1, 1), datetime(2020, 1, 1)),
    "digits of a decimal": (Decimal("1.0"), Decimal("1.00")),
    "kind of table": (pl.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]})),
    "sparse": (sp.csr_array(np.eye(3)), sp.csr_array(np.eye(3)[::-1])),
    "a parameter": (LogisticRegression(), LogisticRegression(C=2.0)),
    "a nested parameter": (make_pipeline(StandardScaler(), SGDClassifier()), make_pipeline(StandardScaler(), SGDClassifier(alpha=1))),
    "class of an estimator": (LogisticRegression(), SGDClassifier()),
    "what is frozen": (FrozenEstimator(fitted()), FrozenEstimator(fitted(C=1e-3))),
    "frozen deep inside": tuple(CalibratedClassifierCV(FrozenEstimator(fitted(C=c))) for c in (1.0, 1e-3)),
    "state of a generator": (np.random.RandomState(0), np.random.RandomState(1)),
    "drawn from": (np.random.default_rng(0), generator_at(1)),
    "parameters of a scorer": (make_scorer(fbeta_score, beta=1), make_scorer(fbeta_score, beta=2)),
    "sign of a scorer": (make_scorer(accuracy_score), make_scorer(accuracy_score, greater_is_better=False)),
    "parameters of a module": (NeuralClassifier(Net), NeuralClassifier(Net, module_params={"width": 9})),
    "weights of a network": (torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)),
    "a partial": (functools.partial(fbeta_score, beta=1), functools.partial(fbeta_score, beta=2)),
    "shuffle": (KFold(3), KFold(3, shuffle=True, random_state=0)),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENT)
def test_objects_that_differ(name):
    one, other = DIFFERENT[name]
    assert digest(one) != digest(other)


def linear(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Linear(2, 2)


def double(module, given, output):
    return output * 2


def halve(module, given, output):
    return output / 2


def hooked(*hooks):
    network = linear()
    for hook in hooks:
        network.register_forward_hook(hook)
    return network


def test_networks_by_their_hooks_in_order():
    assert digest(hooked(double, halve)) == digest(hooked(double, halve))
    different = [hooked(), hooked(double), hooked(halve), hooked(double, halve), hooked(halve, double)]
    assert len({digest(network) for network in different}) == 5


def test_networks_in_training_and_in_evaluation_mode():
    assert digest(linear()) != digest(linear().eval())


def test_networks_by_the_order_in_which_their_parts_are_called():
    first, second = (
        torch.nn.Sequential(OrderedDict(parts))
        for parts in ([("a", linear()), ("b", linear(1))], [("b", linear(1)), ("a", linear())])
    )
    assert digest(first) != digest(second)


@pytest.mark.parametrize("name", ["weight_norm", "orthogonal", "spectral_norm"])
def test_parametrized_networks(name):
    def made(seed=0):
        network = linear(seed)
        torch.manual_seed(0)
        return getattr(torch.nn.utils.parametrizations, name)(network)

    assert digest(made()) == digest(made())
    assert len({digest(network) for network in (made(), made(1), linear())}) == 3


def test_metadata_requests_count():
    asking = LogisticRegression()
    vars(asking)["_metadata_request"] = "{'fit': {'sample_weight': True}}"
    assert digest(asking) != digest(LogisticRegression())


class Holds(BaseEstimator):
    def __init__(self, what=None):
        self.what = what

    def fit(self, X, y=None):
        return self


@pytest.mark.parametrize(
    "make", [lambda: (i for i in "ab"), threading.Lock, lambda: sys.stdout, lambda: torch.ones(1, device="meta")]
)
def test_objects_that_cannot_be_hashed_are_named(make):
    with pytest.raises(UndigestibleError, match=r"estimator\.what\.0 is or contains a "):
        digest(Holds([make()]), "estimator")


def test_lists_nested_too_deeply_are_refused():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(UndigestibleError, match="X is or contains a list"):
        digest(deep, "X")


def test_tables_are_not_changed():
    matrix = sp.csr_array((np.ones(2), np.array([1, 0]), np.array([0, 2])), shape=(1, 2))
    digest(matrix)
    np.testing.assert_array_equal(matrix.indices, [1, 0])
