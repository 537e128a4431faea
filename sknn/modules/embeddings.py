"""Category codes -> numbers.

Shapes and dtypes in this file: codes are int64 ``(batch, n_categorical)``; in each column code 0 is
"unknown", the last code "missing", and those between are the known categories. The range
``[0, cardinality)`` of the codes is not checked, since the check would synchronise a GPU with the CPU in every batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from ._category_statistics import trust_in_categories
from ._checks import check_columns, check_fraction, check_size, check_sizes
from ._start import StartRows, read_rows

# Up to 8 known categories, plus unknown and missing: there a one-hot code is no wider than an embedding
# (Holzmüller et al., 2024, arXiv:2407.04491, switch at the same number).
_MAX_ONE_HOT_CARDINALITY = 10
# Rows that say how far categories are to be trusted, at most, and the length that embeddings then start with: random
# numbers in place of a rare category are noise.
_ROWS_OF_STATISTICS, _LENGTH = 2**15, 0.3


class UnknownMasking(nn.Module):
    """Replace each category code by 0, "unknown", with a small probability during training.

    The unknown category does not occur in a training table. With some codes of each column masked, its embedding, or
    its one-hot column, is trained on the average row without that value.

    Parameters
    ----------
    probability : float, default=0.02
        Fraction of the codes that are replaced, in [0, 1].

    Raises
    ------
    ValueError
        If ``probability`` is outside [0, 1].

    Shape
    -----
    - Input: ``(batch, n_categorical)``, int64.
    - Output: ``(batch, n_categorical)``, int64. In evaluation mode the input itself.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import UnknownMasking
    >>> codes = torch.tensor([[1, 3], [2, 1]])
    >>> masking = UnknownMasking(probability=1.0)
    >>> masking(codes).tolist()
    [[0, 0], [0, 0]]
    >>> masking.eval()(codes).tolist()
    [[1, 3], [2, 1]]
    """

    def __init__(self, probability: float = 0.02) -> None:
        super().__init__()
        self.probability = check_fraction("probability", probability, upper_included=True)

    def forward(self, codes: Tensor) -> Tensor:
        """The codes, some of them replaced by 0 during training."""
        if not self.training or self.probability == 0:
            return codes
        return codes.masked_fill(
            torch.rand(codes.shape, dtype=torch.float32, device=codes.device) < self.probability, 0
        )

    def extra_repr(self) -> str:
        """The text in the brackets of ``repr``."""
        return f"probability={self.probability}"


class OneHot(nn.Module):
    """One indicator column for each code of each categorical column, in the order of the columns.

    Parameters
    ----------
    cat_cardinalities : sequence of int
        Number of codes of each categorical column, "unknown" and "missing" included.

    Attributes
    ----------
    out_features : int
        Width of the output, the sum of the cardinalities.

    Raises
    ------
    ValueError
        If a cardinality is below 1; in ``forward`` if the number of columns differs.

    Shape
    -----
    - Input: ``(batch, n_categorical)``, int64.
    - Output: ``(batch, out_features)``, float32, or the dtype given to ``.to()``.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import OneHot
    >>> OneHot([3, 2])(torch.tensor([[0, 1], [2, 0]]))
    tensor([[1., 0., 0., 0., 1.],
            [0., 0., 1., 1., 0.]])
    """

    offsets: Tensor
    one: Tensor

    def __init__(self, cat_cardinalities: Sequence[int]) -> None:
        super().__init__()
        cardinalities = check_sizes("cat_cardinalities", cat_cardinalities)
        self.out_features = sum(cardinalities)
        self.register_buffer("offsets", column_offsets(cardinalities), persistent=False)
        # Without a floating-point tensor the output would stay float32 after `.double()`.
        self.register_buffer("one", torch.ones(()), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """One-hot columns of the codes."""
        check_columns("codes", codes, len(self.offsets))
        # One `scatter_` serves all columns, without an intermediate tensor for each column.
        return self.one.new_zeros(len(codes), self.out_features).scatter_(1, codes + self.offsets, 1.0)

    def extra_repr(self) -> str:
        """The text in the brackets of ``repr``."""
        return f"n_categorical={len(self.offsets)}, out_features={self.out_features}"


class CategoricalEmbeddings(nn.Module):
    """One-hot columns for small cardinalities, learned embeddings for large ones.

    Parameters
    ----------
    cat_cardinalities : sequence of int
        Number of codes of each categorical column, "unknown" and "missing" included. A column with at most
        10 codes, which are 8 known categories, is one-hot encoded.
    embedding_size : int, default=8
        Width of the embedding of every other column, >= 1.

    Attributes
    ----------
    out_features : int
        Width of the output.
    trust : buffer of shape (sum of the embedded cardinalities,), or None
        Factors of the embeddings, near 0 for rare categories, set by :meth:`fit_start`; 1 before.

    Raises
    ------
    ValueError
        If a cardinality or ``embedding_size`` is below 1; in ``forward`` if the number of columns differs.

    Shape
    -----
    - Input: ``(batch, n_categorical)``, int64.
    - Output: ``(batch, out_features)``, the dtype of the weights; the one-hot columns first, then the
      embeddings, both in the order of the columns.

    Notes
    -----
    The embeddings of all columns lie in one table with an offset for each column, so a batch costs one
    lookup, whatever the number of columns. A row of the table starts from N(0, 1 / embedding_size), so that its norm
    is about 1, as that of a one-hot code. The rows of "unknown" and "missing" start at 0: if a column has no missing
    value in training, a missing value at prediction adds no random numbers.

    References
    ----------
    .. [1] C. Guo, F. Berkhahn. Entity Embeddings of Categorical Variables. 2016. arXiv:1604.06737.
    .. [2] D. Holzmüller, L. Grinsztajn, I. Steinwart. Better by Default: Strong Pre-Tuned MLPs and Boosted
       Trees on Tabular Data. NeurIPS 2024. arXiv:2407.04491.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import CategoricalEmbeddings
    >>> embeddings = CategoricalEmbeddings([4, 100, 50], embedding_size=3)
    >>> embeddings(torch.tensor([[0, 99, 7], [3, 0, 1]])).shape
    torch.Size([2, 10])
    """

    embedded_columns: Tensor
    one_hot_columns: Tensor
    offsets: Tensor
    trust: Tensor | None

    def __init__(self, cat_cardinalities: Sequence[int], embedding_size: int = 8) -> None:
        super().__init__()
        cardinalities = check_sizes("cat_cardinalities", cat_cardinalities)
        embedding_size = check_size("embedding_size", embedding_size)
        one_hot = [i for i, size in enumerate(cardinalities) if size <= _MAX_ONE_HOT_CARDINALITY]
        embedded = [i for i, size in enumerate(cardinalities) if size > _MAX_ONE_HOT_CARDINALITY]
        embedded_sizes = [cardinalities[i] for i in embedded]

        self.n_categorical = len(cardinalities)
        self._sizes = embedded_sizes
        # Kept without any column, too: it gives the dtype of an output of width 0.
        keep_one_hot = bool(one_hot) or not embedded
        self.one_hot = OneHot([cardinalities[i] for i in one_hot]) if keep_one_hot else None
        self.embedding = nn.Embedding(sum(embedded_sizes), embedding_size) if embedded else None
        self.out_features = sum(cardinalities[i] for i in one_hot) + len(embedded) * embedding_size
        self.register_buffer("one_hot_columns", torch.tensor(one_hot, dtype=torch.int64), persistent=False)
        self.register_buffer("embedded_columns", torch.tensor(embedded, dtype=torch.int64), persistent=False)
        self.register_buffer("offsets", column_offsets(embedded_sizes), persistent=False)
        self.register_buffer("trust", torch.ones(sum(embedded_sizes)) if embedded else None)
        if self.embedding is not None:
            draw_embeddings_(self.embedding.weight, embedded_sizes)

    def forward(self, codes: Tensor) -> Tensor:
        """Concatenated one-hot columns and embeddings of the codes."""
        check_columns("codes", codes, self.n_categorical)
        # Columns of one kind only, the common case, need no selection and no concatenation.
        parts: list[Tensor] = []
        if self.one_hot is not None:
            parts.append(self.one_hot(codes if self.embedding is None else codes[:, self.one_hot_columns]))
        if self.embedding is not None and self.trust is not None:
            places = (codes if self.one_hot is None else codes[:, self.embedded_columns]) + self.offsets
            embedded = self.embedding(places) * self.trust[places].unsqueeze(2)
            parts.append(embedded.flatten(1))  # (batch, n_embedded * size)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def vectors(self) -> dict[int, Tensor]:
        """The learned vectors of the codes, (cardinality, embedding_size), of each embedded column by its position."""
        if self.embedding is None or self.trust is None:
            return {}
        parts = (self.embedding.weight * self.trust.unsqueeze(1)).split(self._sizes)
        return dict(zip(self.embedded_columns.tolist(), parts, strict=True))

    def column_of_outputs(self) -> Tensor:
        """Position of the categorical column that each output belongs to, int64 (out_features,)."""
        parts = []
        if self.one_hot is not None:
            sizes = torch.diff(self.one_hot.offsets, append=self.offsets.new_tensor([self.one_hot.out_features]))
            parts.append(self.one_hot_columns.repeat_interleave(sizes))
        if self.embedding is not None:
            parts.append(self.embedded_columns.repeat_interleave(self.embedding.embedding_dim))
        return torch.cat(parts)

    @torch.no_grad()
    def fit_start(self, rows: StartRows) -> CategoricalEmbeddings:
        """Trust rare categories less, by training rows with their targets, and shorten embeddings; returns the module.

        What is learned of a rare category is mostly noise. A factor in front of its embedding makes the steps smaller
        that an adaptive optimizer takes on it, and the embedding itself.
        """
        if self.embedding is not None and self.trust is not None:
            (_, codes), y, weight = read_rows(rows, _ROWS_OF_STATISTICS)
            codes = codes[:, self.embedded_columns]
            self.trust.copy_(trust_in_categories(codes, self._sizes, y, weight, len(y) / len(rows)))
            self.embedding.weight.mul_(_LENGTH)
        return self


def join_columns(embeddings: CategoricalEmbeddings | None, x_num: Tensor, x_cat: Tensor | None) -> Tensor:
    """Return ``(batch, n_numeric + embeddings.out_features)``; without embeddings ``x_num`` itself."""
    codes = known_codes(x_cat, 0 if embeddings is None else embeddings.n_categorical)
    if embeddings is None or codes is None:
        return x_num
    return torch.cat([x_num, embeddings(codes)], dim=1)


def known_codes(x_cat: Tensor | None, n_categorical: int) -> Tensor | None:
    """Return the codes of a module built for ``n_categorical`` columns, None if it has none, or raise a ValueError."""
    if n_categorical == 0:
        if x_cat is not None and x_cat.shape[1] > 0:
            raise ValueError(
                f"x_cat has {x_cat.shape[1]} columns, but the module was built without categorical columns; "
                "give their numbers of codes as cat_cardinalities."
            )
        return None
    if x_cat is None:
        raise ValueError(f"x_cat is missing; expected codes of {n_categorical} columns.")
    return x_cat


@torch.no_grad()
def draw_embeddings_(weight: Tensor, sizes: Sequence[int]) -> None:
    """Draw a table (sum of the sizes, width) from N(0, 1 / width); "unknown" and "missing" of each column are 0."""
    nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
    first = column_offsets(sizes)
    weight[first] = 0.0
    weight[first + torch.tensor(sizes, dtype=torch.int64) - 1] = 0.0


def column_offsets(sizes: Sequence[int]) -> Tensor:
    """First row of each column in one table of the codes of all columns; (len(sizes),)."""
    return torch.tensor([0, *accumulate(sizes)][: len(sizes)], dtype=torch.int64)


__all__ = ["CategoricalEmbeddings", "OneHot", "UnknownMasking", "join_columns"]
