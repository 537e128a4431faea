"""An interrupted fit resumes with the same bits, and a finished one is recalled; other fits are refused."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import shutil
import signal
import time
import warnings

import joblib
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from sknn import NeuralClassifier, NeuralRegressor
from sknn._checkpoint.file import CheckpointFile
from sknn.exceptions import CheckpointError
from sknn.modules import MLP, FTTransformer, ResNet, TabM
from tests.checkpoint.conftest import no_power_cut  # noqa: F401
from tests.checkpoint.fits import Counting, PowerCut, Quiet, X, Y, cut_after, cut_off, quick, rng, same_bits, unbroken

SETTINGS = {
    "default": dict(max_epochs=3),
    "MLP": dict(module=MLP, module_params={"dropout": 0.2, "hidden_sizes": (16,)}, max_epochs=4, early_stopping=False),
    "average": dict(module=MLP, max_epochs=4, ema_decay=0.9, early_stopping=False),
    "user's module": dict(
        module=Counting, max_epochs=4, optimizer=torch.optim.SGD, optimizer_params={"momentum": 0.9, "nesterov": True}
    ),
    "plateau": dict(module=ResNet, module_params={"width": 16}, max_epochs=4, lr_schedule="plateau"),
    "scheduler": dict(
        module=FTTransformer, module_params={"token_size": 8}, max_epochs=3, lr_schedule=torch.optim.lr_scheduler.OneCycleLR
    ),
    "LBFGS": dict(
        module=MLP, module_params={"hidden_sizes": (8,)}, max_epochs=3, optimizer=torch.optim.LBFGS, lr=0.1,
        batch_size=300, early_stopping=False,
    ),
    "norm clipped": dict(module=MLP, max_epochs=4, gradient_clipping=0.1, gradient_health=None),
    "scorer": dict(module=MLP, max_epochs=4, scoring="roc_auc"),
    "untouched": dict(module=Counting, max_epochs=5, gradient_health=None, preprocessing=False),
}  # fmt: skip


@functools.cache
def make_unbroken(setting):
    """With a callback that listens to steps, and one that does not, the bits are the same."""
    return NeuralClassifier(**SETTINGS[setting], callbacks=[Quiet()], random_state=0).fit(X, Y)


@pytest.mark.parametrize("callback", [PowerCut, Quiet], ids=["a callback looks at steps", "quick steps"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_an_interrupted_fit_ends_with_the_same_bits(setting, callback, tmp_path):
    def make(**kwargs):
        return NeuralClassifier(
            **SETTINGS[setting], callbacks=[callback()], random_state=0, checkpoint_every_epochs=1, **kwargs
        )

    unbroken = make_unbroken(setting)
    after = 2
    cut_off(make, tmp_path / "a", after)
    os.environ["EPOCHS_RUN"] = "0"
    resumed = make(checkpoint=tmp_path / "a").fit(X, Y)
    assert same_bits(resumed, unbroken)
    if callback is PowerCut:
        assert int(os.environ["EPOCHS_RUN"]) == unbroken.n_iter_ - after


@pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")
@pytest.mark.parametrize(
    ("params", "scale"),
    [
        (dict(module=Counting, lr=1e-7, max_epochs=16), 1.0),
        (
            dict(
                module=MLP,
                module_params={"hidden_sizes": (8,)},
                preprocessing=False,
                max_epochs=12,
                early_stopping=False,
            ),
            1e5,
        ),
    ],
    ids=["learning rate", "scale of the inputs"],
)
def test_a_repair_is_resumed(params, scale, tmp_path):
    def make(**kwargs):
        return NeuralClassifier(
            **params, gradient_health="repair", callbacks=[Quiet()], random_state=0, checkpoint_every_epochs=1, **kwargs
        )

    unbroken = make().fit(scale * X, Y)
    assert unbroken.n_repairs_ > 0
    first = unbroken.health_.repairs[0].epoch
    for after in sorted({first // 2, first + 2}):  # before the repair, and on trial
        path = tmp_path / f"{after}.ckpt"
        cut_off(make, path, after, scale * X)
        resumed = make(checkpoint=path).fit(scale * X, Y)
        np.testing.assert_array_equal(resumed.predict_proba(scale * X), unbroken.predict_proba(scale * X))
        assert str(resumed.health_) == str(unbroken.health_)


def test_a_regressor_of_a_sparse_table_with_weights_is_resumed(tmp_path):
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


def test_without_random_state_the_seeds_of_the_first_fit_are_kept(tmp_path):
    def make(**kwargs):  # some seeds learn too little in so few epochs, of which GradientHealth would warn
        return quick(random_state=None, gradient_health=None, **kwargs)

    cut_off(make, tmp_path / "a", 3)
    for twin in "bc":
        shutil.copy(tmp_path / "a", tmp_path / twin)
    b, c = (make(checkpoint=tmp_path / twin).fit(X, Y) for twin in "bc")
    assert same_bits(b, c)
    assert same_bits(b.partial_fit(X, Y), c.partial_fit(X, Y))  # the generator goes on as well


def test_a_finished_fit_is_recalled(tmp_path):
    def make(**kwargs):
        return quick(callbacks=[PowerCut()], checkpoint=tmp_path / "a", **kwargs)

    first = make().fit(X, Y)
    os.environ["EPOCHS_RUN"] = "0"
    second = make().fit(X, Y)
    assert os.environ["EPOCHS_RUN"] == "0"
    assert same_bits(first, second)
    assert vars(first).keys() == vars(second).keys()


def test_a_finished_fit_trains_on_with_warm_start(tmp_path):
    def make():
        return quick(callbacks=[], checkpoint=tmp_path, warm_start=True).fit(X, Y)

    first, second = make(), make()
    assert same_bits(first.partial_fit(X, Y), second.partial_fit(X, Y))


@pytest.mark.parametrize("params", [{}, {"module": TabM, "module_params": None}, {"warm_start": True}])
def test_a_finished_fit_is_stored_as_what_prediction_needs(params, tmp_path):
    model = quick(callbacks=[], checkpoint=tmp_path, **params).fit(X, Y)
    (path,) = tmp_path.iterdir()  # no earlier generation is left
    joblib.dump(model, tmp_path / "joblib")
    # Without the list of the user's own modules: here, these are more than a hundred test modules.
    modules = len(json.dumps(CheckpointFile.read(path)[0]["sources"]))
    assert path.stat().st_size - modules <= 1.2 * (tmp_path / "joblib").stat().st_size


def test_a_finished_fit_with_repaired_inputs_is_recalled(tmp_path):
    def make():
        model = quick(callbacks=[], preprocessing=False, gradient_health="repair", early_stopping=False, max_epochs=12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.set_params(checkpoint=tmp_path).fit(1e5 * X, Y)

    first, second = make(), make()
    assert first.n_repairs_ > 0
    np.testing.assert_array_equal(first.predict_proba(1e5 * X), second.predict_proba(1e5 * X))


def test_parameters_without_effect_may_differ(tmp_path):
    cut_off(quick, tmp_path / "a", 2)
    resumed = quick(checkpoint=tmp_path / "a", checkpoint_every_s=3.0, on_interrupt="keep").fit(X, Y)
    assert same_bits(resumed, unbroken())


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [
        (dict(lr=0.5), {}, r"lr \(then 'auto', now 0.5\)"),
        (dict(module_params={"hidden_sizes": (9,)}), {}, "module_params"),
        (dict(random_state=1), {}, r"random_state \(then 0, now 1\)"),
        (
            {},
            dict(X=np.where(np.arange(5) + np.arange(300)[:, None] == 0, np.nextafter(X, 9), X)),
            "another fit: X differ",
        ),
        ({}, dict(y=1 - Y), "another fit: y differ"),
        ({}, dict(sample_weight=np.ones(300)), "sample_weight"),
        ({}, dict(X_val=X[:9], y_val=Y[:9]), "validation"),
        ({}, dict(groups=np.arange(300) % 30), "groups"),
    ],
)
def test_another_fit_is_refused_and_the_difference_named(params, data, message, tmp_path):
    cut_off(quick, tmp_path / "a", 2)
    before = (tmp_path / "a").read_bytes()
    with pytest.raises(CheckpointError, match=message):
        quick(**{"checkpoint": tmp_path / "a", **params}).fit(**{"X": X, "y": Y, **data})
    assert (tmp_path / "a").read_bytes() == before


def test_a_search_recalls_its_fits_from_a_folder(tmp_path):
    def search(folder):
        os.environ["EPOCHS_RUN"] = "0"
        model = quick(checkpoint=folder, callbacks=[PowerCut()], max_epochs=2)
        return GridSearchCV(model, {"lr": [0.01, 0.02]}, cv=2).fit(X, Y)

    plain, first = search(None), search(tmp_path)
    assert os.environ["EPOCHS_RUN"] == "10"
    second = search(tmp_path)
    assert os.environ["EPOCHS_RUN"] == "0"
    for other in (first, second):
        np.testing.assert_array_equal(other.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])
    assert same_bits(second.best_estimator_, plain.best_estimator_)
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.filterwarnings("ignore:max_time ended training within its first epoch")
def test_more_time_is_used(tmp_path):
    """A fit that its time has ended is not over."""

    def make(**kwargs):
        return quick(max_epochs=40, early_stopping=False, checkpoint=tmp_path / "a", **kwargs)

    short = make(max_time=1e-3).fit(X, Y)
    assert short.n_iter_ < 40
    again = make(max_time=1e-3).fit(X, Y)
    assert again.n_iter_ == short.n_iter_
    assert make(max_time=None).fit(X, Y).n_iter_ == 40


@pytest.mark.filterwarnings("ignore::sknn.exceptions.OverfittingWarning")  # the held-out labels are swapped
def test_the_best_epoch_before_a_break_is_kept_after_ctrl_c(tmp_path):
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
    assert kept.stopped_by_ == "interrupt"
    assert kept.best_epoch_ == 1 + int(np.argmax(kept.validation_scores_)) < 8


class Interrupts(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if os.environ.get("INTERRUPT_AFTER") == str(len(net.history) - 1):
            signal.raise_signal(signal.SIGINT)


def test_each_warm_start_is_a_fit_of_its_own(tmp_path):
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
    model = quick(max_epochs=30, early_stopping=False, checkpoint=folder / "a").fit(X, Y)
    np.save(folder / "done.npy", model.predict_proba(X))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kills_at_random_moments(tmp_path):
    fork = multiprocessing.get_context("fork")
    unbroken = quick(max_epochs=30, early_stopping=False).fit(X, Y).predict_proba(X)
    moments = np.random.default_rng(1).uniform(0.02, 0.5, size=3)
    for moment in [*moments, 60.0]:
        process = fork.Process(target=fit_and_tell, args=(tmp_path,))
        process.start()
        process.join(timeout=moment)
        if process.is_alive():
            process.kill()
            process.join()
    np.testing.assert_array_equal(np.load(tmp_path / "done.npy"), unbroken)
