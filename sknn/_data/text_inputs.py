"""Texts as sequences of words; words that were not learned are spelled by pieces of words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..exceptions import DamagedFileError
from ..modules import TextTransformer
from .inputs import Inputs, RawRows
from .ngrams import words_of
from .stored import check_names, stored_int
from .stores import Ragged
from .texts import WHAT, as_texts, checked_size, checked_texts
from .word_contributions import WordContributions

__all__ = ["TextInputs"]

_UNKNOWN, _N_SPECIAL = 1, 2  # codes: 0 is padding
_LONGEST_PIECE, _MOST_PIECES = 4, 4096
_MOST_PIECES_OF_A_WORD = 8
_MOST_WORDS, _MOST_TOKENS = 2**20, 2**14
_CHARACTERS_PER_TOKEN = 20  # of a text so many are looked at for each token that the network is given


class TextRows(RawRows):
    """Texts (n_samples,) without gaps, object."""

    def __init__(self, texts: np.ndarray, max_features: int, max_tokens: int) -> None:
        self.texts, self.max_features, self.max_tokens = texts, max_features, max_tokens

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> TextRows:
        return TextRows(self.texts[rows], self.max_features, self.max_tokens)

    def keys(self) -> None:
        return None

    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False) -> TextInputs:
        counts: Counter[str] = Counter()
        for text in self.texts if rows is None else self.texts[rows]:
            counts.update(_first_words(text, self.max_tokens))
        if not counts:
            raise ValueError("X: all texts that are learned from are empty, so there is nothing to learn.")
        # Words of one occurrence teach what to do with unknown ones.
        known = _most_frequent(Counter({word: n for word, n in counts.items() if n > 1}), self.max_features)
        return TextInputs(known, _learned_pieces(counts), self.max_tokens)


class TextInputs(Inputs):
    """Codes of words, and of pieces of words that are not in the vocabulary.

    Code 0 is padding and 1 is unknown; `words` and then `pieces` follow.
    """

    kind = content = "text"
    what = WHAT
    default_module = TextTransformer
    options = ("max_features", "max_tokens")
    n_inputs = 2

    def __init__(self, words: list[str], pieces: list[str], max_tokens: int) -> None:
        self.words, self.pieces, self.max_tokens = words, pieces, max_tokens
        self._code_of_word = {word: _N_SPECIAL + i for i, word in enumerate(words)}
        self._code_of_piece = {piece: _N_SPECIAL + len(words) + i for i, piece in enumerate(pieces)}
        self.row_shape = self.given_shape = ()

    @classmethod
    def prepare(cls, X: Any) -> np.ndarray:
        return as_texts(X)

    @classmethod
    def read_first(cls, X: Any, max_features: Any = 20_000, max_tokens: Any = 128) -> TextRows:
        max_features = checked_size("max_features", max_features, _MOST_WORDS)
        return TextRows(checked_texts(X), max_features, checked_size("max_tokens", max_tokens, _MOST_TOKENS))

    def read(self, X: Any) -> TextRows:
        return TextRows(checked_texts(X), len(self.words), self.max_tokens)

    def encode_rows(self, raw: TextRows, rows: np.ndarray | None = None) -> Ragged:
        """Codes int64 of the first `max_tokens` words and pieces of each text; of an empty one, unknown."""
        chosen = raw.texts if rows is None else raw.texts[rows]
        spelled: dict[str, list[int]] = {}
        codes = [self._codes(text, spelled) for text in chosen]
        lengths = torch.tensor([len(row) for row in codes], dtype=torch.int64)
        values = torch.tensor([code for row in codes for code in row], dtype=torch.int64)
        return Ragged(values, lengths.cumsum(0) - lengths, lengths)

    def _codes(self, text: str, spelled: dict[str, list[int]]) -> list[int]:
        codes: list[int] = []
        for word in _first_words(text, self.max_tokens):
            code = self._code_of_word.get(word)
            if code is not None:
                codes.append(code)
                continue
            if word not in spelled:
                spelled[word] = self._spelled(word)
            codes += spelled[word]
        return codes[: self.max_tokens] or [_UNKNOWN]

    def absent(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Unknown words."""
        return {**tensors, "x": tensors["x"].clamp(max=_UNKNOWN)}

    def contributions(self, X: np.ndarray, found: list[dict[str, np.ndarray]]) -> list[WordContributions]:
        """Of the words, and pieces of rare words, of each text."""
        return [
            WordContributions(self.tokens(text), row["x"]) for text, row in zip(checked_texts(X), found, strict=True)
        ]

    def tokens(self, text: str) -> list[str]:
        """What the codes of a text stand for: words, and pieces of words."""
        tokens: list[str] = []
        for word in _first_words(text, self.max_tokens):
            tokens += [word] if word in self._code_of_word else self._pieces(word)
        return tokens[: self.max_tokens] or [""]

    def _spelled(self, word: str) -> list[int]:
        """Codes of the longest known pieces of a word, from its start on."""
        return [self._code_of_piece.get(piece, _UNKNOWN) for piece in self._pieces(word)]

    def _pieces(self, word: str) -> list[str]:
        pieces, start = [], 0
        while start < len(word) and len(pieces) < _MOST_PIECES_OF_A_WORD:
            lengths = range(_LONGEST_PIECE, 0, -1)
            length = next((n for n in lengths if word[start : start + n] in self._code_of_piece), 1)
            pieces.append(word[start : start + length])
            start += length
        return pieces

    @property
    def in_features(self) -> int:
        return _N_SPECIAL + len(self.words) + len(self.pieces)

    def to_state(self) -> dict[str, Any]:
        return {"words": self.words, "pieces": self.pieces, "max_tokens": self.max_tokens}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TextInputs:
        check_names("texts", state, {"words", "pieces", "max_tokens"})
        for name in ("words", "pieces"):
            values = state[name]
            if type(values) is not list or any(type(value) is not str or not value for value in values):
                raise DamagedFileError(f"texts: {name} is not a list of texts.")
            if len(set(values)) < len(values):
                raise DamagedFileError(f"texts: {name} has a text twice.")
        return cls(state["words"], state["pieces"], stored_int("texts", state, "max_tokens", 1, _MOST_TOKENS))

    def probe_rows(self, random: np.random.RandomState) -> list[str]:
        vocabulary = [*self.words, *self.pieces, "?"]  # no array: each text would take as much memory as the longest
        return [" ".join(vocabulary[i] for i in random.randint(len(vocabulary), size=n)) for n in (20, 5, 1)]


def _first_words(text: str, n: int) -> list[str]:
    return words_of(text[: _CHARACTERS_PER_TOKEN * n])[:n]


def _learned_pieces(counts: Counter[str]) -> list[str]:
    """Runs of up to four characters that most of the words contain, single characters among them."""
    single: Counter[str] = Counter()
    longer: Counter[str] = Counter()
    for word in counts:
        word = word[: _LONGEST_PIECE * _MOST_PIECES_OF_A_WORD]
        single.update(word)
        for n in range(2, _LONGEST_PIECE + 1):
            longer.update(word[i : i + n] for i in range(len(word) - n + 1))
    frequent = Counter({piece: n for piece, n in longer.items() if n > 2})
    return _most_frequent(single, _MOST_PIECES // 4) + _most_frequent(frequent, _MOST_PIECES * 3 // 4)


def _most_frequent(counts: Counter[str], n: int) -> list[str]:
    """At most n of them, in an order that does not depend on that of the rows."""
    return sorted(counts, key=lambda text: (-counts[text], text))[:n]
