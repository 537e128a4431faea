"""With `warm_start` and a checkpoint folder, a fit continues a stored one of fewer `max_epochs`."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest
import torch
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV

from sknn import NeuralClassifier
from sknn.callbacks import EarlyStopping, GradientHealth
from sknn.modules import TabM
from tests.checkpoint.conftest import no_power_cut  # noqa: F401
from tests.checkpoint.fits import PowerCut, X, Y, cut_off, quick

# Some of these fits are too short to learn.
pytestmark = pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")

SETTINGS = {
    "MLP": dict(module_params={"hidden_sizes": (8,), "dropout": 0.2}),
    "TabM": dict(module=TabM, module_params={"width": 8, "n_bins": 4}),
    "momentum and average": dict(
        optimizer=torch.optim.SGD, optimizer_params={"momentum": 0.9}, ema_decay=0.9, early_stopping=False
    ),
    "plateau": dict(lr_schedule="plateau", lr_schedule_params={"patience": 1}),
    "step": dict(
        lr_schedule=torch.optim.lr_scheduler.StepLR, lr_schedule_params={"step_size": 3}, early_stopping=False
    ),
}


def make(max_epochs, **params):
    params = {"lr_schedule": "constant", "callbacks": [PowerCut()], "warm_start": True, **params}
    return quick(max_epochs=max_epochs, checkpoint_every_epochs=None, **params)


def epochs_of(fit) -> int:
    """How many epochs are trained."""
    os.environ["EPOCHS_RUN"] = "0"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit()
    return int(os.environ["EPOCHS_RUN"])


def same_result(a, b) -> bool:
    return (
        np.array_equal(a.predict_proba(X), b.predict_proba(X))
        and all(map(torch.equal, a.module_.state_dict().values(), b.module_.state_dict().values()))
        and (a.loss_curve_, a.validation_scores_) == (b.loss_curve_, b.validation_scores_)
        and (a.best_epoch_, a.n_iter_, a.stopped_by_) == (b.best_epoch_, b.n_iter_, b.stopped_by_)
        and a.net_.max_epochs == b.net_.max_epochs
    )


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_longer_fit_continues_with_the_bits_of_one_from_scratch(setting, tmp_path):
    params = SETTINGS[setting]
    scratch = [make(n, **params).fit(X, Y) for n in (2, 5, 9)]
    for expected in ([2, 3, 4], [0, 0, 0]):  # the second time, all are recalled
        models = [make(n, checkpoint=tmp_path, **params) for n in (2, 5, 9)]
        trained = [epochs_of(lambda model=model: model.fit(X, Y)) for model in models]
        assert all(map(same_result, models, scratch))
        assert trained == expected
    assert same_result(models[1].fit(X, Y), scratch[1].fit(X, Y))  # a further fit of each starts from its weights


def test_a_shorter_fit_begins_anew(tmp_path):
    assert epochs_of(lambda: make(6, checkpoint=tmp_path).fit(X, Y)) == 6
    shorter = make(4, checkpoint=tmp_path)
    assert epochs_of(lambda: shorter.fit(X, Y)) == 4
    assert same_result(shorter, make(4).fit(X, Y))


def test_a_fit_that_stopped_early_is_also_the_longer_one(tmp_path):
    def stopping(max_epochs, **params):
        return make(max_epochs, callbacks=[PowerCut(), EarlyStopping(patience=1, min_delta=10.0)], **params)

    stopping(5, checkpoint=tmp_path).fit(X, Y)
    longer = stopping(50, checkpoint=tmp_path)
    assert epochs_of(lambda: longer.fit(X, Y)) == 0
    assert same_result(longer, stopping(50).fit(X, Y))
    assert longer.stopped_by_ == "early_stopping"


def test_a_longer_fit_continues_one_that_was_cut_off(tmp_path):
    cut_off(lambda **kw: make(6, **kw).set_params(checkpoint_every_epochs=1), tmp_path, 3)
    longer = make(8, checkpoint=tmp_path)
    assert epochs_of(lambda: longer.fit(X, Y)) == 8 - 3
    assert same_result(longer, make(8).fit(X, Y))


@pytest.mark.parametrize(
    "params",
    [
        dict(lr_schedule="cosine"),
        dict(lr_schedule="one_cycle"),
        dict(lr_schedule=torch.optim.lr_scheduler.OneCycleLR),
        dict(gradient_health="repair"),
        dict(callbacks=[PowerCut(), GradientHealth("repair")]),
        dict(warm_start=False),
    ],
    ids=lambda params: " ".join(map(str, params)),
)
def test_a_fit_whose_course_depends_on_its_length_begins_anew(params, tmp_path):
    make(3, checkpoint=tmp_path, **params).fit(X, Y)
    longer = make(6, checkpoint=tmp_path, **params)
    assert epochs_of(lambda: longer.fit(X, Y)) == 6
    assert same_result(longer, make(6, **params).fit(X, Y))


@pytest.mark.parametrize("changed", [dict(lr=0.005), dict(random_state=1), dict(module_params={"hidden_sizes": (9,)})])
def test_another_fit_is_not_continued(changed, tmp_path):
    make(3, checkpoint=tmp_path).fit(X, Y)
    assert epochs_of(lambda: make(6, checkpoint=tmp_path, **changed).fit(X, Y)) == 6
    assert epochs_of(lambda: make(6, checkpoint=tmp_path).fit(X, 1 - Y)) == 6


def test_a_damaged_shorter_fit_is_not_continued(tmp_path):
    make(3, checkpoint=tmp_path).fit(X, Y)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    longer = make(6, checkpoint=tmp_path)
    assert epochs_of(lambda: longer.fit(X, Y)) == 6
    assert same_result(longer, make(6).fit(X, Y))


def test_successive_halving_trains_each_epoch_once(tmp_path):
    def search(folder):
        model = NeuralClassifier(
            TabM,
            module_params={"width": 8, "n_bins": 4},
            lr_schedule="constant",
            warm_start=True,
            checkpoint=folder,
            callbacks=[PowerCut()],
            gradient_health=None,
            random_state=0,
        )
        grid = {"lr": [0.001, 0.003, 0.01, 0.03], "module__dropout": [0.0, 0.2]}
        return HalvingGridSearchCV(
            model, grid, resource="max_epochs", min_resources=2, max_resources=8, factor=2, cv=2, random_state=0
        ).fit(X, Y)

    found = {}
    # Rounds of 8, 4 and 2 candidates with 2, 4 and 8 epochs on two splits, and 8 epochs for the winner on all rows.
    assert epochs_of(lambda: found.update(anew=search(None))) == 2 * (8 * 2 + 4 * 4 + 2 * 8) + 8
    assert epochs_of(lambda: found.update(once=search(tmp_path))) == 2 * (8 * 2 + 4 * 2 + 2 * 4) + 8
    assert epochs_of(lambda: found.update(again=search(tmp_path))) == 0
    for name in ("once", "again"):
        assert found[name].best_params_ == found["anew"].best_params_
        for split in ("split0_test_score", "split1_test_score"):
            np.testing.assert_array_equal(found[name].cv_results_[split], found["anew"].cv_results_[split])
        np.testing.assert_array_equal(found[name].predict_proba(X), found["anew"].predict_proba(X))
