"""n-grams of texts: the same counts and weights as scikit-learn's, on any text."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from sknn._data import ngrams as ngrams_file
from sknn._data.ngrams import Counts, Ngrams, is_word, learn_vocabulary, ngram_counts, places_of, tf_idf, words_of

EVERYTHING = 10**9
ALL = Ngrams(n_first=0)
ALPHABET = "abcdeABCßéÉñжЖщλΩבגجд0123456789_  \t\n"
ODD = ["", " ", "!!!", "...?!", "a", "Ä", "\x00", "a\x00b", "\ud800", "x\udfffy", "1 2 3", "007", "\u200b", "\u0301", "🙂🙂",
       "👍🏽", "שלום עולם", "مرحبا بالعالم", "हिन्दी में", "ภาษาไทย", "私は学生です。", "中文句子", "e\u0301 é", "İ", "\u2028"]  # fmt: skip


def counts_of(texts, ngrams, vocabulary):
    """The counts as a sparse matrix."""
    return as_matrix(ngram_counts(texts, ngrams, vocabulary))


def vocabulary_of(texts: list[str], ngrams: Ngrams, max_features: int, min_count: int) -> np.ndarray:
    """What is learned, after a check of how many texts contain each n-gram."""
    vocabulary, n_with = learn_vocabulary(texts, ngrams, max_features, min_count)
    found = ngram_counts(texts, ngrams, vocabulary)
    np.testing.assert_array_equal(n_with, np.bincount(found.indices, minlength=len(vocabulary)))
    return vocabulary


def smooth_idf(counts: Counts) -> np.ndarray:
    """As TfidfTransformer(smooth_idf=True)."""
    n_with = np.bincount(counts.indices, minlength=counts.shape[1])
    return np.log((1 + counts.shape[0]) / (1 + n_with)) + 1


def as_matrix(counts):
    return scipy.sparse.csr_array((counts.data, counts.indices, counts.indptr), shape=counts.shape)


def random_texts(n_texts: int = 300, seed: int = 0) -> list[str]:
    """Texts of letters of several alphabets, digits, underscores and white space."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(ALPHABET), rng.integers(0, 60))) for _ in range(n_texts)]


def counted(texts: list[str], ngrams: Ngrams = ALL) -> np.ndarray:
    """Counts of each n-gram in each text, columns in ascending order of their numbers."""
    counts = counts_of(texts, ngrams, vocabulary_of(texts, ngrams, EVERYTHING, 1)).toarray()
    return columns_in_order(counts)


def columns_in_order(table: np.ndarray) -> np.ndarray:
    return table[:, np.lexsort(table)]


class TestCountsAreThoseOfScikitLearn:
    @pytest.mark.parametrize("lengths", [(2, 5), (2, 2), (3, 4)])
    def test_of_characters(self, lengths):
        texts = random_texts()
        expected = CountVectorizer(analyzer="char_wb", ngram_range=lengths).fit_transform(texts).toarray()
        assert np.array_equal(counted(texts, Ngrams(lengths, (0, 0), 0)), columns_in_order(expected))

    @pytest.mark.parametrize("lengths", [(1, 2), (1, 1), (2, 2)])
    def test_of_words(self, lengths):
        texts = random_texts()
        words = CountVectorizer(token_pattern=r"\w+", ngram_range=lengths)
        expected = words.fit_transform(texts).toarray()
        assert np.array_equal(counted(texts, Ngrams((0, 0), lengths, 0)), columns_in_order(expected))

    def test_weights(self):
        texts, new = random_texts(), random_texts(100, seed=1)
        options = {"min_df": 3, "sublinear_tf": True}
        characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **options)
        words = TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), **options)
        scipy.sparse.hstack([characters.fit_transform(texts), words.fit_transform(texts)])
        expected = scipy.sparse.hstack([characters.transform(new), words.transform(new)]).toarray()

        vocabulary = vocabulary_of(texts, ALL, EVERYTHING, 3)
        idf = smooth_idf(ngram_counts(texts, ALL, vocabulary))
        weights = as_matrix(tf_idf(ngram_counts(new, ALL, vocabulary), idf, int((~is_word(vocabulary)).sum())))
        assert weights.dtype == np.float32
        # Columns that are equal up to rounding may change places: compare products of rows.
        assert weights.shape == expected.shape
        np.testing.assert_allclose((weights @ weights.T).toarray(), expected @ expected.T, atol=1e-5)

    def test_most_frequent_are_kept(self):
        texts = random_texts()
        n_texts = (counted(texts) > 0).sum(0)
        vocabulary = vocabulary_of(texts, ALL, 50, 1)
        kept = (counts_of(texts, ALL, vocabulary) > 0).sum(0)
        assert len(vocabulary) == 50
        assert np.array_equal(np.sort(kept), np.sort(n_texts)[-50:])

    def test_chunks_do_not_matter(self, monkeypatch):
        texts = random_texts(2000)
        vocabulary = vocabulary_of(texts, ALL, 5000, 2)
        counts = counts_of(texts, ALL, vocabulary)
        monkeypatch.setattr(ngrams_file, "_MAX_CHUNK", 500)
        assert np.array_equal(vocabulary_of(texts, ALL, 5000, 2), vocabulary)
        again = counts_of(texts, ALL, vocabulary)
        assert (again != counts).nnz == 0
        assert again.has_canonical_format


def tokens(text: str) -> int:
    return int(counted([text], Ngrams((0, 0), (1, 1), 0)).sum())


@pytest.mark.parametrize(
    ("text", "n_tokens"),
    [
        ("don't stop", 4),
        ("wait!!! what?!", 5),
        ("🙂🙂 ok", 2),
        ("हिन्दी में", 2),
        ("مرحبا بالعالم", 2),
        ("中文句子", 4),
        ("ภาษาไทย", 7),
        ("กินข้าว", 5),  # marks belong to the character before
        ("x\u0302y", 1),
        ("a\x00b", 2),
        ("", 0),
    ],
)
def test_what_is_a_word(text, n_tokens):
    assert tokens(text) == n_tokens


def test_first_words_are_counted_once_more():
    with_first = Ngrams((0, 0), (1, 1), 2)
    texts = ["what is a", "a", "is what is what", ""]
    assert list(counted(texts, with_first).sum(1)) == [5, 2, 6, 0]
    vocabulary = vocabulary_of(["what is", "x what is"], with_first, EVERYTHING, 1)
    assert len(vocabulary) == 3 + 3
    at_start, later = counts_of(["what is x", "x y what is"], with_first, vocabulary).toarray()
    assert (at_start.sum(), later.sum()) == (3 + 2, 3 + 1)


def test_letters_match_whatever_their_case_and_composition():
    one, other = counted(["É", "e\u0301"])
    assert np.array_equal(one, other)
    assert one.sum() == 4  # " é", "é ", " é " and the word


@given(st.lists(st.one_of(st.sampled_from(ODD), st.text(), st.characters(categories=["Cs"])), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_text_is_counted(texts):
    vocabulary = vocabulary_of(texts, ALL, EVERYTHING, 1)
    counts = ngram_counts(texts, ALL, vocabulary)
    assert counts.shape == (len(texts), len(vocabulary))
    weighted = tf_idf(counts, smooth_idf(counts), int((~is_word(vocabulary)).sum()))
    assert np.isfinite(weighted.data).all()
    weights = as_matrix(weighted).toarray()
    for i, text in enumerate(texts):  # a text has the same n-grams in any company
        alone = counts_of([text], ALL, vocabulary)
        assert np.array_equal(alone.toarray()[0] > 0, weights[i] > 0)
    expected = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5), preprocessor=_as_here).build_analyzer()
    is_character = ~is_word(vocabulary)
    n_expected = sum(len(set(expected(text))) for text in texts)
    assert (weights[:, is_character] > 0).sum() == n_expected


def _as_here(text: str) -> str:
    normal = unicodedata.normalize("NFC", text.lower())
    return "".join(" " if unicodedata.category(c) == "Cc" else c for c in normal)


def test_long_texts_are_cut():
    texts = ["ab " * 100_000, "ab " * 10, "x" * 100_000]
    vocabulary = vocabulary_of(texts, Ngrams(max_characters=30, n_first=0), EVERYTHING, 1)
    counts = counts_of(texts, Ngrams(max_characters=30, n_first=0), vocabulary).toarray()
    assert np.array_equal(counts[0], counts[1])
    assert counts[2].sum() > 100


def test_no_texts_and_no_vocabulary():
    assert len(vocabulary_of([], ALL, 10, 1)) == 0
    assert counts_of([], ALL, np.empty(0, np.uint64)).shape == (0, 0)
    assert counts_of(["some words"], ALL, np.empty(0, np.uint64)).shape == (1, 0)


def test_hashes_are_the_same_on_every_machine():
    known = vocabulary_of(["ab é 中"], Ngrams((2, 2), (1, 2), 0), 100, 1)
    code = (
        "from sknn._data.ngrams import *; print(*learn_vocabulary(['ab é 中'], Ngrams((2, 2), (1, 2), 0), 100, 1)[0])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert printed.stdout.split() == [str(value) for value in known]
    assert len(known) == 7 + 5
    assert int(np.bitwise_xor.reduce(known)) == 17966685536602177536


@pytest.mark.parametrize("text", [*ODD, "The cat, the CAT!!! sat", "中文 and text", "\u0130stanbul e\u0301te\u0301"])
@pytest.mark.parametrize(
    "ngrams", [Ngrams(), Ngrams((0, 0), (1, 1), 0), Ngrams((3, 4), (0, 0)), Ngrams((0, 0), (2, 2))]
)
def test_places_are_those_of_what_is_counted(text, ngrams):
    vocabulary, _ = learn_vocabulary([text, "something else"], ngrams, 10_000, 1)
    counts = ngram_counts([text], ngrams, vocabulary)
    places = places_of(text, ngrams)
    found, n_times = np.unique(places.hashes, return_counts=True)
    np.testing.assert_array_equal(found, vocabulary[np.sort(counts.indices)])
    np.testing.assert_array_equal(n_times, counts.data[np.argsort(counts.indices)])
    assert [places.text[start:stop] for start, stop in places.words] == words_of(text[: ngrams.max_characters])
    for start, stop in zip(places.starts[:500], places.stops[:500], strict=True):
        assert 0 <= start < stop <= len(places.text)
        assert places.text[start:stop].strip()
