"""Functions and classes of the user's own count by what they do and by the values that they refer to."""

from __future__ import annotations

import sys

import pytest

from sknn import NeuralClassifier
from sknn._digest import digest
from tests.digest.written import written

SCORE = "def cost(y):\n    return {}\n\ndef subject(est, X, y):\n    return cost(y)"
DIFFERENT = {
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
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENT)
def test_code_that_differs(name):
    one, other = DIFFERENT[name]
    assert digest(one) != digest(other)


ALIKE = {
    "comments": ("def subject(x):\n    return x + 1", "# why\n\n\ndef subject(x):\n    # add\n    return x + 1"),
    "unused neighbours": ("def subject(x):\n    return x", "OTHER = 3\ndef subject(x):\n    return x"),
    "an attribute with the name of a global": (
        "class subject:\n    def fit(self):\n        return self.model\nmodel = 1",
        "class subject:\n    def fit(self):\n        return self.model\nmodel = 2",
    ),
}


@pytest.mark.parametrize("name", ALIKE)
def test_code_that_does_the_same(name):
    one, other = ALIKE[name]
    assert digest(written(one)) == digest(written(other))


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
    assert digest(NeuralClassifier(plain)) == digest(NeuralClassifier(written(text.format("x"))))
    assert digest(NeuralClassifier(plain)) != digest(NeuralClassifier(shrunk))


@pytest.mark.parametrize("how", ["import helpers_of_a_user as h", "from helpers_of_a_user import weigh"])
def test_values_in_other_modules_of_the_users_own(tmp_path, monkeypatch, how):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    call = "h.weigh(x)" if how.endswith(" h") else "weigh(x)"

    def seen(helper: str) -> str:
        (tmp_path / "helpers_of_a_user.py").write_text(helper)
        sys.modules.pop("helpers_of_a_user", None)
        sys.path_importer_cache.clear()
        return digest(written(f"{how}\ndef subject(x):\n    return {call}"))

    first = seen("K = 1\ndef weigh(x):\n    return K")
    assert seen("K = 1\ndef weigh(x):\n    return K") == first
    assert seen("K = 20\ndef weigh(x):\n    return K") != first


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


# Each with the value that decides in place of {}.
DECISIVE = {
    "an array": "import numpy as np\ncosts = np.full(1, {}.0)\ndef use(w, y):\n    w[:] = costs[y]",
    "a list in a closure": "def make(costs):\n    def use(w):\n        w[0] = costs[0]\n    return use\nuse = make([{}])",
    "an attribute of an instance": "class C:\n    pass\nc = C()\nc.k = {}\ndef use(m):\n    m.k = c.k",
    "an attribute of a function": "def use():\n    return use.k\nuse.k = {}",
    "a global that the code changes": "k = {}\ndef use():\n    global k\n    k += 1\n    return k",
    "arguments of a command line": (
        "import argparse\nargs = argparse.Namespace(width={})\ndef use():\n    return args.width"
    ),
}


@pytest.mark.parametrize("name", DECISIVE)
def test_values_that_code_refers_to(name):
    one, again, other = (digest(written(DECISIVE[name].format(k), "use")) for k in (1, 1, 2))
    assert one == again
    assert one != other


def test_an_iterator_that_code_uses_up_counts_by_its_type():
    use = written("import itertools\nn = itertools.count()\ndef use():\n    return next(n)", "use")
    before = digest(use)
    use()
    assert digest(use) == before
