"""Texts are read in every usual container, and everything else is refused clearly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from sknn import NeuralClassifier
from sknn._data.ngram_inputs import NgramInputs
from sknn._data.ngrams import places_of
from sknn.exceptions import DamagedFileError

TEXTS = ["what is a sonar?", None, "who was the first", "What is it?", "", "it is it"]
ODD = ["", " \n", "?!", "a", "\x00", "\ud83d", "7 8", "שלום", "กิน", "x" * 100_000, "e\u0301", "a b " * 30_000]


def learned(X, rows=None, **options) -> NgramInputs:
    raw = NgramInputs.read_first(NgramInputs.prepare(X), **options)
    return raw.learn(rows, None)  # pyright: ignore[reportReturnType]


def weights(inputs: NgramInputs, X) -> np.ndarray:
    """Weights of all n-grams, from the tensors that a network receives."""
    tensors = inputs.encode(inputs.prepare(X)).tensors()
    dense = np.zeros((len(tensors["x"]), inputs.in_features))
    np.add.at(dense, (np.arange(len(dense))[:, None], tensors["x"].numpy()), tensors["x_weight"].numpy())
    assert (dense[:, 0] == 0).all()  # padding
    return dense[:, 1:]


@pytest.mark.parametrize(
    "container",
    [
        tuple,
        lambda texts: np.array(texts, dtype=object),
        pd.Series,
        lambda texts: pd.Series(texts, dtype="string"),
        lambda texts: pd.Series(texts, index=range(5, 11)).astype("category"),
        pl.Series,
        pa.array,
        lambda texts: np.array([text or "" for text in texts]),
        lambda texts: np.array([text or "" for text in texts], dtype=np.dtypes.StringDType()),  # pyright: ignore
        lambda texts: [text or float("nan") for text in texts],
    ],
)
def test_containers_and_gaps(container):
    expected = weights(learned(TEXTS), TEXTS)
    assert (expected[[1, 4]] == 0).all()  # missing, and empty
    assert np.array_equal(weights(learned(container(TEXTS)), container(TEXTS)), expected)


def test_weights_are_tf_idf_of_the_training_rows():
    texts = ["some words here", "other words", "words and words", "never learned from"]
    inputs = learned(texts, np.array([0, 1, 2]), word_ngram_range=(0, 0))
    peer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True).fit(texts[:3])
    found, expected = weights(inputs, texts), peer.transform(texts).toarray()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-6)


def test_long_corpora_are_learned_from_a_part(monkeypatch):
    texts = [f"text{i % 10} " * 10 for i in range(100)]
    monkeypatch.setattr("sknn._data.ngram_inputs._MOST_LEARNED", 2000)
    assert learned(texts).in_features > 50
    assert learned(texts, max_features=5).in_features == 6


def test_any_text_is_encoded():
    inputs = learned([*TEXTS, *ODD])
    assert np.isfinite(weights(inputs, ODD)).all()
    alone = np.concatenate([weights(inputs, [text]) for text in ODD])
    assert np.array_equal(alone, weights(inputs, ODD))
    assert (weights(inputs, ["ζζζ"]) == 0).all()  # nothing known


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([b"bytes", b"more"], r"X\[0\] is b'bytes' of type bytes, but texts .* Decode it first"),
        (["text", 3.5], r"X\[1\] is 3.5 of type float, but texts .* were expected\. Pass \[str\(x\)"),
        (["text", ["a", "b"]], r"X\[1\] is .* of type list.*' '\.join"),
        (["text", np.zeros(3)], r"X\[1\] is .* of type ndarray"),
        (pd.DataFrame({"review": ["good", "bad"]}), r"X is a table of the shape \(2, 1\).*Pass one column, as X\['rev"),
        (np.array([["good"], ["bad"]]), r"X is a table of the shape \(2, 1\).*Pass X\[:, 0\]"),
        ("one text", "is 'one text' of type str, but a list of texts"),
        ([], "0 sample"),
        (["", None, " "], "all 3 texts that are learned from are empty"),
    ],
)
def test_what_is_no_text_is_refused(X, message):
    with pytest.raises((TypeError, ValueError), match=message):
        learned(X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_features": 0}, "max_features=0 is out of range"),
        ({"max_features": 1.5}, "max_features=1.5 is invalid"),
        ({"char_ngram_range": (1, 3)}, r"char_ngram_range=\(1, 3\) is out of range; expected lengths from 2 to 8"),
        ({"word_ngram_range": "12"}, "word_ngram_range='12' is invalid"),
        ({"word_ngram_range": (2, 1)}, "word_ngram_range.*the shorter one first"),
        ({"word_ngram_range": (0, 0), "char_ngram_range": (0, 0)}, "leaves no n-grams"),
        ({"max_characters": True}, "max_characters=True is invalid"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        learned(TEXTS, **options)


def test_an_estimator_names_what_it_refuses():
    texts, y = ["good one", "bad one"] * 10, [1, 0] * 10
    with pytest.raises(TypeError, match=r"X\[19\] is 3 of type int, but texts"):
        NeuralClassifier(max_epochs=1).fit([*texts[:-1], 3], y)
    model = NeuralClassifier(max_epochs=1).fit(texts, y)
    with pytest.raises(TypeError, match="X is a table of the shape"):
        model.predict(pd.DataFrame({"a": [1.0]}))
    with pytest.raises(TypeError, match=r"X\[0\] is b'bytes'"):
        model.predict([b"bytes"])


class TestFiles:
    def state(self, **changes) -> dict:
        return {**learned(TEXTS).to_state(), **changes}

    def test_everything_learned_is_stored(self):
        inputs = learned(TEXTS, max_characters=8, char_ngram_range=(3, 4))
        again = NgramInputs.from_state(inputs.to_state())
        assert np.array_equal(weights(again, TEXTS), weights(inputs, TEXTS))
        assert again.to_state().keys() == inputs.to_state().keys()
        assert again.in_features == inputs.in_features
        assert len(inputs.probe_rows(np.random.RandomState(0))) > 1

    @pytest.mark.parametrize(
        "change",
        [
            {"vocabulary": [1, 2]},
            {"vocabulary": np.arange(3)},
            {"vocabulary": np.empty(0, np.uint64), "idf": np.empty(0)},
            {"vocabulary": np.array([2, 1], np.uint64), "idf": np.ones(2)},
            {"vocabulary": np.array([1, 2, 3], np.uint64), "idf": np.ones(2)},
            {"vocabulary": np.array([1], np.uint64), "idf": np.array([np.nan])},
            {"idf": None},
            {"characters": [2, 10**9]},
            {"words": "ab"},
            {"n_first": -1},
            {"max_features": 10**12},
            {"max_characters": 1.0},
            {"more": 1},
        ],
    )
    def test_damaged_ones_are_refused(self, change):
        with pytest.raises(DamagedFileError, match="n-grams"):
            NgramInputs.from_state(self.state(**change))


def slow_by_word(inputs: NgramInputs, text: str, codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Occurrence by occurrence, and character by character."""
    places = places_of(text, inputs.ngrams)
    code_of = {value: i + 1 for i, value in enumerate(inputs.vocabulary.tolist())}
    found = [code_of.get(value, 0) for value in places.hashes.tolist()]
    of_characters = np.zeros(len(places.text))
    for code, start, stop in zip(found, places.starts, places.stops, strict=True):
        if code:
            letters = [i for i in range(start, stop) if places.text[i] != " "]
            of_characters[letters] += values[codes == code][0] / found.count(code) / len(letters)
    return np.array([of_characters[start:stop].sum() for start, stop in places.words])


@pytest.mark.parametrize("text", ["It is a sonar, it is!", "who?? who", "中文 what", "", "zzz qqq", "a"])
def test_values_of_ngrams_are_those_of_words(text):
    inputs = learned([*TEXTS, "中文句子"])
    tensors = inputs.encode(inputs.prepare([text])).tensors()
    codes = tensors["x"][0].numpy()
    codes = codes[codes > 0]
    values = np.random.default_rng(0).normal(size=len(codes))
    words, of_words = inputs.by_word(text, codes, values)
    assert len(words) == len(of_words)
    np.testing.assert_allclose(of_words, slow_by_word(inputs, text, codes, values), atol=1e-12)
    np.testing.assert_allclose(of_words.sum(), values.sum(), atol=1e-12)
    _, twice = inputs.by_word(text, codes, np.stack([values, -values], axis=1))
    np.testing.assert_allclose(twice, np.stack([of_words, -of_words], axis=1), atol=1e-12)
