"""FT-Transformer, against a slow reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import FeatureTokenizer, FTTransformer


def _reference(module: FTTransformer, tokens: Tensor) -> Tensor:
    """Raw scores of one row from its tokens (n, width), a head and a query at a time, all queries in all blocks."""
    x = torch.cat([module.summary[None], tokens])
    for block in module.blocks:
        normed = block.attention_norm(x)
        query, key, value = block.query(normed), block.key(normed), block.value(normed)
        size = query.shape[1] // block.n_heads
        mixed = torch.zeros_like(x)
        for head in range(block.n_heads):
            part = slice(head * size, (head + 1) * size)
            for i in range(len(x)):
                scores = torch.stack([query[i, part] @ key[j, part] for j in range(len(x))]) / math.sqrt(size)
                mixed[i, part] = scores.softmax(0) @ value[:, part]
        x = x + block.attended(mixed)
        hidden = block.hidden(block.norm(x))
        half = hidden.shape[1] // 2
        x = x + block.output(hidden[:, :half] * hidden[:, half:].clamp(min=0))
    return module.head(x[0])


def test_transformer_is_attention_over_tokens_of_features() -> None:
    module = FTTransformer(3, 2, n_blocks=3, token_size=8, n_heads=2, cat_cardinalities=[4, 6]).double().eval()
    x_num, x_cat = torch.randn(2, 3).double(), torch.tensor([[0, 5], [3, 1]])
    tokens = module.tokenizer(x_num, x_cat)
    expected = torch.stack([_reference(module, row) for row in tokens])
    torch.testing.assert_close(module(x_num, x_cat), expected)


def test_tokenizer_scales_a_vector_by_a_number_and_looks_up_a_code() -> None:
    tokenizer = FeatureTokenizer(2, 4, cat_cardinalities=[3, 5])
    assert tokenizer.embedding is not None
    assert tokenizer.weight is not None
    tokens = tokenizer(torch.tensor([[2.0, -1.0]]), torch.tensor([[1, 3]]))
    torch.testing.assert_close(tokens[0, 1], -tokenizer.weight[1] + tokenizer.bias[1])
    torch.testing.assert_close(tokens[0, 2], tokenizer.embedding.weight[1] + tokenizer.bias[2])
    torch.testing.assert_close(tokens[0, 3], tokenizer.embedding.weight[3 + 3] + tokenizer.bias[3])


def test_unknown_and_missing_codes_start_at_zero() -> None:
    weight = FeatureTokenizer(0, 4, cat_cardinalities=[3, 5]).embedding.weight  # pyright: ignore[reportOptionalMemberAccess]
    silent = [row for row in range(8) if not weight[row].any()]
    assert silent == [0, 2, 3, 7]


def test_dropout_acts_while_training_only() -> None:
    module = FTTransformer(4, 1, dropout=0.5)
    x = torch.randn(6, 4)
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"token_size": 10, "n_heads": 4}, "token_size=10 is not a multiple of n_heads=4"),
        ({"n_blocks": 0}, "n_blocks=0 is out of range"),
        ({"dropout": 1.0}, "dropout=1.0 is out of range"),
    ],
)
def test_bad_parameters_are_named(params: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FTTransformer(3, 1, **params)


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(batch, 3\)"):
        FTTransformer(3, 1)(torch.zeros(2, 1))
    with pytest.raises(ValueError, match="x_cat is missing; expected codes of 1 columns"):
        FTTransformer(3, 1, cat_cardinalities=[4])(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="built without categorical columns"):
        FTTransformer(3, 1)(torch.zeros(2, 3), torch.zeros(2, 2, dtype=torch.int64))


def test_learns_an_interaction_of_features_in_a_regressor() -> None:
    X = np.random.RandomState(0).uniform(-1, 1, (600, 3))
    y = X[:, 0] * X[:, 1]
    params = {"token_size": 16, "n_heads": 2, "dropout": 0.0}
    fast = {"lr": 0.02, "max_epochs": 15, "batch_size": 32, "early_stopping": False, "random_state": 0}
    model = NeuralRegressor(FTTransformer, module_params=params, gradient_health=None, **fast)
    assert model.fit(X[:400], y[:400]).score(X[500:], y[500:]) > 0.8  # a linear model has 0


def test_learns_from_categories_in_a_classifier() -> None:
    pd = pytest.importorskip("pandas")
    random = np.random.RandomState(0)
    color, size = random.choice(["red", "green", "blue"], 400), random.normal(size=400)
    y = (color == "red") ^ (size > 0)
    X = pd.DataFrame({"color": color, "size": size})
    params = {"token_size": 16, "n_heads": 2}
    fast = {"lr": 0.01, "max_epochs": 15, "batch_size": 32, "early_stopping": False, "random_state": 0}
    model = NeuralClassifier(FTTransformer, module_params=params, gradient_health=None, **fast)
    assert model.fit(X[:200], y[:200]).score(X[300:], y[300:]) > 0.9
