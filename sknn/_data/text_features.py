"""Texts of a column as numbers: weighted n-grams of characters, projected on directions that fit has learned.

This file imports numpy and the standard library only: the predictor that ``export_numpy`` writes contains it word for
word, so a text means the same there.
"""

from __future__ import annotations

import numpy as np

from .ngrams import Counts, Ngrams, ngram_counts, tf_idf

# Those of scikit-learn's analyzer "char_wb".
COLUMN_NGRAMS = Ngrams(characters=(3, 4), words=(0, 0), n_first=0, max_characters=10_000)
_MAX_PRODUCTS = 2**17  # n-grams of texts that are multiplied at once


def weighted_ngrams(texts: list[str], vocabulary: np.ndarray, idf: np.ndarray) -> Counts:
    """tf-idf of the n-grams of each text that are in the vocabulary, of length 1."""
    return tf_idf(ngram_counts(texts, COLUMN_NGRAMS, vocabulary), idf, len(vocabulary))


class TextFeatures:
    """Numbers of a text: tf-idf of its n-grams, of Euclidean length 1, times the learned directions.

    A missing or empty text, and one without any known n-gram, gives zeros. The numbers of a text do not depend on the
    other texts.

    Attributes
    ----------
    vocabulary : ndarray uint64 (V,)
        Hashes of the n-grams, ascending.
    idf : ndarray float64 (V,)
        Weight of each n-gram.
    directions : ndarray float32 (V, n_features)
    """

    def __init__(self, vocabulary: np.ndarray, idf: np.ndarray, directions: np.ndarray) -> None:
        self.vocabulary = vocabulary
        self.idf = idf
        self.directions = directions

    @property
    def n_features(self) -> int:
        """How many numbers a text becomes."""
        return self.directions.shape[1]

    def of(self, texts: list[str]) -> np.ndarray:
        """The numbers of texts, float64 (n_texts, n_features)."""
        numbers = np.zeros((len(texts), self.n_features))
        weights = weighted_ngrams(texts, self.vocabulary, self.idf)
        starts = weights.indptr[:-1]
        rows = np.flatnonzero(weights.indptr[1:] > starts)
        for some in np.split(rows, np.flatnonzero(np.diff(starts[rows] // _MAX_PRODUCTS)) + 1) if rows.size else []:
            part = slice(starts[some[0]], weights.indptr[some[-1] + 1])
            products = weights.data[part, None].astype(np.float64) * self.directions[weights.indices[part]]
            # A sum of numpy uses one thread, so that its bits do not depend on the number of threads, as BLAS would.
            numbers[some] = np.add.reduceat(products, starts[some] - part.start)
        return numbers
