"""Attention with masks of every kind is exported, whether or not torch has a faster path for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sknn import NeuralClassifier

from .exported import N_ROWS, QUICK, Exported, assert_same

N_STEPS, WIDTH = 6, 4
CAUSAL = nn.Transformer.generate_square_subsequent_mask(N_STEPS)


def encoder(n_layers=2, **params):
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, 2, 8, **{"batch_first": True, **params}), n_layers)


def steps_first(layer, x, padding):
    return layer(x.transpose(0, 1), src_key_padding_mask=padding).transpose(0, 1)


def decoder():
    return nn.TransformerDecoder(nn.TransformerDecoderLayer(WIDTH, 2, 8, batch_first=True), 1)


def attention():
    return nn.MultiheadAttention(WIDTH, 2, batch_first=True)


CASES = {
    "padding": (encoder, lambda layer, x, p: layer(x, src_key_padding_mask=p)),
    "padding as numbers": (
        encoder,
        lambda layer, x, p: layer(x, src_key_padding_mask=torch.zeros(p.shape).masked_fill(p, -torch.inf)),
    ),
    "padding, norm first": (
        lambda: encoder(norm_first=True),
        lambda layer, x, p: layer(x, src_key_padding_mask=p),
    ),
    "padding, steps first": (lambda: encoder(batch_first=False), steps_first),
    "causal": (encoder, lambda layer, x, p: layer(x, mask=CAUSAL)),
    "causal by a hint": (encoder, lambda layer, x, p: layer(x, CAUSAL, None, True)),
    "causal and padding": (encoder, lambda layer, x, p: layer(x, mask=CAUSAL.isinf(), src_key_padding_mask=p)),
    "decoder": (decoder, lambda layer, x, p: layer(x, x, CAUSAL, memory_key_padding_mask=p)),
    "attention": (attention, lambda layer, x, p: layer(x, x, x, key_padding_mask=p, need_weights=False)[0]),
    "attention, its weights": (attention, lambda layer, x, p: layer(x, x, x, key_padding_mask=p)[1] @ x),
    "function, padding": (
        lambda: nn.Linear(WIDTH, 3 * WIDTH),
        lambda layer, x, p: F.scaled_dot_product_attention(*layer(x).chunk(3, -1), attn_mask=~p[:, None, :]),
    ),
    "function, causal": (
        lambda: nn.Linear(WIDTH, 3 * WIDTH),
        lambda layer, x, p: F.scaled_dot_product_attention(*layer(x).chunk(3, -1), is_causal=True),
    ),
}  # fmt: skip


class Sequences(nn.Module):
    """The mean over all steps, padding included: what is computed there counts as well."""

    def __init__(self, out_features, case):
        super().__init__()
        make, self.apply_layer = CASES[case]
        self.layer, self.head = make(), nn.Linear(WIDTH, out_features)

    def forward(self, x):
        return self.head(self.apply_layer(self.layer, x, (x == 0).all(-1)).mean(1))


def padded_sequences():
    random = np.random.default_rng(0)
    X = random.normal(size=(N_ROWS, N_STEPS, WIDTH)).astype(np.float32)
    lengths = random.integers(1, N_STEPS + 1, N_ROWS)
    return np.where(np.arange(N_STEPS)[None, :, None] < lengths[:, None, None], X, 0), lengths > 3


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize("case", CASES)
def test_masks_of_attention(case, tmp_path):
    X, y = padded_sequences()
    clf = NeuralClassifier(Sequences, module_params={"case": case}, **QUICK).fit(X, y)
    before = torch.backends.mha.get_fastpath_enabled()
    exported = Exported(clf, tmp_path)
    assert torch.backends.mha.get_fastpath_enabled() == before
    for n in (1, 5, N_ROWS):
        assert_same(clf, X[:n], exported)
