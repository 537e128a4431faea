"""A transformer over the steps of sequences."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._checks import check_fraction, check_size
from ._recipe import Recipe
from .activations import initialize_linear_

_EPSILON = 1e-5


class SequenceTransformer(nn.Module):
    r"""A transformer over patches of time: each token is some consecutive steps of all channels.

    Each channel enters twice: as it is, and standardised within its row. Sines of several wave lengths say where in the
    sequence a token lies. The head reads mean and maximum of the tokens.

    Parameters
    ----------
    in_features : int
        Number of channels, >= 1.
    out_features : int
        Number of raw scores for each row, >= 1.
    patch_size : int, default=8
        Steps of a token, >= 1; patches overlap by half. Sequences of more than `max_tokens` tokens get larger steps
        between patches.
    max_tokens : int, default=128
        Largest number of tokens of a sequence, >= 1.
    n_blocks : int, default=2
        Number of blocks, >= 1.
    token_size : int, default=64
        Width of a token, a multiple of 2 and of `n_heads`.
    n_heads : int, default=4
        Attention heads, >= 1.
    dropout : float, default=0.1
        Fraction of the hidden units dropped during training, in [0, 1).

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - ``x``: ``(batch, in_features, time)``, float32.
    - ``lengths``: ``(batch,)``, int64, steps of each row. What follows them is not read.
    - Output: ``(batch, out_features)``, raw scores before any link.

    Notes
    -----
    Attention costs O(n_tokens^2 * token_size) a row.

    References
    ----------
    .. [1] Y. Nie, N. H. Nguyen, P. Sinthong, J. Kalagnanam. A Time Series is Worth 64 Words: Long-term Forecasting with
       Transformers. ICLR 2023. arXiv:2211.14730.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import SequenceTransformer
    >>> SequenceTransformer(2, 3)(torch.randn(5, 2, 40), torch.tensor([40, 3, 17, 40, 1])).shape
    torch.Size([5, 3])
    """

    reads: ClassVar[str] = "sequence"
    recipe = Recipe(lr=0.002, epochs=30, min_steps=600, decay_epochs=50.0, steps_per_epoch=20, largest_batch=64)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        patch_size: int = 8,
        max_tokens: int = 128,
        n_blocks: int = 2,
        token_size: int = 64,
        n_heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        in_features, out_features = check_size("in_features", in_features), check_size("out_features", out_features)
        self.in_features, self.patch_size = in_features, check_size("patch_size", patch_size)
        self.max_tokens = check_size("max_tokens", max_tokens)
        check_size("n_blocks", n_blocks)
        self.token_size = check_size("token_size", token_size, minimum=2)
        check_size("n_heads", n_heads)
        if token_size % n_heads or token_size % 2:
            raise ValueError(f"token_size={token_size} is not a multiple of 2 and of n_heads={n_heads}; expected one.")
        dropout = check_fraction("dropout", dropout)
        self.tokenizer = initialize_linear_(nn.Linear(2 * in_features * self.patch_size, token_size), nn.Identity)
        self.blocks = nn.ModuleList(_Block(token_size, n_heads, dropout) for _ in range(n_blocks))
        self.norm = nn.LayerNorm(token_size)
        self.head = initialize_linear_(nn.Linear(2 * token_size, out_features), None)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Raw scores of a batch of rows."""
        if x.ndim != 3 or x.shape[1] != self.in_features:
            raise ValueError(f"x has the shape {tuple(x.shape)}; expected (batch, {self.in_features}, time).")
        tokens, exists = self.tokens(x, lengths)
        for block in self.blocks:
            tokens = block(tokens, exists)
        tokens = self.norm(tokens)
        weight = exists.to(tokens.dtype)[..., None]
        mean = (tokens * weight).sum(1) / weight.sum(1)
        highest = tokens.masked_fill(~exists[..., None], -torch.inf).amax(1)
        return self.head(torch.cat([mean, highest], dim=1))

    def tokens(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (batch, n_tokens, token_size), and which of them exist, bool (batch, n_tokens).

        Patch i of a row starts at the step i * stride. Each row has its own stride, and does not depend on others.
        """
        steps = torch.arange(x.shape[2], dtype=torch.int64, device=x.device)
        inside = (steps < lengths[:, None])[:, None].to(x.dtype)
        n_steps = lengths[:, None, None].to(x.dtype)
        x = x * inside
        centred = (x - x.sum(2, keepdim=True) / n_steps) * inside
        spread = (centred.square().sum(2, keepdim=True) / n_steps + _EPSILON).sqrt()
        x = torch.cat([x, centred / spread], dim=1)  # (batch, 2 * in_features, time)
        least = max(1, self.patch_size // 2)
        stride = torch.clamp((lengths + self.max_tokens - 1) // self.max_tokens, min=least)
        n_tokens = (lengths + stride - 1) // stride
        number = torch.arange(int(n_tokens.max()), dtype=torch.int64, device=x.device)
        exists = number < n_tokens[:, None]
        starts = number * stride[:, None]
        steps_of_patch = torch.arange(self.patch_size, dtype=torch.int64, device=x.device)
        places = starts[..., None] + steps_of_patch  # (batch, n_tokens, patch_size)
        x = functional.pad(x, (0, 1))  # a step of zeros, for places beyond the end
        places = torch.where(places < lengths[:, None, None], places, x.shape[2] - 1).flatten(1)
        patches = x.gather(2, places[:, None].expand(-1, x.shape[1], -1)).unflatten(2, (-1, self.patch_size))
        tokens = self.tokenizer(patches.transpose(1, 2).flatten(2))
        return tokens + self._positions(starts, lengths, tokens.dtype), exists

    def _positions(self, starts: Tensor, lengths: Tensor, dtype: torch.dtype) -> Tensor:
        """Sines and cosines of the step and, in the second half, of the share of the sequence before it."""
        half = self.token_size // 2
        share = starts / lengths[:, None]
        waves = torch.arange(half, dtype=torch.int64, device=starts.device)
        step_angles = starts[..., None] * 1000.0 ** (-waves / half)
        share_angles = share[..., None] * torch.pi * (waves + 1) / 4
        return 0.5 * torch.cat([step_angles.sin(), share_angles.cos()], dim=2).to(dtype)


class _Block(nn.Module):
    """Attention and a network of two layers, each added to the stream; (batch, n, width) to the same shape."""

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.projected = initialize_linear_(nn.Linear(width, 3 * width), nn.Identity)
        self.attended = initialize_linear_(nn.Linear(width, width), None)
        self.hidden = initialize_linear_(nn.Linear(width, 2 * width), nn.ReLU)
        self.output = initialize_linear_(nn.Linear(2 * width, width), None)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, exists: Tensor) -> Tensor:
        parts = self.projected(self.attention_norm(x)).chunk(3, dim=2)
        query, key, value = (part.unflatten(2, (self.n_heads, -1)).transpose(1, 2) for part in parts)
        dropout = self.dropout if self.training else 0.0
        heads = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=exists[:, None, None], dropout_p=dropout
        )
        x = x + self.attended(heads.transpose(1, 2).flatten(2))
        return x + self.output(self.drop(self.hidden(self.norm(x)).relu()))


__all__ = ["SequenceTransformer"]
