"""NeuralRegressor: targets in their own unit, quantiles, several outputs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np
import torch
from sklearn.base import RegressorMixin
from torch import nn

from ._data.real_targets import RealTargets
from ._estimator.conformal import interval, predicted_with_std
from ._estimator.elsewhere import NotHere
from ._estimator.supervised import SupervisedEstimator
from ._hyperparameters import store_arguments
from .losses import make_loss
from .losses._make import fitting_loss

__all__ = ["NeuralRegressor"]


class NeuralRegressor(RegressorMixin, SupervisedEstimator):
    """A neural network that predicts numbers from the rows of a table, texts, images, sequences or sounds.

    Numbers, categories and missing values need no preparation; scaling, imputation and encoding are learned in fit, and
    so is the scale of y.

    Parameters
    ----------
    module : "auto", torch.nn.Module class, callable or instance, default="auto"
        The network. "auto" chooses it by what X is: TabM for tables, TextNet for texts, ConvNet for images, SequenceNet
        for sequences; sounds need :class:`~sknn.modules.AudioNet`. A class is built in fit: its input and output widths
        are filled in under the names ``in_features`` (``in_channels``, ``input_size``, ``input_dim``,
        ``n_features``) and ``out_features`` (``output_size``, ``output_dim``, ``n_outputs``, ``n_classes``,
        ``num_classes``), the shape of one row under ``in_shape``. An instance is copied. It returns raw scores
        ``(batch, out_features)``, no softmax. If its ``forward`` names a parameter ``x_cat``, it is called with
        ``(x_num, x_cat)`` and its constructor may take ``cat_cardinalities``. Integers reach a module that begins with
        ``nn.Embedding`` as integers. A class attribute ``reads`` says what it is given, see docs/extending.md.
    module_params : dict, default=None
        Keyword arguments of the module class; ``module__NAME`` in set_params and in searches.
    criterion : str, torch.nn.Module class or instance, default="squared_error"
        "squared_error", "absolute_error", "huber", "poisson" or "quantile"; see :mod:`sknn.losses`. It sees y in units
        of its spread: for "squared_error" the standard deviation; for "absolute_error", "huber" and "quantile" the
        distance of the quantiles 1/8 and 7/8 over 2.3, which a few wild targets cannot move. ``criterion__delta`` of
        "huber" is in that unit. An instance is copied.
    criterion_params : dict, default=None
        Keyword arguments of the loss, as ``{"quantile": [0.1, 0.5, 0.9]}``; ``criterion__NAME`` in searches.
    optimizer : "auto" or torch.optim.Optimizer class, default="auto"
        Any optimizer of torch, or one of the same interface. "auto": :class:`sknn.optim.Muon` for TabM, which is AdamW
        with orthogonal steps of the hidden layers, and AdamW for any other module.
    optimizer_params : dict, default=None
        Keyword arguments of the optimizer; ``optimizer__NAME`` in searches. ``weight_decay`` exempts biases and norms;
        if it is not given, TabM with "auto" or AdamW gets ``1 / (12 * lr * steps_per_epoch)``, which shrinks a weight
        without a gradient by a factor of e in 12 epochs.
    lr : float or "auto", default="auto"
        Learning rate, the largest of the schedule. "auto": 0.01 for TabM (0.005 beyond 5,000 rows and
        in `partial_fit`), 0.001 for any other module.
    lr_schedule : {"constant", "cosine", "one_cycle", "plateau"} or class, default="cosine"
        How the learning rate changes, or a ``torch.optim.lr_scheduler`` class. See :class:`sknn.optim.LRSchedule`.
    lr_schedule_params : dict, default=None
        Its arguments.
    max_epochs : int or "auto", default="auto"
        Largest number of passes over the training rows; the schedule of the learning rate is planned for it. "auto":
        the larger of 600 steps (150 without early stopping) and 20 passes for TabM, 100 passes for any other module;
        from 30,000 rows on, ``sqrt(30_000 / n_rows)`` times as many passes.
    batch_size : "auto" or int, default="auto"
        Rows per step, for each of the `n_networks` networks. "auto" aims at 40 steps per epoch with 16 to 256 rows
        each, for TabM at 8 steps with 16 to 128 rows; from 20,000 rows on, the largest size grows with the fourth root
        of their number.
    max_time : float, default=None
        Seconds that fit may take, at least one step; the loading of libraries by the first fit of a process is not
        counted. The schedule of the learning rate is planned to end by then.
    early_stopping : "auto" or bool, default="auto"
        Stop when the validation score has not improved for `n_iter_no_change` epochs, and restore the best weights.
        "auto" does so from 200 rows on (TabM: 10), and if `X_val` is given.
    validation_fraction : float in (0, 1), default=0.15
        Fraction of the rows that early stopping holds out. If `groups` are given, whole groups are held out, so many
        that their rows come nearest to the fraction.
    n_networks : int or "auto", default="auto"
        Number of networks that are trained together as a :class:`~sknn.modules.Committee`. Each holds out different
        rows for early stopping, so that together they learn from all rows; their predictions are averaged. "auto": 7
        for TabM up to 100 rows, 8 up to 5,000, 4 up to 50,000 and 1 for more; 1 for any other module. With `max_time`,
        unless there is a checkpoint, only as many of these, 2 at least, as can probably take all steps by then.
    n_iter_no_change : int or "auto", default="auto"
        Epochs without improvement before stopping. "auto": 5 for TabM, 12 for any other module.
    tol : float, default=0.0
        Smallest change of the validation score that counts as an improvement.
    scoring : str, callable or None, default="loss"
        What early stopping monitors: the loss, or any scorer of scikit-learn. None is "loss".
    ema_decay : float in (0, 1), "auto" or None, default="auto"
        Decay of the exponential moving average of the weights over the steps: the average is what is validated and
        kept. None keeps the weights of the last step. "auto": 0.99 for TabM, None for any other module.
    gradient_clipping : float, "auto" or None, default="auto"
        Largest norm of the gradient of all parameters. "auto" follows the norms of recent steps: it leaves ordinary
        steps alone and clips spikes, see :class:`~sknn.callbacks.GradientClipping`. Unless it is None, steps with a
        non-finite gradient are skipped. Not used with LBFGS, which estimates the curvature from unclipped gradients.
    gradient_health : {"warn", "raise", "repair"} or None, default="warn"
        What to do when training goes wrong: issue a :class:`~sknn.exceptions.GradientHealthWarning`; raise a
        :class:`~sknn.exceptions.TrainingHealthError`; or warn and change learning rate, initial weights, scale of
        untouched inputs or clipping, at most three times, each change kept only if it helps. See
        :class:`~sknn.callbacks.GradientHealth`.
    preprocessing : bool, default=True
        Scale numbers, fill missing values, encode categories. False passes X and y to the network unchanged, as
        float32.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Which columns are categories. "from_dtype": strings, booleans and categorical dtypes of dataframes. A mask,
        positions or names add columns to these. None: only non-numeric columns. Strings that spell more than 20
        distinct numbers or dates of ISO 8601 are read as such, with a warning, unless the column is named here; whole
        numbers that recur are read as numbers and as categories, unless this is None. See docs/columns.md.
    text_features : "auto", array-like or None, default="auto"
        Which columns hold free text. Each becomes up to 30 numbers: tf-idf of its n-grams of characters, reduced by a
        singular value decomposition of the training rows. "auto": columns of strings of which nearly all are distinct,
        unless they look like identifiers. A mask, positions or names: only these. None: no column; free text is an
        error. See docs/columns.md.
    warm_start : bool, default=False
        Whether fit starts from the weights of the previous fit. With a `checkpoint` folder, a new fit continues a
        stored one of fewer `max_epochs`, see docs/searches_that_survive.md.
    callbacks : list of skorch callbacks, default=None
        Instances, classes, or (name, callback) pairs, called in the given order. fit uses the instances themselves, so
        what they record can be read afterwards; each fit calls their ``initialize`` first. Clones, as in a search, have
        copies. ``callbacks__NAME__x`` in set_params and in searches sets the parameter x of one of them. An instance
        of GradientHealth, GradientClipping or EarlyStopping replaces the default one. These three are called after all
        others, in this order, so that clipping changes a gradient last.
    checkpoint : path-like, default=None
        File that the state of the training run is written to. If fit is killed, a fit with the same data and parameters
        resumes from it and gives the same bits; a fit with different ones raises a
        :class:`~sknn.exceptions.CheckpointError`. In an existing folder, each fit has its own file, as in a search. See
        docs/checkpoints.md. Not used by `partial_fit`.
    checkpoint_every_s : float, default=10.0
        Seconds between two checkpoints, which are written at the end of an epoch; longer if writing would exceed 5 % of
        training time.
    checkpoint_every_epochs : int or None, default=None
        Epochs between two checkpoints, instead of seconds.
    on_interrupt : {"raise", "keep"}, default="raise"
        What Ctrl-C does: "raise" a KeyboardInterrupt and leave the estimator as it was before fit; or "keep" the
        weights of the best epoch so far, with ``stopped_by_ = "interrupt"``. Searches, cross-validation and ensembles
        end in any case.
    device : str or torch.device, default="auto"
        "auto" takes CUDA, then MPS, then the CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        The dtype of matrix products during training; weights and predictions are float32 in any case. "bfloat16" keeps
        8 of 24 significant bits and is faster if the processor or GPU supports it. "auto" uses it on such processors
        in hidden layers of at least 512 units, for batches of at least 256 rows.
    compile : bool, default=False
        Whether to train through ``torch.compile``. It takes minutes and needs a C++ compiler; steps of your own modules
        on a GPU are then faster.
    random_state : int, RandomState instance or None, default=None
        Seed of validation split, initialisation, shuffling and dropout. The global generators are not changed; None
        takes fresh entropy.
    verbose : int, default=0
        0: silent. 1: a progress bar. 2: a line per epoch.

    Attributes
    ----------
    n_outputs_ : int
        Number of target columns.
    net_ : skorch.NeuralNet
        The private net; ``net_.history`` has one record per epoch.
    module_ : torch.nn.Module
        The trained network.
    n_features_in_ : int
        Number of columns seen in fit, if X has columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if all are strings.
    n_iter_ : int
        Number of epochs trained.
    best_epoch_ : int
        Epoch whose weights are kept, counted from 1.
    n_networks_ : int
        Number of networks that were trained, which `max_time` may reduce.
    loss_curve_ : list of float
        Training loss of each epoch; :meth:`plot_history` draws it.
    validation_scores_ : list of float or None
        Validation score of each epoch, higher is better: minus the loss, or the value of `scoring`.
    stopped_by_ : {"max_epochs", "early_stopping", "max_time", "interrupt", "health", "callback"}
        What ended the training. "interrupt" is Ctrl-C with ``on_interrupt="keep"``, "health" non-finite values that
        came back again and again, "callback" one of `callbacks` or of scikit-learn's callbacks.
    health_ : TrainingHealth or None
        What :class:`~sknn.callbacks.GradientHealth` found.
    n_repairs_ : int
        Number of changes by ``gradient_health="repair"`` that were kept.

    See Also
    --------
    NeuralClassifier : The same for labels.
    plot_history : Draw ``loss_curve_`` and the validation loss.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sknn import NeuralRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> reg = NeuralRegressor(max_epochs=10, random_state=0).fit(X, y)
    >>> reg.predict(X[:2]).shape
    (2,)
    >>> low_and_high = NeuralRegressor(
    ...     criterion="quantile", criterion_params={"quantile": [0.1, 0.9]}, max_epochs=10, random_state=0
    ... ).fit(X, y)
    >>> low_and_high.predict(X[:2]).shape
    (2, 2)
    """

    _target_kinds = ("real",)

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module | Callable[..., nn.Module] = "auto",
        *,
        module_params: dict[str, Any] | None = None,
        criterion: str | type[nn.Module] | nn.Module = "squared_error",
        criterion_params: dict[str, Any] | None = None,
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
        scoring: str | Callable[..., float] | None = "loss",
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

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> NeuralRegressor:
        """Train one more epoch on these rows. What the first call learned about columns and scales stays.

        So the first rows should be like all later ones. A UserWarning says if they are fewer than 12, and names each
        column whose later values lie on quite another scale.

        Parameters
        ----------
        X : table, texts, images or sequences of n_samples rows, as in `fit`
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the loss.

        Returns
        -------
        self : NeuralRegressor
            The estimator itself.
        """
        return self._fit(X, y, sample_weight, partial=True)

    @overload
    def predict(self, X: Any, return_std: Literal[False] = False) -> np.ndarray: ...

    @overload
    def predict(self, X: Any, return_std: Literal[True]) -> tuple[np.ndarray, np.ndarray]: ...

    def predict(self, X: Any, return_std: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predicted value of each row, in the unit of y.

        Parameters
        ----------
        X : table, texts, images or sequences of n_samples rows, as in `fit`
        return_std : bool, default=False
            Whether to return the standard deviation of the error of each prediction, too.

        Returns
        -------
        y : ndarray float32 of shape (n_samples,), (n_samples, n_outputs), or (n_samples, n_levels)
            The last for several quantiles. float64 for two-dimensional y, and if the spread of y is too small
            relative to its mean for float32.
        std : ndarray of the shape and dtype of y
            Only with `return_std`. Learned from the errors of held-out rows, as :meth:`predict_interval`; errors beyond
            four times their 90 % quantile count as these, so that a few wild targets do not decide.

        Raises
        ------
        ValueError
            With `return_std`: the fit held no rows out, or the loss has several quantile levels.
        """
        if return_std:
            return predicted_with_std(self, X)
        values = self._output(X, linked=True)
        return self._targets.predict(values)

    def predict_interval(self, X: Any, confidence_level: float = 0.9, *, condition: Any = None) -> np.ndarray:
        """Interval of each row that contains its y with a probability of `confidence_level`.

        Parameters
        ----------
        X : table, texts, images or sequences of n_samples rows, as in `fit`
        confidence_level : float, default=0.9
            In (0, 1). A share of so many further rows is covered, on average.
        condition : str or int, default=None
            Name or position of a categorical column: the share holds for the rows of each of its values. Rare and
            unknown values share the errors of the rare ones.

        Returns
        -------
        interval : ndarray of shape (n_samples, 2), or (n_samples, 2, n_outputs) for two-dimensional y
            Lower and upper bound in the unit and dtype of y; of several outputs, each by itself. Infinite, with a
            UserWarning, if fewer than ``confidence_level / (1 - confidence_level)`` rows were held out.

        Raises
        ------
        ValueError
            The fit held no rows out (``partial_fit``, ``early_stopping=False``), the level is outside of (0, 1), the
            condition is no categorical column, or the loss predicts something else than y.

        Notes
        -----
        Split conformal prediction with the rows that each network held out in fit: an interval is the prediction plus
        and minus a quantile of their errors, each divided by a spread that is learned from what the network reads. With
        several quantile levels, the interval is that of the outermost ones, moved by a quantile [2]_. See
        docs/intervals.md for what is guaranteed.

        References
        ----------
        .. [1] R. F. Barber, E. J. Candès, A. Ramdas, R. J. Tibshirani. Predictive Inference with the Jackknife+. Annals
           of Statistics 49(1), 2021. arXiv:1905.02928.
        .. [2] Y. Romano, E. Patterson, E. Candès. Conformalized Quantile Regression. NeurIPS 2019. arXiv:1905.03222.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sknn import NeuralRegressor
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> reg = NeuralRegressor(max_epochs=10, random_state=0).fit(X, y)
        >>> reg.predict_interval(X[:3], confidence_level=0.8).shape
        (3, 2)
        """
        return interval(self, X, confidence_level, condition)

    score = SupervisedEstimator.score  # instead of RegressorMixin's

    predict_set = NotHere(
        "a set is of classes. predict_interval gives the range of a number; NeuralClassifier has sets."
    )

    def _learn_targets(self, y: Any, classes: Any, weight: np.ndarray | None) -> Any:
        y = RealTargets.check(y)
        loss = make_loss(self.criterion, dict(self.criterion_params or {}), "real")
        if y.shape[1:] == (1,) and not loss.several_outputs:
            y = y.ravel()
        loss.check_target(torch.tensor(y, dtype=torch.float64))
        return RealTargets(y, weight, loss.target_scaling if self.preprocessing else None)

    def _check_y(self, y: Any) -> None:
        loss = make_loss(self.criterion, dict(self.criterion_params or {}), "real")
        loss.check_target(torch.tensor(RealTargets.check(y), dtype=torch.float64))

    def _public_targets(self, targets: Any) -> dict[str, Any]:
        return {"n_outputs_": targets.n_targets}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        loss = fitting_loss(self.criterion, self.criterion_params, "real")
        tags.target_tags.multi_output = loss is None or loss.several_outputs
        tags.target_tags.positive_only = loss is not None and loss.target_scaling == "scale"
        return tags
