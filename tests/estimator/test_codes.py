"""Integers reach a module that begins with an embedding as integers."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import sknn
from sknn import NeuralClassifier

GENERATOR = np.random.default_rng(0)
TOKENS = GENERATOR.integers(0, 30, (120, 6))
Y = (TOKENS < 4).any(axis=1).astype(int)


class Words(nn.Module):
    def __init__(self, n_tokens=30, out_features=2):
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, 8)
        self.head = nn.Linear(8, out_features)

    def forward(self, x):
        return self.head(self.embedding(x).mean(dim=1))


@pytest.mark.parametrize(
    "module", [Words, Words(), nn.Sequential(nn.EmbeddingBag(30, 2)), functools.partial(Words, 40)]
)
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_integers_for_an_embedding_stay_integers(module, dtype):
    model = NeuralClassifier(module, max_epochs=2, random_state=0).fit(TOKENS.astype(dtype), Y)
    assert model.predict(TOKENS.astype(dtype)).shape == (120,)
    np.testing.assert_array_equal(model.predict(TOKENS), pickle.loads(pickle.dumps(model)).predict(TOKENS))
    with pytest.raises(ValueError, match=r"X: expected an array of integers as in fit.*float64"):
        model.predict(TOKENS.astype(float))


def test_a_list_of_lists_of_integers_and_a_tensor_are_integers():
    for X in (TOKENS.tolist(), torch.from_numpy(TOKENS)):
        NeuralClassifier(Words, max_epochs=1).fit(X, Y).predict(X)


def test_it_learns_and_is_stored(tmp_path):
    model = NeuralClassifier(Words, lr=0.05, max_epochs=60, random_state=0).fit(TOKENS, Y)
    assert model.score(TOKENS, Y) > 0.9
    sknn.save(model, tmp_path / "m.sknn")
    again = sknn.load(tmp_path / "m.sknn", trusted=[Words])
    np.testing.assert_array_equal(again.predict_proba(TOKENS), model.predict_proba(TOKENS))


def test_other_modules_and_floats_are_read_as_before():
    assert NeuralClassifier(max_epochs=1, random_state=0).fit(TOKENS, Y)._inputs.kind == "table"
    with pytest.raises(ValueError, match="Embedding needs integers"):
        NeuralClassifier(Words, max_epochs=1).fit(TOKENS.astype(float), Y)
