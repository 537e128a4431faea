"""Texts as sequences of words and pieces of words."""

from __future__ import annotations

import numpy as np
import pytest

from sknn._data.text_inputs import TextInputs
from sknn.exceptions import DamagedFileError

TEXTS = ["the cat sat", None, "the cat, the dog", "sat dogs!!!", ""]
ODD = ["", "\x00", "\ud83d", "🙂 👍🏽", "שלום", "กินข้าว", "x" * 100_000, "中文句子", "a b " * 30_000]


def learned(X, **options) -> TextInputs:
    return TextInputs.read_first(TextInputs.prepare(X), **options).learn(None, None)  # pyright: ignore


def codes(inputs: TextInputs, X) -> list[list[int]]:
    tensors = inputs.encode(inputs.prepare(X)).tensors()
    return [row[:n].tolist() for row, n in zip(tensors["x"], tensors["lengths"], strict=True)]


def spelled(inputs: TextInputs, text: str) -> list[str]:
    names = ["padding", "unknown", *inputs.words, *inputs.pieces]
    return [names[code] for code in codes(inputs, [text])[0]]


def test_frequent_words_have_a_code_and_others_are_spelled():
    inputs = learned(TEXTS * 2)
    assert set(inputs.words) == {"the", "cat", "sat", ",", "dog", "dogs", "!!!"}
    assert spelled(inputs, "The CAT sat!!!") == ["the", "cat", "sat", "!!!"]
    assert spelled(learned(TEXTS), "dogs") == ["d", "o", "g", "s"]
    assert spelled(learned(["catch", "cater", "cattle"]), "cats") == ["cat", "unknown"]
    assert spelled(inputs, "ζ") == ["unknown"]
    assert codes(inputs, [None, ""]) == [[1], [1]]
    assert max(max(row) for row in codes(inputs, TEXTS)) < inputs.in_features


def test_any_text_is_encoded_alone_as_among_others():
    inputs = learned([*TEXTS, *ODD])
    together = codes(inputs, ODD)
    assert [codes(inputs, [text])[0] for text in ODD] == together
    assert all(1 <= len(row) <= inputs.max_tokens for row in together)
    assert len(together[-1]) == 128


def test_vocabulary_does_not_depend_on_the_order_of_texts():
    one, other = learned(TEXTS), learned(TEXTS[::-1])
    assert (one.words, one.pieces) == (other.words, other.pieces)
    assert len(learned(TEXTS * 2, max_features=2).words) == 2


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (["", None], {}, "all texts that are learned from are empty"),
        ([b"bytes"], {}, r"X\[0\] is b'bytes' of type bytes"),
        (TEXTS, {"max_tokens": 0}, "max_tokens=0 is out of range"),
        (TEXTS, {"max_features": "all"}, "max_features='all' is invalid"),
    ],
)
def test_what_cannot_be_read_is_refused(X, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        learned(X, **options)


def test_files():
    inputs = learned(TEXTS, max_tokens=5)
    again = TextInputs.from_state(inputs.to_state())
    assert codes(again, TEXTS) == codes(inputs, TEXTS)
    assert codes(inputs, inputs.probe_rows(np.random.RandomState(0)))


def test_probe_rows_of_a_long_word_take_no_memory_for_the_others():
    inputs = TextInputs(["x" * 10**6, *(f"{i}" for i in range(10**5))], [], 8)  # 400 GB as one array
    assert len(inputs.probe_rows(np.random.RandomState(0))) == 3


@pytest.mark.parametrize(
    "change", [{"words": ["a", "a"]}, {"words": [""]}, {"pieces": "ab"}, {"max_tokens": 10**9}, {"more": 1}]
)
def test_damaged_files_are_refused(change):
    with pytest.raises(DamagedFileError, match="texts"):
        TextInputs.from_state({**learned(TEXTS).to_state(), **change})


def test_tokens_are_what_the_codes_stand_for():
    inputs = learned([*TEXTS, *ODD], max_tokens=16)
    names = ["", None, *inputs.words, *inputs.pieces]
    for text in [*ODD, "The CAT catches dogs", "?" * 50]:
        tokens, found = inputs.tokens(text), codes(inputs, [text])[0]
        assert len(tokens) == len(found)
        assert all(names[code] in (None, token) for token, code in zip(tokens, found, strict=True))
