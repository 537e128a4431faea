"""NeuralGenerator: rows like those that it was fitted on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import _num_samples, check_is_fitted
from torch import Tensor, nn

from .._data.conditions import condition_values
from .._data.containers import without_tensor
from .._data.generated_images import GeneratedImages
from .._data.generated_table import GeneratedTable
from .._data.inputs import Inputs
from .._data.itself_targets import ItselfTargets
from .._data.kinds import module_for
from .._data.recognition import content_of
from .._data.tagged import Tagged, untagged
from .._errors import refused_as, shown
from .._estimator.base import BaseNeuralEstimator
from .._estimator.reading import Reading, prepared_again
from .._hyperparameters import store_arguments
from .._network.signature import constructor_values
from .._random import random_generator
from .._settings import default_settings
from .._threads import limited_threads

__all__ = ["NeuralGenerator"]

# Numbers of rows that are integrated together.
_CHUNK_FLOATS = 2**19


class NeuralGenerator(BaseNeuralEstimator):
    """A neural network that makes rows of a table, or images, like those that it was fitted on, by flow matching.

    ``fit(X)`` learns the distribution of the rows, or with a label or a number `y` of each row, what they are like for
    each value of it. ``sample(n)`` returns new ones in the form of X.

    .. warning::
       A network that is trained too long returns its training rows. Training stops where the loss of held-out rows is
       best; :func:`sknn.inspection.compare` measures how near samples are to training rows. Neither is a proof that
       samples tell nothing about a person in the training rows.

    Parameters
    ----------
    module : "auto", sknn.modules.FlowNetwork class, callable or instance, default="auto"
        The network. "auto": :class:`~sknn.modules.TableFlow` for tables, :class:`~sknn.modules.UNet` for images.
    module_params : as for NeuralRegressor
    n_steps : int, default=16
        Steps of two evaluations of the network each from noise to a sample; more are more exact, and take longer.
    optimizer, optimizer_params, lr, lr_schedule, lr_schedule_params, max_epochs : as for NeuralRegressor
    batch_size, max_time, early_stopping, validation_fraction, n_iter_no_change : as for NeuralRegressor
    tol, ema_decay, gradient_clipping, gradient_health, categorical_features : as for NeuralRegressor
    warm_start, callbacks : as for NeuralRegressor
    checkpoint, checkpoint_every_s, checkpoint_every_epochs, on_interrupt, device : as for NeuralRegressor
    precision, compile, random_state, verbose : as for NeuralRegressor

    Attributes
    ----------
    net_, module_, n_iter_, best_epoch_, loss_curve_, validation_scores_, stopped_by_, health_, n_repairs_
        As of :class:`NeuralRegressor`; losses are those of velocities.
    classes_ : ndarray of shape (n_classes,)
        Only if fitted with labels `y`.

    See Also
    --------
    sknn.inspection.compare : How far samples differ from real rows, and how many are copies.

    References
    ----------
    .. [1] Y. Lipman, R. T. Q. Chen, H. Ben-Hamu, M. Nickel, M. Le. Flow Matching for Generative Modeling. ICLR 2023.
       arXiv:2210.02747.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn import NeuralGenerator
    >>> digits = load_digits()
    >>> X = digits.images.astype("uint8")
    >>> generator = NeuralGenerator(max_epochs=2, random_state=0).fit(X, digits.target)
    >>> images = generator.sample(9, y=3, random_state=0)
    >>> images.shape, images.dtype
    ((9, 8, 8), dtype('uint8'))
    """

    _target_kinds = ("itself",)
    _needs_y = False
    _parameter_constraints: dict[str, list[Any]] = {
        **BaseNeuralEstimator._parameter_constraints,
        "n_steps": [Integral],
    }
    criterion = "row_loss"
    criterion_params = None
    scoring = "loss"
    n_networks = 1
    preprocessing = True
    text_features = "auto"
    _inputs: Any  # GeneratedImages or GeneratedTable

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module | Callable[..., nn.Module] = "auto",
        *,
        module_params: dict[str, Any] | None = None,
        n_steps: int = 16,
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

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> NeuralGenerator:
        """Learn what rows are like.

        Parameters
        ----------
        X : table or images, as for :class:`NeuralClassifier`
            Tables have no columns of free text. Images of several sizes are all resized to the median, or to
            ``module_params={"image_size": (height, width)}``.
        y : array-like of shape (n_samples,), default=None
            A label or a number for each row, on which samples can be conditioned.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0 of the rows.
        X_val, y_val, sample_weight_val : like X, y and sample_weight, default=None
            Validation rows, instead of a part of X.

        Returns
        -------
        self : NeuralGenerator

        Raises
        ------
        ValueError, TypeError
            X is neither a table nor images, or has a column of free text; `y` has another length or missing values, or
            anything else is not allowed.
        """
        validation: tuple[Any, Any, Any] = (None, None, sample_weight_val)
        if X_val is not None:
            rows = self._tagged(X_val, y_val, "_val")
            validation = (rows, np.zeros(_n_rows(X_val), dtype=np.float32), sample_weight_val)
        elif y_val is not None:
            raise ValueError("X_val is None: X_val and y_val belong together. Pass both, or neither.")
        return self._fit(self._tagged(X, y), None, sample_weight, validation=validation)

    def sample(self, n_samples: int = 1, y: Any = None, random_state: Any = None) -> Any:
        """Make rows.

        Parameters
        ----------
        n_samples : int, default=1
            How many, at least 1.
        y : label, number or array-like of shape (n_samples,), default=None
            Of which label or number, for all or for each. None: if fitted with `y`, they are drawn as they are
            distributed in the training rows.
        random_state : int, RandomState instance or None, default=None
            The same number makes the same rows.

        Returns
        -------
        X : table of n_samples rows, or ndarray of shape (n_samples, height, width) or with an axis of channels
            A table is of the container, columns and dtypes that were fitted. Images have the layout and dtype that was
            fitted; uint8 for images of PIL.

        Raises
        ------
        ValueError
            `y` is none of the labels of fit, has another length, or fit had no `y`; `n_samples` is no positive number.

        Warns
        -----
        UserWarning
            `y` is outside of the numbers of fit.
        """
        check_is_fitted(self, "net_")
        random = random_generator(random_state)
        y, n_samples = self._wanted(y, n_samples, random)
        condition = None if self._inputs.condition is None else self._inputs.condition.encode(y)
        generator = torch.Generator().manual_seed(int(random.randint(2**31 - 1)))
        with default_settings(foreign_code=self.net_.has_foreign_code), torch.inference_mode():
            return self._inputs.joined(list(self._made(n_samples, condition, generator)))

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the loss on these rows; the larger, the better.

        Parameters
        ----------
        X, y
            As for `fit`.

        Returns
        -------
        score : float
            At most 0, and never near 0. Scores of estimators on the same rows can be compared.
        """
        check_is_fitted(self, "net_")
        return -float(self._output(self._tagged(X, y), linked=False).mean())

    # ------------------------------------------------------------------ sampling

    def _wanted(self, y: Any, n_samples: Any, random: np.random.RandomState) -> tuple[Any, int]:
        """The y of each sample, (n_samples,) or None, and their number."""
        if not isinstance(n_samples, Integral) or isinstance(n_samples, bool) or n_samples < 1:
            raise ValueError(f"n_samples={shown(n_samples)} is invalid; expected an int >= 1.")
        n_samples, condition = int(n_samples), self._inputs.condition
        if condition is None:
            if y is not None:
                raise ValueError("y is given, but fit had none. Fit with a label or a number for each row.")
            return None, n_samples
        if y is None:
            return condition.draw(n_samples, random), n_samples
        y = without_tensor(y, "y")
        if np.ndim(y) == 0:
            y = [y] * n_samples
        elif n_samples == 1:
            n_samples = len(y)
        return condition_values(y, n_samples), n_samples

    def _made(self, n_samples: int, condition: Tensor | None, generator: torch.Generator) -> Iterator[Any]:
        """Rows, some at a time; the noise is that of the CPU on every device."""
        network, inputs = self.module_.eval(), self._inputs
        chunk = max(16, _CHUNK_FLOATS // max(1, inputs.row_size))
        work = min(n_samples, chunk) * self.net_.multiplications
        condition = torch.zeros(n_samples, 0, dtype=torch.float32) if condition is None else condition
        with limited_threads(work, repeatable=True):
            for part in condition.split(chunk):
                yield inputs.made_by(network, part.to(self.net_.device), generator, self.n_steps)

    # ------------------------------------------------------------------ what the base asks

    def _tagged(self, X: Any, y: Any, suffix: str = "") -> Any:
        """X with its y, if there is one."""
        return X if y is None else Tagged(X, condition_values(y, _n_rows(X), f"y{suffix}"))

    def _reading(self, X: Any, params: Mapping[str, Any], fitted: Inputs | None) -> Reading:
        if fitted is not None:
            kind = type(fitted)
            return Reading(kind, module_for(params["module"], kind), prepared_again(X, fitted), {})
        rows = untagged(X)
        with refused_as("X", "a table or images"):
            is_array = np.ndim(without_tensor(rows, "X")) in (3, 4) if isinstance(rows, np.ndarray | Tensor) else False
            content = "image" if is_array else content_of(rows, keeps_arrays=False)
        if content == "sparse":
            raise TypeError("X is sparse, and sparse input is not supported. Pass X.toarray().")
        if content not in ("image", "table"):
            raise TypeError(f"X is read as {content}, but NeuralGenerator generates tables and images.")
        kind: type[Inputs] = GeneratedImages if content == "image" else GeneratedTable
        module, given = module_for(params["module"], kind), dict(params["module_params"] or {})
        options = {name: params[name] for name in kind.options if name in params}
        return Reading(kind, module, kind.prepare(X), {**constructor_values(module, given, kind.options), **options})

    def _learn_targets(self, y: Any, classes: Any, weight: np.ndarray | None) -> ItselfTargets:
        return ItselfTargets()

    def _public_targets(self, targets: Any) -> dict[str, Any]:
        return {}

    @property
    def classes_(self) -> np.ndarray:
        """Labels on which samples can be conditioned, in ascending order."""
        condition = self._inputs.condition if self.__sklearn_is_fitted__() else None
        if condition is None or condition.labels is None:
            raise AttributeError(f"{type(self).__name__} has classes_ only if it is fitted with labels y.")
        return condition.labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.input_tags.sparse = False
        return tags


def _n_rows(X: Any) -> int:
    return int(_num_samples(X))
