"""What cannot be read is refused with what was found and what to do, and the estimator stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import AudioNet, ConvNet, SequenceNet, TextNet

N = 12
RANDOM = np.random.default_rng(0)
Y = np.arange(N) % 2
IMAGES = RANDOM.integers(0, 255, size=(N, 8, 8, 3)).astype(np.uint8)
SERIES = RANDOM.normal(size=(N, 2, 9))
TEXTS = ["a text", "another one"] * (N // 2)
SOUNDS = [RANDOM.normal(size=200 + i).astype(np.float32) for i in range(N)]

# Name -> X, the module, and words of the message.
REFUSED: dict[str, tuple[Any, Any, str]] = {
    "names of images": ([f"image_{i}.png" for i in range(N)], "auto", r"names of files.*Image\.open"),
    "paths of images": ([Path(f"image_{i}.png") for i in range(N)], "auto", r"names of files.*Image\.open"),
    "names of images for a network of images": ([f"{i}.jpg" for i in range(N)], ConvNet, r"names of files|Image\.open"),
    "bytes": ([b"a text"] * N, "auto", r"bytes.*decode"),
    "bytes for a network of texts": ([b"a text"] * N, TextNet, r"bytes.*decode"),
    "five dimensions": (RANDOM.normal(size=(N, 3, 4, 8, 8)), "auto", "5 dimensions.*images have 4"),
    "seven channels": (RANDOM.normal(size=(N, 7, 8, 9)), "auto", "1, 3 or 4 channels"),
    "sequences of other numbers of channels": ([x[: 1 + i % 2] for i, x in enumerate(SERIES)], SequenceNet, "channels"),
    "time before channels": ([x.T[: 5 + i % 3] for i, x in enumerate(SERIES)], "auto", "transpose|channels"),
    "texts and numbers": ([*TEXTS[:-1], 3.5], "auto", r"3\.5|float"),
    "images and texts": ([*IMAGES[:-1], "a text"], "auto", "ndarray and str.*texts only"),
    "texts and images": ([*TEXTS[:-1], IMAGES[0]], "auto", "str and ndarray.*texts only"),
    "sequences and numbers": ([*SERIES[:-1], 3.0], "auto", "several kinds, such as ndarray and float"),
    "sequences and series": ([*SERIES[:-1], SERIES[0, 0]], "auto", r"several shapes, such as \(2, 9\) and \(9,\)"),
    "a nested frame": (pd.DataFrame({"a": [*SERIES[:, 0]]}), "auto", r"np\.stack\(row\) for row in X\.to_numpy"),
    "time steps as channels": (SERIES[:, :1].transpose(0, 2, 1), "auto", r"X\.transpose\(0, 2, 1\)"),
    "images of other numbers of channels": ([*IMAGES[:-1], IMAGES[0, :, :, 0]], ConvNet, "channel|shape"),
    "sounds without a module": (SOUNDS, "auto", "AudioNet.*sampling_rate"),
    "sounds without a sampling rate": (SOUNDS, AudioNet, "sampling_rate"),
    "sounds of two channels": ([np.stack([x, x]) for x in SOUNDS], AudioNet, "channel.*mean|mean"),
    "sounds with NaN": (
        [np.where(np.arange(len(x)) == 9, np.nan, x) for x in SOUNDS],
        AudioNet,
        "NaN|finite|sampling_rate",
    ),
    "images with NaN": (np.where(IMAGES.max() == IMAGES, np.nan, IMAGES), ConvNet, "NaN|finite"),
    "sequences with infinity": (np.where(SERIES.max() == SERIES, np.inf, SERIES), "auto", "infinit|finite"),
    "a table for a network of texts": (RANDOM.normal(size=(N, 3)), TextNet, "text"),
    "a table for a network of images": (RANDOM.normal(size=(N, 3)), ConvNet, "image"),
    "a table for a network of sequences": (RANDOM.normal(size=(N, 3)), SequenceNet, r"X\[:, None\]|sequence"),
    "a table for a network of sounds": (pd.DataFrame({"a": range(N)}), AudioNet, "recording|sampling_rate"),
    "texts for a network of images": (TEXTS, ConvNet, "image"),
    "texts for a network of sequences": (TEXTS, SequenceNet, "expected numbers"),
    "one text": ("a single text", "auto", "in memory"),
    "complex sequences": (SERIES + 1j, "auto", "[Cc]omplex"),
    "nothing": ([], "auto", "Expected 2D array"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    X, module, message = REFUSED[name]
    model = NeuralClassifier(module, max_epochs=1)
    with pytest.raises((ValueError, TypeError), match=message) as error:
        model.fit(X, Y[: len(X)] if not isinstance(X, str) else Y)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 700  # no page of data
    assert not hasattr(model, "net_")


OF_A_KIND = {"table": RANDOM.normal(size=(N, 3)), "texts": TEXTS, "images": IMAGES, "sequences": SERIES}


@pytest.mark.parametrize("name", OF_A_KIND)
def test_later_calls_refuse_another_kind_in_the_same_words(name):
    model = NeuralClassifier(n_networks=1, max_epochs=1).partial_fit(OF_A_KIND[name], Y, classes=[0, 1])
    for other, X in OF_A_KIND.items():
        if other == name:
            continue
        said = []
        for call in (model.predict, lambda X: model.partial_fit(X, Y)):
            with pytest.raises(
                (ValueError, TypeError), match=rf"fitted on .*{name}|as in fit|expected numbers"
            ) as error:
                call(X)
            said.append(str(error.value))
        assert said[0] == said[1]
        with pytest.raises((ValueError, TypeError), match=r"^X_val: "):
            NeuralClassifier(max_epochs=1).fit(OF_A_KIND[name], Y, X_val=X, y_val=Y)


def test_a_text_is_no_target_of_a_regressor():
    with pytest.raises((ValueError, TypeError), match="y"):
        NeuralRegressor(max_epochs=1).fit(RANDOM.normal(size=(N, 2)), TEXTS)


def test_a_module_that_reads_what_nobody_knows():
    class Smell(TextNet):
        reads = "smell"

    with pytest.raises(ValueError, match="smell.*expected one of"):
        NeuralClassifier(Smell).fit(TEXTS, Y)
