"""Texts as the n-grams of characters and words that they contain, weighted by tf-idf."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from .._errors import shown
from ..exceptions import DamagedFileError
from ..modules import TextNet
from .inputs import Inputs, RawRows
from .ngrams import Ngrams, is_word, learn_vocabulary, ngram_counts, places_of, tf_idf
from .stored import check_names, stored_array, stored_int
from .stores import Bags
from .texts import WHAT, as_texts, checked_size, checked_texts
from .word_contributions import WordContributions

__all__ = ["NgramInputs"]

# Texts of so many characters decide which n-grams are known, and how frequent they are.
_MOST_LEARNED = 10_000_000
# From so many texts on, an n-gram of a single one is not learned.
_MANY_TEXTS = 1000
_MOST_FEATURES, _MOST_CHARACTERS = 2**24, 2**20
_CHARACTER_LENGTHS, _WORD_LENGTHS = range(2, 9), range(1, 3)


class NgramRows(RawRows):
    """Texts (n_samples,) without gaps, object."""

    def __init__(self, texts: np.ndarray, ngrams: Ngrams, max_features: int) -> None:
        self.texts, self.ngrams, self.max_features = texts, ngrams, max_features

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> NgramRows:
        return NgramRows(self.texts[rows], self.ngrams, self.max_features)

    def keys(self) -> None:
        return None

    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False) -> NgramInputs:
        texts = _spaced(self.texts if rows is None else self.texts[rows], self.ngrams.max_characters)
        for min_count in (2, 1) if len(texts) >= _MANY_TEXTS else (1,):
            vocabulary, n_with = learn_vocabulary(texts.tolist(), self.ngrams, self.max_features, min_count)
            if len(vocabulary):
                break
        else:
            raise ValueError(
                f"X: all {len(texts)} texts that are learned from are empty, so there is nothing to learn."
            )
        idf = np.log((1 + len(texts)) / (1 + n_with)) + 1  # as TfidfTransformer(smooth_idf=True)
        return NgramInputs(self.ngrams, self.max_features, vocabulary, idf)


class NgramInputs(Inputs):
    """Codes of n-grams and their tf-idf weights; code i + 1 is n-gram i of the vocabulary.

    `vocabulary` has hashes of n-grams, ascending uint64 (n_vocabulary,), `idf` a factor for each, float64.
    """

    kind = "ngrams"
    content = "text"
    what = WHAT
    default_module = TextNet
    options = ("max_features", "char_ngram_range", "word_ngram_range", "max_characters")
    n_inputs = 2

    def __init__(self, ngrams: Ngrams, max_features: int, vocabulary: np.ndarray, idf: np.ndarray) -> None:
        self.ngrams, self.max_features, self.vocabulary, self.idf = ngrams, max_features, vocabulary, idf
        self.row_shape = self.given_shape = ()

    @classmethod
    def prepare(cls, X: Any) -> np.ndarray:
        return as_texts(X)

    @classmethod
    def read_first(
        cls,
        X: Any,
        max_features: Any = 2**16,
        char_ngram_range: Any = (2, 5),
        word_ngram_range: Any = (1, 2),
        max_characters: Any = 20_000,
    ) -> NgramRows:
        characters = _checked_range("char_ngram_range", char_ngram_range, _CHARACTER_LENGTHS)
        words = _checked_range("word_ngram_range", word_ngram_range, _WORD_LENGTHS)
        if characters == words == (0, 0):
            raise ValueError("char_ngram_range and word_ngram_range are both (0, 0), which leaves no n-grams.")
        max_features = checked_size("max_features", max_features, _MOST_FEATURES)
        max_characters = checked_size("max_characters", max_characters, _MOST_CHARACTERS)
        return cls._rows(X, Ngrams(characters, words, max_characters=max_characters), max_features)

    @staticmethod
    def _rows(X: np.ndarray, ngrams: Ngrams, max_features: int) -> NgramRows:
        return NgramRows(checked_texts(X), ngrams, max_features)

    def read(self, X: Any) -> NgramRows:
        return self._rows(X, self.ngrams, self.max_features)

    def weights(self, texts: np.ndarray) -> csr_array:
        """tf-idf weights float32 (n_texts, n_vocabulary): n-grams of characters have norm 1 in a row, so have words."""
        counts = ngram_counts(texts.tolist(), self.ngrams, self.vocabulary)
        weights = tf_idf(counts, self.idf, int((~is_word(self.vocabulary)).sum()))
        return csr_array((weights.data, weights.indices, weights.indptr), shape=weights.shape)

    def absent(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The same n-grams without weight, which is a text without words."""
        return {**tensors, "x_weight": torch.zeros_like(tensors["x_weight"])}

    def contributions(self, X: np.ndarray, found: list[dict[str, np.ndarray]]) -> list[WordContributions]:
        """Of the words of each text."""
        return [
            WordContributions(*self.by_word(text, row["codes"], row["x_weight"]))
            for text, row in zip(checked_texts(X), found, strict=True)
        ]

    def by_word(self, text: str, codes: np.ndarray, values: np.ndarray) -> tuple[list[str], np.ndarray]:
        """The words of a text, and what each contributes, float64 (n_words, ...), if its n-grams contribute `values`.

        `codes` int64 (n_ngrams,) are those of its n-grams in ascending order. Each occurrence of an n-gram has the same
        share of its value, and so has each of its characters that is no space.
        """
        places = places_of(text, self.ngrams)
        columns = np.searchsorted(self.vocabulary, places.hashes).clip(max=len(self.vocabulary) - 1)
        known = self.vocabulary[columns] == places.hashes
        which = np.searchsorted(codes, columns[known] + 1)
        is_letter = np.array([character != " " for character in places.text], dtype=np.int64)
        n_letters = np.append(0, np.cumsum(is_letter))
        starts, stops = places.starts[known], places.stops[known]
        shares = np.bincount(which, minlength=len(codes))[which] * (n_letters[stops] - n_letters[starts])
        each = values[which].astype(np.float64) / shares.reshape(-1, *[1] * (values.ndim - 1))
        change = np.zeros((len(is_letter) + 1, *values.shape[1:]))  # of a character against the one before
        np.add.at(change, starts, each)
        np.subtract.at(change, stops, each)
        of_characters = np.cumsum(change, axis=0)[:-1]
        of_characters[is_letter == 0] = 0.0
        total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(of_characters, axis=0)])
        words = [places.text[start:stop] for start, stop in places.words]
        return words, total[places.words[:, 1]] - total[places.words[:, 0]]

    def encode_rows(self, raw: NgramRows, rows: np.ndarray | None = None) -> Bags:
        """Codes and weights of the n-grams of each text."""
        return Bags.of(self.weights(raw.texts if rows is None else raw.texts[rows]))

    @property
    def in_features(self) -> int:
        return len(self.vocabulary) + 1

    def to_state(self) -> dict[str, Any]:
        return {
            "characters": list(self.ngrams.characters),
            "words": list(self.ngrams.words),
            "n_first": self.ngrams.n_first,
            "max_characters": self.ngrams.max_characters,
            "max_features": self.max_features,
            "vocabulary": self.vocabulary,
            "idf": self.idf,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> NgramInputs:
        names = {"characters", "words", "n_first", "max_characters", "max_features", "vocabulary", "idf"}
        what = "n-grams"
        check_names(what, state, names)
        vocabulary = stored_array(what, state, "vocabulary", np.uint64, (None,))
        idf = stored_array(what, state, "idf", np.float64, vocabulary.shape)
        if not len(vocabulary) or (vocabulary[1:] <= vocabulary[:-1]).any():
            raise DamagedFileError("n-grams: the vocabulary is empty, or not in ascending order.")
        if not ((idf > 0) & (idf < 1e6)).all():
            raise DamagedFileError("n-grams: a value of idf is out of range.")
        n_first = stored_int(what, state, "n_first", 0, 100)
        max_features = stored_int(what, state, "max_features", 1, _MOST_FEATURES)
        max_characters = stored_int(what, state, "max_characters", 1, _MOST_CHARACTERS)
        try:
            characters = _checked_range("characters", state["characters"], _CHARACTER_LENGTHS)
            words = _checked_range("words", state["words"], _WORD_LENGTHS)
        except (TypeError, ValueError) as error:
            raise DamagedFileError(f"n-grams: {error}") from error
        return cls(Ngrams(characters, words, n_first, max_characters), max_features, vocabulary, idf)

    def probe_rows(self, random: np.random.RandomState) -> list[str]:
        letters = list("aeionrst,. ")
        return ["".join(random.choice(letters, n)) for n in (200, 40, 1)]


def _spaced(texts: np.ndarray, max_characters: int) -> np.ndarray:
    """All texts, or evenly spaced ones of them where they are long together."""
    n_characters = sum(min(len(text), max_characters) for text in texts)
    if n_characters <= _MOST_LEARNED:
        return texts
    n_kept = max(1, len(texts) * _MOST_LEARNED // n_characters)
    return texts[np.linspace(0, len(texts) - 1, n_kept).astype(np.int64)]


def _checked_range(name: str, value: Any, allowed: range) -> tuple[int, int]:
    """Lowest and highest length; (0, 0) for none."""
    is_pair = isinstance(value, tuple | list) and len(value) == 2
    if not is_pair or any(isinstance(n, bool) or not isinstance(n, Integral) for n in value):
        raise TypeError(f"{name}={shown(value)} is invalid; expected two ints (shortest, longest), or (0, 0) for none.")
    low, high = int(value[0]), int(value[1])
    if (low, high) != (0, 0) and not (low in allowed and high in allowed and low <= high):
        raise ValueError(
            f"{name}={shown(value)} is out of range; expected lengths from {allowed[0]} to {allowed[-1]}, the shorter "
            "one first, or (0, 0) for none."
        )
    return low, high
