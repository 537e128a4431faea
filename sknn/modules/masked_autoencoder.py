"""Masked autoencoder for the cells of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._checks import check_size
from ._recipe import Recipe

__all__ = ["MaskedAutoencoder", "RestoredCells"]


class RestoredCells(NamedTuple):
    """What a network makes of rows with gaps, for all cells."""

    means: Tensor  # (batch, n_numbers), in standard units
    bins: Tensor  # (batch, n_numbers, n_bins), logarithms of the probabilities of bins of equal shares
    codes: list[Tensor]  # of each categorical column (batch, n_codes), logarithms of the probabilities


class MaskedAutoencoder(nn.Module):
    """A network that restores hidden cells of a row from the others.

    In training, of each row a random share of the present cells is hidden. The network restores the mean of hidden
    numbers (squared error), their distribution (cross-entropy over bins that hold equal shares of the training rows)
    and that of hidden categories (cross-entropy). Behind linear embeddings of the cells, it is a residual MLP.

    Parameters
    ----------
    in_features : int
        Three times the number of numeric columns, see Shape.
    n_codes : sequence of int, default=()
        Number of codes of each categorical column: 0 unknown, the last one missing.
    width : int, default=256
        Width of the residual blocks.
    n_blocks : int, default=3
        Number of residual blocks.
    dropout : float, default=0.1
        Share of the hidden units dropped in training.
    embedding_size : int, default=16
        Width of the embedding of a category, and of a number.
    n_bins : int, default=32
        Bins of the distribution of a number.

    Shape
    -----
    - ``x``: ``(batch, 3 * n_numbers)``: normal scores, values in standard units, and 1 where a number is present.
    - ``codes``: int64 ``(batch, n_categorical)``.
    - Output: ``(batch, 1)``, the loss of each row: the mean over its hidden cells. In evaluation mode the same cells
      are hidden in each call.

    References
    ----------
    .. [1] P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol. Extracting and Composing Robust Features with Denoising
       Autoencoders. ICML 2008.
    .. [2] T. Du, L. Melis, T. Wang. ReMasker: Imputing Tabular Data with Masked Autoencoding. ICLR 2024.
       arXiv:2309.13793.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import MaskedAutoencoder
    >>> network = MaskedAutoencoder(in_features=6, n_codes=[5])
    >>> network(torch.ones(8, 6), torch.ones(8, 1, dtype=torch.int64)).shape
    torch.Size([8, 1])
    """

    reads = "cells"
    recipe = Recipe(
        lr=0.003, weight_decay=0.02, patience=8, min_steps=2000, epochs=30, min_rows_to_split=40, steps_per_epoch=20,
        largest_batch=256, ema_decay=0.99,
    )  # fmt: skip

    def __init__(
        self,
        in_features: int,
        *,
        n_codes: Sequence[int] = (),
        width: int = 256,
        n_blocks: int = 3,
        dropout: float = 0.1,
        embedding_size: int = 16,
        n_bins: int = 32,
    ) -> None:
        super().__init__()
        width, n_bins = check_size("width", width), check_size("n_bins", n_bins)
        n_blocks, size = check_size("n_blocks", n_blocks), check_size("embedding_size", embedding_size)
        self.n_numbers, self.n_bins = in_features // 3, n_bins
        self.n_codes = tuple(n_codes)
        self.n_cells = self.n_numbers + len(self.n_codes)
        # Of a number: its score, and whether it is present, each on a vector of its own.
        self.scores = nn.Parameter(torch.randn(self.n_numbers, 2, size, dtype=torch.float32) * 0.5)
        self.embeddings = nn.ModuleList(nn.Embedding(n, size) for n in self.n_codes)
        for embedding in self.embeddings:
            nn.init.normal_(embedding.weight, std=0.5)  # pyright: ignore[reportArgumentType]
        self.first = nn.Linear(self.n_cells * size, width)
        self.blocks = nn.ModuleList(_Block(width, dropout) for _ in range(n_blocks))
        self.norm = nn.LayerNorm(width)
        self.mean_head = nn.Linear(width, self.n_numbers) if self.n_numbers else None
        self.bin_head = nn.Linear(width, self.n_numbers * n_bins) if self.n_numbers else None
        self.code_head = nn.Linear(width, sum(self.n_codes)) if self.n_codes else None

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        """Loss of each row, for cells that are hidden at random."""
        scores, units, present = x.chunk(3, dim=1)
        present = present > 0
        exists = present if codes is None else torch.cat([present, codes != self._missing(codes)], dim=1)
        hidden = self._hidden(exists)
        hidden_numbers, hidden_codes = hidden.split([self.n_numbers, self.n_cells - self.n_numbers], dim=1)
        visible = None if codes is None else torch.where(hidden_codes, self._missing(codes), codes)
        restored = self.restore(scores, present & ~hidden_numbers, visible)
        losses = []
        if self.n_numbers:
            positions = torch.special.ndtr(scores)
            bins = (positions * self.n_bins).long().clamp(0, self.n_bins - 1)
            of_bins = functional.cross_entropy(restored.bins.movedim(2, 1), bins, reduction="none")
            losses.append(((restored.means - units).square() + 0.2 * of_bins) * hidden_numbers)
        for i, logits in enumerate(restored.codes):
            assert codes is not None
            of_codes = functional.cross_entropy(logits, codes[:, i], reduction="none")
            losses.append((of_codes * hidden_codes[:, i]).unsqueeze(1))
        return torch.cat(losses, dim=1).sum(dim=1, keepdim=True) / hidden.sum(dim=1, keepdim=True).clamp(min=1)

    def restore(self, scores: Tensor, present: Tensor, codes: Tensor | None = None) -> RestoredCells:
        """What the present cells say about all cells.

        Parameters
        ----------
        scores : Tensor (batch, n_numbers)
            Normal scores; what is not present is not read.
        present : Tensor bool (batch, n_numbers)
        codes : Tensor int64 (batch, n_categorical), default=None
            Codes; that of missing where a category is hidden.

        Returns
        -------
        RestoredCells
        """
        cells = []
        if self.n_numbers:
            given = present.to(scores.dtype)
            values = torch.stack([scores * given, given], dim=2)
            cells.append(torch.einsum("bnk,nke->bne", values, self.scores).flatten(1))
        if codes is not None:
            cells += [embedding(codes) for embedding, codes in zip(self.embeddings, codes.unbind(dim=1), strict=True)]
        hidden = self.first(torch.cat(cells, dim=1))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        hidden = functional.gelu(self.norm(hidden))
        n_rows = len(hidden)
        means = hidden.new_zeros(n_rows, 0) if self.mean_head is None else self.mean_head(hidden)
        bins = hidden.new_zeros(n_rows, 0) if self.bin_head is None else self.bin_head(hidden)
        logits = () if self.code_head is None else self.code_head(hidden).split(self.n_codes, dim=1)
        # No cell is restored as unknown or missing.
        known = [of_codes.index_fill(1, self._without(of_codes), -1e9) for of_codes in logits]
        return RestoredCells(means, bins.view(n_rows, self.n_numbers, self.n_bins), known)

    @staticmethod
    def _without(logits: Tensor) -> Tensor:
        return torch.tensor([0, logits.shape[1] - 1], dtype=torch.int64, device=logits.device)

    def _missing(self, codes: Tensor) -> Tensor:
        return torch.tensor(self.n_codes, dtype=torch.int64, device=codes.device) - 1

    def _hidden(self, exists: Tensor) -> Tensor:
        """Which present cells are hidden, bool (batch, n_cells): a share that each row draws, at least one cell."""
        generator = None if self.training else torch.Generator(exists.device).manual_seed(0)
        size = (len(exists), self.n_cells + 1)
        draws = torch.rand(size, generator=generator, dtype=torch.float32, device=exists.device)
        order, share = draws[:, 1:].masked_fill(~exists, 2.0), draws[:, :1].square()  # more often few than many
        n_hidden = (share * exists.sum(dim=1, keepdim=True)).floor() + 1
        return (order.argsort(dim=1).argsort(dim=1) < n_hidden) & exists


class _Block(nn.Module):
    """Norm, a wider layer, and back."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """What the block adds."""
        return self.layers(x)
