"""Learned vectors of categories, by column and value."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from sknn import NeuralRegressor
from sknn.exceptions import GradientHealthWarning
from sknn.modules import MLP, FTTransformer, TabM

RANDOM = np.random.default_rng(0)
CITIES, COLOURS = [f"city {i:02d}" for i in range(20)], ["red", "green", "blue"]
X = pd.DataFrame({
    "number": RANDOM.normal(size=200),
    "colour": RANDOM.choice(COLOURS, 200),
    "city": RANDOM.permutation(CITIES * 10),
})  # fmt: skip
Y = X["number"] + X["city"].str[-1].astype(int) % 2
TINY = {"n_members": 1, "width": 8, "n_bins": 4}


@pytest.fixture(autouse=True)
def no_advice():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientHealthWarning)
        yield


def test_vectors_of_a_committee_are_found_by_column_and_value():
    model = NeuralRegressor(TabM, module_params=TINY, n_networks=2, max_epochs=1, random_state=0).fit(X, Y)
    assert list(model.category_embeddings_) == ["city"]  # colours are one-hot encoded
    values, vectors = model.category_embeddings_["city"]
    assert values.tolist() == CITIES
    assert vectors.shape == (20, 2 * 8)
    assert vectors.dtype == np.float32
    one_row = X.iloc[:1]
    codes = model._inputs.encode(one_row).tensors()["x_cat"]
    embedded = [network.embeddings(codes)[0, -8:] for network in model.module_.networks]
    place = values.tolist().index(one_row["city"].item())
    np.testing.assert_allclose(vectors[place], torch.cat(embedded).detach(), atol=1e-6)


def test_a_transformer_has_vectors_of_all_columns():
    module_params = {"token_size": 8, "n_heads": 2}
    model = NeuralRegressor(FTTransformer, module_params=module_params, max_epochs=1, random_state=0).fit(X, Y)
    found = model.category_embeddings_
    assert {name: vectors.shape for name, (_, vectors) in found.items()} == {"colour": (3, 8), "city": (20, 8)}
    assert found["colour"][0].tolist() == sorted(COLOURS)


def test_columns_without_names_are_known_by_their_positions():
    table = X.to_numpy(dtype=object)
    model = NeuralRegressor(MLP, module_params={"hidden_sizes": (8,)}, max_epochs=1, random_state=0).fit(table, Y)
    assert list(model.category_embeddings_) == [2]


def test_values_that_mean_the_same_have_similar_vectors():
    model = NeuralRegressor(random_state=0).fit(X, Y)
    values, vectors = model.category_embeddings_["city"]
    is_odd = np.array([int(value[-1]) % 2 for value in values], dtype=bool)
    between = np.linalg.norm(vectors[is_odd].mean(0) - vectors[~is_odd].mean(0))
    within = np.linalg.norm(vectors[is_odd] - vectors[is_odd].mean(0), axis=1).mean()
    assert between > within


def test_a_model_is_not_changed_by_what_is_done_to_the_vectors():
    model = NeuralRegressor(TabM, module_params=TINY, max_epochs=1, random_state=0).fit(X, Y)
    before = model.predict(X)
    model.category_embeddings_["city"][1][:] = 100
    np.testing.assert_array_equal(model.predict(X), before)


def test_without_vectors_there_is_no_attribute():
    assert not hasattr(NeuralRegressor(), "category_embeddings_")
    model = NeuralRegressor(TabM, module_params=TINY, max_epochs=1).fit(X[["number", "colour"]], Y)
    with pytest.raises(AttributeError, match="more than 8 values"):
        model.category_embeddings_  # noqa: B018
    texts = NeuralRegressor(max_epochs=1).fit(X["city"].tolist(), Y)
    assert not hasattr(texts, "category_embeddings_")
