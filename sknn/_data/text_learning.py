"""What a fit learns about the texts of a column: vocabulary, weights of n-grams, and directions."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from .ngrams import learn_vocabulary
from .text_features import COLUMN_NGRAMS, TextFeatures, weighted_ngrams

__all__ = ["N_FEATURES", "learn_text_features"]

N_FEATURES = 30  # of a text, at most
_MAX_VOCABULARY = 20_000  # the most frequent n-grams
_MAX_TEXTS = 20_000  # directions of more texts are no different for our purpose
_N_EXTRA, _N_ITERATIONS = 10, 6  # of the randomised decomposition
_LEAST_SINGULAR_VALUE = 1e-4  # relative to the largest one; less is rounding noise of float32


def learn_text_features(texts: list[str], weight: np.ndarray) -> TextFeatures:
    """Learn from different texts with weights > 0 (n,): the weight of a text is that of its rows together.

    The directions are the first right singular vectors of the matrix of tf-idf, as in latent semantic analysis
    (Deerwester et al., "Indexing by latent semantic analysis", 1990). The same texts give the same bits.
    """
    if len(texts) > _MAX_TEXTS:
        some = np.linspace(0, len(texts) - 1, _MAX_TEXTS).astype(np.int64)
        texts, weight = [texts[i] for i in some], weight[some]
    vocabulary, _ = learn_vocabulary(texts, COLUMN_NGRAMS, _MAX_VOCABULARY, min_count=2)
    if not vocabulary.size:  # every n-gram is in one text only
        vocabulary, _ = learn_vocabulary(texts, COLUMN_NGRAMS, _MAX_VOCABULARY, min_count=1)
    if not vocabulary.size:  # no text at all
        return TextFeatures(vocabulary, np.empty(0), np.empty((0, 1), dtype=np.float32))
    weights = weighted_ngrams(texts, vocabulary, np.ones(len(vocabulary)))
    rows = np.repeat(np.arange(len(texts)), np.diff(weights.indptr))
    frequency = np.bincount(weights.indices, weight[rows], minlength=len(vocabulary))
    idf = np.log(weight.sum() / frequency) + 1
    weights = weighted_ngrams(texts, vocabulary, idf)
    values = np.sqrt(weight)[rows] * weights.data  # a weight of k counts as k copies
    matrix = sparse.csr_array((values, weights.indices, weights.indptr), shape=weights.shape)
    return TextFeatures(vocabulary, idf, _right_singular_vectors(matrix, N_FEATURES).astype(np.float32))


def _right_singular_vectors(matrix: sparse.csr_array, n_vectors: int) -> np.ndarray:
    """The first right singular vectors (n_columns, at most n_vectors), each with its largest entry positive.

    Randomised subspace iteration (Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 2011,
    arXiv:0909.4061). It multiplies without BLAS, whose sums depend on the number of threads.
    """
    transposed = matrix.T.tocsr()
    size = min(n_vectors + _N_EXTRA, *matrix.shape)
    basis = np.random.RandomState(0).standard_normal((matrix.shape[1], size))
    for _ in range(_N_ITERATIONS):
        basis = _orthonormal(transposed @ (matrix @ basis))
    image = matrix @ basis
    squares, vectors = np.linalg.eigh(np.einsum("ij,ik->jk", image, image))  # in increasing order
    squares, vectors = squares[::-1][:n_vectors], vectors[:, ::-1][:, :n_vectors]
    vectors = vectors[:, squares >= squares[0] * _LEAST_SINGULAR_VALUE**2]
    found = np.einsum("ij,jk->ik", basis, vectors)
    largest = found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]
    return found * np.where(largest < 0, -1.0, 1.0)


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the space of columns (n, k), by modified Gram-Schmidt; zeros for dependent ones."""
    rows = np.ascontiguousarray(columns.T)
    for i in range(len(rows)):
        size = np.sqrt((rows[i] * rows[i]).sum())
        for _ in range(2):  # once leaves rounding errors of nearly dependent columns
            for j in range(i):
                rows[i] -= (rows[i] * rows[j]).sum() * rows[j]
        length = np.sqrt((rows[i] * rows[i]).sum())
        rows[i] = rows[i] / length if length > 1e-12 * size else 0.0
    return np.ascontiguousarray(rows.T)
