"""NeuralClassifier: labels, class weights, probabilities."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import is_multilabel
from torch import nn

from ._data.targets import class_targets, dense
from ._errors import refused_as, shown
from ._estimator.conformal import prediction_set
from ._estimator.elsewhere import NotHere
from ._estimator.supervised import SupervisedEstimator
from ._hyperparameters import store_arguments
from .losses._make import fitting_loss

__all__ = ["NeuralClassifier"]


class NeuralClassifier(ClassifierMixin, SupervisedEstimator):
    """A neural network that classifies the rows of a table, texts, images, sequences or sounds.

    Numbers, categories and missing values need no preparation; scaling, imputation and encoding are learned in fit.

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
    criterion : {"log_loss"}, torch.nn.Module class or instance, default="log_loss"
        The training loss; see :mod:`sknn.losses`. An instance is copied.
    criterion_params : dict, default=None
        Keyword arguments of the loss, as ``{"label_smoothing": 0.1}``; ``criterion__NAME`` in searches.
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
        Fraction of the rows that early stopping holds out, stratified by class. If `groups` are given, whole groups are
        held out, so many that their rows come nearest to the fraction; a class is never held out as a whole, unless
        every group has all rows of some class.
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
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, multiplied with `sample_weight`. Probabilities are then those of a table in
        which the classes are so frequent, with "balanced" all equally. So they are far too high for rare classes, which
        spoils the log-loss, while the ranking of the rows stays about the same. For probabilities of the classes as
        they occur, leave it out, or wrap the estimator in :class:`~sklearn.calibration.CalibratedClassifierCV`.
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
    classes_ : ndarray of shape (n_classes,)
        Sorted labels; for a label indicator matrix, the positions of its columns.
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
        Validation score of each epoch, higher is better: minus the loss (log_loss: at the temperature that suits the
        held-out rows best), or the value of `scoring`.
    stopped_by_ : {"max_epochs", "early_stopping", "max_time", "interrupt", "health", "callback"}
        What ended the training. "interrupt" is Ctrl-C with ``on_interrupt="keep"``, "health" non-finite values that
        came back again and again, "callback" one of `callbacks` or of scikit-learn's callbacks.
    health_ : TrainingHealth or None
        What :class:`~sknn.callbacks.GradientHealth` found.
    n_repairs_ : int
        Number of changes by ``gradient_health="repair"`` that were kept.

    See Also
    --------
    NeuralRegressor : The same for numbers.
    plot_history : Draw ``loss_curve_`` and the validation loss.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import NeuralClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> clf = NeuralClassifier(max_epochs=20, random_state=0).fit(X, y)
    >>> clf.predict_proba(X[:2]).shape
    (2, 3)
    >>> bool(clf.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **SupervisedEstimator._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }

    _target_kinds = ("classes", "multilabel")

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module | Callable[..., nn.Module] = "auto",
        *,
        module_params: dict[str, Any] | None = None,
        criterion: str | type[nn.Module] | nn.Module = "log_loss",
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
        class_weight: dict[Any, float] | str | None = None,
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

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> NeuralClassifier:
        """Train one more epoch on these rows. What the first call learned about columns and scales stays.

        So the first rows should be like all later ones. A UserWarning says if they are fewer than 12, and names each
        column whose later values lie on quite another scale.

        Parameters
        ----------
        X : table, texts, images or sequences of n_samples rows, as in `fit`
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
        classes : array-like of shape (n_classes,), default=None
            All labels that will occur. Required in the first call; later calls may leave it out.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the loss.

        Returns
        -------
        self : NeuralClassifier
            The estimator itself.

        Raises
        ------
        ValueError
            `classes` is missing in the first call, or differs from the first call's.
        """
        fitted = self.__sklearn_is_fitted__()
        if not fitted and classes is None and not is_multilabel(y):
            raise ValueError(
                "classes=None in the first call of partial_fit, but later rows may have other labels. Pass all "
                "labels, as classes=np.unique(y_all)."
            )
        if fitted and classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes={np.unique(classes).tolist()!r} differ from those of the first call of partial_fit, "
                f"{self.classes_.tolist()!r}. Leave classes out, or fit a new estimator."
            )
        return self._fit(X, y, sample_weight, classes=classes, partial=True)

    def predict(self, X: Any) -> np.ndarray:
        """Most probable label of each row.

        Parameters
        ----------
        X : table, texts, images or sequences of n_samples rows, as in `fit`

        Returns
        -------
        y : ndarray of shape (n_samples,) or int64 (n_samples, n_labels)
        """
        probabilities = self.predict_proba(X)
        return self._targets.predict(probabilities)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class.

        Parameters
        ----------
        X : table, texts, images or sequences of n_samples rows, as in `fit`

        Returns
        -------
        probabilities : ndarray float64 of shape (n_samples, n_classes)
            In the order of ``classes_``, computed in float32 and normalised in float64, so that rows sum to one. For a
            label indicator matrix, the probability of each label.
        """
        values = self._output(X, linked=True)
        return self._targets.probabilities(values)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithm of `predict_proba`.

        Parameters
        ----------
        X : table, texts, images or sequences of n_samples rows, as in `fit`

        Returns
        -------
        log_probabilities : ndarray float64 of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):  # a probability of 0 in float32 gives minus infinity
            return np.log(self.predict_proba(X))

    def predict_set(self, X: Any, confidence_level: float = 0.9, *, condition: Any = None) -> np.ndarray:
        """Classes of each row among which its own is with a probability of `confidence_level`.

        Parameters
        ----------
        X : table, texts, images or sequences of n_samples rows, as in `fit`
        confidence_level : float, default=0.9
            In (0, 1). The sets of a share of so many further rows hold their class, on average.
        condition : str or int, default=None
            Name or position of a categorical column, or ``"y"`` for the classes: the share holds for the rows of each
            value, or of each class. Rare and unknown values share the scores of the rare ones.

        Returns
        -------
        sets : ndarray bool of shape (n_samples, n_classes)
            In the order of ``classes_``. A set holds the classes whose probability is at least a threshold, common to
            all rows; so it may be empty. It holds all classes, with a UserWarning, if fewer than
            ``confidence_level / (1 - confidence_level)`` rows were held out.

        Raises
        ------
        ValueError
            The fit held no rows out (``partial_fit``, ``early_stopping=False``), the level is outside of (0, 1), the
            condition is no categorical column, or y is a label indicator matrix.

        Notes
        -----
        The score of a held-out row is one minus the probability that the network which held it out gives to its class,
        corrected for the mean over networks. Of all sets with this share, these are the smallest on average, if the
        probabilities are right [1]_. See docs/intervals.md for what is guaranteed.

        References
        ----------
        .. [1] M. Sadinle, J. Lei, L. Wasserman. Least Ambiguous Set-Valued Classifiers with Bounded Error Levels. JASA
           114(525), 2019. arXiv:1609.00451.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sknn import NeuralClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> clf = NeuralClassifier(max_epochs=10, random_state=0).fit(X, y)
        >>> clf.predict_set(X[:2]).shape
        (2, 3)
        """
        return prediction_set(self, X, confidence_level, condition)

    def decision_function(self, X: Any) -> np.ndarray:
        """Raw scores, before the link.

        Parameters
        ----------
        X : table, texts, images or sequences of n_samples rows, as in `fit`

        Returns
        -------
        scores : ndarray float32 of shape (n_samples,) for two classes, else (n_samples, n_classes)
        """
        raw = self._output(X, linked=False)
        return self._targets.decision(raw)

    predict_interval = NotHere(
        "an interval is a range of numbers. predict_set gives the classes in question; NeuralRegressor has intervals."
    )

    score = SupervisedEstimator.score  # instead of ClassifierMixin's

    def _learn_targets(self, y: Any, classes: Any, weight: np.ndarray | None) -> Any:
        return class_targets(y, classes)[0]

    def _extra_weight(self, y: Any, weight: np.ndarray | None) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        y = dense(y)
        y = y.ravel() if 1 in y.shape[1:] else y
        if self.class_weight == "balanced" and y.ndim == 1 and weight is not None:
            # scikit-learn counts rows here; a row of weight k is k rows.
            codes = np.unique(y, return_inverse=True)[1]
            total = np.bincount(codes, weights=weight)
            return (total.sum() / (len(total) * total))[codes]
        with refused_as("class_weight", "a weight >= 0 for each class, 'balanced' or None"):
            class_weight = compute_sample_weight(self.class_weight, y)
        if not (np.isfinite(class_weight) & (class_weight >= 0)).all():
            raise ValueError(
                f"class_weight={shown(self.class_weight)} contains weights that are negative or not finite. Give each "
                "class a weight >= 0."
            )
        return class_weight

    def _public_targets(self, targets: Any) -> dict[str, Any]:
        return {"classes_": targets.classes_}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        loss = fitting_loss(self.criterion, self.criterion_params, "multilabel")
        tags.classifier_tags.multi_label = loss is not None
        return tags
