"""A fit that was cut off goes on from its checkpoint and ends with the same bits; what is not its own is refused."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import time
import warnings

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._checkpoint.file import CheckpointFile
from sknn.exceptions import CheckpointError
from sknn.modules import MLP, FTTransformer, ResNet

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5))
Y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)


def is_struck(net) -> bool:
    """By the environment, which is no parameter: code and what it refers to are."""
    return os.environ.get("POWER_CUT_AFTER") == str(len(net.history) - 1)


def cut_after(epochs: int | None) -> None:
    os.environ["POWER_CUT_AFTER"] = str(epochs)


class PowerCut(Callback):
    """Ends a fit in the middle of an epoch."""

    def on_epoch_begin(self, net, **kwargs):
        os.environ["EPOCHS_RUN"] = str(int(os.environ["EPOCHS_RUN"]) + 1)

    def on_batch_end(self, net, training=False, **kwargs):
        if training and is_struck(net):
            raise RuntimeError("power cut")


class Quiet(Callback):
    """As PowerCut, without looking at steps: these stay the quick ones."""

    def on_epoch_begin(self, net, **kwargs):
        if is_struck(net):
            raise RuntimeError("power cut")


@pytest.fixture(autouse=True)
def no_power_cut(monkeypatch):
    monkeypatch.setenv("POWER_CUT_AFTER", "None")
    monkeypatch.setenv("EPOCHS_RUN", "0")


class Counting(nn.Module):
    """A user's module with dropout, batch norm, and a number that is no tensor."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.n_calls = 0
        self.layers = nn.Sequential(
            nn.Linear(in_features, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, out_features)
        )

    def forward(self, x):
        self.n_calls += 1
        return self.layers(x) * (1 + 1e-3 * (self.n_calls % 7)) if self.training else self.layers(x)


def same_bits(a, b) -> bool:
    return (
        np.array_equal(a.predict(X), b.predict(X))
        and all(map(torch.equal, a.module_.state_dict().values(), b.module_.state_dict().values()))
        and a.loss_curve_ == b.loss_curve_
        and a.validation_scores_ == b.validation_scores_
        and a.best_epoch_ == b.best_epoch_
        and str(a.health_) == str(b.health_)
    )


def cut_off(make, path, after, X=X, y=Y):
    cut_after(after)
    with pytest.raises(RuntimeError, match="power cut"):
        make(checkpoint=path).fit(X, y)
    cut_after(None)


SETTINGS = {
    "default": dict(max_epochs=6),
    "MLP": dict(module=MLP, module_params={"dropout": 0.2, "hidden_sizes": (16,)}, max_epochs=8, early_stopping=False),
    "average": dict(module=MLP, max_epochs=6, ema_decay=0.9, early_stopping=False),
    "user's module": dict(
        module=Counting, max_epochs=8, optimizer=torch.optim.SGD, optimizer_params={"momentum": 0.9, "nesterov": True}
    ),
    "plateau": dict(module=ResNet, module_params={"width": 16}, max_epochs=8, lr_schedule="plateau"),
    "scheduler": dict(
        module=FTTransformer, module_params={"token_size": 8}, max_epochs=3, lr_schedule=torch.optim.lr_scheduler.OneCycleLR
    ),
    "LBFGS": dict(
        module=MLP, module_params={"hidden_sizes": (8,)}, max_epochs=5, optimizer=torch.optim.LBFGS, lr=0.1,
        batch_size=300, early_stopping=False,
    ),
    "norm clipped": dict(module=MLP, max_epochs=6, gradient_clipping=0.1, gradient_health=None),
    "scorer": dict(module=MLP, max_epochs=6, scoring="roc_auc"),
    "untouched": dict(module=Counting, max_epochs=6, preprocessing=False),
}  # fmt: skip


@pytest.mark.parametrize("callback", [PowerCut, Quiet], ids=["a callback looks at steps", "quick steps"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_fit_that_was_cut_off_ends_with_the_same_bits(setting, callback, tmp_path):
    def make(**kwargs):
        return NeuralClassifier(
            **SETTINGS[setting], callbacks=[callback()], random_state=0, checkpoint_every_epochs=1, **kwargs
        )

    unbroken = make().fit(X, Y)
    for after in (1, unbroken.n_iter_ - 1):
        path = tmp_path / f"{after}.ckpt"
        cut_off(make, path, after)
        os.environ["EPOCHS_RUN"] = "0"
        resumed = make(checkpoint=path).fit(X, Y)
        assert same_bits(resumed, unbroken)
        if callback is PowerCut:
            assert int(os.environ["EPOCHS_RUN"]) == unbroken.n_iter_ - after


@pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")
@pytest.mark.parametrize(
    ("params", "scale"),
    [
        (dict(module=Counting, lr=1e-7, max_epochs=30), 1.0),
        (dict(module=MLP, preprocessing=False, max_epochs=30, early_stopping=False), 1e5),
    ],
    ids=["learning rate", "scale of the inputs"],
)
def test_a_repair_goes_on_where_it_was(params, scale, tmp_path):
    def make(**kwargs):
        return NeuralClassifier(
            **params, gradient_health="repair", callbacks=[Quiet()], random_state=0, checkpoint_every_epochs=1, **kwargs
        )

    unbroken = make().fit(scale * X, Y)
    assert unbroken.n_repairs_ > 0
    first = unbroken.health_.repairs[0].epoch
    for after in {first // 2, first + 2, unbroken.n_iter_ - 2}:  # before, on trial, afterwards
        path = tmp_path / f"{after}.ckpt"
        cut_off(make, path, after, scale * X)
        resumed = make(checkpoint=path).fit(scale * X, Y)
        np.testing.assert_array_equal(resumed.predict_proba(scale * X), unbroken.predict_proba(scale * X))
        assert str(resumed.health_) == str(unbroken.health_)


def test_a_regressor_of_a_sparse_table_with_weights_goes_on(tmp_path):
    from scipy import sparse

    table, y, weight = sparse.csr_array(X * (X > 0)), X[:, 0] ** 2, rng.uniform(0.5, 2, 300)

    def make(**kwargs):
        return NeuralRegressor(max_epochs=4, callbacks=[Quiet()], random_state=0, checkpoint_every_epochs=1, **kwargs)

    unbroken = make().fit(table, y, sample_weight=weight)
    cut_after(2)
    with pytest.raises(RuntimeError):
        make(checkpoint=tmp_path / "a").fit(table, y, sample_weight=weight)
    cut_after(None)
    resumed = make(checkpoint=tmp_path / "a").fit(table, y, sample_weight=weight)
    np.testing.assert_array_equal(resumed.predict(table), unbroken.predict(table))


def quick(**kwargs):
    """A fit of some milliseconds an epoch."""
    params = dict(module=MLP, module_params={"hidden_sizes": (8,)}, max_epochs=6, random_state=0, callbacks=[Quiet()])
    return NeuralClassifier(**{**params, "checkpoint_every_epochs": 1, **kwargs})


def test_without_random_state_the_seeds_of_the_first_fit_are_kept(tmp_path):
    cut_off(lambda **kw: quick(random_state=None, **kw), tmp_path / "a", 3)
    for twin in "bc":
        shutil.copy(tmp_path / "a", tmp_path / twin)
    b, c = (quick(random_state=None, checkpoint=tmp_path / twin).fit(X, Y) for twin in "bc")
    assert same_bits(b, c)
    assert same_bits(b.partial_fit(X, Y), c.partial_fit(X, Y))  # the generator goes on as well


def test_a_fit_that_is_over_is_not_trained_again(tmp_path):
    def make(**kwargs):
        return quick(callbacks=[PowerCut()], checkpoint=tmp_path / "a", **kwargs)

    first = make().fit(X, Y)
    os.environ["EPOCHS_RUN"] = "0"
    second = make().fit(X, Y)
    assert os.environ["EPOCHS_RUN"] == "0"
    assert same_bits(first, second)
    assert same_bits(first.partial_fit(X, Y), second.partial_fit(X, Y))


def test_parameters_that_change_nothing_may_differ(tmp_path):
    cut_off(quick, tmp_path / "a", 2)
    resumed = quick(checkpoint=tmp_path / "a", checkpoint_every_s=3.0, on_interrupt="keep").fit(X, Y)
    assert same_bits(resumed, quick().fit(X, Y))


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [
        (dict(lr=0.5), {}, r"lr \(then 'auto', now 0.5\)"),
        (dict(module_params={"hidden_sizes": (9,)}), {}, "module_params"),
        (dict(random_state=1), {}, r"random_state \(then 0, now 1\)"),
        ({}, dict(X=X + 1e-9), "another fit: X differ"),
        ({}, dict(y=1 - Y), "another fit: y differ"),
        ({}, dict(sample_weight=np.ones(300)), "sample_weight"),
        ({}, dict(X_val=X[:9], y_val=Y[:9]), "validation"),
        ({}, dict(groups=np.arange(300) % 30), "groups"),
    ],
)
def test_another_fit_is_refused_and_told_what_differs(params, data, message, tmp_path):
    cut_off(quick, tmp_path / "a", 2)
    before = (tmp_path / "a").read_bytes()
    with pytest.raises(CheckpointError, match=message):
        quick(**{"checkpoint": tmp_path / "a", **params}).fit(**{"X": X, "y": Y, **data})
    assert (tmp_path / "a").read_bytes() == before


def test_a_folder_holds_a_file_for_each_fit_of_a_search(tmp_path):
    grid = {"lr": [0.01, 0.02]}
    search = GridSearchCV(quick(checkpoint=tmp_path), grid, cv=2).fit(X, Y)
    plain = GridSearchCV(quick(), grid, cv=2).fit(X, Y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])
    assert len(list(tmp_path.glob("*.ckpt"))) == 5


def damage(path, how: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(
        {
            "truncated": data[:middle],
            "empty": b"",
            "a bit flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "zeros at the end": data[:-4096] + bytes(4096),
            "something else": b"PK\x03\x04" + data,
            "another format": data.replace(b"checkpoint 1", b"checkpoint 9", 1),
        }[how]
    )


DAMAGES = ["truncated", "empty", "a bit flipped", "zeros at the end", "something else", "another format"]


@pytest.mark.parametrize("how", DAMAGES)
def test_of_a_damaged_checkpoint_the_one_before_is_used(how, tmp_path):
    cut_off(quick, tmp_path / "a", 4)
    damage(tmp_path / "a", how)
    with pytest.warns(UserWarning, match="The one before it, of epoch 3, is used"):
        resumed = quick(checkpoint=tmp_path / "a").fit(X, Y)
    assert same_bits(resumed, quick().fit(X, Y))


@pytest.mark.parametrize("how", DAMAGES)
def test_where_there_is_none_before_it_damage_is_an_error(how, tmp_path):
    cut_off(quick, tmp_path / "a", 1)
    damage(tmp_path / "a", how)
    model = quick(checkpoint=tmp_path / "a")
    with pytest.raises(CheckpointError, match="is damaged.*Delete it to begin anew"):
        model.fit(X, Y)
    assert not hasattr(model, "net_")


def test_a_file_lost_between_two_renames_is_replaced_by_the_one_before(tmp_path):
    cut_off(quick, tmp_path / "a", 4)
    (tmp_path / "a").unlink()
    assert same_bits(quick(checkpoint=tmp_path / "a").fit(X, Y), quick().fit(X, Y))


class Canary:
    ran = False

    def __reduce__(self):
        return Canary.sing, ()

    @staticmethod
    def sing():
        Canary.ran = True


def test_the_pickle_of_somebody_else_is_not_opened(tmp_path):
    """Who has no data cannot write what is opened, even with the head copied from a true one."""
    cut_off(quick, tmp_path / "a", 2)
    head, *_ = CheckpointFile.read(tmp_path / "a")
    CheckpointFile(tmp_path / "a").write(head, pickle.dumps(Canary()), key=b"a guess")
    with pytest.raises(CheckpointError, match="not written by this fit"):
        quick(checkpoint=tmp_path / "a").fit(X, Y)
    assert not Canary.ran
    pickle.loads(pickle.dumps(Canary()))
    assert Canary.ran


def test_nobody_can_forge_one_from_a_true_one(tmp_path):
    """With all that can be read in the file: the code is made of what only the data tell."""
    cut_off(quick, tmp_path / "a", 2)
    head, *_ = CheckpointFile.read(tmp_path / "a")
    joined = "\n".join(f"{name}={value}" for name, value in sorted(head["identity"].items()))
    key = hashlib.sha256(b"key of a checkpoint\n" + joined.encode()).digest()
    CheckpointFile(tmp_path / "a").write(head, pickle.dumps(Canary()), key)
    Canary.ran = False
    with pytest.raises(CheckpointError, match="not written by this fit"):
        quick(checkpoint=tmp_path / "a").fit(X, Y)
    assert not Canary.ran


@pytest.mark.parametrize("head", [[], {}, 3, {"identity": 1, "shown": {}, "epoch": 1, "finished": False}])
def test_a_head_of_another_form_is_damage(head, tmp_path):
    CheckpointFile(tmp_path / "a").write(head, b"", b"key")
    with pytest.raises(CheckpointError, match="is damaged: its head"):
        quick(checkpoint=tmp_path / "a").fit(X, Y)


def test_of_damage_no_generation_is_made(tmp_path, monkeypatch):
    """Killed after the damaged file was moved and before another took its place, nothing would be left."""
    cut_off(quick, tmp_path / "a", 4)
    damage(tmp_path / "a", "truncated")
    with pytest.warns(UserWarning, match="of epoch 3"):
        cut_off(quick, tmp_path / "a", 4)
    assert CheckpointFile.read(tmp_path / "a.previous")[0]["epoch"] == 3


def test_the_present_file_stays_until_another_takes_its_place(tmp_path, monkeypatch):
    cut_off(quick, tmp_path / "a", 3)
    before, real = (tmp_path / "a").read_bytes(), os.replace

    def refuse(source, target):
        if str(target).endswith("a"):
            raise OSError("refused")
        real(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="refused"):
        CheckpointFile(tmp_path / "a").write({}, b"", b"key")
    assert (tmp_path / "a").read_bytes() == before


def test_the_folder_may_change_during_the_fit(tmp_path, monkeypatch):
    class Moves(Quiet):
        def on_epoch_end(self, net, **kwargs):
            os.chdir(tmp_path / "other")

    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    quick(callbacks=[Moves()], checkpoint="a").fit(X, Y)
    assert (tmp_path / "a").exists()
    assert not list((tmp_path / "other").iterdir())


class Halved(nn.Module):
    """Layers that torch refuses to pickle, and hooks of parameters, which it leaves out."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.first = nn.utils.parametrizations.weight_norm(nn.Linear(in_features, 8))
        self.second = nn.Linear(8, out_features)
        self.second.weight.register_hook(lambda gradient: 0.5 * gradient)

    def forward(self, x):
        return self.second(self.first(x).relu())


def test_hooks_of_parameters_and_computed_weights_go_on(tmp_path):
    def make(**kwargs):
        return quick(module=Halved, module_params=None, optimizer=torch.optim.SGD, lr=0.1, **kwargs)

    unbroken = make().fit(X, Y)
    cut_off(make, tmp_path / "a", 2)
    assert same_bits(make(checkpoint=tmp_path / "a").fit(X, Y), unbroken)


def test_more_time_is_used(tmp_path):
    """A fit that its time has ended is not over."""

    def make(**kwargs):
        return quick(max_epochs=40, early_stopping=False, checkpoint=tmp_path / "a", **kwargs)

    short = make(max_time=1e-3).fit(X, Y)
    assert short.n_iter_ < 40
    again = make(max_time=1e-3).fit(X, Y)
    assert again.n_iter_ == short.n_iter_
    assert make(max_time=None).fit(X, Y).n_iter_ == 40


def test_what_was_the_best_epoch_before_is_kept_after_an_interrupt(tmp_path):
    def make(**kwargs):
        return quick(callbacks=[Quiet(), Interrupts()], max_epochs=30, lr=0.1, early_stopping=False,
                     checkpoint=tmp_path / "a", on_interrupt="keep", **kwargs)  # fmt: skip

    validation = dict(X_val=X[:50], y_val=1 - Y[:50])  # the first epochs are the best
    cut_after(8)
    with pytest.raises(RuntimeError):
        make().fit(X[50:], Y[50:], **validation)
    cut_after(None)
    os.environ["INTERRUPT_AFTER"] = "12"
    kept = make().fit(X[50:], Y[50:], **validation)
    del os.environ["INTERRUPT_AFTER"]
    assert kept.interrupted_
    assert kept.best_epoch_ == 1 + int(np.argmax(kept.validation_scores_)) < 8


class Interrupts(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if os.environ.get("INTERRUPT_AFTER") == str(len(net.history) - 1):
            signal.raise_signal(signal.SIGINT)


def test_the_head_tells_people_and_programs_what_it_is_of(tmp_path):
    cut_off(quick, tmp_path / "a", 2)
    head, *_ = CheckpointFile.read(tmp_path / "a")
    assert head["epoch"] == 2
    assert head["shown"]["max_epochs"] == "6"
    assert json.dumps(head)


def test_a_full_disk_is_a_warning_and_the_last_state_stays(tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 4:  # a file and its folder each time
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match="could not be written after epoch 3: .*No space left") as caught:
        model = quick(checkpoint=tmp_path / "a").fit(X, Y)
    assert len(caught) == 1
    monkeypatch.undo()
    assert same_bits(model, quick().fit(X, Y))
    assert CheckpointFile.read(tmp_path / "a")[0]["epoch"] == 2
    assert not list(tmp_path.glob("*.partial"))
    assert same_bits(quick(checkpoint=tmp_path / "a").fit(X, Y), model)


def test_what_a_killed_writer_left_is_removed(tmp_path):
    old, new, foreign = (tmp_path / name for name in (".a.12.partial", ".a.34.partial", ".b.56.partial"))
    for path in (old, new, foreign):
        path.write_bytes(b"half")
    for path in (old, foreign):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    quick(checkpoint=tmp_path / "a", max_epochs=1).fit(X, Y)
    assert not old.exists()
    assert new.exists()
    assert foreign.exists()


def test_a_folder_that_is_not_there_is_an_error_before_training(tmp_path):
    with pytest.raises(CheckpointError, match="there is no folder"):
        quick(checkpoint=tmp_path / "nowhere" / "a").fit(X, Y)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="may write everywhere")
def test_a_folder_that_may_not_be_written_is_an_error_before_training(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(CheckpointError, match="may not be written"):
        quick(checkpoint=folder / "a").fit(X, Y)


class HoldsALock(Callback):
    def initialize(self):
        import threading

        self.lock = threading.Lock()
        return self


def test_state_that_cannot_be_stored_is_an_error_that_names_who_holds_it(tmp_path):
    with pytest.raises(CheckpointError, match="callback HoldsALock holds it"):
        quick(callbacks=[HoldsALock()], checkpoint=tmp_path / "a").fit(X, Y)


def test_closures_and_local_classes_go_on_as_what_the_script_defines(tmp_path):
    class Local(nn.Linear):
        pass

    class Halving(Callback):
        def initialize(self):
            self.factor = lambda epoch: 0.5**epoch
            return self

        def on_epoch_begin(self, net, **kwargs):
            net.optimizer_.param_groups[0]["initial_lr"] = self.factor(len(net.history))

    def make(**kwargs):
        network = nn.Sequential(Local(5, 8), nn.ReLU(), Local(8, 2))
        return NeuralClassifier(
            network, max_epochs=6, lr=0.02, callbacks=[Halving(), Quiet()], random_state=0, checkpoint_every_epochs=1,
            lr_schedule=torch.optim.lr_scheduler.LambdaLR, lr_schedule_params={"lr_lambda": half}, **kwargs,
        )  # fmt: skip

    torch.manual_seed(0)
    unbroken = make().fit(X, Y)
    torch.manual_seed(0)
    cut_off(make, tmp_path / "a", 3)
    torch.manual_seed(0)
    resumed = make(checkpoint=tmp_path / "a").fit(X, Y)
    assert same_bits(resumed, unbroken)
    assert isinstance(resumed.module_[0], Local)


def half(epoch: int) -> float:
    return 0.5**epoch


def test_warm_start_has_a_checkpoint_of_its_own(tmp_path):
    def make(**kwargs):
        return quick(warm_start=True, **kwargs)

    unbroken = make().fit(X, Y).fit(X, Y)
    model = make().fit(X, Y)
    model.set_params(checkpoint=tmp_path / "a")
    cut_after(model.n_iter_ + 2)
    with pytest.raises(RuntimeError):
        model.fit(X, Y)
    cut_after(None)
    again = make().fit(X, Y).set_params(checkpoint=tmp_path / "a").fit(X, Y)
    assert same_bits(again, unbroken)
    with pytest.raises(CheckpointError, match="weights before"):
        make(checkpoint=tmp_path / "a").fit(X, Y)


def test_partial_fit_writes_nothing(tmp_path):
    quick(checkpoint=tmp_path / "a").partial_fit(X, Y, classes=[0, 1])
    assert not list(tmp_path.iterdir())


def test_writing_follows_the_clock(tmp_path):
    quick(checkpoint=tmp_path / "a", checkpoint_every_epochs=None, checkpoint_every_s=3600).fit(X, Y)
    assert not (tmp_path / "a.previous").exists()  # only that the fit is over
    quick(checkpoint=tmp_path / "b", checkpoint_every_epochs=2).fit(X, Y)
    assert CheckpointFile.read(tmp_path / "b.previous")[0]["epoch"] == 6


def test_time_used_before_counts(tmp_path):
    def make(**kwargs):
        return quick(max_epochs=5000, max_time=1.0, early_stopping=False, **kwargs)

    cut_off(make, tmp_path / "a", 3)
    head, body, *_ = CheckpointFile.read(tmp_path / "a")
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make(checkpoint=tmp_path / "a").fit(X, Y)
    assert model.n_iter_ > 3
    assert time.perf_counter() - started < 30  # of 5000 epochs


def fit_and_tell(folder) -> None:
    torch.set_num_threads(1)
    model = quick(max_epochs=60, early_stopping=False, checkpoint=folder / "a").fit(X, Y)
    np.save(folder / "done.npy", model.predict_proba(X))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kill_9_at_any_moment(tmp_path):
    fork = multiprocessing.get_context("fork")
    unbroken = quick(max_epochs=60, early_stopping=False).fit(X, Y).predict_proba(X)
    moments = np.random.default_rng(1).uniform(0.02, 0.5, size=6)
    for moment in [*moments, 60.0]:
        process = fork.Process(target=fit_and_tell, args=(tmp_path,))
        process.start()
        process.join(timeout=moment)
        if process.is_alive():
            process.kill()
            process.join()
    np.testing.assert_array_equal(np.load(tmp_path / "done.npy"), unbroken)
