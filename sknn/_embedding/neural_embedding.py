"""The features that a network has learned, as a transformer."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from .._data.containers import take_rows
from .._errors import shown

__all__ = ["NeuralEmbedding"]


class NeuralEmbedding(ClassNamePrefixFeaturesOutMixin, TransformerMixin, MetaEstimatorMixin, BaseEstimator):
    """Transformer of rows into the units of the last hidden layer of a network.

    Parameters
    ----------
    estimator : NeuralClassifier or NeuralRegressor
        What is fitted to learn the features; a clone is fitted. A fitted one is used as it is inside
        ``sklearn.frozen.FrozenEstimator``; `fit` then needs no `y`.
    random_state : int, RandomState instance or None, default=None
        That of the clone; None leaves it as the estimator has it.

    Attributes
    ----------
    estimator_ : NeuralClassifier or NeuralRegressor
        The fitted estimator.
    n_features_in_ : int
        Number of columns, where X has columns.
    feature_names_in_ : ndarray of shape (n_features_in_,), str
        Names of the columns, where all of them have one.

    See Also
    --------
    NeuralClassifier.embed : The same of a fitted estimator.

    Notes
    -----
    A network separates the rows that it was fitted to better than new ones, so a model behind this transformer in a
    pipeline sees training rows that look too good. Where that matters, as for another classifier, fit the network to
    other rows and freeze it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sknn import NeuralClassifier, NeuralEmbedding
    >>> X, y = load_iris(return_X_y=True)
    >>> embedding = NeuralEmbedding(NeuralClassifier(max_epochs=5, random_state=0))
    >>> make_pipeline(embedding, KNeighborsClassifier()).fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, estimator: Any, random_state: Any = None) -> None:
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> NeuralEmbedding:
        """Fit a clone of the estimator.

        Parameters
        ----------
        X : table, texts, images, sequences or sounds of n_samples rows
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or numbers. None only if the estimator is frozen.
        **fit_params
            Passed to `fit` of the estimator, such as `sample_weight`; with metadata routing, what it requests.

        Returns
        -------
        self : NeuralEmbedding

        Raises
        ------
        TypeError
            The estimator has no method ``embed``.
        ValueError, TypeError
            `y` is None and the estimator is not frozen; or as `fit` of the estimator.
        """
        if not hasattr(self.estimator, "embed"):
            raise TypeError(
                f"estimator={shown(self.estimator)} has no method embed; expected NeuralClassifier(), NeuralRegressor()"
                ", or a fitted one as sklearn.frozen.FrozenEstimator(model)."
            )
        if (
            y is None
            and not isinstance(self.estimator, FrozenEstimator)
            and get_tags(self.estimator).target_tags.required
        ):
            raise ValueError(
                f"NeuralEmbedding requires y to be passed, but the target y is None: fit trains a clone of the "
                f"{type(self.estimator).__name__}. Pass y; or, to use an estimator that is fitted already, "
                "NeuralEmbedding(FrozenEstimator(model)), with FrozenEstimator of sklearn.frozen."
            )
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        estimator = clone(self.estimator)
        if self.random_state is not None and "random_state" in estimator.get_params(
            deep=False
        ):  # a frozen one has none
            estimator.set_params(random_state=self.random_state)
        estimator.fit(X, y, **fit_params)
        first = take_rows(estimator._check_X(X), slice(0, 1))
        self._n_features_out = estimator.embed(first).shape[1]
        self.estimator_ = estimator
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Units of the last hidden layer.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        units : ndarray of shape (n_samples, width), float32
            Or a frame, as `set_output` says, with columns ``neuralembedding0``, ``neuralembedding1``...
        """
        check_is_fitted(self)
        return self.estimator_.embed(X)

    @property
    def n_features_in_(self) -> int:
        """Number of columns of X."""
        return self._of_estimator("n_features_in_")

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the columns of X."""
        return self._of_estimator("feature_names_in_")

    def _of_estimator(self, name: str) -> Any:
        if "estimator_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {name} before fit.")
        return getattr(self.estimator_, name)

    def get_metadata_routing(self) -> MetadataRouter:
        """What `fit` passes to the estimator."""
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=type(self).__name__).add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self) -> Any:
        tags, given = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags = given.input_tags
        tags.target_tags.required = given.target_tags.required
        tags.transformer_tags.preserves_dtype = []  # float32, whatever X holds
        return tags
