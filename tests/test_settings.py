"""Settings of the process or the caller change neither bits nor outcome of anything that sknn computes."""

from __future__ import annotations

import ast
import contextlib
import copy
import functools
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

import sknn
from benchmarks.reliability._caller_settings import attribute, written
from sknn import NeuralClassifier, NeuralRegressor, _settings
from sknn._settings import default_settings
from sknn.modules import MLP, FTTransformer

PACKAGE = Path(__file__).parents[1] / "sknn"

# Functions of torch that take the default dtype of the process, or the dtype of Python's numbers, unless they are told.
FACTORIES = {
    "arange", "as_tensor", "asarray", "complex", "empty", "empty_permuted", "empty_strided", "eye", "full", "linspace",
    "logspace", "normal", "ones", "rand", "randint", "randn", "randperm", "range", "scalar_tensor", "tensor", "zeros",
    "tril_indices", "triu_indices", "bartlett_window", "blackman_window", "hamming_window", "hann_window",
}  # fmt: skip


def without_dtype(source: str, *, of_modules: bool) -> list[str]:
    """Calls of factories without a dtype, as ``line: call``.

    Parameters and buffers of `sknn.modules` are left out: these take the default dtype and device, as every layer of
    torch does, and a fit builds them under `default_settings`.
    """
    tree = ast.parse(source)
    state = {part for call in calls(tree) if of_modules and registers(call) for part in ast.walk(call)}
    imported = [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "torch" and {n.name for n in node.names} & FACTORIES
    ]
    return imported + [
        f"{call.lineno}: {ast.unparse(call)}"
        for call in calls(tree)
        if is_factory(call.func) and call not in state and "dtype" not in {keyword.arg for keyword in call.keywords}
    ]


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def is_factory(function: ast.expr) -> bool:
    match function:
        case ast.Attribute(value=ast.Name(id="torch"), attr=name):
            return name in FACTORIES
    return False


def registers(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("Parameter", "register_buffer")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_tensor_is_made_with_its_dtype(path):
    found = without_dtype(path.read_text(encoding="utf-8"), of_modules=path.parent.name == "modules")
    assert found == [], "Say dtype=, since the default dtype belongs to the caller."


@pytest.mark.parametrize(
    ("source", "n_found"),
    [
        ("torch.zeros(3)", 1),
        ("torch.zeros(3, dtype=torch.float32)", 0),
        ("torch.zeros_like(x) + x.new_zeros(3)", 0),
        ("f(torch.tensor([1.0]).to(x))", 1),
        ("from torch import zeros", 1),
        ("self.weight = nn.Parameter(torch.empty(3))", 0),
    ],
)
def test_scan_finds_factories_without_dtype(source, n_found):
    assert len(without_dtype(source, of_modules=True)) == n_found


def test_state_of_a_module_has_a_dtype_outside_of_the_modules():
    assert without_dtype("self.register_buffer('one', torch.ones(()))", of_modules=False)


# ---------------------------------------------------------------------- the context


ONEDNN: Any = torch.backends.mkldnn
SETTINGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "default dtype": lambda: written(torch.set_default_dtype, torch.float64, torch.float32),
    "default device": lambda: written(torch.set_default_device, "meta", None),
    "device context": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu"),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "precision of products": lambda: written(torch.set_float32_matmul_precision, "medium", "highest"),
    "precision of products in oneDNN": lambda: attribute(ONEDNN.matmul, "fp32_precision", "bf16"),
    "precision of all": lambda: attribute(torch.backends, "fp32_precision", "bf16"),
    "precision in oneDNN": lambda: written(lambda new: ONEDNN.set_flags(_fp32_precision=new), "bf16", "none"),
    "precision of convolutions": lambda: attribute(ONEDNN.conv, "fp32_precision", "bf16"),
    "deterministic": lambda: written(torch.use_deterministic_algorithms, True, False),
    "without oneDNN": lambda: attribute(ONEDNN, "enabled", False),
    "attention without its kernel": lambda: written(torch.backends.cuda.enable_flash_sdp, False, True),
    "swapped parameters": lambda: written(torch.__future__.set_swap_module_params_on_conversion, True, False),
    "flushed denormals": lambda: written(torch.set_flush_denormal, True, False),
    "numpy raises": lambda: np.errstate(all="raise"),
}


def state() -> list[Any]:
    """What torch and numpy say of their settings."""
    of_process = [setting.read() for setting in _settings._OF_PROCESS]
    modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    return [of_process, modes, torch.get_default_device(), np.geterr(), _settings._SMALLEST * 1.0 == 0.0]


USUAL = state()


@pytest.mark.parametrize("setting", SETTINGS)
def test_inside_the_defaults_hold_and_afterwards_those_of_the_caller(setting):
    with SETTINGS[setting]():
        of_caller = state()
        assert of_caller != USUAL
        with pytest.raises(RuntimeError, match="inside"), default_settings():
            assert state() == USUAL
            with default_settings(foreign_code=False):
                assert state() == USUAL
            assert state() == USUAL
            raise RuntimeError("inside")
        assert state() == of_caller
    assert state() == USUAL


def test_the_last_thread_that_leaves_restores_the_settings_of_the_process():
    entered, may_leave, left = threading.Event(), threading.Event(), threading.Event()

    def other() -> None:
        with default_settings():
            entered.set()
            may_leave.wait(10)
        left.set()

    with SETTINGS["default dtype"]():
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait(10)
        with default_settings():
            may_leave.set()
            left.wait(10)
            assert torch.get_default_dtype() is torch.float32
        thread.join()
        assert torch.get_default_dtype() is torch.float64


def test_a_forked_child_has_the_settings_of_the_caller_though_another_thread_was_inside(monkeypatch):
    with SETTINGS["default dtype"](), default_settings():
        monkeypatch.setattr(_settings, "_inside", [threading.get_ident() + 1])
        monkeypatch.setattr(_settings, "_before", dict(_settings._before))
        monkeypatch.setattr(_settings, "_lock", _settings._lock)
        _settings._only_this_thread()  # what a child does after a fork
        assert torch.get_default_dtype() is torch.float64
        assert not _settings._inside
        monkeypatch.undo()


# ---------------------------------------------------------------------- what a caller does under them


class OwnTensors(nn.Module):
    """A user's module, with a convolution and tensors without dtype or device."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.taps = nn.Parameter(torch.linspace(0.5, 1.5, in_features))
        self.first = nn.Conv1d(1, 16, 3, padding=1)
        self.last = nn.Linear(16 * in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.taps + torch.zeros(x.shape[1])
        return self.last(self.first(x[:, None]).relu().flatten(1))


class Struck(Callback):
    """Ends the fit before its third epoch if the environment says so, which is no parameter."""

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        if os.environ.get("STRUCK") and len(net.history) == 3:
            raise RuntimeError("struck")


ROWS = np.random.default_rng(0).normal(size=(132, 6)) * [1, 1, 1, 1, 1, 1e-200]
X, Y, TEST = ROWS[:99], ROWS[:99, 0] * ROWS[:99, 1], ROWS[99:]
MODELS: dict[str, Callable[..., Any]] = {
    "TabM": lambda **params: NeuralRegressor(n_networks=2, **params),
    "MLP": lambda **params: NeuralClassifier(MLP, module_params={"dropout": 0.1}, **params),
    "FTTransformer": lambda **params: NeuralRegressor(FTTransformer, module_params={"token_size": 16}, **params),
    "user's": lambda **params: NeuralClassifier(OwnTensors, **params),
}


def estimator(name: str, **params: Any) -> Any:
    return MODELS[name](max_epochs=4, random_state=0, callbacks=[Struck()], **params)


def target(name: str) -> np.ndarray:
    return Y > 0 if "Classifier" in repr(estimator(name)) else Y


@functools.cache
def pickled(name: str) -> bytes:
    return pickle.dumps(estimator(name).fit(X, target(name)))


def fitted(name: str) -> Any:
    return pickle.loads(pickled(name))


def learned(model: Any) -> list[bytes]:
    weights = [tensor.numpy().tobytes() for tensor in model.module_.state_dict().values()]
    return [*weights, repr(model.loss_curve_).encode(), *predicted(model)]


def predicted(model: Any) -> list[bytes]:
    values = model.decision_function if isinstance(model, NeuralClassifier) else model.predict
    return [model.predict(TEST).tobytes(), values(TEST).tobytes(), values(TEST[:1]).tobytes()]


def trained_further(model: Any, name: str) -> list[bytes]:
    return [*learned(model), *learned(model.partial_fit(X, target(name)))]


Under = Callable[[], AbstractContextManager[Any]]


def fit(name: str, under: Under, folder: Path) -> list[bytes]:
    with under():
        model = estimator(name).fit(X, target(name))
    return trained_further(model, name)


def partial_fit(name: str, under: Under, folder: Path) -> list[bytes]:
    model = fitted(name)
    with under():
        model.partial_fit(X, target(name))
    return learned(model)


def predict(name: str, under: Under, folder: Path) -> list[bytes]:
    model = fitted(name)
    with under():
        return [*predicted(model), repr(float(model.score(X, target(name)))).encode()]


def save_and_load(name: str, under: Under, folder: Path) -> list[bytes]:
    path = folder / "model.sknn"
    with under():
        sknn.save(fitted(name), path)
        model = sknn.load(path, trusted=[OwnTensors, Struck])
    return [path.read_bytes(), *trained_further(model, name)]


def copied(name: str, under: Under, folder: Path) -> list[bytes]:
    with under():
        models = copy.deepcopy(fitted(name)), pickle.loads(pickled(name))
    return [part for model in models for part in trained_further(model, name)]


def export_numpy(name: str, under: Under, folder: Path) -> list[bytes]:
    with under():
        path = sknn.export_numpy(fitted(name), folder / "exported.npz")
    return [path.read_bytes()]


def resume(name: str, under: Under, folder: Path) -> list[bytes]:
    """Interrupted as usual and resumed under the settings, and the other way round."""
    found: list[bytes] = []
    for i, contexts in enumerate([(contextlib.nullcontext, under), (under, contextlib.nullcontext)]):
        path = folder / f"{name} {i}.ckpt"
        with pytest.MonkeyPatch.context() as patch, contexts[0](), pytest.raises(RuntimeError, match="struck"):
            patch.setenv("STRUCK", "1")
            estimator(name, checkpoint=path, checkpoint_every_epochs=1).fit(X, target(name))
        with contexts[1]():
            model = estimator(name, checkpoint=path, checkpoint_every_epochs=1).fit(X, target(name))
        found += learned(model)
    return found


USES = [fit, partial_fit, predict, save_and_load, copied, resume]


@functools.cache
def usual(use: Callable[..., list[bytes]], name: str, folder: Path) -> list[bytes]:
    return use(name, contextlib.nullcontext, folder)


@pytest.fixture(scope="session")
def folder_of_usual(tmp_path_factory):
    return tmp_path_factory.mktemp("usual")


# Each use under each setting, with one model of the four: the section "surroundings" of the benchmarks tries many more.
CASES = [
    (list(MODELS)[(i + j) % len(MODELS)], use, setting)
    for i, use in enumerate(USES)
    for j, setting in enumerate(SETTINGS)
]


@pytest.mark.parametrize(("name", "use", "setting"), CASES)
def test_no_setting_of_the_caller_changes_a_bit(name, use, setting, tmp_path, folder_of_usual):
    assert use(name, SETTINGS[setting], tmp_path) == usual(use, name, folder_of_usual)


@pytest.mark.parametrize("setting", ["default dtype", "device context", "autocast", "inference mode", "numpy raises"])
def test_exports_are_the_same_file(setting, tmp_path, folder_of_usual):
    assert export_numpy("MLP", SETTINGS[setting], tmp_path) == usual(export_numpy, "MLP", folder_of_usual)


def test_a_module_that_was_made_in_inference_mode_is_trained():
    with torch.inference_mode():
        module = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    model = NeuralRegressor(module, max_epochs=2, random_state=0).fit(X, Y)
    assert model.partial_fit(X, Y).n_iter_ == 3


@pytest.mark.parametrize(
    ("module", "is_foreign"), [("TabM", False), ("MLP", False), ("FTTransformer", False), ("user's", True)]
)
def test_only_networks_of_known_layers_are_predicted_without_all_questions(module, is_foreign):
    assert fitted(module).net_.has_foreign_code == is_foreign


def test_hooks_are_foreign_code():
    net = fitted("TabM").net_
    layer = list(net.module_.modules())[-1]
    hook = layer.register_forward_hook(lambda layer, given, output: output * torch.ones(1, dtype=torch.float32))
    assert net.has_foreign_code
    hook.remove()
    assert not net.has_foreign_code
    hook = nn.modules.module.register_module_forward_hook(lambda layer, given, output: None)
    try:
        assert net.has_foreign_code
    finally:
        hook.remove()


def test_settings_are_restored_if_writing_one_of_them_fails(monkeypatch):
    values = {"first": 1, "second": 2}
    fails = []

    def setting(name):
        def write(value):
            values[name] = value
            if name in fails:
                raise RuntimeError(f"{name} cannot be written")

        return _settings._Setting(lambda: values[name], write, 0)

    monkeypatch.setattr(_settings, "_OF_PROCESS", [setting("first"), setting("second")])
    with pytest.raises(RuntimeError, match="first cannot be written"), default_settings():
        assert values == {"first": 0, "second": 0}
        fails.append("first")
    assert values == {"first": 1, "second": 2}
    fails[:] = ["second"]  # an interrupted write, as by Ctrl-C
    with pytest.raises(RuntimeError, match="second cannot be written"), default_settings():
        pass
    assert values == {"first": 1, "second": 2}


@pytest.mark.parametrize("options", [["-O"], ["-W", "error"], ["-X", "dev"], ["-X", "utf8=0"]], ids=" ".join)
def test_options_of_the_interpreter(options, tmp_path):
    script = f"""
import sys
sys.path.insert(0, {str(PACKAGE.parent)!r})
import numpy as np, sknn
from sknn.modules import MLP
X = np.random.default_rng(0).normal(size=(99, 2))
model = sknn.NeuralRegressor(MLP, max_epochs=2, random_state=0).fit(X, X[:, 0])
sknn.save(model, "model.sknn")
assert (sknn.load("model.sknn").predict(X) == model.predict(X)).all()
"""
    run = [sys.executable, *options, "-c", script]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_docstrings_the_import_says_what_to_do(tmp_path):
    script = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import sknn"
    run = [sys.executable, "-OO", "-c", script]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    # A later version of skorch may do without docstrings.
    assert done.returncode == 0 or "use `python -O`" in done.stderr.strip().splitlines()[-1]


def test_another_error_of_skorch_at_the_import_stays_what_it_is(tmp_path):
    (tmp_path / "skorch.py").write_text("import torch\ntorch.no_such_name\n")
    script = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(PACKAGE.parent)!r}]; import sknn"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert "AttributeError: module 'torch' has no attribute 'no_such_name'" in done.stderr
    assert "PYTHONOPTIMIZE" not in done.stderr
