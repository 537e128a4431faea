"""Explanations of images, sequences, texts and sounds: complete, in the form of X, and where the truth is."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn.exceptions import GradientHealthWarning
from sknn.inspection import WordContributions, to_shap
from sknn.modules import AudioNet, ConvNet, SequenceNet, SequenceTransformer, TextTransformer
from tests.contract.kinds import KINDS, N_ROWS, NAMES, Kind, rows_of

PARTS = [kind for kind in KINDS if not kind.has_columns]
each_kind = pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.name)
FEW = {"max_evals": 80}


@pytest.fixture(autouse=True)
def no_advice():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientHealthWarning)
        yield


fitted_models: dict[str, NeuralClassifier] = {}


def fitted(kind: Kind) -> NeuralClassifier:
    if kind.name not in fitted_models:
        fitted_models[kind.name] = NeuralClassifier(**{**kind.params, "random_state": 0}).fit(kind.X, NAMES)
    return fitted_models[kind.name]


def values_of(row: Any) -> np.ndarray:
    return row.values if isinstance(row, WordContributions) else row


def sums(found: Any, n_outputs: int = 0) -> np.ndarray:
    """Sum over the parts of each row, (n,) or (n, n_outputs)."""
    shape = (-1, n_outputs) if n_outputs else (-1,)
    return np.array([values_of(row).reshape(shape).sum(0) for row in found])


def log_odds(model: NeuralClassifier, X: Any) -> np.ndarray:
    probability = model.predict_proba(X)
    return np.log(probability[:, 1] / probability[:, 0])


def base_values(model: Any, X: Any, **params: Any) -> np.ndarray:
    params = {"method": "auto", "background": None, **FEW, **params}
    return model._explained(X, **params).base_values


# ------------------------------------------------------------------ every kind


@each_kind
def test_attributions_sum_to_the_difference_of_the_predictions(kind):
    model = fitted(kind)
    found = model.explain(kind.X, **FEW)
    assert len(found) == N_ROWS
    np.testing.assert_allclose(sums(found) + base_values(model, kind.X)[:, 0], log_odds(model, kind.X), atol=1e-4)


@each_kind
def test_attributions_have_the_form_of_the_rows(kind):
    found = fitted(kind).explain(kind.X, **FEW)
    if isinstance(kind.X, np.ndarray):
        assert isinstance(found, np.ndarray)
        assert found.shape == kind.X.shape
        return
    assert isinstance(found, list)
    for given, row in zip(kind.X, found, strict=True):
        if isinstance(row, WordContributions):
            assert len(row.words) == len(row.values)
        elif "sounds" in kind.name:
            assert row.ndim == (2 if kind.params["module"] is AudioNet else 1)
        else:
            assert row.shape == np.shape(given)


@each_kind
def test_attributions_do_not_depend_on_the_other_rows(kind):
    model = fitted(kind)
    together = model.explain(kind.X, **FEW)
    for i in (0, 7, 35):
        alone = model.explain(rows_of(kind.X, [i]), **FEW)
        np.testing.assert_allclose(values_of(alone[0]), values_of(together[i]), atol=2e-4)


@each_kind
def test_a_loaded_model_explains_the_same(kind, tmp_path):
    model = fitted(kind)
    sknn.save(model, tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn", trusted=kind.classes, max_memory=None, max_seconds=None)
    rows = rows_of(kind.X, slice(0, 4))
    for one, other in zip(model.explain(rows, **FEW), loaded.explain(rows, **FEW), strict=True):
        np.testing.assert_array_equal(values_of(one), values_of(other))


@each_kind
def test_several_outputs_have_an_axis(kind):
    y = np.arange(N_ROWS) % 3
    model = NeuralClassifier(**{**kind.params, "random_state": 0, "max_epochs": 1}).fit(kind.X, y)
    rows = rows_of(kind.X, slice(0, 6))
    found = model.explain(rows, **FEW)
    assert values_of(found[0]).shape[-1] == 3
    logarithms = np.log(model.predict_proba(rows))
    expected = logarithms - logarithms.mean(1, keepdims=True)
    np.testing.assert_allclose(sums(found, 3) + base_values(model, rows), expected, atol=1e-4)


@each_kind
def test_numbers_are_explained_in_their_unit(kind):
    y = 1000 + 100 * np.arange(N_ROWS) % 7
    model = NeuralRegressor(**{**kind.params, "random_state": 0, "max_epochs": 1}).fit(kind.X, y)
    rows = rows_of(kind.X, slice(0, 6))
    found = sums(model.explain(rows, **FEW)) + base_values(model, rows)[:, 0]
    np.testing.assert_allclose(found, model.predict(rows), rtol=1e-4)


@each_kind
def test_what_cannot_be_is_refused(kind):
    model = fitted(kind)
    with pytest.raises((ValueError, TypeError), match=r"fitted on|as in fit|expected an? "):
        model.explain(kind.other)
    with pytest.raises(ValueError, match="0 sample|no row|is empty|at least one"):
        model.explain(rows_of(kind.X, slice(0, 0)))
    with pytest.raises(ValueError, match="method='shapley' is unknown"):
        model.explain(kind.X, method="shapley")
    with pytest.raises((ValueError, TypeError), match="background"):
        model.explain(kind.X, background=kind.other)
    impossible = "gradients" if "n_kernels" in dict(kind.params.get("module_params", {})) else "permutation"
    with pytest.raises(ValueError, match=f"method='{impossible}'"):
        model.explain(kind.X, method=impossible)
    with pytest.raises(TypeError, match="not fitted on a table"):
        to_shap(model, rows_of(kind.X, slice(0, 1)), **FEW)


# ------------------------------------------------------------------ where the truth is

RANDOM = np.random.default_rng(0)
N = 240
TRAIN, TEST = slice(0, 200), slice(200, N)
Y = np.arange(N) % 2


def share(values: np.ndarray, where: np.ndarray) -> float:
    """Of the absolute attributions, the share at these places."""
    return float((np.abs(values) * where).sum() / np.abs(values).sum())


def patches(*channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Dark images of noise; those of class 1 have a bright patch, and where it is."""
    X = RANDOM.integers(0, 60, size=(N, 12, 12, *channels)).astype(np.uint8)
    where = np.zeros(X.shape, dtype=bool)
    for i, (row, column) in enumerate(RANDOM.integers(0, 9, size=(N, 2))):
        where[i, row : row + 4, column : column + 4] = True
    X[where & (Y == 1).reshape(-1, *[1] * (X.ndim - 1))] = 220
    return X, where


def test_a_bright_patch_explains_its_class():
    X, where = patches()
    model = NeuralClassifier(n_networks=1, max_epochs=10, random_state=0).fit(X[TRAIN], Y[TRAIN])
    assert model.score(X[TEST], Y[TEST]) > 0.95
    bright, place = X[TEST][Y[TEST] == 1], where[TEST][Y[TEST] == 1]
    assert share(model.explain(bright), place) > 0.8  # 11 % of the pixels
    dark = X[TRAIN][Y[TRAIN] == 0][:3]
    beside_dark = model.explain(bright, background=dark)
    assert share(beside_dark, place) > 0.8
    found = sums(beside_dark) + log_odds(model, dark).mean()
    np.testing.assert_allclose(found, log_odds(model, bright), atol=1e-3)


def test_maps_have_the_layout_and_the_size_of_the_images():
    X, where = patches(3)
    model = NeuralClassifier(n_networks=1, max_epochs=6, random_state=0).fit(X[TRAIN], Y[TRAIN])
    expected = model.explain(X[TEST])
    assert expected.shape == X[TEST].shape
    first = model.explain(X[TEST].transpose(0, 3, 1, 2))
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), expected, atol=1e-6)
    pictures = model.explain([Image.fromarray(image) for image in X[TEST]])
    np.testing.assert_allclose(pictures, expected, atol=1e-6)

    params = {"module": ConvNet, "module_params": {"image_size": 6}, "max_epochs": 6, "random_state": 0}
    resized = NeuralClassifier(n_networks=1, **params).fit(list(X[TRAIN]), Y[TRAIN])
    images = [image[:, : 12 - i % 3] for i, image in enumerate(X[TEST])]
    maps = resized.explain(images)
    assert [one.shape for one in maps] == [image.shape for image in images]
    found = sums(maps) + base_values(resized, images)[:, 0]
    np.testing.assert_allclose(found, log_odds(resized, images), atol=1e-3)
    bright = np.flatnonzero(Y[TEST] == 1)[::3]
    shares = [share(maps[i], where[TEST][i][:, : maps[i].shape[1]]) for i in bright]
    assert np.mean(shares) > 0.4


@pytest.mark.parametrize("module", ["auto", TextTransformer])
def test_the_word_that_decides_explains_its_class(module):
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    texts = []
    for label in Y:
        text = list(RANDOM.choice(words, RANDOM.integers(5, 10)))
        text.insert(RANDOM.integers(len(text)), "wonderful" if label else "dreadful")
        texts.append(" ".join(text))
    model = NeuralClassifier(module, max_epochs=6, random_state=0).fit(texts[TRAIN], Y[TRAIN])
    for label, (tokens, values) in zip(Y[TEST], model.explain(texts[TEST]), strict=True):
        decisive = tokens.index("wonderful" if label else "dreadful")
        assert np.abs(values).argmax() == decisive
        assert (values[decisive] > 0) == label
        assert abs(values[decisive]) > 0.5 * np.abs(values).sum()


def waves() -> tuple[np.ndarray, np.ndarray]:
    """Noise in two channels; the first one of class 1 has 16 steps of a wave, and where."""
    X, where = RANDOM.normal(size=(N, 2, 64)).astype(np.float32), np.zeros((N, 2, 64), dtype=bool)
    for i, start in enumerate(RANDOM.integers(0, 48, N)):
        where[i, 0, start : start + 16] = True
        X[i, 0, start : start + 16] += 3 * Y[i] * np.sin(np.arange(16) * 2 * np.pi / 5)
    return X, where


@pytest.mark.parametrize("module", [SequenceNet, SequenceTransformer])
def test_the_steps_that_decide_explain_their_class(module):
    X, where = waves()
    model = NeuralClassifier(module, max_epochs=15, n_networks=1, random_state=0).fit(X[TRAIN], Y[TRAIN])
    assert model.score(X[TEST], Y[TEST]) > 0.8
    rows = np.flatnonzero(Y[TEST] == 1)[:10]
    shown, place = X[TEST][rows], where[TEST][rows]
    assert share(model.explain(shown), place) > 0.3  # 12.5 % of the values
    quiet = X[TRAIN][Y[TRAIN] == 0][:2]
    found = model.explain(shown, background=quiet)
    np.testing.assert_allclose(sums(found), log_odds(model, shown) - log_odds(model, quiet).mean(), atol=1e-2)


def test_the_time_of_a_tone_explains_its_class():
    recordings, starts = [], RANDOM.integers(0, 3000, N)
    for label, start in zip(Y, starts, strict=True):
        sound = 0.002 * RANDOM.normal(size=4000)
        sound[start : start + 1000] += np.sin(2 * np.pi * (400 if label else 1200) * np.arange(1000) / 4000)
        recordings.append(sound.astype(np.float32))
    params = {"module_params": {"sampling_rate": 4000, "width": 8}, "max_epochs": 12, "n_networks": 1}
    model = NeuralClassifier(AudioNet, random_state=0, **params).fit(recordings[:100], Y[:100])
    assert model.score(recordings[TEST], Y[TEST]) > 0.9
    hop, shares = model.module_.log_mel.hop, []
    for start, values in zip(starts[TEST], model.explain(recordings[TEST]), strict=True):
        assert values.shape == (40, 4000 // hop + 1)
        times = np.arange(values.shape[1]) * hop
        shares.append(share(values, (times > start - 200) & (times < start + 1200)))
    assert np.mean(shares) > 0.6  # a third of the time


# ------------------------------------------------------------------ modules of the user


class Threshold(nn.Module):
    """It has no gradient."""

    reads = "sequence"

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.head = nn.Linear(in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x > 0).float().mean(2))


class Positions(nn.Module):
    """Embeddings of words and, without an axis of rows, of positions."""

    reads = "text"

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(in_features, 4), nn.Embedding(128, 4)
        self.head = nn.Linear(4, out_features)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        exists = (torch.arange(x.shape[1], device=x.device) < lengths[:, None])[..., None]
        hidden = self.words(x) + self.positions(torch.arange(x.shape[1], device=x.device))
        return self.head((hidden.tanh() * exists).sum(1) / lengths[:, None])


def test_a_network_without_gradients_is_refused():
    X, _ = waves()
    model = NeuralClassifier(Threshold, max_epochs=1, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="gradients cannot explain Threshold"):
        model.explain(X[:5])


def test_embeddings_of_positions_are_no_words():
    texts = [f"{'good' if label else 'bad'} thing number {i % 4}" for i, label in enumerate(Y)]
    model = NeuralClassifier(Positions, lr=0.05, max_epochs=3, random_state=0).fit(texts, Y)
    for n_rows in (1, 4, 7):  # 4 words of 4 rows
        found = model.explain(texts[:n_rows])
        assert all(len(row.words) == 4 for row in found)
        total = sums(found) + base_values(model, texts[:n_rows])[:, 0]
        np.testing.assert_allclose(total, log_odds(model, texts[:n_rows]), atol=1e-4)


def test_a_background_of_other_lengths_is_refused():
    X = [RANDOM.normal(size=(1, 20 + i % 5)) for i in range(N)]
    model = NeuralClassifier(SequenceTransformer, max_epochs=1, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="background: the parts of sequences correspond only if all have one length"):
        model.explain(X[:3], background=X[:2])
    for module in ("auto", TextTransformer):
        model = NeuralClassifier(module, max_epochs=1, random_state=0).fit(["good", "bad"] * 20, [1, 0] * 20)
        with pytest.raises(ValueError, match="background: the parts of texts"):
            model.explain(["good"], background=["bad"])
    assert len(NeuralClassifier(max_epochs=1, random_state=0).fit(X, Y).explain(X[:3], background=X[:2], **FEW)) == 3


def test_gaps_of_a_sequence_are_explained():
    X, _ = waves()
    X[::3, :, 10:20] = np.nan
    model = NeuralClassifier(max_epochs=2, random_state=0).fit(X, Y)
    found = sums(model.explain(X[:4], **FEW)) + base_values(model, X[:4])[:, 0]
    np.testing.assert_allclose(found, log_odds(model, X[:4]), atol=1e-4)
