"""A saved model comes back as it was: bits, parameters, classes, history, and what it can still do."""

from __future__ import annotations

import datetime
import functools
import os
import pickle
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from torch import nn

import sknn
from sknn import NeuralClassifier, NeuralRegressor, losses
from sknn.callbacks import EarlyStopping, GradientClipping
from sknn.exceptions import FileError, UntrustedFileError
from sknn.modules import MLP, FTTransformer, ResNet, TabM

X, Y = load_iris(return_X_y=True)
RNG = np.random.default_rng(0)


class OwnModule(nn.Module):
    """A user's module, with a buffer that training changes."""

    def __init__(self, in_features, out_features, width=8):
        super().__init__()
        self.norm = nn.BatchNorm1d(in_features)
        self.layers = nn.Sequential(nn.Linear(in_features, width), nn.Tanh(), nn.Linear(width, out_features))

    def forward(self, x):
        return self.layers(self.norm(x))


class OwnLoss(losses.Loss):
    """A user's loss, with something learned."""

    name = "own"
    targets = frozenset({"real"})

    def __init__(self, power=2.0):
        super().__init__()
        self.power = power
        self.register_buffer("seen", torch.zeros(()))

    def pointwise(self, raw_prediction, y):
        self.seen += 1
        return (raw_prediction - y).abs().pow(self.power).mean(dim=1)


class OwnClassifier(NeuralClassifier):
    """A user's estimator."""


def mixed(n: int = 240) -> tuple[pd.DataFrame, np.ndarray]:
    frame = pd.DataFrame(
        {
            "number": RNG.normal(1e9, 50.0, n),
            "word": RNG.choice(["red", "blue", None], n),
            "flag": RNG.random(n) > 0.5,
            "when": pd.Timestamp("2020-02-29") + pd.to_timedelta(RNG.integers(0, 10_000, n), unit="h"),
            "level": pd.Categorical(RNG.integers(0, 3, n)),
            "gap": np.where(RNG.random(n) > 0.8, np.nan, RNG.random(n)),
        }
    )
    return frame, np.where(frame["word"].eq("red") ^ (frame["gap"] > 0.4), "yes", "no")


FRAME, LABELS = mixed()
SPARSE = sparse.csr_array(sparse.random(120, 50, density=0.2, random_state=0, format="csr"))
NUMBERS = X[:, 0] * 3.0 - X[:, 1]
IMAGES = RNG.normal(size=(60, 1, 6, 6)).astype(np.float32)
FEW = {"max_epochs": 2, "random_state": 0}


def conv() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 2))


CASES = {
    "mixed table": lambda: (NeuralClassifier(**FEW), FRAME, LABELS),
    "polars": lambda: (NeuralClassifier(MLP, **FEW), pl.DataFrame(FRAME.drop(columns="level")), LABELS),
    "iris, integers": lambda: (NeuralClassifier(**FEW), X, Y),
    "int8 classes": lambda: (NeuralClassifier(MLP, **FEW), X, (Y - 5).astype(np.int8)),
    "boolean classes": lambda: (NeuralClassifier(MLP, **FEW), X, Y > 0),
    "float classes": lambda: (NeuralClassifier(MLP, **FEW), X, Y * 2.0),
    "object classes": lambda: (NeuralClassifier(MLP, **FEW), X, np.array(["ä", "b\x00c", "\u2603"], dtype=object)[Y]),
    "multilabel": lambda: (NeuralClassifier(MLP, **FEW), X, np.stack([Y == 1, Y > 0], axis=1).astype(int)),
    "one committee": lambda: (NeuralClassifier(n_networks=3, **FEW), X, Y),
    "sparse": lambda: (NeuralClassifier(**FEW), SPARSE, Y[:120] > 0),
    "sparse untouched": lambda: (NeuralRegressor(MLP, preprocessing=False, **FEW), SPARSE, NUMBERS[:120]),
    "regressor": lambda: (NeuralRegressor(**FEW), X, NUMBERS),
    "large mean": lambda: (NeuralRegressor(MLP, **FEW), X, NUMBERS + 1e9),
    "two outputs": lambda: (NeuralRegressor(MLP, **FEW), X, np.stack([NUMBERS, -NUMBERS], axis=1)),
    "quantiles": lambda: (NeuralRegressor(MLP, criterion="quantile", criterion_params={"quantile": [0.9, 0.1]}, **FEW), X, NUMBERS),
    "poisson": lambda: (NeuralRegressor(MLP, criterion="poisson", **FEW), X, Y * 1.0),
    "untouched": lambda: (NeuralRegressor(MLP, preprocessing=False, **FEW), X, NUMBERS),
    "torch's loss": lambda: (
        NeuralClassifier(MLP, criterion=nn.CrossEntropyLoss, criterion_params={"weight": torch.tensor([1.0, 2.0, 3.0])}, **FEW), X, Y),
    "loss instance": lambda: (NeuralClassifier(MLP, criterion=nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0])), **FEW), X, Y > 0),
    "images": lambda: (NeuralClassifier(conv(), **FEW), IMAGES, Y[20:80] > 0),
    "lazy layers": lambda: (NeuralClassifier(nn.Sequential(nn.LazyLinear(5), nn.ReLU(), nn.LazyLinear(3)), **FEW), X, Y),
    "nested layers": lambda: (
        NeuralClassifier(nn.Sequential(nn.Sequential(nn.Linear(4, 6, bias=False), nn.GELU("tanh")), nn.Dropout(0.3),
                                       nn.LayerNorm(6, eps=1e-3), nn.Linear(6, 3)), **FEW), X, Y),
    "ft": lambda: (NeuralClassifier(FTTransformer, **FEW), FRAME, LABELS),
    "resnet": lambda: (NeuralClassifier(ResNet, module_params={"activation": nn.SiLU}, **FEW), FRAME, LABELS),
    "linear class": lambda: (NeuralClassifier(nn.Linear, **FEW), X, Y),
    "optimizer and schedule": lambda: (
        NeuralClassifier(MLP, optimizer=torch.optim.SGD, optimizer_params={"momentum": 0.9}, lr=0.01,
                         lr_schedule=torch.optim.lr_scheduler.StepLR, lr_schedule_params={"step_size": 3}, **FEW), X, Y),
    "callbacks": lambda: (
        NeuralClassifier(MLP, callbacks=[EarlyStopping(patience=3), GradientClipping(max_norm=2.0), EpochScoring("accuracy", lower_is_better=False),
                                         LRScheduler("StepLR", step_size=2)], early_stopping=True, **FEW), X, Y),
    "repaired": lambda: (NeuralClassifier(MLP, preprocessing=False, gradient_health=None, class_weight={0: 1.0, 1: 2.0, 2: 1.5}, **FEW), X, Y),
    "generator": lambda: (NeuralClassifier(MLP, max_epochs=2, random_state=np.random.RandomState(3)), X, Y),
}  # fmt: skip


def fitted(name):
    model, table, y = CASES[name]()
    return model.fit(table, y), table, y


@pytest.mark.parametrize("name", CASES)
def test_a_loaded_model_is_the_model(name, tmp_path):
    model, table, y = fitted(name)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    assert type(again) is type(model)
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    np.testing.assert_array_equal(getattr(again, method)(table), getattr(model, method)(table))
    prediction, expected = again.predict(table), model.predict(table)
    np.testing.assert_array_equal(prediction, expected)
    assert prediction.dtype == expected.dtype
    assert again.score(table, y) == model.score(table, y)
    assert set(vars(again)) == set(vars(model))
    for attribute in ("loss_curve_", "validation_scores_", "n_iter_", "best_epoch_", "n_features_in_", "n_repairs_"):
        assert getattr(again, attribute) == getattr(model, attribute), attribute
    # Instances are equal but not the same, and an address is all that tells some of them apart.
    parameters = [re.sub("0x[0-9A-Fa-f]+", "", repr(estimator.get_params())) for estimator in (again, model)]
    assert parameters[0] == parameters[1]
    assert again.net_.history == model.net_.history
    assert str(again.health_) == str(model.health_)
    sknn.save(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


@pytest.mark.parametrize(
    "name", ["mixed table", "sparse", "two outputs", "quantiles", "images", "lazy layers", "callbacks", "generator"]
)
def test_a_loaded_model_lives_on(name, tmp_path):
    """It trains on as an unpickled one does, is cloned, pickled, and fitted anew to the same bits."""
    model, table, y = fitted(name)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    unpickled = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        again.partial_fit(table, y).predict(table), unpickled.partial_fit(table, y).predict(table)
    )
    assert again.n_iter_ == 3
    pickled = pickle.loads(pickle.dumps(again))
    np.testing.assert_array_equal(pickled.predict(table), again.predict(table))
    anew, before = clone(again).fit(table, y), clone(model).fit(table, y)
    np.testing.assert_array_equal(anew.predict(table), before.predict(table))
    again.set_params(warm_start=True).fit(table, y)
    assert again.n_iter_ == 5


def test_unseen_and_missing_categories_after_loading(tmp_path):
    model, table, _ = fitted("mixed table")
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    other = table.iloc[:4].copy()
    other["word"] = ["violet", None, "red", "blue"]
    other["gap"] = np.nan
    np.testing.assert_array_equal(again.predict_proba(other), model.predict_proba(other))
    with pytest.raises(ValueError, match="feature names"):
        again.predict(table.rename(columns={"word": "words"}))


CATEGORIES = {
    "timestamps": [pd.Timestamp("2020-01-01 00:00:00.000000001"), pd.Timestamp("2021-06-01")],
    "zoned": [pd.Timestamp("2020-01-01", tz="Europe/Berlin"), pd.Timestamp("2021-06-01", tz="Europe/Berlin")],
    "datetimes": [datetime.datetime(2020, 1, 1, 3), datetime.datetime(2021, 1, 1, tzinfo=None)],
    "dates": [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)],
    "decimals": [Decimal("1.10"), Decimal("2.5")],
    "bytes": [b"\x00a", b"b"],
    "mixed": ["a", 1],
    "floats": [0.1, -2.5],
    "large integers": [2**60, 2**60 + 1],
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_of_any_type(name, tmp_path):
    values = CATEGORIES[name]
    column = np.empty(60, dtype=object)
    column[:] = [values[i % 2] for i in range(60)]
    frame = pd.DataFrame({"c": pd.Series(column, dtype=object), "x": np.arange(60) % 7})
    model = NeuralClassifier(MLP, categorical_features=["c"], **FEW).fit(frame, np.arange(60) % 2)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    known = [reader._inputs.reader.columns_[0].categories for reader in (model, again)]
    assert known[0] == known[1]
    assert [type(value) for value in known[0]] == [type(value) for value in known[1]]


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        sknn.save(NeuralClassifier(**FEW).fit(X, Y), tmp_path / name)
    a, b = (sknn.load(tmp_path / name) for name in ("a", "b"))
    assert a.loss_curve_ == b.loss_curve_
    sknn.save(a, tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == (tmp_path / "a").read_bytes()


# ---------------------------------------------------------------------- code of the user's


@pytest.mark.parametrize("trusted", [[OwnModule], [f"{OwnModule.__module__}.OwnModule"], (OwnModule, print)])
def test_a_users_module_is_loaded_where_it_is_allowed(trusted, tmp_path):
    model = NeuralClassifier(OwnModule, module_params={"width": 5}, **FEW).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m", trusted=trusted)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert type(again.module_) is OwnModule
    with pytest.raises(UntrustedFileError, match=r"OwnModule, which nobody allowed.*trusted=\[OwnModule\]"):
        sknn.load(tmp_path / "m")
    with pytest.raises(UntrustedFileError, match="OwnModule"):
        sknn.load(tmp_path / "m", trusted=[OwnLoss, "OwnModule", "tests.OwnModule"])


def test_a_users_loss_and_estimator(tmp_path):
    model = NeuralRegressor(MLP, criterion=OwnLoss, criterion_params={"power": 1.5}, **FEW).fit(X, NUMBERS)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m", trusted=[OwnLoss])
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.net_.criterion_.seen == model.net_.criterion_.seen > 0
    own = OwnClassifier(MLP, **FEW).fit(X, Y)
    own.note_ = {"any": ("plain", 1, None, float("nan"))}
    sknn.save(own, tmp_path / "own")
    with pytest.raises(UntrustedFileError, match="OwnClassifier"):
        sknn.load(tmp_path / "own")
    loaded = sknn.load(tmp_path / "own", trusted=[OwnClassifier])
    assert type(loaded) is OwnClassifier
    assert str(loaded.note_) == str(own.note_)


def test_a_module_of_the_script_that_saved_it(tmp_path):
    """Its class is in __main__ there, and elsewhere here."""
    model = NeuralClassifier(OwnModule, **FEW).fit(X, Y)
    with mock.patch.object(OwnModule, "__module__", "__main__"):
        sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m", trusted=[OwnModule])
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("trusted", [True, "everything", b"x", None, 3])
def test_there_is_no_trusting_everything(trusted, tmp_path):
    with pytest.raises(TypeError, match="trusted"):
        sknn.load(tmp_path / "m", trusted=trusted)


@pytest.mark.parametrize("trusted", [[1], [nn.ReLU()], [None]])
def test_trusted_holds_classes_functions_and_paths(trusted, tmp_path):
    with pytest.raises(TypeError, match="trusted holds"):
        sknn.load(tmp_path / "m", trusted=trusted)


def test_frozen_layers_stay_frozen(tmp_path):
    network = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    network[0].requires_grad_(False)
    model = NeuralClassifier(network, **FEW).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    for frozen in (again.module[0], again.module_[0], clone(again).fit(X, Y).module_[0]):
        assert not frozen.weight.requires_grad
    np.testing.assert_array_equal(again.partial_fit(X, Y).module_[0].weight.detach(), network[0].weight.detach())
    assert again.module_[2].weight.requires_grad


def factory(in_features, out_features, *, width=6):
    """A user's function that makes a network."""
    return nn.Sequential(nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, out_features))


@pytest.mark.parametrize("module", [factory, functools.partial(factory, width=3), functools.partial(MLP, hidden_sizes=(5,))],
                         ids=["function", "partial of a function", "partial of a class"])  # fmt: skip
def test_functions_that_make_networks(module, tmp_path):
    model = NeuralClassifier(module, **FEW).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m", trusted=[factory])
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    if "factory" in repr(module):
        with pytest.raises(UntrustedFileError, match="factory"):
            sknn.load(tmp_path / "m")


def test_a_checkpoint_stays_on_its_machine(tmp_path):
    """Training on must not write where a file says."""
    model = NeuralClassifier(MLP, **FEW).fit(X, Y).set_params(checkpoint=tmp_path / "checkpoint")
    sknn.save(model, tmp_path / "m")
    assert sknn.load(tmp_path / "m").checkpoint is None


# ---------------------------------------------------------------------- what cannot be saved


class Plain:
    """No network and no value."""


class Forgetful(nn.Module):
    """Learns outside of its parameters and buffers."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear, self.factor = nn.Linear(in_features, out_features), 1.0

    def forward(self, x):
        if self.training:
            self.factor += 1.0
        return self.linear(x) * self.factor


class Traceless(Callback):
    """Keeps its argument under another name."""

    def __init__(self, period=5):
        self._every = period


class Doubling(Callback):
    """Changes its argument."""

    def __init__(self, period=5):
        self.period = 2 * period


class NoTrace(nn.Module):
    """Keeps no trace of its argument."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.Linear(width, 3))

    def forward(self, x):
        return self.layers(x)


def shared() -> nn.Module:
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(4, 3))


REFUSED = {
    "lambda": ({"scoring": lambda e, X, y: 0.5}, "scoring is .*no name"),
    "instance": ({"callbacks": [EpochScoring(lambda net, X, y: 0.5, use_caching=False)]}, r"callbacks\[0\]"),
    "changed argument": ({"callbacks": [Doubling(3)]}, "Doubling"),
    "no trace of a default": ({"criterion": losses.LogLoss(), "callbacks": [Traceless(3)]}, "Traceless"),
    "no trace": ({"module": NoTrace(5)}, "module is an instance of NoTrace.*Pass the class"),
    "shared weights": ({"module": shared()}, "module uses the same weights"),
    "forgetful": ({"module": Forgetful}, "Forgetful predicts otherwise.*parameters and buffers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_file_can_hold_is_named(name, tmp_path):
    params, message = REFUSED[name]
    model = NeuralClassifier(**{"module": MLP, **FEW, "lr": 1e-3, **params}).fit(X, Y)
    (tmp_path / "m").write_bytes(b"what was there")
    with pytest.raises(TypeError, match=message):
        sknn.save(model, tmp_path / "m")
    assert os.listdir(tmp_path) == ["m"]
    assert (tmp_path / "m").read_bytes() == b"what was there"


def test_attributes_that_are_no_data(tmp_path):
    model = NeuralClassifier(MLP, **FEW).fit(X, Y)
    model.helper_ = Plain()
    with pytest.raises(TypeError, match="the attribute helper_ is a .*Plain"):
        sknn.save(model, tmp_path / "m")
    model.helper_ = loop = []
    loop.append(loop)
    with pytest.raises(TypeError, match="contains itself"):
        sknn.save(model, tmp_path / "m")


def test_what_is_not_fitted(tmp_path):
    with pytest.raises(NotFittedError, match="NeuralClassifier is not fitted"):
        sknn.save(NeuralClassifier(), tmp_path / "m")
    for thing in (NeuralClassifier, nn.Linear(1, 1), "model", None):
        with pytest.raises(TypeError, match="expected a fitted estimator"):
            sknn.save(thing, tmp_path / "m")
    assert not os.listdir(tmp_path)


# ---------------------------------------------------------------------- the file itself


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    model = NeuralClassifier(MLP, **FEW).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    before = (tmp_path / "m").read_bytes()
    for name in ("fsync", "replace"):
        with (
            mock.patch.object(os, name, side_effect=OSError(28, "No space left on device")),
            pytest.raises(OSError, match="space"),
        ):
            sknn.save(model.partial_fit(X, Y), tmp_path / "m")
        assert os.listdir(tmp_path) == ["m"]
        assert (tmp_path / "m").read_bytes() == before


def test_paths(tmp_path):
    model = NeuralClassifier(MLP, **FEW).fit(X, Y)
    with pytest.raises(FileNotFoundError, match="folder .* is not there"):
        sknn.save(model, tmp_path / "nowhere" / "m")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        sknn.save(model, tmp_path)
    with pytest.raises(FileNotFoundError):
        sknn.load(tmp_path / "nowhere")
    sknn.save(model, str(tmp_path / "target"))
    (tmp_path / "link").symlink_to("target")
    sknn.save(model.partial_fit(X, Y), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert sknn.load(str(tmp_path / "link")).n_iter_ == sknn.load(tmp_path / "target").n_iter_ == 3


def test_no_row_is_in_the_file(tmp_path):
    canary = 1234.56789012345
    table = np.random.default_rng(0).normal(size=(400, 4))
    table[7, 2] = canary
    for model in (
        NeuralClassifier(**FEW),
        NeuralClassifier(MLP, preprocessing=False, lr=1e-5, gradient_health=None, **FEW),
    ):
        sknn.save(model.fit(table, (table[:, 0] > 0).astype(int)), tmp_path / "m")
        data = (tmp_path / "m").read_bytes()
        for kind in (np.float64, np.float32):
            assert kind(canary).tobytes() not in data
            assert table[3:5].astype(kind).tobytes() not in data
        assert repr(canary).encode() not in data


def test_saving_changes_nothing(tmp_path):
    """Neither the model nor the generators of random numbers."""
    model, twin = (NeuralClassifier(**FEW).fit(X, Y) for _ in range(2))
    states = torch.get_rng_state(), np.random.get_state()[1].tolist()
    sknn.save(model, tmp_path / "m")
    sknn.load(tmp_path / "m")
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == np.random.get_state()[1].tolist()
    np.testing.assert_array_equal(model.partial_fit(X, Y).predict_proba(X), twin.partial_fit(X, Y).predict_proba(X))


def test_a_new_process_loads_it_and_imports_no_skops(tmp_path):
    model = NeuralClassifier(**FEW).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    np.save(tmp_path / "x.npy", X)
    script = (
        "import sys, numpy as np, sknn\n"
        "model = sknn.load(sys.argv[1] + '/m')\n"
        "np.save(sys.argv[1] + '/p.npy', model.predict_proba(np.load(sys.argv[1] + '/x.npy')))\n"
        "assert 'skops' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=120)
    np.testing.assert_array_equal(np.load(tmp_path / "p.npy"), model.predict_proba(X))


def test_the_device(tmp_path):
    model = NeuralClassifier(MLP, device="cuda", **FEW)
    model.set_params(device="auto").fit(X, Y).set_params(device="cuda")
    sknn.save(model, tmp_path / "m")
    with mock.patch.object(torch.cuda, "is_available", return_value=False):
        again = sknn.load(tmp_path / "m")
    assert again.device == "cuda"
    np.testing.assert_array_equal(sknn.load(tmp_path / "m", device="cpu").predict(X), model.predict(X))
    with pytest.raises(ValueError, match="device='nowhere' is not available"):
        sknn.load(tmp_path / "m", device="nowhere")


def test_parameters_set_after_fit_do_not_change_the_network(tmp_path):
    model = NeuralClassifier(MLP, module_params={"hidden_sizes": (7,)}, **FEW).fit(X, Y)
    model.set_params(module=TabM, module_params=None, max_epochs=9)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert (again.module, again.max_epochs, type(again.module_)) == (TabM, 9, MLP)
    with pytest.raises(ValueError, match="was built with"):
        again.partial_fit(X, Y)


def test_missing_extras_are_named(tmp_path):
    model = NeuralClassifier(MLP, **FEW).fit(X, Y)
    missing = mock.patch.dict(sys.modules, {"safetensors.torch": None, "safetensors": None})
    with missing, pytest.raises(ImportError, match=re.escape('pip install "sknn[files]"')):
        sknn.save(model, tmp_path / "m")
    assert not os.listdir(tmp_path)


def test_a_file_error_is_a_value_error():
    assert issubclass(FileError, ValueError)
    assert Path(sknn.__file__).exists()
