"""A linear model beside a network, for tables of few rows or of categories with few rows each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ._linear_models import logistic_regression, ridge_regression
from ._random_effects import random_effects
from ._start import StartRows, read_rows
from .embeddings import column_offsets

# Of more numbers the fit would take too long, and a network needs no help: rows x columns with an indicator for each
# category, or rows x columns x scores where these stay codes.
_MOST_NUMBERS, _MOST_CODES = 2**22, 2**20
# Rows, or of labels the rows that have another label than the most frequent one, up to which a linear model is fitted.
_FEW_ROWS = 2000
# Of more rows, too, if those of a column have fewer rows than this on average: a network learns little of rare ones.
_ROWS_OF_RARE_CATEGORIES = 20
# Targets in standard units beyond this are wild ones, and would decide the coefficients.
_FAR = 5.0


class LinearPath(nn.Module):
    """Raw scores that are linear in the numbers and in the indicators of the categories; 0 at first.

    Parameters
    ----------
    in_features, out_features : int
        Number of numeric columns, and of raw scores.
    cat_cardinalities : sequence of int, default=()
        Number of codes of each categorical column.

    Attributes
    ----------
    weight : buffer of shape (in_features + sum(cat_cardinalities), out_features)
    bias : buffer of shape (out_features,)

    Shape
    -----
    - Input: ``(batch, in_features)``, and int64 ``(batch, len(cat_cardinalities))`` if there are categories.
    - Output: ``(batch, out_features)``.
    """

    weight: Tensor
    bias: Tensor
    offsets: Tensor

    def __init__(self, in_features: int, out_features: int, cat_cardinalities: Sequence[int] = ()) -> None:
        super().__init__()
        self.in_features, self.cat_cardinalities = in_features, tuple(cat_cardinalities)
        self.register_buffer("weight", torch.zeros(in_features + sum(cat_cardinalities), out_features))
        self.register_buffer("bias", torch.zeros(out_features))
        self.register_buffer("offsets", in_features + column_offsets(cat_cardinalities), persistent=False)

    def forward(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """Raw scores."""
        scores = torch.addmm(self.bias, x_num.to(self.bias.dtype), self.weight[: self.in_features])
        if x_cat is None or not len(self.offsets):
            return scores
        return scores + self.weight[x_cat + self.offsets].sum(1)

    @torch.no_grad()
    def fitted(self, rows: StartRows, latest: float = math.inf) -> LinearPath | None:
        """The same columns in a linear model of these rows; None where it would not help, and for other links.

        None, too, if a long fit is not over at the time `latest` of ``time.perf_counter``.
        """
        n_columns, out_features = self.weight.shape
        is_real = rows.target == "real"
        links = ("identity",) if is_real else ("softmax", "sigmoid")
        has_few_rows = len(rows) * n_columns <= _MOST_NUMBERS and not (is_real and len(rows) > _FEW_ROWS)
        has_rare_categories = self._has_rare_categories(len(rows))
        if rows.link is None or rows.link not in links or not (has_few_rows or has_rare_categories):
            return None
        inputs, y, weight = read_rows(rows)
        # One real target may have several scores, such as quantiles; else a loss of the user's means something else.
        if y.shape[1] != out_features and not (is_real and y.shape[1] == 1):
            return None
        if is_real and float((y.abs() > _FAR).double().mean()) > 0.5:  # they are not in standard units
            return None
        if not is_real:
            has_few_rows = has_few_rows and len(rows) - float(y.sum(0).max()) <= _FEW_ROWS
        if not (has_few_rows or has_rare_categories):
            return None
        y = y.clamp(-_FAR, _FAR).expand(-1, out_features) if is_real else y
        link = rows.link if out_features > 1 or is_real else "sigmoid"
        path = LinearPath(self.in_features, out_features, self.cat_cardinalities).to(self.bias)
        try:
            if has_few_rows:
                coefficients, intercepts = self._dense_model(inputs, y, weight, link)
            else:
                coefficients, intercepts = self._sparse_model(inputs, y, weight, link, latest)
        except TimeoutError:
            return None
        path.weight.copy_(coefficients)
        path.bias.copy_(intercepts)
        return path

    def _has_rare_categories(self, n_rows: int) -> bool:
        n_codes = n_rows * (self.in_features + len(self.cat_cardinalities)) * self.bias.shape[0]
        n_most = max(self.cat_cardinalities, default=2) - 2  # one code is that of unknown values, one of missing ones
        return n_most * _ROWS_OF_RARE_CATEGORIES > n_rows and n_codes <= _MOST_CODES

    def _dense_model(self, inputs: list[Tensor], y: Tensor, weight: Tensor, link: str) -> tuple[Tensor, Tensor]:
        x, y, weight = (tensor.cpu().double() for tensor in (self._columns(*inputs), y, weight))
        if link == "identity":
            return ridge_regression(x, y, weight)
        return logistic_regression(x, y, weight, softmax=link == "softmax")

    def _sparse_model(
        self, inputs: list[Tensor], y: Tensor, weight: Tensor, link: str, latest: float
    ) -> tuple[Tensor, Tensor]:
        x_num, codes = (tensor.cpu() for tensor in inputs)
        return random_effects(x_num, codes, self.cat_cardinalities, y.cpu(), weight.cpu(), link, latest)

    def _columns(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """Numbers and indicators, (batch, n_columns)."""
        if x_cat is None or not len(self.offsets):
            return x_num
        columns = x_num.new_zeros(len(x_num), self.weight.shape[0])
        columns[:, : self.in_features] = x_num
        return columns.scatter_(1, x_cat + self.offsets, 1.0)

    def extra_repr(self) -> str:
        """The text in the brackets of ``repr``."""
        return f"in_features={self.in_features}, out_features={self.bias.shape[0]}"


__all__ = ["LinearPath"]
