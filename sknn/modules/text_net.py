"""Network for texts: learned weights of the n-grams that they contain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._checks import check_fraction, check_size
from ._recipe import Recipe
from ._start import StartRows
from .activations import initialize_linear_

# Of a log ratio, which is that of a text with the n-gram; a text has many, whose tf-idf weights are below 1.
_RATIO = 0.3
# Numbers of an embedding that n-grams are hashed to. With 512 the neighbours of questions and messages were no better.
_HASHED = 256


class TextNet(nn.Module):
    r"""Two linear members on the n-grams of a text, of which one starts from naive Bayes, and an optional deep part.

    The n-grams are learned in fit: those of 2 to 5 characters within words, words, pairs of neighbouring words, and the
    first four words once more. They work for any script, and unknown words share n-grams with known ones. Each has a
    tf-idf weight; those of a text have norm 1 for characters and for words.

    The weights of the first member start from 0. Those of the second start from what naive Bayes says of the training
    labels, and are learned as factors of that: n-grams that tell the labels learn faster, and rare ones, which training
    moves little, count for what they say.

    Parameters
    ----------
    in_features : int
        Number of codes, >= 1; code 0 is padding.
    out_features : int
        Number of raw scores for each text, >= 1.
    dropout : float, default=0.3
        Fraction of the n-grams of a text that are left out during training, in [0, 1).
    embedding_size : int, default=0
        Width of the embeddings of the deep part, whose scores are added to those of the first member, >= 0; 0: none.
    hidden_size : int, default=32
        Width of the hidden layer of the deep part, >= 1.
    max_features : int, default=65536
        Largest number of n-grams that are learned: those that most training texts contain.
    char_ngram_range : (int, int), default=(2, 5)
        Shortest and longest n-grams of characters, from 2 to 8, within words between white space; (0, 0) for none.
    word_ngram_range : (int, int), default=(1, 2)
        The same for n-grams of words, 1 or 2.
    max_characters : int, default=20000
        Longer texts are cut.

    Attributes
    ----------
    n_members : int
        2, the members in the output, which the estimators read.
    ratios : buffer of shape (in_features, out_features)
        Log ratios of naive Bayes, set by :meth:`fit_start`; 1 before and where there are none.
    starts : buffer of shape (out_features,)
        1 for the labels that have ratios, else 0: there the second member starts from 0, too.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - ``x``: ``(batch, n)``, int64, codes of n-grams, 0 where a text has fewer than n.
    - ``x_weight``: ``(batch, n)``, float32, their weights, 0 where a text has fewer than n.
    - Output: ``(batch, 2, out_features)``, raw scores of the members before any softmax or other link. Each member is
      trained on its own loss, and their predictions are averaged.

    Notes
    -----
    With tf-idf weights :math:`a` of a text, learned :math:`W, V, b, c`, ratios :math:`r` and starts :math:`s`,

    .. math:: y_1 = a W + b, \qquad y_2 = a (r \odot (s + V)) + c.

    A training step costs about 4 n_ngrams x out_features products for each text, and an update of
    2 in_features x out_features weights. The deep part did not pay on average over the tasks
    that the defaults were chosen by, questions, messages, reviews and documentation.

    References
    ----------
    .. [1] A. Joulin, E. Grave, P. Bojanowski, T. Mikolov. Bag of Tricks for Efficient Text Classification. EACL 2017.
       arXiv:1607.01759.
    .. [2] H.-T. Cheng et al. Wide & Deep Learning for Recommender Systems. DLRS 2016. arXiv:1606.07792.
    .. [3] S. Wang, C. D. Manning. Baselines and Bigrams: Simple, Good Sentiment and Topic Classification. ACL 2012.
    .. [4] K. Weinberger, A. Dasgupta, J. Langford, A. Smola, J. Attenberg. Feature Hashing for Large Scale Multitask
       Learning. ICML 2009. arXiv:0902.2206.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import TextNet
    >>> codes, weights = torch.tensor([[3, 7, 9], [5, 0, 0]]), torch.tensor([[0.5, 0.5, 0.7], [1.0, 0.0, 0.0]])
    >>> TextNet(in_features=10, out_features=2)(codes, weights).shape
    torch.Size([2, 2, 2])
    """

    reads: ClassVar[str] = "ngrams"
    n_members: ClassVar[int] = 2
    ratios: Tensor
    starts: Tensor
    recipe: ClassVar[Recipe] = Recipe(
        lr=0.1,
        weight_decay=0.02,
        # Adam's steps are of the same size for rare and frequent weights, unless eps is of the size of their gradients.
        eps=5e-4,
        epochs=15,
        min_steps=1600,
        max_numbers=2e8,
        min_rows_to_split=None,
        steps_per_epoch=60,
        largest_batch=64,
    )

    def __init__(
        self,
        in_features: int,
        out_features: int,
        dropout: float = 0.3,
        embedding_size: int = 0,
        hidden_size: int = 32,
        max_features: int = 2**16,
        char_ngram_range: Sequence[int] = (2, 5),
        word_ngram_range: Sequence[int] = (1, 2),
        max_characters: int = 20_000,
    ) -> None:
        super().__init__()
        in_features, out_features = check_size("in_features", in_features), check_size("out_features", out_features)
        embedding_size = check_size("embedding_size", embedding_size, minimum=0)
        hidden_size = check_size("hidden_size", hidden_size)
        self.dropout = check_fraction("dropout", dropout)
        # Options of the reader, kept so that a copy of this network is read for in the same way.
        self.max_features, self.max_characters = max_features, max_characters
        self.char_ngram_range, self.word_ngram_range = tuple(char_ngram_range), tuple(word_ngram_range)

        self.weight = nn.Parameter(torch.zeros(in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        # Of two classes both columns get the same gradients; from 0, they would stay one unit.
        self.factor = nn.Parameter(torch.empty(in_features, out_features))
        nn.init.normal_(self.factor, std=0.01)
        self.factor_bias = nn.Parameter(torch.zeros(out_features))
        self.register_buffer("ratios", torch.ones(in_features, out_features))
        self.register_buffer("starts", torch.zeros(out_features))
        self.embedding: nn.Parameter | None = None
        if embedding_size:
            self.embedding = nn.Parameter(torch.empty(in_features, embedding_size))
            nn.init.normal_(self.embedding, std=embedding_size**-0.5)
            hidden = initialize_linear_(nn.Linear(embedding_size, hidden_size), nn.ReLU)
            last = initialize_linear_(nn.Linear(hidden_size, out_features), None)
            self.deep = nn.Sequential(hidden, nn.ReLU(), nn.Dropout(self.dropout), last)

    def forward(self, x: Tensor, x_weight: Tensor) -> Tensor:
        """Raw scores of both members for a batch of texts."""
        x_weight = F.dropout(x_weight, self.dropout, self.training)
        # One sum for both members: the time goes into reading rows of the table at random.
        scores, from_ratios = _weighted_sum(self._table(), x, x_weight).chunk(2, dim=1)
        scores = scores + self.bias
        if self.embedding is not None:
            scores = scores + self.deep(_weighted_sum(self.embedding, x, x_weight))
        return torch.stack([scores, from_ratios + self.factor_bias], dim=1)

    def forward_hidden(self, x: Tensor, x_weight: Tensor) -> Tensor:
        """What stands for the last hidden layer, which linear members lack, (batch, 2 * out_features + 256).

        The scores of the members without their biases say what training made of a text. Texts of the same scores are
        told apart by the n-grams themselves, hashed to 256 numbers [4]_; each n-gram counts as much as it changes the
        scores. With a deep part, its hidden layer follows.
        """
        table = self._table()
        relevance = x_weight * table.norm(dim=1)[x]
        # Codes are in the order of hashes, so those of neighbouring codes have nothing to do with each other.
        sign = 1 - 2 * (x // _HASHED % 2)
        hashed = x_weight.new_zeros(len(x), _HASHED).scatter_add_(1, x % _HASHED, relevance * sign)
        parts = [_weighted_sum(table, x, x_weight), hashed]
        if self.embedding is not None:
            parts.append(self.deep[:-1](_weighted_sum(self.embedding, x, x_weight)))
        return torch.cat(parts, dim=1)

    def _table(self) -> Tensor:
        """Weights of the n-grams in both members, (in_features, 2 * out_features)."""
        return torch.cat([self.weight, self.ratios * (self.starts + self.factor)], dim=1)

    @torch.no_grad()
    def fit_start(self, rows: StartRows) -> TextNet:
        """Set the ratios of naive Bayes by training texts, where labels are predicted; returns the module."""
        if rows.target == "real":
            return self
        # Weights of the texts that have a label and contain an n-gram, that have the label, and of all texts likewise.
        n_codes, n_labels = self.ratios.shape
        n_both = self.ratios.new_zeros(n_codes * n_labels, dtype=torch.float64)
        n_with, n_label, n_texts = n_both.new_zeros(n_codes), n_both.new_zeros(n_labels), 0.0
        for (x, _), labels, weight in rows.batches():
            if labels.shape[1] != n_labels:  # scores that are not those of labels, of a loss of the user's
                return self
            weights = (torch.ones_like(labels[:, 0]) if weight is None else weight).double()
            texts, columns = labels.nonzero(as_tuple=True)
            places = x[texts] * n_labels + columns.unsqueeze(1)
            n_both.index_add_(0, places.flatten(), weights[texts].repeat_interleave(x.shape[1]))
            n_with.index_add_(0, x.flatten(), weights.repeat_interleave(x.shape[1]))
            n_label.index_add_(0, columns, weights[texts])
            n_texts += float(weights.sum())
        n_both, n_with = n_both.view(n_codes, n_labels), n_with.unsqueeze(1)
        # One text more with the n-gram, and one without it, for both sides.
        shares = (n_both + 1) / (n_label + 2), (n_with - n_both + 1) / (n_texts - n_label + 2)
        known = (n_label > 0) & (n_label < n_texts)
        self.ratios.copy_(torch.where(known, _RATIO * torch.log(shares[0] / shares[1]), 1.0))
        self.ratios[0] = 1.0  # of padding
        self.starts.copy_(known)
        return self

    def extra_repr(self) -> str:
        """The text in the brackets of ``repr``."""
        n_codes, out_features = self.weight.shape
        return f"in_features={n_codes}, out_features={out_features}, dropout={self.dropout}"


class _WeightedSum(torch.autograd.Function):
    """Sums of rows of a table, whose gradient takes a fifth of the time of that of ``embedding_bag`` on a CPU."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, codes: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(table, codes, weights)
        return F.embedding_bag(codes, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, Tensor | None]:  # type: ignore[override]
        table, codes, weights = ctx.saved_tensors
        of_table = of_weights = None
        if ctx.needs_input_grad[0]:
            parts = (weights.unsqueeze(2) * gradient.unsqueeze(1)).flatten(0, 1)  # (batch * n, width)
            of_table = torch.zeros_like(table).index_add_(0, codes.flatten(), parts)
        if ctx.needs_input_grad[2]:
            of_weights = (table[codes] @ gradient.unsqueeze(2)).squeeze(2)
        return of_table, None, of_weights


def _weighted_sum(table: Tensor, codes: Tensor, weights: Tensor) -> Tensor:
    """Rows of a table (n_codes, width) at codes (batch, n), times weights (batch, n), summed: (batch, width)."""
    if torch.is_grad_enabled() and table.requires_grad:
        return _WeightedSum.apply(table, codes, weights)  # type: ignore[return-value]
    return F.embedding_bag(codes, table, per_sample_weights=weights, mode="sum")


__all__ = ["TextNet"]
