"""NeuralGenerator on images: form of the samples, conditions, repeatability, and what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.svm import SVC

import sknn
from sknn import NeuralGenerator
from sknn.inspection import compare
from sknn.modules import UNet

DIGITS = load_digits()
X, Y = DIGITS.images.astype(np.uint8), DIGITS.target
FEW = {"max_epochs": 2, "module_params": {"width": 8}, "n_steps": 2, "random_state": 0}
NAMES = np.array(["dark", "light"], dtype=object)


def generator(**params) -> NeuralGenerator:
    return NeuralGenerator(**{**FEW, **params})


def two_kinds(n: int = 120, shape: tuple[int, ...] = (6, 6)) -> tuple[np.ndarray, np.ndarray]:
    """Images with a bright left or a bright right half, uint8, and which of them."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    images = rng.integers(20, 60, (n, *shape))
    half = shape[1] // 2
    images[y == 0, :, :half] += 150
    images[y == 1, :, half:] += 150
    return images.astype(np.uint8), y


@pytest.fixture(scope="module")
def fitted() -> NeuralGenerator:
    images, y = two_kinds()
    return generator(max_epochs=40, n_steps=8).fit(images, y)


class TestSamples:
    def test_samples_have_the_condition_that_was_asked_for(self, fitted):
        for label in (0, 1):
            made = fitted.sample(20, y=label, random_state=0).astype(float)
            left, right = made[:, :, :3].mean((1, 2)), made[:, :, 3:].mean((1, 2))
            assert ((left > right) == (label == 0)).mean() > 0.9

    def test_one_condition_for_each_sample(self, fitted):
        wanted = np.array([0, 1, 1, 0])
        made = fitted.sample(y=wanted, random_state=0).astype(float)
        assert made.shape == (4, 6, 6)
        np.testing.assert_array_equal(made[:, :, :3].mean((1, 2)) < made[:, :, 3:].mean((1, 2)), wanted == 1)

    def test_without_y_labels_are_drawn_by_their_shares(self):
        images, y = two_kinds()
        keep = (y == 0) | (np.arange(len(y)) < 12)
        made = generator(max_epochs=25, n_steps=4).fit(images[keep], y[keep]).sample(200, random_state=0)
        is_right = made[:, :, :3].mean((1, 2)) < made[:, :, 3:].mean((1, 2))
        assert abs(is_right.mean() - (y[keep] == 1).mean()) < 0.1

    def test_labels_are_strings_or_any_other(self):
        images, y = two_kinds()
        model = generator().fit(images, NAMES[y])
        assert model.classes_.tolist() == ["dark", "light"]
        assert model.sample(2, y="light").shape == (2, 6, 6)

    def test_numbers_are_conditions_too(self):
        images, y = two_kinds()
        model = generator(max_epochs=25, n_steps=4).fit(images, y + np.linspace(0, 0.1, len(y)))
        made = model.sample(y=[0.05, 1.05], random_state=0)
        assert made[0, :, :3].mean() > made[0, :, 3:].mean()
        assert made[1, :, :3].mean() < made[1, :, 3:].mean()
        assert not hasattr(model, "classes_")
        assert model.sample(3, random_state=0).shape == (3, 6, 6)
        with pytest.warns(UserWarning, match="y holds 7.0, outside of the numbers of fit, from 0 to 1.1"):
            model.sample(y=7.0)

    def test_the_seed_decides_the_samples(self, fitted):
        first = fitted.sample(5, y=1, random_state=3)
        state = np.random.get_state()[1].copy(), torch.get_rng_state()
        np.testing.assert_array_equal(first, fitted.sample(5, y=1, random_state=3))
        assert (first != fitted.sample(5, y=1, random_state=4)).any()
        fitted.sample(2)
        assert (np.random.get_state()[1] == state[0]).all()
        assert torch.equal(torch.get_rng_state(), state[1])

    def test_many_samples_are_made_in_parts(self, fitted, monkeypatch):
        monkeypatch.setattr("sknn._generation.neural_generator._CHUNK_FLOATS", 36 * 16)
        assert fitted.sample(40, y=0, random_state=0).shape == (40, 6, 6)


class TestForm:
    @pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, bool])
    def test_samples_have_dtype_and_range_of_fit(self, dtype):
        images, y = two_kinds()
        images = (
            (images > 100)
            if dtype is bool
            else images.astype(dtype) / 255
            if dtype in (np.float32, np.float64)
            else images.astype(dtype)
        )
        images = images > 100 if dtype is bool else images.astype(dtype)
        made = generator().fit(images, y).sample(9, y=1, random_state=0)
        assert made.dtype == images.dtype
        assert images.min() <= made.min()
        assert made.max() <= images.max()

    @pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3), (3, 6, 5), (4, 9, 9)])
    def test_samples_have_the_layout_of_fit(self, shape):
        images = np.random.default_rng(0).integers(0, 255, (40, *shape)).astype(np.uint8)
        assert generator().fit(images).sample(3).shape == (3, *shape)

    def test_images_of_pillow_and_of_several_sizes(self):
        pictures = [Image.fromarray(image) for image in two_kinds(40, (12, 12))[0]]
        made = generator().fit(pictures).sample(3)
        assert (made.shape, made.dtype) == ((3, 12, 12), np.uint8)
        several = [picture.resize((10, 12 + i % 3)) for i, picture in enumerate(pictures)]
        assert generator().fit(several).sample(2).shape == (2, 13, 10)
        sized = generator(module_params={"width": 8, "image_size": (8, 9)}).fit(several)
        assert sized.sample(2).shape == (2, 8, 9)

    def test_a_tensor_is_an_array(self):
        images, y = two_kinds()
        made = generator().fit(torch.from_numpy(images), torch.from_numpy(y)).sample(2, y=torch.tensor([0, 1]))
        assert made.shape == (2, 6, 6)

    def test_constant_and_few_images(self):
        assert (generator().fit(np.full((5, 4, 4), 7, dtype=np.uint8)).sample(3) == 7).all()
        assert generator().fit(X[:1]).sample(2).shape == (2, 8, 8)


class TestFit:
    def test_training_lowers_the_loss_without_a_warning(self, fitted):
        assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]
        assert fitted.health_.findings == []
        assert isinstance(fitted.module_, UNet)
        images, y = two_kinds()
        assert -1.5 < fitted.score(images, y) < 0
        assert fitted.score(images, 1 - y) < fitted.score(images, y)

    def test_validation_rows_may_be_given(self):
        images, y = two_kinds()
        model = generator(early_stopping=True).fit(images[:80], y[:80], X_val=images[80:], y_val=y[80:])
        assert len(model.validation_scores_) == 2
        with pytest.raises(ValueError, match="X_val is None"):
            generator().fit(images, y, y_val=y)

    def test_the_same_seed_gives_the_same_bits(self):
        images, y = two_kinds()
        made = [generator().fit(images, y).sample(4, y=1, random_state=0) for _ in range(2)]
        np.testing.assert_array_equal(*made)

    def test_clone_pickle_and_file_keep_the_generator(self, fitted, tmp_path):
        expected = fitted.sample(4, y=1, random_state=0)
        sknn.save(fitted, tmp_path / "images.sknn")
        for other in (pickle.loads(pickle.dumps(fitted)), sknn.load(tmp_path / "images.sknn")):
            np.testing.assert_array_equal(other.sample(4, y=1, random_state=0), expected)
        assert clone(fitted).get_params()["n_steps"] == 8

    @pytest.mark.parametrize("condition", ["none", "numbers", "texts"])
    def test_a_file_keeps_every_condition(self, condition, tmp_path):
        images, y = two_kinds()
        given = {"none": None, "numbers": y + 0.5 * np.linspace(0, 1, len(y)), "texts": NAMES[y]}[condition]
        model = generator().fit(images, given)
        sknn.save(model, tmp_path / "images.sknn")
        loaded = sknn.load(tmp_path / "images.sknn")
        np.testing.assert_array_equal(loaded.sample(3, random_state=0), model.sample(3, random_state=0))

    def test_a_fit_continues_with_warm_start(self):
        images, y = two_kinds()
        model = generator(warm_start=True).fit(images, y)
        again = model.fit(images, y)
        assert again.n_iter_ >= 2
        assert again.sample(2, y=0).shape == (2, 6, 6)


class TestRefused:
    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"n_samples": 0}, ValueError, "n_samples=0 is invalid; expected an int >= 1"),
            ({"n_samples": 2.5}, ValueError, "n_samples=2.5"),
            ({"n_samples": True}, ValueError, "n_samples=True"),
            ({"y": 7}, ValueError, r"y holds 7, which is none of the 2 labels of fit, such as \[0, 1\]"),
            ({"y": "cat"}, ValueError, "y holds 'cat'"),
            ({"n_samples": 3, "y": [0, 1]}, ValueError, "y has 2 values for 3 rows"),
            ({"y": [[0, 1], [1, 0]]}, ValueError, "y has the shape"),
        ],
    )
    def test_samples_that_cannot_be_made(self, fitted, arguments, error, message):
        with pytest.raises(error, match=message):
            fitted.sample(**arguments)

    def test_a_condition_without_one_in_fit(self):
        model = generator().fit(X[:40])
        with pytest.raises(ValueError, match="y is given, but fit had none"):
            model.sample(2, y=1)

    @pytest.mark.parametrize(
        ("rows", "y", "error", "message"),
        [
            (X[:40], Y[:30], ValueError, "y has 30 values for 40 rows"),
            (X[:40], [None] * 40, ValueError, "y has 40 missing values of 40"),
            (X[:40], np.where(np.arange(40) > 3, np.inf, 0.0), ValueError, "y holds infinity"),
            (["a text of words", "and another one"] * 20, None, TypeError, "generates tables and images"),
            (np.where(X[:40] > 3, np.nan, 1.0), None, ValueError, r"X\[0\] holds NaN"),
        ],
    )
    def test_rows_that_cannot_be_learned(self, rows, y, error, message):
        with pytest.raises(error, match=message):
            generator().fit(rows, y)

    def test_score_needs_a_y_as_in_fit(self, fitted):
        with pytest.raises(ValueError, match="y is missing, but fit was given one"):
            fitted.score(two_kinds()[0])


def test_digits_are_named_and_are_no_copies():
    """A small part of the benchmark, in a time that a test can afford."""
    images, y = X[Y < 2], Y[Y < 2]
    train, test = slice(0, 200), slice(200, None)
    model = generator(max_epochs=20, n_steps=8).fit(images[train], y[train])
    wanted = np.arange(60) % 2
    made = model.sample(y=wanted, random_state=0)
    named = SVC(C=5).fit(images[train].reshape(200, -1), y[train]).predict(made.reshape(60, -1))
    assert (named == wanted).mean() > 0.8
    report = compare(images[test], made, train=images[train], random_state=0)
    assert report.near_copies < 0.6
    assert report.exact_copies == 0
