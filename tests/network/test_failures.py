"""Each kind of failure of a module has its own advice, and no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from sknn import NeuralClassifier
from sknn.modules import MLP

rng = np.random.default_rng(0)
TABLE = rng.normal(size=(60, 5)).astype(np.float32)
FRAME = pd.DataFrame({"number": TABLE[:, 0], "color": np.where(TABLE[:, 1] > 0, "red", "blue")})
IMAGES = rng.normal(size=(60, 8, 8)).astype(np.float32)
Y = np.arange(60) % 3


class Net(nn.Module):
    """Built from a function of the two widths, called by another function."""

    make: Any
    call: Any

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.out_features = out_features
        self.layer = type(self).make(in_features, out_features)

    def forward(self, x: Tensor) -> Any:
        return type(self).call(self.layer, x)


def net(make: Any = nn.Linear, call: Any = lambda layer, x: layer(x)) -> type[Net]:
    return type("Mine", (Net,), {"make": staticmethod(make), "call": staticmethod(call)})


class TwoInputs(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.layer = nn.Linear(in_features, out_features)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.layer(x) + lengths


class FewCodes(nn.Module):
    """Has no room for the codes of unknown and missing categories."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.codes, self.layer = nn.Embedding(2, 4), nn.Linear(4, out_features)

    def forward(self, x: Tensor, x_cat: Tensor) -> Tensor:
        return self.layer(self.codes(x_cat).mean(1))


class NeedsName(TwoInputs):
    def forward(self, x: Tensor, *, mask: Tensor) -> Tensor:
        return self.layer(x) * mask


def convolution(*args: Any) -> Any:
    return lambda in_features, out_features: nn.Sequential(nn.Conv2d(*args), nn.Flatten(), nn.LazyLinear(out_features))


def embedding(in_features: int, out_features: int) -> nn.Module:
    return nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.LazyLinear(out_features))


def raises(x: Tensor) -> Tensor:
    raise RuntimeError("the weights are\n  on holiday")


FAILURES = {
    "convolution without channels": (
        net(convolution(1, 4, 3)), IMAGES,
        r"Conv2d with in_channels=1 needs \(batch, channels, height, width\), and was given \(60, 8, 8\)\. .*X\[:, None\]",
    ),
    "convolution on a table": (net(convolution(1, 4, 3)), TABLE, r"given \(60, 5\)\. .*X\.reshape\(len\(X\), 1, height, width\)"),
    "channels last": (net(convolution(3, 4, 3)), rng.normal(size=(60, 6, 6, 3)), r"np\.moveaxis\(X, -1, 1\)"),
    "other channels": (net(convolution(3, 4, 3)), IMAGES[:, None], r"in_channels=3 needs .* given \(60, 1, 8, 8\)\.$"),
    "embedding of floats": (net(embedding), TABLE, r"Embedding needs integers.*preprocessing=False.*x\.long\(\).*x_cat"),
    "embedding of an array": (net(embedding), IMAGES, r"Embedding needs integers.*float32: call x\.long\(\)"),
    "embedding of large codes": (
        net(embedding, lambda layer, x: layer((x * 0 + 57).long())), TABLE, r"num_embeddings=10 .* codes from 57 to 57\.$",
    ),
    "few codes": (FewCodes, FRAME, r"num_embeddings=2 .* codes from 1 to 2\. .*0 \(unknown\) to K \+ 1 \(missing\)"),
    "a second argument": (TwoInputs, TABLE, r"forward needs \['x', 'lengths'\]; fit passes one tensor.*x_cat"),
    "a second argument beside categories": (TwoInputs, FRAME, r"forward needs \['x', 'lengths'\].*x_cat"),
    "an argument by keyword": (NeedsName, TABLE, r"forward needs \['x', 'mask'\]"),
    "width of an instance": (nn.Linear(9, 3), TABLE, r"width of the preprocessed table: set in_features=5, or pass the class"),
    "width of an instance with categories": (nn.Linear(9, 3), FRAME, r"one-hot columns.*set in_features=5, or pass the class"),
    "width in a class": (
        net(lambda i, o: nn.Linear(9, o)), TABLE, "set in_features=5, or let the constructor take in_features",
    ),
    "width of a batch norm": (nn.Sequential(nn.BatchNorm1d(9), nn.Linear(9, 3)), TABLE, "set num_features=5, or pass the class"),
    "width of an inner layer": (
        net(lambda i, o: nn.Sequential(nn.Linear(i, 16), nn.Linear(8, o))), TABLE,
        r"Linear has in_features=8 and was given the shape \(60, 16\)\.$",
    ),
    "another dtype": (
        net(lambda i, o: nn.Linear(i, o).double(), lambda layer, x: layer(x.double()).float()), TABLE,
        r"all parameters as float32, and Linear was given torch\.float64: leave out the conversion of x in forward\.$",
    ),
    "another dtype of a later layer": (
        net(lambda i, o: nn.Sequential(nn.Linear(i, 4), nn.Linear(4, o).bfloat16()), lambda layers, x: layers[1](layers[0](x).bfloat16())),
        TABLE, r"Linear was given torch\.bfloat16",
    ),
    "rows that are not flat": (nn.Linear(28, 3), rng.normal(size=(60, 4, 7)), r"Flatten the rows first, by nn\.Flatten\(\)"),
    "width of a sequence": (
        nn.LSTM(9, 3, batch_first=True), IMAGES, r"LSTM has input_size=9 and was given the shape \(60, 8, 8\)\.$",
    ),
    "a table for a convolution of sequences": (
        net(lambda i, o: nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.LazyLinear(o))), TABLE,
        r"Conv1d with in_channels=1 needs \(batch, channels, length\), and was given \(60, 5\)\. .*X\[:, None\]\.$",
    ),
    "a transposed convolution": (
        net(lambda i, o: nn.Sequential(nn.ConvTranspose2d(1, 2, 3), nn.Flatten(), nn.LazyLinear(o))), IMAGES,
        r"ConvTranspose2d with in_channels=1 needs .* was given \(60, 8, 8\)\. .*X\[:, None\]\.$",
    ),
    "no forward": (nn.Module(), TABLE, r"NotImplementedError: .*\.$"),
    "an error of its own": (net(call=lambda layer, x: raises(x)), TABLE, r"RuntimeError: the weights are on holiday\.$"),
    "None": (net(call=lambda layer, x: None), TABLE, r"returned None \(does its forward end with a return\?\)"),
    "a dict": (net(call=lambda layer, x: {"scores": layer(x)}), TABLE, r"returned a dict with the keys \['scores'\]"),
    "labels": (net(call=lambda layer, x: layer(x).argmax(1)), TABLE, r"returned a tensor of torch.int64.*not labels"),
    "one more axis": (net(call=lambda layer, x: layer(x)[:, None].expand(-1, 7, -1)), TABLE, r"\(60, 7, 3\).*x\.mean\(dim=1\)"),
    "one number": (net(call=lambda layer, x: layer(x).mean()), TABLE, r"returned shape \(\).*first axis must be that of the rows"),
    "rows that are lost": (net(call=lambda layer, x: layer(x)[:7]), TABLE, r"\(7, 3\) for 60 rows.*first axis must be that"),
    "other width": (net(lambda i, o: nn.Linear(i, 7)), TABLE, r"\(60, 7\) for 60 rows.*name it out_features"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_has_its_own_advice(kind: str) -> None:
    module, X, says = FAILURES[kind]
    with pytest.raises(ValueError, match=rf"^module: \w+ (?=failed on an input of shape|returned).*{says}") as caught:
        NeuralClassifier(module, max_epochs=1, early_stopping=False).fit(X, Y)
    assert "\n" not in str(caught.value)
    hints = [
        "channels",
        "needs integers",
        "forward needs",
        "preprocessed table",
        "Flatten the rows",
        "last layer",
        "conversion",
    ]
    assert sum(hint in str(caught.value) for hint in hints) <= 1, "advice for one kind of failure only"


def test_the_advice_works() -> None:
    quick = {"max_epochs": 1, "early_stopping": False}
    NeuralClassifier(net(convolution(1, 4, 3)), **quick).fit(IMAGES[:, None], Y)
    NeuralClassifier(net(convolution(3, 4, 3)), **quick).fit(np.moveaxis(rng.normal(size=(60, 8, 8, 3)), -1, 1), Y)
    codes = rng.integers(0, 10, (60, 4))
    module = net(embedding, lambda layer, x: layer(x.long()))
    NeuralClassifier(module, preprocessing=False, **quick).fit(codes, Y)
    NeuralClassifier(nn.Linear(5, 3), **quick).fit(FRAME, Y)


def test_a_committee_has_the_advice_of_its_networks() -> None:
    with pytest.raises(ValueError, match=r"set in_features=5, or let the constructor take in_features"):
        NeuralClassifier(net(lambda i, o: nn.Linear(9, o)), n_networks=2, max_epochs=1).fit(TABLE, Y)
    with pytest.raises(ValueError, match=r"forward needs \['x', 'lengths'\]"):
        NeuralClassifier(TwoInputs, n_networks=2, max_epochs=1).fit(TABLE, Y)


def test_several_outputs_are_served_where_the_first_are_scores() -> None:
    module = net(call=lambda layer, x: (layer(x), {"attention": None}))
    model = NeuralClassifier(module, max_epochs=1, early_stopping=False).fit(TABLE, Y)
    assert model.predict_proba(TABLE).shape == (60, 3)
    assert torch.is_tensor(model.module_.layer.weight)
    assert MLP(5, 3)(torch.zeros(2, 5)).shape == (2, 3)
