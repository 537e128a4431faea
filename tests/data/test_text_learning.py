"""Features of texts, as they are learned from a column."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from sknn._data.table_inputs import TableInputs
from sknn._data.text_learning import _right_singular_vectors, learn_text_features

WORDS = [
    "red",
    "green",
    "blue",
    "small",
    "large",
    "round",
    "square",
    "paper",
    "steel",
    "glass",
    "lamp",
    "chair",
    "table",
    "shelf",
    "box",
    "cup",
    "plate",
    "bowl",
]


def texts(n=300, seed=0):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, 5)) + f" {i}" for i in range(n)]


def learned(values, weight=None):
    return learn_text_features(values, np.ones(len(values)) if weight is None else np.asarray(weight, dtype=float))


def test_singular_vectors_are_those_of_lapack():
    matrix = scipy.sparse.random_array((60, 40), density=0.2, random_state=0, format="csr")
    matrix = scipy.sparse.csr_array(matrix.toarray() * 2.0 ** -np.arange(40))
    found = _right_singular_vectors(matrix, 8)
    expected = np.linalg.svd(matrix.toarray())[2][:8].T
    np.testing.assert_allclose(np.abs((found * expected).sum(axis=0)), 1, atol=1e-6)
    assert (found[np.abs(found).argmax(axis=0), np.arange(8)] > 0).all()


def test_features_are_those_of_scikit_learn():
    values = texts()
    tf_idf = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True, smooth_idf=False, min_df=2)
    expected = TruncatedSVD(30, algorithm="arpack", random_state=0).fit_transform(tf_idf.fit_transform(values))
    found = learned(values).of(values)
    assert found.shape == (300, 30)
    np.testing.assert_allclose(found[:, :20] @ found[:, :20].T, expected[:, :20] @ expected[:, :20].T, atol=1e-3)


def test_a_text_has_the_same_numbers_alone_and_among_others():
    values = texts()
    features = learned(values)
    together = features.of(values)
    for i in (0, 7, 299):
        np.testing.assert_array_equal(features.of([values[i]])[0], together[i])


@pytest.mark.parametrize(
    "values",
    [[""] * 3, ["", "a"], ["a", "b"], ["  ", "\n"], ["one and the same"], ["日本語の文", "別の文です"], ["😀 x" * 50_000] * 2, ["\ud800", "a"]],
    ids=["empty", "one", "two", "spaces", "same", "script", "long", "surrogate"],
)  # fmt: skip
def test_unusual_texts_give_finite_numbers(values):
    features = learned(values)
    assert features.n_features >= 1
    assert np.isfinite(features.of([*values, "", "something else"])).all()
    assert not features.of([""]).any()


def test_case_and_composition_do_not_matter():
    features = learned(texts())
    np.testing.assert_array_equal(features.of(["RED  Lamp"]), features.of([" red\tlamp "]))
    np.testing.assert_array_equal(
        learned(["caf\u00e9"] * 2).of(["cafe\u0301"]), learned(["caf\u00e9"] * 2).of(["caf\u00e9"])
    )


def test_only_training_rows_are_learned_from():
    values = texts(200)
    X = pd.DataFrame({"title": values})
    rows = np.arange(0, 200, 2)
    inputs = TableInputs.read_first(X).learn(rows, None)
    alone = TableInputs.read_first(X.iloc[rows], text_features=["title"]).learn(None, None)
    np.testing.assert_array_equal(inputs.encode(X).x, alone.encode(X).x)


def test_weights_count_as_copies():
    values, weight = texts(120), 1.0 + np.arange(120) % 3
    X = pd.DataFrame({"title": values})
    weighted = TableInputs.read_first(X).learn(None, weight)
    copied = TableInputs.read_first(
        X.loc[np.repeat(np.arange(120), weight.astype(int))], text_features=["title"]
    ).learn(None, None)
    np.testing.assert_allclose(weighted.encode(X).x, copied.encode(X).x, atol=1e-5)


def test_gaps_are_zeros_and_equal_texts_are_equal():
    X = pd.DataFrame({"title": [*texts(150), None, "", np.nan]}, dtype=object)
    raw = TableInputs.read_first(X)
    inputs = raw.learn(None, None)
    numeric, _ = inputs.read(X).read()
    assert numeric.shape == (153, 30)
    assert not numeric[150:].any()
    assert len({tuple(row) for row in numeric.tolist()}) == 151


SCRIPT = """
import hashlib, numpy as np
from sknn._data.text_learning import learn_text_features
random = np.random.default_rng(0)
texts = [" ".join(map(str, random.integers(0, 400, 40))) for _ in range(3000)]
features = learn_text_features(texts, np.ones(3000))
print(hashlib.sha256(features.directions.tobytes() + features.of(texts).tobytes()).hexdigest())
"""


def test_bits_are_the_same_for_any_number_of_threads():
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    found = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, **dict.fromkeys(names, n)},
            capture_output=True,
            check=True,
        ).stdout
        for n in ("1", "2")
    }
    assert len(found) == 1
