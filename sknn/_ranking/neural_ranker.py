"""NeuralRanker: scores that order the rows of each query."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._data.containers import as_table, without_column, without_tensor
from .._data.inputs import Inputs
from .._data.ranking_inputs import RankingInputs
from .._data.ranking_targets import RankingTargets, checked_relevance, query_codes
from .._data.table_inputs import TableInputs
from .._data.tagged import Tagged
from .._errors import level_of_caller, refused_as, shown
from .._estimator.answers import Answers
from .._estimator.base import BaseNeuralEstimator
from .._estimator.reading import Reading, reading_of
from .._hyperparameters import store_arguments
from ..losses import RankingLoss, make_loss
from ..metrics import ndcg_by_query
from ..metrics._ranking import weighted_mean

__all__ = ["NeuralRanker"]


class NeuralRanker(Answers, BaseNeuralEstimator):
    """A neural network that ranks the rows of each query: scores, of which only the order within a query counts.

    Rows are the documents, products or candidates of queries. Columns need no preparation, as in
    :class:`NeuralRegressor`. The numbers of a table are given to the network relative to the other rows of the query,
    too, as z-score and as rank.

    Parameters
    ----------
    module : "auto", torch.nn.Module class, callable or instance, default="auto"
        The network, which returns one score ``(batch, 1)`` for each row; as for :class:`NeuralRegressor`.
    module_params : as for NeuralRegressor
    criterion : {"approx_ndcg", "lambdarank", "listnet", "ranknet", "pointwise"} or class, default="lambdarank"
        The loss, see :mod:`sknn.losses`: smooth NDCG, pairs weighted by their change of NDCG, cross-entropy of
        distributions over the rows, pairs, or the squared error of each row. Classes derive from
        :class:`~sknn.losses.RankingLoss`.
    criterion_params : dict, default=None
        Keyword arguments of the loss, as ``{"temperature": 0.5}``; ``criterion__NAME`` in searches.
    qid_column : str or int, default=None
        Name or position of the column of X that holds the query of each row, instead of the argument `qid`. It is no
        input of the network.
    optimizer, optimizer_params, lr, lr_schedule, lr_schedule_params, max_epochs : as for NeuralRegressor
    batch_size : "auto" or int, default="auto"
        Queries per step, for each of the networks. "auto" as for :class:`NeuralRegressor`, with queries in place of
        rows.
    max_time, early_stopping, validation_fraction, n_networks, n_iter_no_change : as for NeuralRegressor
    tol, ema_decay, gradient_clipping, gradient_health, preprocessing, categorical_features : as for NeuralRegressor
    text_features, warm_start, callbacks, checkpoint, checkpoint_every_s : as for NeuralRegressor
    checkpoint_every_epochs, on_interrupt, device, precision, compile, random_state, verbose : as for NeuralRegressor

    Attributes
    ----------
    n_features_in_ : int
        Number of columns, without `qid_column`, if X has columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if all are strings.
    net_, module_, n_iter_, best_epoch_, loss_curve_, validation_scores_, stopped_by_, health_, n_repairs_
        As of :class:`NeuralRegressor`.

    See Also
    --------
    sknn.metrics.ndcg_by_query : The measure of `score`, for each query.

    Notes
    -----
    Batches are whole queries, and early stopping holds out whole queries. The weight of a query in the loss is the mean
    of the weights of its rows. Queries of one row, or of one relevance, teach nothing, except with "pointwise".

    Examples
    --------
    >>> import numpy as np
    >>> from sknn import NeuralRanker
    >>> rng = np.random.default_rng(0)
    >>> X, qid = rng.normal(size=(300, 4)), np.repeat(np.arange(30), 10)
    >>> relevance = np.clip(np.round(X[:, 0] + 1), 0, 3)
    >>> ranker = NeuralRanker(max_epochs=10, random_state=0).fit(X, relevance, qid=qid)
    >>> bool(ranker.score(X, relevance, qid=qid) > 0.9)
    True
    """

    _target_kinds = ("ranking",)
    _parameter_constraints: dict[str, list[Any]] = {
        **BaseNeuralEstimator._parameter_constraints,
        "qid_column": [str, Integral, None],
    }
    scoring = "loss"

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module | Callable[..., nn.Module] = "auto",
        *,
        module_params: dict[str, Any] | None = None,
        criterion: str | type[nn.Module] | nn.Module = "lambdarank",
        criterion_params: dict[str, Any] | None = None,
        qid_column: Any = None,
        optimizer: str | type[torch.optim.Optimizer] | Callable[..., torch.optim.Optimizer] = "auto",
        optimizer_params: dict[str, Any] | None = None,
        lr: float | str = "auto",
        lr_schedule: str | type = "cosine",
        lr_schedule_params: dict[str, Any] | None = None,
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        max_time: float | None = None,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.15,
        n_networks: int | str = "auto",
        n_iter_no_change: int | str = "auto",
        tol: float = 0.0,
        ema_decay: float | str | None = "auto",
        gradient_clipping: float | str | None = "auto",
        gradient_health: str | None = "warn",
        preprocessing: bool = True,
        categorical_features: Any = "from_dtype",
        text_features: Any = "auto",
        warm_start: bool = False,
        callbacks: list[Any] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every_s: float = 10.0,
        checkpoint_every_epochs: int | None = None,
        on_interrupt: str = "raise",
        device: str | torch.device = "auto",
        precision: str = "auto",
        compile: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        store_arguments(self, locals())

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        qid: Any = None,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        qid_val: Any = None,
        sample_weight_val: Any = None,
    ) -> NeuralRanker:
        """Learn to rank.

        Parameters
        ----------
        X : n_samples rows of one kind, as for :class:`NeuralRegressor`
            In any order.
        y : array-like of shape (n_samples,)
            Relevance of each row for its query, any numbers >= 0; larger is better.
        qid : array-like of shape (n_samples,), default=None
            Query of each row: whole numbers, strings or dates. None only with `qid_column`.
        sample_weight : array-like of shape (n_samples,) or (n_queries,), default=None
            Weights of the rows; or of the queries, in the order of ``numpy.unique(qid)``. Rows of weight zero are
            ignored.
        X_val, y_val, qid_val, sample_weight_val : like X, y, qid and sample_weight, default=None
            Validation rows, instead of queries of X.

        Returns
        -------
        self : NeuralRanker

        Raises
        ------
        ValueError, TypeError
            `qid` is missing or holds NaN or broken numbers; a relevance is negative; or anything else is not allowed.
        """
        X, y, weight, codes = self._queried(X, y, qid, sample_weight)
        validation: tuple[Any, Any, Any] = (None, None, None)
        if X_val is not None and y_val is not None:
            validation = self._queried(X_val, y_val, qid_val, sample_weight_val, "_val")[:3]
        elif X_val is not None or y_val is not None or qid_val is not None or sample_weight_val is not None:
            raise ValueError(
                "X_val and y_val belong together, and qid_val and sample_weight_val to them. Pass both X_val and "
                "y_val, or none of the four."
            )
        return self._fit(X, y, weight, validation=validation, groups=codes)

    def partial_fit(self, X: Any, y: Any, *, qid: Any = None, sample_weight: Any = None) -> NeuralRanker:
        """Train one more epoch on the rows of whole queries; otherwise as that of a regressor.

        Parameters
        ----------
        X, y, qid, sample_weight
            As for `fit`.

        Returns
        -------
        self : NeuralRanker
        """
        X, y, weight, codes = self._queried(X, y, qid, sample_weight)
        return self._fit(X, y, weight, groups=codes, partial=True)

    def predict(self, X: Any, *, qid: Any = None) -> np.ndarray:
        """Score of each row; larger ones come first. Scores of different queries cannot be compared.

        Parameters
        ----------
        X : n_samples rows, as in `fit`
            All rows that are to be ranked, since each is compared with the others of its query.
        qid : array-like of shape (n_samples,), default=None
            Query of each row; None: all rows are those of one query, unless there is a `qid_column`. A UserWarning says
            so if they are more than twice as many as those of the longest query of `fit`.

        Returns
        -------
        scores : ndarray float32 of shape (n_samples,)
        """
        return self._output(self._tagged(X, qid), linked=True)[:, 0]

    def explain(
        self, X: Any, *, qid: Any = None, method: str = "auto", background: Any = None, max_evals: int = 500
    ) -> Any:
        """What each column of a row adds to its score; see ``NeuralRegressor.explain``.

        A number, its z-score and its rank within the query are one column.

        Parameters
        ----------
        X, qid
            As for `predict`.
        method, background, max_evals
            As for ``NeuralRegressor.explain``. The rows of `background` are those of one query.

        Returns
        -------
        attributions : ndarray float64 of shape (n_samples, n_features)
        """
        return super().explain(self._tagged(X, qid), method=method, background=background, max_evals=max_evals)

    def embed(self, X: Any, *, qid: Any = None) -> np.ndarray:
        """Units of the last hidden layer, as ``NeuralRegressor.embed``.

        Parameters
        ----------
        X, qid
            As for `predict`.

        Returns
        -------
        units : ndarray float32 of shape (n_samples, width)
        """
        return super().embed(self._tagged(X, qid))

    def score(self, X: Any, y: Any, *, qid: Any = None, sample_weight: Any = None, k: int | None = 10) -> float:
        """Mean NDCG of the first k rows of each query, see :func:`sknn.metrics.ndcg_by_query`.

        Parameters
        ----------
        X, y, qid, sample_weight
            As for `fit`. A query counts by the mean weight of its rows; one without a relevant row does not count.
        k : int or None, default=10
            How many rows at the top count; None: all.

        Returns
        -------
        score : float
            From 0 to 1; NaN if no query has a relevant row.
        """
        rows, relevance, weight, codes = self._queried(X, y, qid, sample_weight)
        scores = self._output(rows, linked=True)[:, 0]
        return weighted_mean(ndcg_by_query(relevance[:, 0], scores, codes, k=k), codes, weight)

    # ------------------------------------------------------------------ queries

    def _queried(
        self, X: Any, y: Any, qid: Any, sample_weight: Any, suffix: str = ""
    ) -> tuple[Tagged, np.ndarray, np.ndarray | None, np.ndarray]:
        """X with queries, relevances and queries (n_samples, 2), weights of rows, and queries (n_samples,)."""
        X, qid = self._without_qid_column(X, qid)
        relevance = checked_relevance(without_tensor(y, f"y{suffix}"), f"y{suffix}")
        codes = query_codes(without_tensor(qid, f"qid{suffix}"), len(relevance), f"qid{suffix}")
        weight = None if sample_weight is None else _weights_of_rows(sample_weight, codes, f"sample_weight{suffix}")
        return Tagged(X, codes), np.column_stack([relevance, codes]), weight, codes

    def _tagged(self, X: Any, qid: Any) -> Any:
        """X with the queries of its rows, for a prediction."""
        check_is_fitted(self, "net_")
        X, qid = self._without_qid_column(X, qid)
        if qid is None:
            self._warn_of_many_rows(X)
            return X
        return Tagged(X, query_codes(without_tensor(qid, "qid"), len(X) if isinstance(X, list) else X.shape[0]))

    def _warn_of_many_rows(self, X: Any) -> None:
        n_rows, longest = len(X) if isinstance(X, list) else X.shape[0], self._targets.longest
        if n_rows > 2 * longest and isinstance(self._inputs, RankingInputs):
            warnings.warn(
                f"qid is missing, so all {n_rows} rows are ranked as those of one query, but the longest query of fit "
                f"had {longest}. Pass the query of each row, or qid=numpy.zeros({n_rows}) if they are one.",
                UserWarning,
                stacklevel=level_of_caller(),
            )

    def _without_qid_column(self, X: Any, qid: Any) -> tuple[Any, Any]:
        """X without the column that holds the queries, and these."""
        if self.qid_column is None:
            return X, qid
        if qid is not None:
            raise ValueError(
                f"qid is given, and qid_column={shown(self.qid_column)} names a column that holds it. Leave one of the "
                "two out."
            )
        with refused_as("qid_column", "the name or the position of a column of X"):
            return without_column(as_table(X), self.qid_column)

    # ------------------------------------------------------------------ what the base asks

    def _reading(self, X: Any, params: Mapping[str, Any], fitted: Inputs | None) -> Reading:
        reading = reading_of(X, params, fitted)
        if fitted is not None or reading.kind is not TableInputs:
            return reading
        return Reading(RankingInputs, reading.module, Tagged(reading.X, X.tags), reading.options)

    def _learn_targets(self, y: Any, classes: Any, weight: np.ndarray | None) -> RankingTargets:
        loss = make_loss(self.criterion, dict(self.criterion_params or {}), "ranking")  # refuses one that cannot rank
        if not isinstance(loss, RankingLoss):
            raise TypeError(
                f"criterion={loss.class_name} is no RankingLoss; derive it from sknn.losses.RankingLoss, which gives "
                "`of_lists` the scores of whole queries."
            )
        return RankingTargets.learn(y, weight)

    def _public_targets(self, targets: Any) -> dict[str, Any]:
        return {}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.positive_only = True
        return tags


def _weights_of_rows(sample_weight: Any, codes: np.ndarray, name: str) -> np.ndarray:
    """Weights of rows float64 (n_samples,), of those of rows or of queries."""
    with refused_as(name, "numbers >= 0, one for each row or for each query"):
        weight = np.asarray(without_tensor(sample_weight, name), dtype=np.float64)
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError(f"{name} holds {shown(weight[~(weight >= 0)].ravel()[:1])}; expected finite weights >= 0.")
    n_queries = int(codes.max()) + 1
    if weight.shape == (n_queries,) and n_queries != len(codes):
        return weight[codes]
    if weight.shape != codes.shape:
        raise ValueError(
            f"{name} has the shape {weight.shape}; expected one weight for each of the {len(codes)} rows, or for each "
            f"of the {n_queries} queries."
        )
    return weight
