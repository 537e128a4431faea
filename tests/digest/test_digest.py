"""A fit is known again when it is the same, in another process and on another day, and never when it is not."""

from __future__ import annotations

import ast
import copy
import functools
import subprocess
import sys
import threading
import types
from collections import Counter, OrderedDict, defaultdict
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import accuracy_score, fbeta_score, make_scorer
from sklearn.metrics._scorer import _PassthroughScorer
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from skorch.callbacks import EpochScoring

from sknn import NeuralClassifier
from sknn._digest import UndigestibleError, digest

X, Y = load_iris(return_X_y=True)
FRAME = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": ["x", None, "z"], "c": pd.Categorical(["u", "v", "u"])})
MOMENTS = pd.DataFrame({"t": pd.to_datetime(["2020-01-01", None, "2020-01-03"]), "d": pd.to_timedelta([1, 2, 3], "h")})
NULLABLE = pd.DataFrame({"i": pd.array([1, None, 3], dtype="Int64"), "s": pd.array(["x", None, "z"], dtype="string")})


class Remembers(BaseEstimator):
    def __init__(self, memory=1):
        self.memory = memory


class Net(torch.nn.Module):
    def __init__(self, in_features, out_features, width=4):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(in_features, width), torch.nn.Linear(width, out_features))

    def forward(self, x):
        return self.layers(x)


def written(text: str, name: str = "subject", module: str = "written_by_a_user"):
    """What a module of the user's own, with this text, calls `name`."""
    made = types.ModuleType(module)
    with mock.patch.dict(sys.modules, {module: made}):
        exec(compile(text, "<user>", "exec"), made.__dict__)
    return getattr(made, name)


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


# Anything that may stand in a search: made anew by each call, and the same each time.
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
    "distribution": lambda: loguniform(1e-4, 1e-1),
    "functions": lambda: [written, len, np.linalg.norm, functools.partial(fbeta_score, beta=2), "x".join, [].append],
    "lambda": lambda: written("subject = lambda x, k=2: [x * k for _ in range(3)]"),
    "classes": lambda: [Net, LogisticRegression, int, torch.optim.AdamW, NeuralClassifier],
    "scorers": lambda: [make_scorer(fbeta_score, beta=2), make_scorer(accuracy_score)],
    "splitters": lambda: [KFold(3, shuffle=True, random_state=1), GroupKFold(2), ShuffleSplit(random_state=0)],
    "kernel": lambda: GaussianProcessRegressor(RBF(2.0) + WhiteKernel()),
    "pipeline": lambda: make_pipeline(
        ColumnTransformer([("n", StandardScaler(), ["a"]), ("c", OneHotEncoder(), [1])]), FunctionTransformer(np.log1p), SGDClassifier()
    ),
    "frozen": lambda: FrozenEstimator(fitted()),
    "ours": lambda: NeuralClassifier(Net, module_params={"width": 5}, callbacks=[EpochScoring("accuracy")], random_state=0),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_made_twice_alike_is_the_same(name):
    for as_cloned in (True, False):
        first = digest(OBJECTS[name](), as_cloned=as_cloned)
        assert digest(OBJECTS[name](), as_cloned=as_cloned) == first
        if name != "polars":
            assert digest(copy.deepcopy(OBJECTS[name]()), as_cloned=as_cloned) == first


def test_the_same_in_another_process():
    """Whatever the seed of hashes, from which follows the order of sets."""
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_digest import OBJECTS, digest\n"
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
    "learned, to be cloned": (fitted(), LogisticRegression()),
    "equal and one": ([X, X], [X, X.copy()]),
    "comments": (written("def subject(x):\n    return x + 1"), written("# why\n\n\ndef subject(x):\n    'Add.'\n    return x + 1")),
    "a scorer by score()": (_PassthroughScorer(LogisticRegression(C=2)), _PassthroughScorer(LogisticRegression(C=3))),
    "order of keys": ({"a": 1, 2: "b", (1,): 3}, {(1,): 3, 2: "b", "a": 1}),
    "a number of numpy": ([3, 0.1, True, "a"], [np.int64(3), np.float64(0.1), np.bool_(True), np.str_("a")]),
    "how many processes": (SGDClassifier(n_jobs=2, verbose=1), SGDClassifier()),
    "a place for results between": (make_pipeline(KFold(2), memory="here"), make_pipeline(KFold(2))),
    "a checkpoint": (NeuralClassifier(checkpoint="a", checkpoint_every_s=1.0), NeuralClassifier(verbose=1)),
    "unused neighbours": (written("def subject(x):\n    return x"), written("OTHER = 3\ndef subject(x):\n    return x")),
}  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
def test_what_makes_no_difference(name):
    one, other = ALIKE[name]
    assert digest(one, as_cloned=True) == digest(other, as_cloned=True)


def test_a_memory_map_is_the_array_in_it(tmp_path):
    np.save(tmp_path / "X.npy", X)
    assert digest(np.load(tmp_path / "X.npy", mmap_mode="r")) == digest(X)


SCORE = "def cost(y):\n    return {}\n\ndef subject(est, X, y):\n    return cost(y)"
DIFFERENT = {
    "int and float": (1, 1.0),
    "int and bool": (1, True),
    "float of another precision": (0.1, np.float32(0.1)),
    "a span of time": (3, np.timedelta64(3, "ns")),
    "order that was asked for": (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
    "a memory of the user's own": (Remembers(1), Remembers(2)),
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
    "body": (written("def subject(x):\n    return x + 1"), written("def subject(x):\n    return x - 1")),
    "a constant": (written("def subject(x):\n    return x + 1"), written("def subject(x):\n    return x + 2")),
    "a default": (written("def subject(x, k=1):\n    return k"), written("def subject(x, k=2):\n    return k")),
    "a name used": (written("def subject(x):\n    return len(x)"), written("def subject(x):\n    return sum(x)")),
    "a helper": (written(SCORE.format(1)), written(SCORE.format(2))),
    "a global": tuple(written(f"K = {k}\ndef subject(x):\n    return K") for k in ("1", "(1, 2)")),
    "a global table": tuple(written(f"K = {{'a': {k}}}\ndef subject(x):\n    return K") for k in (1, 2)),
    "a closure": tuple(written(f"def f(k):\n    return lambda x: x + k\nsubject = f({k})") for k in (1, 2)),
    "inside of a function": tuple(written(f"def subject(x):\n    return [(lambda: {k})() for _ in x]") for k in (1, 2)),
    "a decorator": tuple(
        written(f"import functools\ndef by(f):\n    @functools.wraps(f)\n    def g(x):\n        return f(x) * {k}\n    return g\n@by\ndef subject(x):\n    return x")
        for k in (1, 2)
    ),
    "behind a cache": tuple(written(f"import functools\n@functools.cache\ndef subject(x):\n    return {k}") for k in (1, 2)),
    "a method": tuple(written(f"class subject:\n    def fit(self):\n        return {k}") for k in (1, 2)),
    "a static method": tuple(written(f"class subject:\n    @staticmethod\n    def f():\n        return {k}") for k in (1, 2)),
    "a property": tuple(written(f"class subject:\n    @property\n    def f(self):\n        return {k}") for k in (1, 2)),
    "an attribute of a class": tuple(written(f"class subject:\n    rate = {k}") for k in (1, 2)),
    "a base class": tuple(written(f"class Base:\n    rate = {k}\nclass subject(Base):\n    pass") for k in (1, 2)),
    "an instance of a class": tuple(written(f"class C:\n    def __call__(self):\n        return {k}\nsubject = C()") for k in (1, 2)),
    "a bound method": tuple(written(f"class C:\n    def f(self):\n        return {k}\nsubject = C().f") for k in (1, 2)),
    "a dataclass": tuple(
        written(f"import dataclasses\n@dataclasses.dataclass\nclass subject:\n    rate: float = {k}") for k in (1, 2)
    ),
    "a partial": (functools.partial(fbeta_score, beta=1), functools.partial(fbeta_score, beta=2)),
    "shuffle": (KFold(3), KFold(3, shuffle=True, random_state=0)),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_makes_a_difference(name):
    one, other = DIFFERENT[name]
    assert digest(one, as_cloned=True) != digest(other, as_cloned=True)


def test_a_network_of_the_users_own_by_what_it_computes():
    text = (
        "import torch\n"
        "class subject(torch.nn.Module):\n"
        "    def __init__(self, in_features, out_features):\n"
        "        super().__init__()\n"
        "        self.layer = torch.nn.Linear(in_features, out_features)\n"
        "    def forward(self, x):\n"
        "        return self.layer({})\n"
    )
    plain, shrunk = (written(text.format(inside)) for inside in ("x", "x / 2"))
    assert digest(NeuralClassifier(plain), as_cloned=True) == digest(
        NeuralClassifier(written(text.format("x"))), as_cloned=True
    )
    assert digest(NeuralClassifier(plain), as_cloned=True) != digest(NeuralClassifier(shrunk), as_cloned=True)


def test_a_scorer_counts_by_the_model_that_it_asks():
    def with_model(model):
        scorer = written("def subject(est, X, y):\n    return model.score(X, y)")
        scorer.__globals__["model"] = model
        return digest(scorer, as_cloned=True)

    assert with_model(fitted()) == with_model(fitted())
    assert with_model(fitted()) != with_model(fitted(C=1e-3))


@pytest.mark.parametrize("how", ["import helpers_of_a_user as h", "from helpers_of_a_user import weigh"])
@pytest.mark.parametrize("inside", [True, False])
def test_modules_of_the_users_own_by_what_is_used_of_them(tmp_path, monkeypatch, how, inside):
    monkeypatch.syspath_prepend(tmp_path)
    call = "h.weigh(x)" if how.endswith(" h") else "weigh(x)"
    text = f"def subject(x):\n    {how}\n    return {call}" if inside else f"{how}\ndef subject(x):\n    return {call}"

    def seen(helper: str) -> str:
        (tmp_path / "helpers_of_a_user.py").write_text(helper)
        sys.modules.pop("helpers_of_a_user", None)
        sys.path_importer_cache.clear()
        return digest(written(text))

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    first = seen("K = 1\ndef weigh(x):\n    return K")
    assert seen("K = 1\ndef weigh(x):\n    return K") == first
    assert seen("K = 20\ndef weigh(x):\n    return K") != first


@pytest.mark.parametrize(
    "how", ["import deep_of_a_user", "from deep_of_a_user import K", "from pack_of_a_user import part"]
)
def test_modules_imported_by_modules_that_are_imported_when_code_runs(tmp_path, monkeypatch, how):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mid_of_a_user.py").write_text(how)
    (tmp_path / "pack_of_a_user").mkdir()
    (tmp_path / "pack_of_a_user" / "__init__.py").write_text("")
    (tmp_path / "pack_of_a_user" / "part.py").write_text("from .deeper import K")

    def seen(k: int) -> str:
        (tmp_path / "deep_of_a_user.py").write_text(f"import mid_of_a_user\nK = {k}")
        (tmp_path / "pack_of_a_user" / "deeper.py").write_text(f"K = {k}")
        return digest(written("def subject(x):\n    from mid_of_a_user import f\n    return f(x)"))

    assert seen(1) == seen(1)
    assert seen(1) != seen(2)


def test_attributes_called_as_a_global_of_the_script():
    text = "class subject:\n    def fit(self):\n        self.model = 1\n        return self.model\nmodel = {}"
    assert digest(written(text.format(1))) == digest(written(text.format(2)))


def test_packages_that_code_only_mentions_are_not_imported(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "a_large_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(package.parent)
    digest(written("def subject(x):\n    import a_large_package.part\n    from a_large_package import other"))


def test_functions_that_call_each_other_whichever_is_asked_first():
    text = "def subject(n):\n    return other(n)\ndef other(n):\n    return subject(n)"
    module, again = written(text).__globals__, written(text).__globals__
    alone = digest(module["other"])
    assert digest([module["subject"], module["other"]]) == digest([again["subject"], again["other"]])
    assert digest(again["other"]) == alone


COUNTERS = {
    "a global": "n = 0\ndef use():\n    global n\n    n += 1",
    "a list": "seen = []\ndef use():\n    seen.append(1)",
    "a dict": "seen = {}\ndef use():\n    seen['n'] = seen.get('n', 0) + 1",
    "items of a Counter": "import collections\nseen = collections.Counter()\ndef use():\n    seen['n'] += 1",
    "a closure": "def make():\n    n = 0\n    def use():\n        nonlocal n\n        n += 1\n    return use\nuse = make()",
    "a list in a closure": "def make(seen):\n    return lambda: seen.append(1)\nuse = make([])",
    "an iterator": "import itertools\nn = itertools.count()\ndef use():\n    return next(n)",
    "an instance": "class T:\n    n = 0\nt = T()\ndef use():\n    t.n += 1",
    "a class, by name": "class C:\n    n = 0\n    def __call__(self):\n        C.n += 1\nuse = C()",
    "a class, by type": "class C:\n    n = 0\n    def __call__(self):\n        type(self).n += 1\nuse = C()",
    "a class, by __class__": "class C:\n    n = 0\n    def __call__(self):\n        self.__class__.n += 1\nuse = C()",
    "a class method": "class C:\n    n = 0\n    @classmethod\n    def __call__(cls):\n        cls.n += 1\nuse = C()",
    "a list of a class": "class C:\n    seen = []\n    def __call__(self):\n        self.seen.append(1)\nuse = C()",
    "a dict of a class": "class C:\n    seen = {}\n    def __call__(self):\n        self.seen[len(self.seen)] = 1\nuse = C()",
    "a cache": "known = {}\ndef use(k=1):\n    if k not in known:\n        known[k] = k + 1\n    return known[k]",
    "the last of all": "last = None\ndef use():\n    global last\n    last = 3",
    "made by the first call": "def use():\n    global made\n    made = 3",
    "an attribute of a class, made by the first call": (
        "class C:\n    def __call__(self):\n        self.__class__.n = getattr(self.__class__, 'n', 0) + 1\nuse = C()"
    ),
    "an attribute of itself": "def use():\n    use.n += 1\nuse.n = 0",
    "behind a cache": "import functools\n@functools.cache\ndef f(n):\n    return n\ndef use():\n    return f(1)",
}


@pytest.mark.parametrize("name", COUNTERS)
def test_what_code_counts_or_notes_is_not_what_it_is(name):
    use = written(COUNTERS[name], "use")
    before = digest(use)
    use()
    use()
    assert digest(use) == before


# Each with what it decides in place of {}. In most, the same code stores something elsewhere.
DECISIVE = {
    "a dict, items stored elsewhere": "costs = {{0: {}}}\ndef use(w):\n    w[0] = costs[0]",
    "a list, items stored elsewhere": "costs = [{}]\ndef use():\n    w = {{}}\n    w['a'] = costs[0]",
    "an array, items stored elsewhere": "import numpy as np\ncosts = np.full(1, {}.0)\ndef use(w, y):\n    w[:] = costs[y]",
    "a key": "costs, where = {{}}, [{}]\ndef use():\n    costs[where[0]] = 1",
    "a dict of a closure": "def make(costs):\n    def use(w):\n        w[0] = costs[0]\n    return use\nuse = make([{}])",
    "an instance, attributes stored elsewhere": "class C:\n    pass\nc = C()\nc.k = {}\ndef use(m):\n    m.k = c.k",
    "a dataclass read in a constructor": (
        "import dataclasses\n@dataclasses.dataclass\nclass C:\n    k: int = 1\nc = C({})\n"
        "class use:\n    def __init__(self):\n        self.k = c.k"
    ),
    "an instance of which another attribute counts": (
        "class C:\n    n = 0\nc = C()\nc.k = {}\ndef use():\n    c.n += 1\n    return c.k"
    ),
    "a counter that its own methods read": (
        "class C:\n    def rate(self):\n        return self.n\nc = C()\nc.n = {}\ndef use():\n    c.n += 1\n    return c.rate()"
    ),
    "a list of a class": "class use:\n    grid = [{}]\n    def fit(self):\n        s = {{}}\n        s[0] = self.grid[0]",
    "an attribute of a class, on an instance": (
        "class use:\n    k = {}\n    @classmethod\n    def make(cls, **k):\n        m = cls()\n        m.k = k.get('k', cls.k)"
    ),
    "an attribute of a class, on another": "class use:\n    k = {}\n    def f(self, m):\n        m.k = self.k\n        return type(self)",
    "a number of a closure, bound anew": (
        "def make(k):\n    def use():\n        nonlocal k\n        k = float(k)\n        return k\n    return use\nuse = make({})"
    ),
    "a global that goes on from where it starts": "k = {}\ndef use():\n    global k\n    k += 1\n    return k",
    "a counter of a class that others read": (
        "class C:\n    n = {}\n    def f(self):\n        type(self).n += 1\ndef use():\n    C().f()\n    return C.n"
    ),
    "a counter of a base class": (
        "class C:\n    n = {}\n    def f(self):\n        type(self).n += 1\nclass use(C):\n    def g(self):\n        return self.n"
    ),
    "an attribute of a function": "def use():\n    use.n = 1\n    return use.k\nuse.k = {}",
    "a setting with a default": "c = {{'k': {}}}\ndef use():\n    c.setdefault('k', 4)\n    return c['k']",
    "a setting beside a counter": "c = {{'n': 0, 'k': {}}}\ndef use():\n    c['n'] += 1\n    return c['k']",
    "a list that is added to": "sizes = [{}]\ndef use():\n    sizes.append(1)\n    return sizes",
    "shares that are made to sum to one": "c = {{0: {}}}\ndef use():\n    for k, v in c.items():\n        c[k] = v / 2\n    return c",
    "shares that are halved": "c = {{0: {}}}\ndef use(k):\n    c[k] /= 2\n    return c[k]",
}  # fmt: skip


@pytest.mark.parametrize("name", DECISIVE)
def test_what_code_reads_counts_whatever_else_it_stores(name):
    one, again, other = (digest(written(DECISIVE[name].format(k), "use")) for k in (1, 1, 2))
    assert one == again
    assert one != other


def test_docstrings_inside_of_functions_do_not_count_unless_they_are_used():
    text = "def subject():\n    def inner(x):\n        {!r}\n        return {!r}\n    return inner"
    assert digest(written(text.format("one", 1))) == digest(written(text.format("two", 1)))
    assert digest(written(text.format("one", "one"))) != digest(written(text.format("two", "two")))


@pytest.mark.parametrize("does", ["self.width *= 2", "self.out[0] = self.width"])
def test_attributes_of_a_class_count_though_instances_have_their_own(does):
    text = "class subject:\n    width = {}\n    def grow(self):\n        " + does
    assert digest(written(text.format(1))) != digest(written(text.format(2)))


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


def test_networks_as_they_stand_in_training_or_not():
    assert digest(linear()) == digest(linear().eval())
    scorer = "def make(net):\n    return lambda x: net(x)"
    assert digest(written(scorer, "make")(linear())) != digest(written(scorer, "make")(linear().eval()))


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
    assert digest(asking, as_cloned=True) != digest(LogisticRegression(), as_cloned=True)


class Holds(BaseEstimator):
    def __init__(self, what=None):
        self.what = what

    def fit(self, X, y=None):
        return self


@pytest.mark.parametrize(
    "make", [lambda: (i for i in "ab"), threading.Lock, lambda: sys.stdout, lambda: torch.ones(1, device="meta")]
)
def test_what_cannot_be_known_again_is_refused_by_name(make):
    with pytest.raises(UndigestibleError, match=r"estimator\.what\.0 is or holds a "):
        digest(Holds([make()]), "estimator", as_cloned=True)


def test_no_sum_of_what_is_too_deep():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(UndigestibleError, match="X is or holds a list"):
        digest(deep, "X")


def test_clones_are_the_same_again_and_again():
    model = OBJECTS["pipeline"]()
    assert len({digest(clone(model), as_cloned=True) for _ in range(3)} | {digest(model, as_cloned=True)}) == 1


def test_tables_are_left_as_they_are():
    matrix = sp.csr_array((np.ones(2), np.array([1, 0]), np.array([0, 2])), shape=(1, 2))
    digest(matrix)
    np.testing.assert_array_equal(matrix.indices, [1, 0])
