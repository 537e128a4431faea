"""Images through the whole of an estimator."""

from __future__ import annotations

import copy
import io
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn._estimator.recipe import epochs_for
from sknn._network.table_network import multiplications
from sknn.modules import Committee, ConvNet
from sknn.modules._recipe import Recipe


def stripes(n: int = 80, size: int = 12, seed: int = 0, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (n, size, size, channels) with horizontal or vertical stripes, and which of them."""
    random = np.random.RandomState(seed)
    y = random.randint(2, size=n)
    wave = np.sin(np.arange(size) + random.uniform(0, 6, (n, 1)))[:, None, :].repeat(size, 1)
    images = np.where(y[:, None, None] == 0, wave, wave.transpose(0, 2, 1))[..., None].repeat(channels, 3)
    pixels = 128 + 60 * images + 20 * random.standard_normal(images.shape)
    return pixels.clip(0, 255).astype(np.uint8), np.array(["horizontal", "vertical"])[y]


QUICK: dict[str, Any] = dict(module_params={"width": 8, "n_stages": 2}, max_epochs=15, n_networks=1, random_state=0)


def test_images_are_classified_by_default() -> None:
    X, y = stripes()
    clf = NeuralClassifier(**QUICK).fit(X, y)
    assert isinstance(clf.module_, ConvNet)
    assert clf.score(*stripes(seed=1)) > 0.95
    assert not hasattr(clf, "n_features_in_")


@pytest.mark.parametrize("form", ["channels first", "list", "grey", "floats", "PIL", "several sizes"])
def test_all_forms_of_images_are_read(form: str) -> None:
    X, y = stripes(channels=1 if form == "grey" else 3)
    forms = {
        "channels first": lambda: np.moveaxis(X, 3, 1),
        "list": lambda: list(X),
        "grey": lambda: X[..., 0],
        "floats": lambda: X / 255,
        "PIL": lambda: [pytest.importorskip("PIL.Image").fromarray(image) for image in X],
        "several sizes": lambda: [image[: 10 + i % 3] for i, image in enumerate(X)],
    }
    images = forms[form]()
    clf = NeuralClassifier(**QUICK).fit(images, y)
    assert clf.score(images, y) > 0.9
    assert clf.predict(images[:1]).shape == (1,)


def test_numbers_and_labels_are_predicted_from_images() -> None:
    X, y = stripes()
    regressor = NeuralRegressor(**QUICK).fit(X, (y == "vertical").astype(float))
    assert regressor.score(X, (y == "vertical").astype(float)) > 0.5
    labels = np.column_stack([y == "vertical", X.mean((1, 2, 3)) > 128]).astype(int)
    assert NeuralClassifier(**QUICK).fit(X, labels).predict(X).shape == labels.shape


def test_the_same_random_state_gives_the_same_bits() -> None:
    X, y = stripes()
    first, second = (NeuralClassifier(**QUICK).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_fitted_estimator_survives_files(tmp_path: Any) -> None:
    X, y = stripes()
    for images in (X, X[..., :1] / 255, [image[: 10 + i % 3] for i, image in enumerate(X)]):
        clf = NeuralClassifier(**QUICK).fit(images, y)
        sknn.save(clf, tmp_path / "model.sknn")
        expected = clf.predict_proba(images)
        np.testing.assert_array_equal(sknn.load(tmp_path / "model.sknn").predict_proba(images), expected)
        buffer = io.BytesIO()
        joblib.dump(clf, buffer)
        buffer.seek(0)
        np.testing.assert_array_equal(joblib.load(buffer).predict_proba(images), expected)


def test_parameters_of_the_network_and_of_the_reader_are_searched() -> None:
    X, y = stripes(40)
    clf = NeuralClassifier(max_epochs=2, module_params={"width": 4}, random_state=0)
    search = GridSearchCV(clf, {"module__image_size": [None, 8], "module__augmentation": ["flip"]}, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 2
    assert clone(search.best_estimator_).get_params()["module__augmentation"] == "flip"
    small = clone(clf).set_params(module__image_size=(6, 8)).fit(X, y)
    assert small._inputs.row_shape == (3, 6, 8)
    assert small.predict(X[:, :9]).shape == (40,)


def test_float_images_without_channels_need_the_module_to_be_named() -> None:
    X, y = stripes(channels=1)
    clf = NeuralClassifier(ConvNet, **QUICK).fit(X[..., 0] / 255, y)
    assert clf._inputs.row_shape == (1, 12, 12)
    assert clf.score(X[..., 0] / 255, y) > 0.9


def test_weights_validation_rows_and_further_calls() -> None:
    X, y = stripes()
    clf = NeuralClassifier(**{**QUICK, "max_epochs": 2})
    clf.fit(X, y, sample_weight=np.linspace(1, 2, len(X)), X_val=X[:20], y_val=y[:20])
    clf.partial_fit(X, y)
    weights = clf.net_.module_.state_dict()
    assert all(values.isfinite().all() for values in weights.values())
    NeuralClassifier(**{**QUICK, "max_epochs": 2, "warm_start": True, "class_weight": "balanced"}).fit(X, y).fit(X, y)


def test_rows_that_are_shown_are_bounded_for_all_networks_together() -> None:
    recipe = Recipe(epochs=30, max_rows_shown=180_000)
    assert epochs_for(recipe, "auto", 1000, 32, row_size=784, stopped=True) == 30
    assert epochs_for(recipe, "auto", 9000, 64, row_size=784, stopped=True) == 20
    assert epochs_for(recipe, "auto", 9000, 64, row_size=784, stopped=True, n_networks=2) == 10
    assert epochs_for(recipe, "auto", 500_000, 64, row_size=784, stopped=True) == 3
    assert epochs_for(recipe, 40, 500_000, 64, row_size=784, stopped=True) == 40


def test_threads_are_chosen_by_the_multiplications_of_the_convolutions() -> None:
    network = ConvNet((1, 4, 4), 2, width=2, n_stages=1)
    expected = 16 * 9 * (1 * 2 + 2 * 2 + 2 * 2)
    assert network.multiplications == multiplications(network) == expected
    assert multiplications(Committee([network, copy.deepcopy(network)])) == 2 * expected
    assert multiplications(nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))) == 6 + 2 + 2 + 1


def test_a_module_of_the_user_is_given_standardised_images() -> None:
    X, y = stripes()
    backbone = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = nn.Sequential(backbone.requires_grad_(False), nn.Linear(8, 2))
    clf = NeuralClassifier(network, lr=0.01, max_epochs=2, random_state=0).fit(X, y)
    for name, weight in backbone.state_dict().items():
        torch.testing.assert_close(clf.module_.state_dict()[f"0.{name}"], weight, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (np.zeros((12, 12, 3), np.uint8), r"1 and 3 channels.*Convert them"),
        (np.zeros((12, 12)), r"dtype uint8 and, in X\[1\], float64"),
        (None, r"X\[1\] is None"),
    ],
)
def test_lists_of_different_things_are_refused_as_images(second: Any, message: str) -> None:
    X = [np.zeros((12, 12), np.uint8), second] * 10
    with pytest.raises((ValueError, TypeError), match=message):
        NeuralClassifier(**QUICK).fit(X, np.arange(20) % 2)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((12, 12), np.uint8), r"single grey image is X\[None\].*fitted on images"),
        (["a.png"], r"np.asarray\(Image.open\(p\)\).*fitted on images"),
        (np.zeros((2, 20, 12, 3), np.uint8), r"expected images of 12 x 12 pixels as in fit, got 20 x 12"),
        (np.zeros((12, 12, 3), np.uint8), r"A single image is X\[None\]"),
        (np.full((2, 12, 12, 3), np.nan), r"X\[0\] holds NaN"),
    ],
)
def test_other_data_at_predict_is_refused(X: Any, message: str) -> None:
    clf = NeuralClassifier(**{**QUICK, "max_epochs": 1}).fit(*stripes())
    with pytest.raises((ValueError, TypeError), match=message):
        clf.predict(X)


def test_a_single_image_is_named_with_the_shape_of_fit():
    X, y = stripes()
    clf = NeuralClassifier(**{**QUICK, "max_epochs": 1}).fit(X, y)
    for ask in (clf.predict, clf.explain):
        with pytest.raises(ValueError, match=r"X\[None\], of shape \(1, 12, 12, 3\)"):
            ask(X[0])
