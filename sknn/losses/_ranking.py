"""Losses for rows that are ranked within queries.

``y`` is float32 ``(batch, 3)``: the relevance of a row, the code of its query, and the relevance in units of its
spread. Rows of a query follow one another; a code below zero marks rows that count for nothing. ``raw_prediction`` is
``(batch, 1)``, or ``(batch, n_members, 1)`` of members, each of which ranks by itself.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ._base import Loss, shape_error

__all__ = ["ApproxNDCG", "LambdaRank", "ListNet", "Lists", "Pointwise", "RankNet", "RankingLoss"]

# Pairs of rows that the members compare at once, about.
_PAIRS_AT_ONCE = 2**22


class Lists(NamedTuple):
    """Queries of about the same length as rows of matrices, filled up to the longest one.

    All but `scores` are the same for each member.
    """

    scores: Tensor  # (n_members, n_queries, longest)
    relevance: Tensor  # (n_queries, longest)
    standardized: Tensor  # (n_queries, longest), relevance in units of its spread
    exists: Tensor  # bool (n_queries, longest)
    weight: Tensor  # (n_queries, longest), mean one over the rows of a query

    @property
    def gains(self) -> Tensor:
        """(2^relevance - 1) / 2^m, where m is the largest relevance of a query, so that no gain overflows."""
        largest = self.relevance.masked_fill(~self.exists, 0.0).amax(dim=1, keepdim=True)
        gains = torch.exp2(self.relevance - largest) - torch.exp2(-largest)
        return (gains * self.weight).masked_fill(~self.exists, 0.0)

    @property
    def best_dcg(self) -> Tensor:
        """The largest discounted cumulative gain of each query, (n_queries, 1)."""
        gains = self.gains.sort(dim=1, descending=True).values
        ranks = torch.arange(1, gains.shape[1] + 1, dtype=gains.dtype, device=gains.device)
        return (gains / (ranks + 1).log2()).sum(dim=1, keepdim=True)

    @property
    def is_better(self) -> Tensor:
        """Whether the first of two rows is the more relevant one, bool (n_queries, longest, longest)."""
        both = self.exists[:, :, None] & self.exists[:, None, :]
        return both & (self.relevance[:, :, None] > self.relevance[:, None, :])


class RankingLoss(Loss):
    """Mean over queries of a loss of their scores; derive from it to add a ranking loss.

    A subclass defines ``name`` and ``of_lists``. The weight of a query is the mean of the weights of its rows, and the
    rest of a weight counts within the query, as the loss says. Queries whose rows are all of one relevance teach no
    order, so they do not count (except in :class:`Pointwise`); without any other query the loss is 0.

    Parameters
    ----------
    max_list_size : int, default=256
        In training by an estimator, of a query of more rows only so many are in a step: half of them the most relevant
        ones, the others drawn at random in each epoch. Of a held-out query four times as many count, always the same.
        Time and memory of a step grow with the square of the rows of a query.
    """

    targets = frozenset({"ranking"})
    several_outputs = False
    needs_an_order = True  # whether queries of one relevance are left out

    def __init__(self, max_list_size: int = 256) -> None:
        super().__init__()
        if isinstance(max_list_size, bool) or not isinstance(max_list_size, int) or max_list_size < 2:
            raise ValueError(f"max_list_size={max_list_size!r} is invalid; expected a whole number of rows >= 2.")
        self.max_list_size = max_list_size

    @abstractmethod
    def of_lists(self, lists: Lists) -> Tensor:
        """Loss of each query for each member, ``(n_members, n_queries)``."""

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """Not defined: a row has no loss of its own."""
        raise NotImplementedError(f"criterion={self.name!r} compares rows of a query; a row has no loss of its own.")

    def by_member(
        self, raw_prediction: Tensor, y: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """As given: each member has the same queries, and `forward` ranks by each of them."""
        return raw_prediction, y, weight

    def forward(self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Mean over the queries of ``weight * loss``, a scalar.

        Parameters
        ----------
        raw_prediction : Tensor (batch, 1) or (batch, n_members, 1)
        y : Tensor (batch, 3)
            See the header of this file.
        sample_weight : Tensor (batch,), default=None

        Raises
        ------
        ValueError
            If shapes do not match.
        """
        if raw_prediction.ndim not in (2, 3) or raw_prediction.shape[-1] != 1 or y.shape != (len(raw_prediction), 3):
            raise shape_error(raw_prediction, y, "(batch, 1) or (batch, n_members, 1), and (batch, 3)")
        scores = raw_prediction.flatten(1).T
        relevance, queries, standardized = y.unbind(dim=1)
        weight = torch.ones_like(relevance) if sample_weight is None else sample_weight
        total, n_queries = scores.sum() * 0.0, 0
        parts = self._lists(relevance, queries, _PAIRS_AT_ONCE / len(scores))
        for positions, exists in parts:
            own = weight[positions].masked_fill(~exists, 0.0)
            of_query = own.sum(dim=1) / exists.sum(dim=1)
            own = own / of_query.clamp(min=1e-30)[:, None]
            lists = Lists(scores[:, positions], relevance[positions], standardized[positions], exists, own)
            if len(parts) == 1 or not scores.requires_grad:
                losses = self.of_lists(lists)
            else:  # pairs of one part at a time are in memory: those of the others are computed again for the gradient
                losses = checkpoint(self.of_lists, lists, use_reentrant=False, preserve_rng_state=False)
            total = total + (losses * of_query).sum()
            n_queries += len(positions)
        return total / max(1, n_queries * len(scores))

    def validation_loss(self, raw_prediction: Tensor, y: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The loss of all held-out queries at once: batches differ in the number of queries."""
        return self(raw_prediction, y, sample_weight)

    def _lists(self, relevance: Tensor, queries: Tensor, most_pairs: float) -> list[tuple[Tensor, Tensor]]:
        """Positions of the rows of queries, int64 (n_queries, longest), and which exist, bool.

        Queries of about the same length are together, at most `most_pairs` pairs of rows, or one query.
        """
        _, lengths = queries.unique_consecutive(return_counts=True)
        ends = lengths.cumsum(0)
        starts = ends - lengths
        counts = queries[starts] >= 0
        if self.needs_an_order:
            counts &= self._has_an_order(relevance, starts, lengths)
        starts, lengths = starts[counts], lengths[counts]
        order = lengths.argsort(stable=True)
        sorted_lengths = lengths[order].tolist()
        parts, first = [], 0
        for last in range(1, len(sorted_lengths) + 1):
            if last < len(sorted_lengths) and (last + 1 - first) * sorted_lengths[last] ** 2 <= most_pairs:
                continue
            chosen = order[first:last]
            steps = torch.arange(sorted_lengths[last - 1], dtype=torch.int64, device=starts.device)
            exists = steps < lengths[chosen, None]
            parts.append((torch.where(exists, starts[chosen, None] + steps, starts[chosen, None]), exists))
            first = last
        return parts

    @staticmethod
    def _has_an_order(relevance: Tensor, starts: Tensor, lengths: Tensor) -> Tensor:
        """Whether the rows of each query differ in relevance, bool (n_queries,)."""
        differs = functional.pad((relevance[1:] != relevance[:-1]).to(torch.int64), (1, 0)).cumsum(0)
        return differs[starts + lengths - 1] > differs[starts]


class ApproxNDCG(RankingLoss):
    """1 - NDCG with smooth ranks, which approximates the measure by which rankings are judged.

    The rank of row i is approximated by ``1 + sum_j sigmoid((s_j - s_i) / temperature)``, its gain is ``2^relevance -
    1`` times its weight [1]_. Equal scores share their ranks.

    Parameters
    ----------
    temperature : float, default=1.0
        Difference of scores at which two rows begin to count as ordered: small values are near the measure, large ones
        are smooth.
    max_list_size : int, default=256
        See :class:`RankingLoss`.

    References
    ----------
    .. [1] T. Qin, T.-Y. Liu, H. Li. A General Approximation Framework for Direct Optimization of Information Retrieval
       Measures. Information Retrieval 13, 2010.
    .. [2] S. Bruch, M. Zoghi, M. Bendersky, M. Najork. Revisiting Approximate Metric Optimization in the Age of Deep
       Neural Networks. SIGIR 2019.

    Examples
    --------
    >>> import torch
    >>> from sknn.losses import ApproxNDCG
    >>> y = torch.tensor([[2.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    >>> loss = ApproxNDCG()
    >>> bool(loss(torch.tensor([[5.0], [-5.0]]), y) < loss(torch.tensor([[-5.0], [5.0]]), y))
    True
    """

    name = "approx_ndcg"

    def __init__(self, temperature: float = 1.0, max_list_size: int = 256) -> None:
        super().__init__(max_list_size)
        if not temperature > 0:
            raise ValueError(f"temperature={temperature!r} is invalid; expected a number > 0.")
        self.temperature = temperature

    def of_lists(self, lists: Lists) -> Tensor:
        """One minus the smooth NDCG, ``(n_members, n_queries)``."""
        scores = lists.scores / self.temperature
        above = (scores[..., None, :] - scores[..., :, None]).sigmoid()  # whether j is above i
        others = lists.exists[:, None, :] & ~torch.eye(scores.shape[-1], dtype=torch.bool, device=scores.device)
        ranks = 1.0 + (above * others).sum(dim=-1)
        dcg = (lists.gains / (1.0 + ranks).log2()).sum(dim=-1)
        return 1.0 - dcg / lists.best_dcg[:, 0]


class LambdaRank(RankingLoss):
    """Logistic losses of all pairs of rows, each weighted by what exchanging the two would change of the NDCG.

    ``sum over pairs of |change of NDCG| * log(1 + exp(-(s_i - s_j)))``, where i is more relevant than j. The changes
    are computed from the present ranks and are not differentiated, which gives the gradients of LambdaRank [1]_. Equal
    scores are ranked in the order of the rows.

    Parameters
    ----------
    max_list_size : int, default=256
        See :class:`RankingLoss`.

    References
    ----------
    .. [1] C. J. C. Burges. From RankNet to LambdaRank to LambdaMART: An Overview. MSR-TR-2010-82, 2010.
    """

    name = "lambdarank"

    def of_lists(self, lists: Lists) -> Tensor:
        """Sum over the pairs of each query, ``(n_members, n_queries)``."""
        scores, gains = lists.scores, lists.gains / lists.best_dcg
        with torch.no_grad():
            ranking = scores.masked_fill(~lists.exists, -torch.inf).argsort(dim=-1, descending=True, stable=True)
            ranks = ranking.argsort(dim=-1).to(scores.dtype) + 1.0
            discounts = 1.0 / (1.0 + ranks).log2()
            change = (discounts[..., :, None] - discounts[..., None, :]).abs()
            change = change * (gains[..., :, None] - gains[..., None, :]).abs() * lists.is_better
        pairs = functional.softplus(scores[..., None, :] - scores[..., :, None])
        return (change * pairs).sum(dim=(-2, -1))


class ListNet(RankingLoss):
    """Cross-entropy of two distributions over the rows of a query: by their gains, and by the softmax of their scores.

    The top one probabilities of Cao et al. [1]_, where the probability of a row is in proportion to its gain,
    ``2^relevance - 1``, times its weight. Equal relevances have equal probabilities.

    Parameters
    ----------
    max_list_size : int, default=256
        See :class:`RankingLoss`.

    References
    ----------
    .. [1] Z. Cao, T. Qin, T.-Y. Liu, M.-F. Tsai, H. Li. Learning to Rank: From Pairwise Approach to Listwise Approach.
       ICML 2007.
    """

    name = "listnet"

    def of_lists(self, lists: Lists) -> Tensor:
        """Cross-entropy of each query, ``(n_members, n_queries)``."""
        gains = lists.gains
        share = gains / gains.sum(dim=1, keepdim=True)
        log_share = lists.scores.masked_fill(~lists.exists, -torch.inf).log_softmax(dim=-1)
        return -(share * log_share.masked_fill(~lists.exists, 0.0)).sum(dim=-1)


class RankNet(RankingLoss):
    """Mean logistic loss of all pairs of rows of a query of which the first is more relevant than the second [1]_.

    ``log(1 + exp(-(s_i - s_j)))``, weighted by the weight of the more relevant row. Rows of one relevance are no pair.

    Parameters
    ----------
    max_list_size : int, default=256
        See :class:`RankingLoss`.

    References
    ----------
    .. [1] C. Burges, T. Shaked, E. Renshaw, A. Lazier, M. Deeds, N. Hamilton, G. Hullender. Learning to Rank Using
       Gradient Descent. ICML 2005.
    """

    name = "ranknet"

    def of_lists(self, lists: Lists) -> Tensor:
        """Mean over the pairs of each query, ``(n_members, n_queries)``."""
        pairs = functional.softplus(lists.scores[..., None, :] - lists.scores[..., :, None])
        is_better = lists.is_better
        weight = is_better * lists.weight[:, :, None]
        return (pairs * weight).sum(dim=(-2, -1)) / is_better.sum(dim=(-2, -1))


class Pointwise(RankingLoss):
    """Mean squared error of the rows of a query; scores are relevances in units of their spread.

    Parameters
    ----------
    max_list_size : int, default=256
        See :class:`RankingLoss`.
    """

    name = "pointwise"
    needs_an_order = False

    def of_lists(self, lists: Lists) -> Tensor:
        """Weighted mean over the rows of each query, ``(n_members, n_queries)``."""
        losses = (lists.scores - lists.standardized).square() * lists.weight
        return losses.masked_fill(~lists.exists, 0.0).sum(dim=-1) / lists.exists.sum(dim=1)
