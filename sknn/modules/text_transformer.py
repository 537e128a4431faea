"""Transformer for texts, trained from scratch."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ._checks import check_fraction, check_size
from ._recipe import Recipe


class TextTransformer(nn.Module):
    """Embeddings of words and their positions, encoder layers with attention, the mean over the words, a linear layer.

    The vocabulary is learned in fit. Words that it does not contain are spelled by pieces of up to four characters.
    Order and context of words matter here, which takes many texts to learn: of a few thousand, ``TextNet`` learns more.

    Parameters
    ----------
    in_features : int
        Number of codes, >= 2; code 0 is padding, 1 an unknown word.
    out_features : int
        Number of raw scores for each text, >= 1.
    width : int, default=64
        Width of embeddings and layers, a multiple of ``n_heads``.
    n_blocks : int, default=2
        Number of encoder layers, >= 1.
    n_heads : int, default=4
        Number of attention heads, >= 1.
    dropout : float, default=0.2
        Fraction of the hidden units dropped during training, in [0, 1).
    word_dropout : float, default=0.3
        Fraction of the words that become unknown during training, in [0, 1).
    max_features : int, default=20000
        Largest number of words in the vocabulary: the most frequent ones.
    max_tokens : int, default=128
        Words and pieces of a text that the network is given; longer texts are cut.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - ``x``: ``(batch, n)``, int64, codes of words, 0 where a text has fewer than n; n is at most ``max_tokens``.
    - ``lengths``: ``(batch,)``, int64, numbers of words.
    - Output: ``(batch, out_features)``, raw scores before any softmax or other link.

    Notes
    -----
    A layer costs about 12 n width^2 + 2 n^2 width products for a text of n words.

    References
    ----------
    .. [1] A. Vaswani et al. Attention Is All You Need. NeurIPS 2017. arXiv:1706.03762.
    .. [2] R. Xiong et al. On Layer Normalization in the Transformer Architecture. ICML 2020. arXiv:2002.04745.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import TextTransformer
    >>> codes = torch.tensor([[3, 7, 9], [5, 0, 0]])
    >>> TextTransformer(in_features=10, out_features=2)(codes, torch.tensor([3, 1])).shape
    torch.Size([2, 2])
    """

    reads: ClassVar[str] = "text"
    recipe: ClassVar[Recipe] = Recipe(
        lr=4e-3, epochs=8, min_steps=1600, max_numbers=1e7, min_rows_to_split=None, steps_per_epoch=60,
        largest_batch=64,
    )  # fmt: skip

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 64,
        n_blocks: int = 2,
        n_heads: int = 4,
        dropout: float = 0.2,
        word_dropout: float = 0.3,
        max_features: int = 20_000,
        max_tokens: int = 128,
    ) -> None:
        super().__init__()
        in_features = check_size("in_features", in_features, minimum=2)
        out_features, width = check_size("out_features", out_features), check_size("width", width)
        n_blocks, n_heads = check_size("n_blocks", n_blocks), check_size("n_heads", n_heads)
        if width % n_heads:
            raise ValueError(f"width={width} is not a multiple of n_heads={n_heads}.")
        dropout = check_fraction("dropout", dropout)
        self.word_dropout = check_fraction("word_dropout", word_dropout)
        # Options of the reader, kept so that a copy of this network is read for in the same way.
        self.max_features, self.max_tokens = max_features, check_size("max_tokens", max_tokens)

        self.embedding = nn.Embedding(in_features, width, padding_idx=0)
        self.positions = nn.Embedding(self.max_tokens, width)
        nn.init.normal_(self.embedding.weight, std=0.1)
        nn.init.normal_(self.positions.weight, std=0.02)  # of less weight than the words at first
        with torch.no_grad():
            self.embedding.weight[0] = 0.0
        layers = [
            nn.TransformerEncoderLayer(
                width, n_heads, 4 * width, dropout, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(n_blocks)
        ]
        self.blocks = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, out_features)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Raw scores of a batch of texts."""
        places = torch.arange(x.shape[1], device=x.device)
        exists = places < lengths.unsqueeze(1)  # (batch, n)
        if self.training and self.word_dropout:
            is_lost = torch.rand(x.shape, dtype=torch.float32, device=x.device) < self.word_dropout
            x = x.masked_fill(is_lost & exists, 1)
        hidden = self.dropout(self.embedding(x) + self.positions(places))  # (batch, n, width)
        # Numbers instead of booleans: with these, torch takes another path in prediction, which pads differently.
        mask = torch.zeros(exists.shape, dtype=hidden.dtype, device=x.device).masked_fill(~exists, -torch.inf)
        for block in self.blocks:
            hidden = block(hidden, src_key_padding_mask=mask)
        hidden = self.norm(hidden) * exists.unsqueeze(2)
        return self.head(self.dropout(hidden.sum(1) / lengths.unsqueeze(1).to(hidden.dtype)))


__all__ = ["TextTransformer"]
