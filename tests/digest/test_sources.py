"""The contract of stored fits: an edit of the user's code leads to a new fit, an unchanged script recalls the old one."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from sknn import NeuralClassifier
from sknn._digest import sources
from sknn._digest.sources import Sources
from sknn.modules import MLP

HEAD = """
import sys
import numpy as np
from torch import nn
from sknn import NeuralClassifier

X = np.arange(40.0).reshape(20, 2) % 7
Y = np.arange(20) % 2
"""
TAIL = """
class Net(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.layer = nn.Linear(in_features, out_features)

    def forward(self, x):
        return self.layer(x) * factor()

def fit():
    model = NeuralClassifier(
        Net, max_epochs=1, early_stopping=False, gradient_health=None, random_state=0, checkpoint="fits"
    )
    return model.fit(X, Y)
"""
RUN = "\nfit()\n"
# What the factor is computed from; an edit replaces <K> = 1 by 2. Text of the script, and of other files.
EDITS: dict[str, tuple[str, dict[str, str]]] = {
    "a function": ("def factor():\n    return <K>", {}),
    "a default argument": ("def factor(k=<K>):\n    return k", {}),
    "a value in a closure": ("def made(k):\n    return lambda: k\nfactor = made(<K>)", {}),
    "a class attribute": ("class C:\n    k = <K>\ndef factor():\n    return C.k", {}),
    "a method of a base class": (
        "class B:\n    def k(self):\n        return <K>\nclass C(B):\n    pass\ndef factor():\n    return C().k()",
        {},
    ),
    "a dict": ("SETTINGS = {'k': <K>}\ndef factor():\n    return SETTINGS['k']", {}),
    "a function in a dict": ("def f():\n    return <K>\nBY_NAME = {'f': f}\ndef factor():\n    return BY_NAME['f']()", {}),
    "a registry filled by a decorator": (
        "FOUND = {}\ndef register(f):\n    FOUND[f.__name__] = f\n    return f\n"
        "@register\ndef k():\n    return <K>\ndef factor():\n    return FOUND['k']()",
        {},
    ),
    "a name in globals()": ("def k():\n    return <K>\ndef factor():\n    return globals()['k']()", {}),
    "subclasses found at run time": (
        "class B:\n    pass\nclass C(B):\n    k = <K>\ndef factor():\n    return B.__subclasses__()[0].k",
        {},
    ),
    "a method replaced at run time": (
        "class C:\n    def k(self):\n        return 0\ndef k(self):\n    return <K>\n"
        "setattr(C, 'k', k)\ndef factor():\n    return C().k()",
        {},
    ),
    "a function behind a property": (
        "class C:\n    @property\n    def k(self):\n        return <K>\ndef factor():\n    return C().k",
        {},
    ),
    "a constant in another module": ("import helpers\ndef factor():\n    return helpers.K", {"helpers": "K = <K>"}),
    "a helper of a helper": (
        "from helpers import k\ndef factor():\n    return k()",
        {"helpers": "import deeper\ndef k():\n    return deeper.k()", "deeper": "def k():\n    return <K>"},
    ),
    "getattr by name": (
        "import helpers\ndef factor():\n    return getattr(helpers, 'k' + 'k')()",
        {"helpers": "def kk():\n    return <K>"},
    ),
    "vars of a module": (
        "import helpers\ndef factor():\n    return vars(helpers)['kk']()",
        {"helpers": "def kk():\n    return <K>"},
    ),
    "a module imported by name while it trains": (
        "import importlib\ndef factor():\n    return importlib.import_module('plu' + 'gin').k()",
        {"plugin": "def k():\n    return <K>"},
    ),
    "a function of another module replaced by the script": (
        "import helpers\nhelpers.__dict__['k'] = lambda: <K>\ndef factor():\n    return getattr(helpers, 'k')()",
        {"helpers": "def k():\n    return 0"},
    ),
    "a plugin that registers itself": (
        "import plugin, registry\ndef factor():\n    return registry.FOUND['k']()",
        {
            "registry": "FOUND = {}",
            "plugin": "import registry\ndef k():\n    return <K>\nregistry.FOUND['k'] = k",
        },
    ),
}  # fmt: skip
fork = multiprocessing.get_context("fork") if hasattr(os, "fork") else None
pytestmark = pytest.mark.skipif(fork is None, reason="forks, so that a run costs no import")


@pytest.fixture(autouse=True, scope="module")
def imported(tmp_path_factory):
    """What a first fit with a checkpoint imports and hashes, once for all forks."""
    folder = tmp_path_factory.mktemp("fits")
    NeuralClassifier(MLP, max_epochs=1, checkpoint=folder).fit([[0.0], [1.0]] * 10, [0, 1] * 10)


def _run(folder: Path, in_notebook: bool) -> None:
    """In a process of its own: what ``python main.py`` or cells of a notebook do."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True  # Python trusts a cache of the same second
    sources._started = time.time() + 1.0  # the files are older than a process that Python starts
    if in_notebook:
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        vars(main)["__file__"] = "<stdin>"  # as of a script that is piped to Python; a notebook has none
        exec(compile((folder / "main.py").read_text(), "<cell>", "exec"), vars(main))
    else:
        runpy.run_path("main.py", run_name="__main__")


def run(folder: Path, *, in_notebook: bool = False) -> bool:
    """Whether the script has trained and stored a fit, instead of recalling one."""

    def stored() -> set[tuple[str, int]]:
        return {(path.name, path.stat().st_mtime_ns) for path in (folder / "fits").iterdir()}

    before = stored()
    process = fork.Process(target=_run, args=(folder, in_notebook))
    process.start()
    process.join()
    assert process.exitcode == 0
    return stored() != before


def write(folder: Path, script: str, modules: dict[str, str], value: int = 1) -> None:
    (folder / "fits").mkdir(exist_ok=True)
    for name, text in {"main": HEAD + script + TAIL + RUN, **modules}.items():
        (folder / f"{name}.py").write_text(text.replace("<K>", str(value)))


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_of_a_script_leads_to_a_new_fit(kind, tmp_path):
    write(tmp_path, *EDITS[kind])
    assert run(tmp_path)
    assert not run(tmp_path), "an unchanged script recalls its fit"
    write(tmp_path, *EDITS[kind], value=2)
    assert run(tmp_path)


@pytest.mark.parametrize("kind", [kind for kind, (_, modules) in EDITS.items() if not modules])
def test_an_edit_of_a_notebook_leads_to_a_new_fit(kind, tmp_path):
    write(tmp_path, *EDITS[kind])
    assert run(tmp_path, in_notebook=True)
    assert not run(tmp_path, in_notebook=True)
    write(tmp_path, *EDITS[kind], value=2)
    assert run(tmp_path, in_notebook=True)


def test_a_new_module_that_the_script_finds_by_itself_leads_to_a_new_fit(tmp_path):
    script = (
        "import importlib, pathlib\nfor path in pathlib.Path('.').glob('plugin_*.py'):\n"
        "    importlib.import_module(path.stem)\ndef factor():\n    import registry\n    return len(registry.FOUND)"
    )
    modules = {"registry": "FOUND = []", "plugin_a": "import registry\nregistry.FOUND.append(1)"}
    write(tmp_path, script, modules)
    assert run(tmp_path)
    assert not run(tmp_path)
    (tmp_path / "plugin_b.py").write_text(modules["plugin_a"])
    assert run(tmp_path)


def test_a_value_that_the_script_computes_leads_to_a_new_fit(tmp_path):
    write(tmp_path, "from pathlib import Path\nK = len(Path('k').read_text())\ndef factor():\n    return K", {})
    (tmp_path / "k").write_text("1")
    assert run(tmp_path)
    assert not run(tmp_path)
    (tmp_path / "k").write_text("22")
    assert run(tmp_path)


def test_a_file_with_a_changed_module_is_an_error_that_names_it(tmp_path):
    write(tmp_path, "from helpers import factor", {"helpers": "def factor():\n    return <K>"})
    main = (tmp_path / "main.py").read_text().replace('checkpoint="fits"', 'checkpoint="fits/one"')
    main = main.replace(
        RUN, "\ntry:\n    fit()\nexcept Exception as error:\n    open('error', 'w').write(str(error))\n"
    )
    (tmp_path / "main.py").write_text(main)
    assert run(tmp_path)
    (tmp_path / "helpers.py").write_text("def factor():\n    return 1  # the same")
    assert not run(tmp_path)
    assert "belongs to another fit: the source code of helpers differ" in (tmp_path / "error").read_text()


@pytest.mark.slow
def test_workers_recall_fits_of_the_script_and_the_other_way_round(tmp_path):
    script, modules = EDITS["a registry filled by a decorator"]
    write(tmp_path, script, modules)
    main = (tmp_path / "main.py").read_text().replace(
        RUN,
        "\nfrom sklearn.model_selection import GridSearchCV\n"
        "model = NeuralClassifier(Net, max_epochs=1, early_stopping=False, random_state=0, checkpoint='fits')\n"
        "for lr in ([0.1], [0.1, 0.2], [0.2, 0.1]):\n"
        "    search = GridSearchCV(model, {'lr': lr}, cv=2, refit=False, n_jobs=2 if len(lr) > 1 else 1).fit(X, Y)\n"
        "    print(len(__import__('os').listdir('fits')))\n"
        "times = sorted(path.stat().st_mtime_ns for path in __import__('pathlib').Path('fits').iterdir())\n"
        "search.set_params(n_jobs=1).fit(X, Y)\n"
        "print(times == sorted(path.stat().st_mtime_ns for path in __import__('pathlib').Path('fits').iterdir()))\n",
    )  # fmt: skip
    (tmp_path / "main.py").write_text(main)
    ran = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["2", "4", "4", "True"]


def test_files_that_change_while_the_process_runs_do_not_change_loaded_code(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sources, "_started", time.time() + 1.0)
    (tmp_path / "edited_while_it_runs.py").write_text("K = 1")
    import edited_while_it_runs  # noqa: F401  # pyright: ignore[reportMissingImports]

    before = Sources.loaded()
    (tmp_path / "edited_while_it_runs.py").write_text("K = 2")
    assert Sources.loaded().changed_since(before) == []
    assert "edited_while_it_runs" in before.modules
    del sys.modules["edited_while_it_runs"]
    assert Sources.loaded().changed_since(before) == ["edited_while_it_runs"]


def test_a_file_that_was_edited_before_the_first_fit_has_no_known_text(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "edited_before_the_fit.py").write_text("K = 1")
    import edited_before_the_fit  # noqa: F401  # pyright: ignore[reportMissingImports]

    loaded = Sources.loaded()
    assert Sources.loaded().changed_since(loaded) == []
    del sys.modules["edited_before_the_fit"]
    assert Sources.loaded().changed_since(loaded) == ["edited_before_the_fit"]


def test_installed_modules_do_not_count():
    assert not {"torch", "numpy", "json", "sknn", "sknn._digest.sources"} & set(Sources.loaded().modules)


def test_several_scripts_in_one_process_are_distinguished(tmp_path, monkeypatch):
    def source_of(path: Path) -> tuple[str, str]:
        main = types.ModuleType("__main__")
        main.__file__ = str(path)
        monkeypatch.setitem(sys.modules, "__main__", main)
        return tuple(Sources.loaded().modules["__main__"])

    first, second = tmp_path / "first.py", tmp_path / "second.py"
    for path, text in ((first, "factor = 1"), (second, "factor = 2")):
        path.write_text(text)
        os.utime(path, (1, 1))  # before the process began
    before = source_of(first)
    assert source_of(second)[0] == str(second)
    assert source_of(first) == before
    first.write_text("factor = 3")
    os.utime(first, (2, 2))
    assert source_of(first) != before
