"""y -> tensor, and outputs of the link -> labels, probabilities, values.

There are three kinds: ``"classes"`` (int64 codes), ``"multilabel"`` (float32 indicators) and ``"real"`` (float32).
"""

from __future__ import annotations

import copy
import numbers
from collections.abc import Collection
from typing import Any

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .._errors import refused_as, shown
from .quantiles import center_and_half_spread

__all__ = ["ClassTargets", "MultilabelTargets", "RealTargets", "class_targets", "dense"]

_LABELS = "labels of one type, one for each row, or a label indicator matrix"

# Largest distance from one of the sum of float32 probabilities, for any number of classes.
_ROUNDING_OF_SUM = 1e-3

# A y with as many classes as rows is an identifier or a regression target. Fewer rows may be a small example.
_MIN_ROWS_TO_DOUBT_CLASSES = 20


def class_targets(y: Any, classes: Any = None) -> tuple[ClassTargets | MultilabelTargets, np.ndarray]:
    """Learn the labels of `y` (or take `classes`), and return them with the checked y."""
    with refused_as("y", _LABELS), np.errstate(all="ignore"):
        y = _checked_labels(y)
    if classes is not None:
        with refused_as("classes", "all labels that y will ever hold, as np.unique(y) gives them"):
            classes = np.unique(_checked_labels(classes, "classes"))
    with refused_as("y", _LABELS), np.errstate(all="ignore"):
        return _learned_classes(y, classes)


def _learned_classes(y: Any, classes: np.ndarray | None) -> tuple[ClassTargets | MultilabelTargets, np.ndarray]:
    labels = y if y.dtype == object and y.ndim == 1 else ()
    kinds = {"str" if isinstance(label, str) else type(label).__name__ for label in labels}
    if len(kinds) > 1:
        raise ValueError(
            f"Unknown label type for y: it mixes {sorted(kinds)}. Make them one type, as by y.astype(str)."
        )
    if type_of_target(y, input_name="y", raise_unknown=True) == "multilabel-indicator":
        y = dense(y)
        return MultilabelTargets(y.shape[1]), y
    check_classification_targets(y)
    y = column_or_1d(y)  # `TrainingData` warns of a column, once for a fit
    known = np.unique(y) if classes is None else classes
    if len(known) < 2:
        raise ValueError(
            f"y: a classifier needs at least 2 classes, got {len(known)} class: {shown(known.tolist())}. "
            "Check how the rows were selected, or use sklearn.dummy.DummyClassifier."
        )
    if classes is None and len(known) == len(y) >= _MIN_ROWS_TO_DOUBT_CLASSES:
        raise ValueError(
            f"y: every one of the {len(y)} rows has a class of its own, so there is nothing to learn from. "
            "A classifier expects fewer classes than rows: is y an identifier, or a number for NeuralRegressor?"
        )
    return ClassTargets(known), y


def dense(y: Any) -> np.ndarray:
    """y, perhaps a sparse label indicator, as an array."""
    return y.toarray() if hasattr(y, "toarray") else np.asarray(y)


def _checked_labels(y: Any, name: str = "y") -> Any:
    """y as an array (or sparse indicator) without missing labels."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None.")
    if hasattr(y, "to_numpy") and not isinstance(y, np.ndarray):
        y = np.asarray(y)
    if (isinstance(y, np.ndarray) and y.dtype == object) or (isinstance(y, (list, tuple)) and len(y)):
        flat = np.asarray(y, dtype=object).ravel() if not isinstance(y, np.ndarray) else y.ravel()
        n_missing = sum(map(_is_missing, flat))
        if n_missing:
            raise ValueError(
                f"Input {name} contains NaN or None in {n_missing} of {len(flat)} rows; every row needs a label. "
                "Drop these rows, or give them a label of their own."
            )
        several = {t for t in set(map(type, flat)) if issubclass(t, Collection) and not issubclass(t, (str, bytes))}
        if several:
            first = next(label for label in flat if type(label) in several)
            raise ValueError(
                f"{name}: one label for each row was expected, but {name} holds {shown(first)} of type "
                f"{type(first).__name__}. For several labels a row, pass a label indicator matrix: "
                f"np.array({name}.tolist()) if these are zeros and ones, else sklearn's "
                f"MultiLabelBinarizer().fit_transform({name})."
            )
        if flat.size and not isinstance(flat[0], str):
            y = _plain_numbers(y)
    return check_array(
        y,
        accept_sparse="csr",
        ensure_2d=False,
        dtype=None,
        input_name=name,
        ensure_min_samples=0,
        ensure_min_features=0,
    )


def _plain_numbers(y: Any) -> Any:
    """Numbers and booleans in a list or an object array, as an array of their dtype; anything else as it is."""
    plain = np.asarray(y.tolist() if isinstance(y, np.ndarray) else y)
    if plain.dtype.kind == "f" and plain.size and plain.max() >= 2**63:
        # numpy makes float64 of integers on both sides of 2**63, which would merge neighbours.
        items = np.asarray(y, dtype=object)
        if all(isinstance(item, numbers.Integral) and 0 <= int(item) < 2**64 for item in items.ravel()):
            return items.astype(np.uint64)
    return plain if plain.dtype.kind in "biuf" else y


def _is_missing(label: Any) -> bool:
    """Whether a label is None, NaN, NaT or pandas.NA."""
    is_nan = isinstance(label, (float, np.floating)) and label != label
    return label is None or is_nan or type(label).__name__ in ("NAType", "NaTType")


class _LabelTargets:
    """What classes and indicators have in common: columns of probabilities, one for each of `classes_`."""

    classes_: np.ndarray

    is_constant = False

    def for_further(self, y: Any) -> Any:
        """These targets, for training that continues with `y`."""
        return self

    @property
    def n_targets(self) -> int:
        """Number of classes or labels."""
        return len(self.classes_)

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Link output float32 -> probabilities float64 (n_samples, n_targets), in the order of classes_."""
        return values.astype(np.float64)


class ClassTargets(_LabelTargets):
    """Labels of two or more classes, sorted."""

    kind = "classes"
    ndim = 1  # of y

    def __init__(self, classes: np.ndarray) -> None:
        self.classes_ = classes

    def encode(self, y: Any) -> np.ndarray:
        """Labels -> codes int64 (n_samples,). Unknown labels are a ValueError."""
        with refused_as("y", _LABELS), np.errstate(all="ignore"):
            return self._codes(y)

    def _codes(self, y: Any) -> np.ndarray:
        y = column_or_1d(_checked_labels(y))
        if y.dtype == self.classes_.dtype or (y.dtype.kind in "biuf" and self.classes_.dtype.kind in "biuf"):
            codes = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
            wrong = self.classes_[codes] != y
        else:
            position = {label: code for code, label in enumerate(self.classes_.tolist())}
            codes = np.array([position.get(label, -1) for label in y.tolist()], dtype=np.int64)
            wrong = codes < 0
        if wrong.any():
            unknown = np.unique(y[wrong].astype(str))[:5].tolist()
            raise ValueError(
                f"y contains labels that are not among classes_: {unknown}; known are {self.classes_.tolist()[:20]}. "
                "Pass all labels as classes= to the first partial_fit, or fit again."
            )
        return codes.astype(np.int64, copy=False)

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """As for indicators, and the rows sum to one in float64, which metrics ask for.

        Only the rounding of float32 is removed: a link of the user's may return scores with other sums.
        """
        probabilities = super().probabilities(values)
        total = probabilities.sum(axis=1, keepdims=True)
        return np.divide(probabilities, total, out=probabilities, where=np.abs(total - 1) < _ROUNDING_OF_SUM)

    def predict(self, probabilities: np.ndarray) -> np.ndarray:
        """(n_samples, n_classes) -> labels (n_samples,)."""
        return self.classes_[probabilities.argmax(axis=1)]

    def decision(self, raw: np.ndarray) -> np.ndarray:
        """Raw prediction -> (n_samples,) for two classes, else (n_samples, n_classes)."""
        if self.n_targets > 2:
            return raw
        return raw[:, 0] if raw.shape[1] == 1 else raw[:, 1] - raw[:, 0]


class MultilabelTargets(_LabelTargets):
    """A label indicator matrix of zeros and ones."""

    kind = "multilabel"
    ndim = 2

    def __init__(self, n_labels: int) -> None:
        self.classes_ = np.arange(n_labels)

    def encode(self, y: Any) -> np.ndarray:
        """Indicators -> float32 (n_samples, n_labels)."""
        with refused_as("y", "a label indicator matrix of zeros and ones"):
            y = dense(_checked_labels(y))
        if y.ndim != 2 or y.shape[1] != self.n_targets:
            raise ValueError(f"y: expected an indicator matrix with {self.n_targets} labels, got shape {y.shape}.")
        if ((y != 0) & (y != 1)).any():  # a cross entropy of other targets has no minimum
            values = np.unique(y).tolist()
            is_set = "y > 0" if values[0] <= 0 < values[-1] else f"y == {values[-1]}"
            raise ValueError(
                f"y: a label indicator matrix of zeros and ones was expected, but its values are {shown(values)}. "
                f"Convert it, as by ({is_set}).astype(int)."
            )
        return y.astype(np.float32)

    def predict(self, probabilities: np.ndarray) -> np.ndarray:
        """(n_samples, n_labels) -> indicators int64."""
        return (probabilities > 0.5).astype(np.int64)

    def decision(self, raw: np.ndarray) -> np.ndarray:
        """Raw prediction (n_samples, n_labels)."""
        return raw


# The squares of larger numbers are infinite in float32.
_MAX_ENCODED = 1e18


def _unit(columns: np.ndarray) -> np.ndarray:
    """A power of two for each of the columns (n, n_outputs), so that squares of its multiples fit float64."""
    largest = np.abs(columns).max(axis=0, initial=0.0)
    extreme = (largest > 1e100) | ((largest < 1e-100) & (largest > 0))
    return np.where(extreme, np.exp2(np.frexp(largest)[1].clip(-1021, 1023)), 1.0)


# Distance between the quantiles 1/8 and 7/8 of a normal distribution, in standard deviations.
_NORMAL_RANGE = 2.3007


def _mean_and_scale(columns: np.ndarray, weight: np.ndarray | None, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Centre and spread of columns (n, n_outputs); for "scale" the mean, twice."""
    if scaling == "robust":
        center, half_spread = center_and_half_spread(columns, weight, tail=0.125)
        return center, 2 * half_spread / _NORMAL_RANGE
    mean = np.average(columns, axis=0, weights=weight)
    if scaling == "scale":
        return mean, mean
    return mean, np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weight))


class RealTargets:
    """Numbers (n_samples,) or (n_samples, n_outputs): scaled for the network, and converted back at predict.

    `scaling` is "standard": zero mean, unit variance; "robust": zero median, unit spread, which an eighth of the rows
    cannot move however far they are; "scale": divided by the mean, for a loss with a log link, whose target must stay
    positive; or None: unchanged. An output that never varies, unless it is left unchanged, is predicted exactly.
    """

    kind = "real"

    def __init__(self, y: np.ndarray, weight: np.ndarray | None, scaling: str | None) -> None:
        self.ndim = y.ndim
        columns = y.reshape(len(y), -1)
        self.n_targets = columns.shape[1]
        self.mean = np.zeros(self.n_targets)
        self.scale = np.ones(self.n_targets)
        self.constant = np.full(self.n_targets, np.nan)  # the value of an output that never varies, else NaN
        if scaling is not None:
            unit = _unit(columns)
            mean, scale = _mean_and_scale(columns / unit, weight, scaling)
            # A constant target is not divided. The tolerance is relative, since the mean of many 0.1 is not 0.1.
            tolerance = 8 * np.finfo(np.float64).eps * np.abs(mean)
            varies = np.ptp(columns / unit, axis=0) > tolerance
            self.constant[~varies] = columns[0, ~varies]
            self.mean = np.zeros_like(mean) if scaling == "scale" else mean * unit
            self.scale = np.where(scale > tolerance, np.maximum(scale * unit, np.finfo(np.float64).tiny), 1.0)
        # float32 has 24 bits: if the mean is above about 1,000 spreads, rounding would change the values visibly.
        # scikit-learn expects float64 for several outputs.
        rounded_away = (np.abs(self.mean) / 1e3 > self.scale).any()
        out_of_range = ((self.scale > 1e30) | (self.scale < 1e-30)).any()
        self.dtype = np.float64 if rounded_away or out_of_range or self.ndim == 2 else np.float32

    @property
    def is_constant(self) -> bool:
        """Whether no output varies, so that there is nothing to learn."""
        return not np.isnan(self.constant).any()

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Factor and offset of each output, float64 (n_outputs,), that turn the output of the link into y."""
        varies = np.isnan(self.constant)
        return np.where(varies, self.scale, 0.0), np.where(varies, self.mean, self.constant)

    def for_further(self, y: Any) -> RealTargets:
        """These targets for training that continues with `y`: an output that varies now is constant no longer."""
        columns = self.check(y).reshape(len(y), -1)
        targets = copy.copy(self)
        if columns.shape[1] == self.n_targets:  # else `encode` will say so
            targets.constant = np.where((columns == self.constant).all(axis=0), self.constant, np.nan)
        return targets

    @staticmethod
    def check(y: Any) -> np.ndarray:
        """y as finite float64 of one or two dimensions."""
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None.")
        with refused_as("y", "finite numbers, one or several for each row"), np.errstate(all="ignore"):
            return RealTargets._checked(y)

    @staticmethod
    def _checked(y: Any) -> np.ndarray:
        try:
            if getattr(getattr(y, "dtype", None), "kind", "f") in "mM":  # polars' dtypes have no kind
                raise ValueError("dates and durations could not be converted")  # not silently to nanoseconds
            y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y", ensure_min_samples=0)
        except ValueError as error:
            if "NaN" in str(error) or "infinity" in str(error):
                raise ValueError(f"{error}\nEvery row needs a finite number as its y: drop the others.") from error
            if "convert" not in str(error).lower():
                raise
            raise ValueError(
                f"y: numbers were expected ({error}). Use NeuralClassifier for labels, or make numbers of them, as by "
                "y.astype(float)."
            ) from error
        # In rows: means of columns in another order in memory differ in the last bit.
        y = np.ascontiguousarray(y, dtype=np.float64)
        if not np.isfinite(y).all():  # None, which scikit-learn converts after its check
            raise ValueError("Input y contains NaN or None. Every row needs a finite number as its y: drop the others.")
        if y.ndim not in (1, 2):
            raise ValueError(f"y: expected shape (n_samples,) or (n_samples, n_outputs), got {y.shape}.")
        return y

    def encode(self, y: Any) -> np.ndarray:
        """(n_samples,) or (n_samples, n_outputs) -> float32 (n_samples, n_outputs)."""
        columns = self.check(y)
        columns = columns.reshape(len(columns), -1)
        if columns.shape[1] != self.n_targets:
            raise ValueError(f"y: expected {self.n_targets} outputs as in the training target, got {columns.shape[1]}.")
        with np.errstate(over="ignore"):
            encoded = (columns - self.mean) / self.scale
            far = np.isinf(encoded)  # the difference of two finite numbers may be infinite
            encoded[far] = ((columns / 2 - self.mean / 2) / self.scale * 2)[far]
        too_large = np.abs(encoded) > _MAX_ENCODED
        if too_large.any():
            raise ValueError(
                f"y holds {columns[too_large][0]:g}, too large beside the other values of the training target for "
                "float32, in which networks compute. Drop such rows, or fit to np.arcsinh(y), say; with "
                "preprocessing=False, scale y."
            )
        return encoded.astype(np.float32)

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Link output float32 (n_samples, n_values) -> the shape and unit of y.

        Several quantile levels of one output give (n_samples, n_levels).
        """
        # In float64: of values near zero, a sum in float32 would keep little but rounding errors.
        largest = np.finfo(self.dtype).max
        with np.errstate(over="ignore"):
            factor, offset = self.affine
            values = values.astype(np.float64) * factor + offset
        values = np.clip(values, -largest, largest).astype(self.dtype, copy=False)
        return values[:, 0] if self.ndim == 1 and values.shape[1] == 1 else values
