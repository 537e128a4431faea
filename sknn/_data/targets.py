"""Labels y -> tensor, and outputs of the link -> labels and probabilities.

There are two kinds of labels: ``"classes"`` (int64 codes) and ``"multilabel"`` (float32 indicators). The third kind of
target, ``"real"`` (float32), is that of ``real_targets.py``.
"""

from __future__ import annotations

import numbers
from collections.abc import Collection
from typing import Any

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .._errors import refused_as, shown
from .cells import is_missing
from .probabilities import sum_to_one

__all__ = ["ClassTargets", "MultilabelTargets", "class_targets", "dense"]

_LABELS = "labels of one type, one for each row, or a label indicator matrix"

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
        several = {t for t in set(map(type, flat)) if issubclass(t, Collection) and not issubclass(t, (str, bytes))}
        if several:
            first = next(label for label in flat if type(label) in several)
            raise ValueError(
                f"{name}: one label for each row was expected, but {name} holds {shown(first)} of type "
                f"{type(first).__name__}. For several labels a row, pass a label indicator matrix: "
                f"np.array({name}.tolist()) if these are zeros and ones, else sklearn's "
                f"MultiLabelBinarizer().fit_transform({name})."
            )
        n_missing = sum(map(is_missing, flat))
        if n_missing:
            raise ValueError(
                f"Input {name} contains NaN or None in {n_missing} of {len(flat)} rows; every row needs a label. "
                "Drop these rows, or give them a label of their own."
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


class _LabelTargets:
    """What classes and indicators have in common: columns of probabilities, one for each of `classes_`."""

    classes_: np.ndarray

    is_constant = False

    def for_further(self, y: Any) -> Any:
        """These targets, for training that continues with `y`."""
        return self

    @staticmethod
    def check(y: Any) -> Any:
        """Labels, known or not, as an array of their dtype (or a sparse indicator); None or NaN is a ValueError."""
        with refused_as("y", _LABELS), np.errstate(all="ignore"):
            return _checked_labels(y)

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
        """As for indicators, and the rows sum to one."""
        return sum_to_one(super().probabilities(values))

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
