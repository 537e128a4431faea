"""Files whose objects of scikit-learn are not what `fit` makes: they would crash the process, or read its memory."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

from sknn._file.foreign.skops_file import read_foreign, write_foreign
from sknn._file.names import Trust
from sknn.exceptions import DamagedFileError

TEXTS = ["good film", "bad film", "good book", "bad play"]
RECORDS = [{"a": 1.0, "b": 2.0}, {"b": 1.0, "c": 3.0}]
LETTERS = np.array([[letter] for letter in "aaaabbbbcdef"], dtype=object)
NUMBERS = np.arange(12.0)[:, None] % 5


def read_back(thing):
    return read_foreign(write_foreign(thing), [], Trust(), "m")


WHOLE = {
    "count": lambda: (CountVectorizer(), TEXTS),
    "given words": lambda: (CountVectorizer(vocabulary=["film", "book"]), TEXTS),
    "tfidf": lambda: (TfidfVectorizer(), TEXTS),
    "records": lambda: (DictVectorizer(), RECORDS),
    "letters": lambda: (OneHotEncoder(), LETTERS),
    "numbers": lambda: (OneHotEncoder(handle_unknown="ignore"), np.r_[NUMBERS, [[np.nan]]]),
    "given categories": lambda: (OneHotEncoder(categories=[["f", "e", "d", "c", "b", "a"]]), LETTERS),
    "rare": lambda: (OneHotEncoder(min_frequency=3, handle_unknown="infrequent_if_exist"), LETTERS),
    "rare and dropped": lambda: (OneHotEncoder(min_frequency=3, drop="first"), np.c_[LETTERS, LETTERS == "a"]),
    "two of many": lambda: (OneHotEncoder(drop="if_binary"), np.c_[LETTERS, LETTERS == "a"]),
    "bins": lambda: (KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), NUMBERS),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_what_fit_makes_is_accepted(name):
    model, X = WHOLE[name]()
    expected = model.fit_transform(X)
    np.testing.assert_array_equal(read_back(model).transform(X).toarray(), expected.toarray())
    read_back(type(model)())


@pytest.mark.parametrize(
    "parameters", [{"n_features": 0}, {"n_features": -5}, {"n_features": 2**40}, {"alternate_sign": 7}]
)
@pytest.mark.parametrize("kind", [FeatureHasher, HashingVectorizer])
def test_parameters_that_fit_refuses(kind, parameters):
    read_back(make_pipeline(kind(n_features=4)))
    for thing in (make_pipeline(kind(**parameters)), FeatureUnion([("a", make_pipeline(kind(**parameters)))])):
        with pytest.raises(
            DamagedFileError, match=f"{kind.__name__} has a parameter that fit refuses: .*{next(iter(parameters))}"
        ):
            read_back(thing)


VOCABULARIES = {
    "far": lambda words: dict.fromkeys(words, 10**9),
    "negative": lambda words: {word: i - 1 for i, word in enumerate(words)},
    "one too far": lambda words: {word: i + 1 for i, word in enumerate(words)},
    "twice": lambda words: dict.fromkeys(words, 0),
    "fractions": lambda words: {word: i + 0.5 for i, word in enumerate(words)},
    "texts": lambda words: {word: str(i) for i, word in enumerate(words)},
    "a list": list,
}


@pytest.mark.parametrize("change", VOCABULARIES)
@pytest.mark.parametrize("name", ["count", "tfidf", "records"])
def test_columns_of_a_vocabulary(name, change):
    model, X = WHOLE[name]()
    model.fit(X)
    model.vocabulary_ = VOCABULARIES[change](sorted(model.vocabulary_))
    with pytest.raises(DamagedFileError, match=f"{type(model).__name__}: the columns of vocabulary_ are not"):
        read_back(make_pipeline(model))


ENCODERS = {
    "mapping": ("rare", lambda e: e._default_to_infrequent_mappings[0].fill(10**9)),
    "mapping, negative": ("rare", lambda e: e._default_to_infrequent_mappings[0].fill(-1)),
    "no mapping": ("rare", lambda e: e._default_to_infrequent_mappings.__setitem__(0, None)),
    "rare ones": ("rare", lambda e: e._infrequent_indices[0].fill(10**9)),
    "one mapping more": ("rare and dropped", lambda e: e._default_to_infrequent_mappings.__setitem__(1, np.array([0, 9]))),
    "dropped": ("rare and dropped", lambda e: e._drop_idx_after_grouping.fill(-1)),
    "dropped, far": ("two of many", lambda e: e._drop_idx_after_grouping.fill(20)),
    "columns": ("letters", lambda e: e._n_features_outs.__setitem__(0, 1)),
    "no columns": ("letters", lambda e: e._n_features_outs.clear()),
    "order": ("numbers", lambda e: e.categories_.__setitem__(0, e.categories_[0][::-1].copy())),
    "order of bins": ("bins", lambda e: e._encoder.categories_.__setitem__(0, np.array([5, 1, 0]))),
    "shape": ("letters", lambda e: e.categories_.__setitem__(0, e.categories_[0][None])),
    "no list": ("letters", lambda e: vars(e).update(categories_=3)),
}  # fmt: skip


@pytest.mark.parametrize("change", ENCODERS)
def test_positions_of_categories(change):
    name, edit = ENCODERS[change]
    model, X = WHOLE[name]()
    model.fit(X)
    edit(model)
    with pytest.raises(DamagedFileError, match=r"OneHotEncoder.*(categor|output columns)"):
        read_back(make_pipeline(model))
