"""FT-Transformer: attention between the features of a row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._checks import check_columns, check_fraction, check_size, check_widths
from .activations import initialize_linear_
from .embeddings import column_offsets, draw_embeddings_, known_codes


class FeatureTokenizer(nn.Module):
    r"""One vector, a token, for each feature of a row: :math:`x_j w_j + b_j`, or :math:`e_j[c_j] + b_j`.

    Parameters
    ----------
    in_features : int
        Number of numeric columns, >= 0; 0 only if there are categorical columns.
    token_size : int
        Width of a token, >= 1.
    cat_cardinalities : sequence of int, default=()
        Number of codes of each categorical column, "unknown" and "missing" included.

    Attributes
    ----------
    n_tokens : int
        Number of features: numeric and categorical columns.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range; in ``forward`` for other columns.

    Shape
    -----
    - ``x_num``: ``(batch, in_features)``, float32.
    - ``x_cat``: ``(batch, len(cat_cardinalities))``, int64; to be left out without categorical columns.
    - Output: ``(batch, n_tokens, token_size)``, numeric columns first.

    Notes
    -----
    All vectors start from N(0, 1 / token_size), those of "unknown" and "missing" from 0: a code that no training row
    has adds no random numbers.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, V. Khrulkov, A. Babenko. Revisiting Deep Learning Models for Tabular
       Data. NeurIPS 2021. arXiv:2106.11959, section 3.3.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import FeatureTokenizer
    >>> tokenizer = FeatureTokenizer(2, 8, cat_cardinalities=[5])
    >>> tokenizer(torch.randn(4, 2), torch.tensor([[0], [1], [4], [2]])).shape
    torch.Size([4, 3, 8])
    """

    offsets: Tensor

    def __init__(self, in_features: int, token_size: int, cat_cardinalities: Sequence[int] = ()) -> None:
        super().__init__()
        self.in_features, _, cardinalities = check_widths(in_features, 1, cat_cardinalities)
        token_size = check_size("token_size", token_size)
        self.n_tokens = self.in_features + len(cardinalities)
        self.weight = nn.Parameter(torch.empty(self.in_features, token_size)) if self.in_features else None
        self.bias = nn.Parameter(torch.empty(self.n_tokens, token_size))
        self.embedding = nn.Embedding(sum(cardinalities), token_size) if cardinalities else None
        self.register_buffer("offsets", column_offsets(cardinalities), persistent=False)
        self.reset_parameters(cardinalities)

    def reset_parameters(self, cat_cardinalities: Sequence[int]) -> None:
        """Draw all vectors; see Notes of the class."""
        std = self.bias.shape[1] ** -0.5
        nn.init.normal_(self.bias, std=std)
        if self.weight is not None:
            nn.init.normal_(self.weight, std=std)
        if self.embedding is not None:
            draw_embeddings_(self.embedding.weight, cat_cardinalities)

    def forward(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """Tokens of a batch of rows."""
        check_columns("values of x_num", x_num, self.in_features)
        tokens: list[Tensor] = []
        if self.weight is not None:
            tokens.append(x_num.unsqueeze(2) * self.weight)
        codes = known_codes(x_cat, len(self.offsets))
        if self.embedding is not None and codes is not None:
            check_columns("codes", codes, len(self.offsets))
            tokens.append(self.embedding(codes + self.offsets))
        return (tokens[0] if len(tokens) == 1 else torch.cat(tokens, dim=1)) + self.bias

    def vectors(self) -> dict[int, Tensor]:
        """The learned vectors of the codes, (cardinality, token_size), of each categorical column by its position."""
        if self.embedding is None:
            return {}
        ends = [*self.offsets.tolist()[1:], self.embedding.num_embeddings]
        starts = self.offsets.tolist()
        return {i: self.embedding.weight[start:end] for i, (start, end) in enumerate(zip(starts, ends, strict=True))}


class FTTransformer(nn.Module):
    """FT-Transformer: a token for each feature, attention between them, a linear layer on a summary token.

    Parameters
    ----------
    in_features : int
        Number of numeric columns, >= 0; 0 only if there are categorical columns.
    out_features : int
        Number of raw scores for each row, >= 1.
    n_blocks : int, default=2
        Number of blocks of attention and feed-forward network, >= 1.
    token_size : int, default=64
        Width of a token, >= 1; a multiple of ``n_heads``.
    n_heads : int, default=4
        Heads of the attention, >= 1.
    hidden_size : int or None, default=None
        Width inside the feed-forward networks, >= 1. None: twice ``token_size``.
    dropout : float, default=0.0
        Fraction of the attention weights, and of the units inside the feed-forward networks, dropped during training,
        in [0, 1).
    cat_cardinalities : sequence of int, default=()
        Number of codes of each categorical column, "unknown" and "missing" included.

    Attributes
    ----------
    tokenizer : FeatureTokenizer
        Makes the tokens.
    summary : nn.Parameter of shape (token_size,)
        The first token; the head reads its last state.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - ``x_num``: ``(batch, in_features)``, float32.
    - ``x_cat``: ``(batch, len(cat_cardinalities))``, int64; to be left out without categorical columns.
    - Output: ``(batch, out_features)``, raw scores before any softmax or other link.

    Notes
    -----
    Attention costs O(n_tokens^2 * token_size) a row, everything else O(n_tokens * token_size^2): about n_tokens times
    an MLP of that width. The paper's default is 3 blocks, tokens of 192, 8 heads and dropout; on a GPU
    ``module_params={"n_blocks": 3, "token_size": 192, "n_heads": 8, "dropout": 0.1}``.
    The last block computes the query of the summary token only, since the head reads nothing else.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, V. Khrulkov, A. Babenko. Revisiting Deep Learning Models for Tabular
       Data. NeurIPS 2021. arXiv:2106.11959, section 3.3.
    .. [2] N. Shazeer. GLU Variants Improve Transformer. 2020. arXiv:2002.05202 (ReGLU).

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import FTTransformer
    >>> FTTransformer(4, 3, token_size=16)(torch.randn(5, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        n_blocks: int = 2,
        token_size: int = 64,
        n_heads: int = 4,
        hidden_size: int | None = None,
        dropout: float = 0.0,
        cat_cardinalities: Sequence[int] = (),
    ) -> None:
        super().__init__()
        in_features, out_features, cardinalities = check_widths(in_features, out_features, cat_cardinalities)
        n_blocks = check_size("n_blocks", n_blocks)
        token_size = check_size("token_size", token_size)
        n_heads = check_size("n_heads", n_heads)
        if token_size % n_heads:
            raise ValueError(f"token_size={token_size} is not a multiple of n_heads={n_heads}; expected a multiple.")
        hidden_size = 2 * token_size if hidden_size is None else check_size("hidden_size", hidden_size)
        dropout = check_fraction("dropout", dropout)

        self.tokenizer = FeatureTokenizer(in_features, token_size, cardinalities)
        self.summary = nn.Parameter(torch.empty(token_size))
        nn.init.normal_(self.summary, std=token_size**-0.5)
        # The first block has no norm before its attention (section 3.3 of [1]).
        self.blocks = nn.ModuleList(
            _Block(token_size, n_heads, hidden_size, dropout, normed=i > 0) for i in range(n_blocks)
        )
        output = initialize_linear_(nn.Linear(token_size, out_features), None)
        self.head = nn.Sequential(nn.LayerNorm(token_size), nn.ReLU(), output)

    def forward(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """Raw scores of a batch of rows."""
        tokens = self.tokenizer(x_num, x_cat)
        x = torch.cat([self.summary.expand(len(tokens), 1, -1), tokens], dim=1)  # (batch, 1 + n_tokens, token_size)
        last = len(self.blocks) - 1
        for i, block in enumerate(self.blocks):
            x = block(x, n_queries=1 if i == last else x.shape[1])
        return self.head(x[:, 0])


class _Block(nn.Module):
    """Attention and a ReGLU network, each added to the stream; (batch, n, width) to (batch, n_queries, width)."""

    def __init__(self, width: int, n_heads: int, hidden_size: int, dropout: float, normed: bool) -> None:
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.attention_norm = nn.LayerNorm(width) if normed else nn.Identity()
        self.query = initialize_linear_(nn.Linear(width, width), nn.Identity)
        # A bias of the keys would add the same number to all scores of a query, which softmax ignores.
        self.key = initialize_linear_(nn.Linear(width, width, bias=False), nn.Identity)
        self.value = initialize_linear_(nn.Linear(width, width), nn.Identity)
        # DEPARTURE: both branches start small, so that the variance of the stream does not grow with the blocks.
        self.attended = initialize_linear_(nn.Linear(width, width), None)
        self.norm = nn.LayerNorm(width)
        self.hidden = initialize_linear_(nn.Linear(width, 2 * hidden_size), nn.ReLU)
        self.output = initialize_linear_(nn.Linear(hidden_size, width), None)
        self.hidden_dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, n_queries: int) -> Tensor:
        normed = self.attention_norm(x)
        x = x[:, :n_queries]
        heads = functional.scaled_dot_product_attention(
            self._split(self.query(normed[:, :n_queries])),
            self._split(self.key(normed)),
            self._split(self.value(normed)),
            dropout_p=self.dropout if self.training else 0.0,
        )
        x = x + self.attended(heads.transpose(1, 2).flatten(2))
        value, gate = self.hidden(self.norm(x)).chunk(2, dim=2)
        return x + self.output(self.hidden_dropout(value * gate.relu()))

    def _split(self, x: Tensor) -> Tensor:
        """(batch, n, width) -> (batch, n_heads, n, width / n_heads)."""
        return x.unflatten(2, (self.n_heads, -1)).transpose(1, 2)


__all__ = ["FTTransformer", "FeatureTokenizer"]
