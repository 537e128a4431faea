"""NeuralImputer: gaps of a table, filled in the light of the other cells of the row."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted
from torch import nn

from .._data.cell_inputs import CellInputs
from .._data.containers import as_table
from .._data.filled import Filling, filled, with_columns_behind
from .._data.inputs import Inputs
from .._data.itself_targets import ItselfTargets
from .._estimator.base import BaseNeuralEstimator
from .._estimator.reading import Reading, prepared_again
from .._hyperparameters import store_arguments
from .._random import random_generator
from .._settings import default_settings
from ..modules import MaskedAutoencoder
from .restored import Cells, drawn, expected

__all__ = ["NeuralImputer"]

_SPARSE = "X is sparse, and its zeros are no gaps. Pass X.toarray(), with NaN where a value is missing."


class NeuralImputer(TransformerMixin, BaseNeuralEstimator):
    """Fill the gaps of a table with what a masked autoencoder makes of the other cells of a row.

    Numbers, dates, durations and categories are imputed, each in the form of its column; free text and columns
    without any value in `fit` pass through unchanged. All other cells are left exactly as they are.

    Parameters
    ----------
    module : "auto" or torch.nn.Module class, default="auto"
        The network: :class:`~sknn.modules.MaskedAutoencoder`, or a class derived from it.
    module_params : as for NeuralRegressor
    sample : bool, default=False
        What fills a gap. False: the mean of a number, and the most probable category. True: a draw from the
        distribution that the row leaves open, one cell after the other, so that tables filled several times show the
        uncertainty (multiple imputation): numbers that occur in the training rows, and categories by their
        probability. `random_state` decides the draws.
    add_indicator : bool, default=False
        Whether a column that says where a gap was is appended for each column that had gaps in `fit`.
    optimizer, optimizer_params, lr, lr_schedule, lr_schedule_params, max_epochs : as for NeuralRegressor
    batch_size, max_time, early_stopping, validation_fraction, n_iter_no_change, tol : as for NeuralRegressor
    ema_decay, gradient_clipping, gradient_health, categorical_features : as for NeuralRegressor
    warm_start, callbacks, checkpoint, checkpoint_every_s, checkpoint_every_epochs : as for NeuralRegressor
    on_interrupt, device, precision, compile, random_state, verbose : as for NeuralRegressor

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if all are strings.
    indicator_features_ : ndarray int64 (n_indicators,)
        Positions of the columns that had gaps in `fit`.
    net_, module_, n_iter_, best_epoch_, loss_curve_, validation_scores_, stopped_by_, health_, n_repairs_
        As of :class:`NeuralRegressor`. The loss is that of restoring cells that were hidden at random.

    Notes
    -----
    In training, a random share of the cells of each row is hidden and restored from the others [1]_, so that one
    network knows the distribution of every column given any others. It assumes that whether a cell is missing says
    nothing about its value that the other cells do not say.

    References
    ----------
    .. [1] T. Du, L. Melis, T. Wang. ReMasker: Imputing Tabular Data with Masked Autoencoding. ICLR 2024.
       arXiv:2309.13793.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sknn import NeuralImputer
    >>> X = load_diabetes(as_frame=True).data
    >>> gappy = X.mask(np.random.default_rng(0).random(X.shape) < 0.2)
    >>> imputed = NeuralImputer(max_epochs=5, random_state=0).fit_transform(gappy)
    >>> int(imputed.isna().sum().sum())
    0
    """

    _target_kinds = ("itself",)
    _needs_y = False
    _parameter_constraints: dict[str, list[Any]] = {
        **BaseNeuralEstimator._parameter_constraints,
        "sample": ["boolean"],
        "add_indicator": ["boolean"],
    }
    _inputs: CellInputs
    criterion, criterion_params, scoring = "row_loss", None, "loss"
    preprocessing, text_features, n_networks = True, "auto", 1

    def __init__(
        self,
        module: str | type[nn.Module] = "auto",
        *,
        module_params: dict[str, Any] | None = None,
        sample: bool = False,
        add_indicator: bool = False,
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
        n_iter_no_change: int | str = "auto",
        tol: float = 0.0,
        ema_decay: float | str | None = "auto",
        gradient_clipping: float | str | None = "auto",
        gradient_health: str | None = "warn",
        categorical_features: Any = "from_dtype",
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

    def fit(self, X: Any, y: Any = None) -> NeuralImputer:
        """Learn the distribution of the cells.

        Parameters
        ----------
        X : array or data frame of shape (n_samples, n_features)
            With or without gaps: None, NaN, NaT, pandas.NA or null.
        y : None
            Not used.

        Returns
        -------
        self : NeuralImputer

        Raises
        ------
        ValueError, TypeError
            X is no table of numbers and categories, or a parameter is not allowed; the estimator stays as it was.
        """
        return self._fit(X, None)

    def transform(self, X: Any) -> Any:
        """The table with its gaps filled.

        Parameters
        ----------
        X : array or data frame of shape (n_samples, n_features)
            The columns of `fit`. Categories that `fit` has not seen are left as they are. A row without any present
            cell gets the most frequent category and the mean of each column, or draws from the training rows.

        Returns
        -------
        X : the container of X, with its dtypes
            Integers stay integers. With `add_indicator`, further columns of booleans (0 and 1 in arrays).
            ``set_output`` changes the container.
        """
        X = self._checked(X)
        inputs, cells = self._inputs, self._cells(X)
        gaps = self._gaps(cells)
        rows = np.flatnonzero(np.hstack([of.any(axis=1, keepdims=True) for of in gaps]).any(axis=1))
        fillings = {}
        if len(rows):
            some = self._restored(Cells(cells.numbers[rows], cells.codes[rows], []), draws=bool(self.sample))
            fillings = self._fillings(some, rows, gaps)
        result = filled(X, fillings)
        if not self.add_indicator:
            return result
        reader = inputs.reader
        place = {position: i for i, position in enumerate([*reader.numeric, *reader.categorical])}
        columns = np.hstack(gaps)[:, [place[position] for position in self.indicator_features_.tolist()]]
        names = self.get_feature_names_out()[len(reader.columns) :].tolist()
        return with_columns_behind(result, names, columns)

    def category_probabilities(self, X: Any) -> dict[Hashable, tuple[np.ndarray, np.ndarray]]:
        """Probability of each category in each row, in the light of the other cells of the row.

        A category that is present in X counts as present, so only the probabilities of gaps say something.

        Parameters
        ----------
        X : array or data frame of shape (n_samples, n_features)

        Returns
        -------
        probabilities : dict
            Name of a categorical column, or its position -> its categories (n_categories,), object, and float64
            (n_samples, n_categories); each row sums to one.
        """
        X = self._checked(X)
        found = self._restored(self._cells(X), draws=False).probabilities
        return {name: (_objects(values), found[i][:, 1:-1]) for i, (name, values) in self._inputs.categories.items()}

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of the result.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of X, where `fit` has seen none.

        Returns
        -------
        names : ndarray of str objects
            Those of X, and ``missingindicator_NAME`` for each indicator.
        """
        check_is_fitted(self, "net_")
        names = _check_feature_names_in(self, input_features)
        indicators = [f"missingindicator_{names[i]}" for i in self.indicator_features_] if self.add_indicator else []
        return np.concatenate([names, np.array(indicators, dtype=object)])

    @property
    def indicator_features_(self) -> np.ndarray:
        """Positions of the columns that had gaps in `fit`, int64 (n_indicators,)."""
        check_is_fitted(self, "net_")
        return self._inputs.gap_columns

    # ------------------------------------------------------------------ cells

    def _checked(self, X: Any) -> Any:
        check_is_fitted(self, "net_")
        X = as_table(X)
        if sparse.issparse(X):
            raise TypeError(_SPARSE)
        return self._check_X(X)

    def _cells(self, X: Any) -> Cells:
        return Cells(*self._inputs.read(X).rows.read(), [])

    def _gaps(self, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
        """Where numbers, and where categories are missing."""
        return np.isnan(cells.numbers), cells.codes == np.array(self._inputs.n_codes, dtype=np.int64) - 1

    def _restored(self, cells: Cells, *, draws: bool) -> Cells:
        net, inputs = self.net_, self._inputs
        network: Any = self.module_
        with default_settings(foreign_code=net.has_foreign_code):
            if draws:
                return drawn(network, inputs, cells, net.device, random_generator(self.random_state))
            return expected(network, inputs, cells, net.device)

    def _fillings(self, cells: Cells, rows: np.ndarray, gaps: tuple[np.ndarray, np.ndarray]) -> dict[int, Filling]:
        reader, found = self._inputs.reader, {}
        for i, position in enumerate(reader.numeric):
            own = gaps[0][rows, i]
            if own.any():
                found[position] = Filling(rows[own], cells.numbers[own, i], reader.columns[position])
        for i, position in enumerate(reader.categorical):
            own = gaps[1][rows, i]
            if own.any():
                values = _objects(reader.columns[position].categories)[cells.codes[own, i] - 1]
                found[position] = Filling(rows[own], values, reader.columns[position])
        return found

    # ------------------------------------------------------------------ what the base asks

    def _reading(self, X: Any, params: Mapping[str, Any], fitted: Inputs | None) -> Reading:
        if fitted is not None:
            return Reading(CellInputs, MaskedAutoencoder, prepared_again(X, fitted), {})
        X = CellInputs.prepare(X)
        if sparse.issparse(X):
            raise TypeError(_SPARSE)
        module = MaskedAutoencoder if isinstance(params["module"], str) else params["module"]
        return Reading(CellInputs, module, X, {name: params[name] for name in CellInputs.options})

    def _learn_targets(self, y: Any, classes: Any, weight: np.ndarray | None) -> ItselfTargets:
        return ItselfTargets()

    def _public_targets(self, targets: Any) -> dict[str, Any]:
        return {}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _objects(values: Any) -> np.ndarray:
    """Any values as an object array (n,)."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
