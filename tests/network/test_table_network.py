"""Category codes in front of a network."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from sknn import NeuralClassifier
from sknn._network.table_network import TableNetwork

from .subjects import SimpleNN, X, Y

TABLE = pd.DataFrame({"number": X[:, 0], "colour": list("rgb") * 20, "size": ["small", "large"] * 30})


class Embeds(nn.Module):
    def __init__(self, in_features: int, out_features: int, cat_cardinalities: list[int]) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList([nn.Embedding(size, 2) for size in cat_cardinalities])
        self.last = nn.Linear(in_features + 2 * len(cat_cardinalities), out_features)

    def forward(self, x_num: Tensor, x_cat: Tensor) -> Tensor:
        assert x_num.dtype == torch.float32
        assert x_cat.dtype == torch.int64
        columns = [embed(x_cat[:, i]) for i, embed in enumerate(self.embeddings)]
        return self.last(torch.cat([x_num, *columns], dim=1))


def make_embeds(in_features: int, out_features: int, cat_cardinalities: list[int]) -> nn.Module:
    return Embeds(in_features, out_features, cat_cardinalities)


@pytest.mark.parametrize(
    "module",
    [Embeds, partial(Embeds), make_embeds, partial(make_embeds), Embeds(1, 3, [5, 4])],
    ids=["class", "partial", "function", "partial function", "instance"],
)
def test_a_module_that_names_x_cat_gets_codes(module: Any) -> None:
    model = NeuralClassifier(module, max_epochs=1).fit(TABLE, Y)
    assert [e.num_embeddings for e in model.module_.embeddings] == [5, 4]  # known, unknown and missing
    assert model.module_.last.in_features == 1 + 4
    assert model.predict(TABLE).shape == (60,)


@pytest.mark.parametrize("module", [partial(SimpleNN, hidden_size=2), nn.LazyLinear(3)], ids=["class", "lazy instance"])
def test_any_other_module_gets_one_tensor_with_one_hot_columns(module: Any) -> None:
    model = NeuralClassifier(module, max_epochs=1).fit(TABLE, Y)
    weight = next(model.module_.parameters())
    assert weight.shape[1] == 1 + 5 + 4
    assert isinstance(model.net_.module_, TableNetwork)
