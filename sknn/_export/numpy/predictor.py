"""Predictions of a network that was exported by sknn. Needs Python 3.10 and numpy 1.23, nothing else.

    from model import load              # this file, beside model.npz
    model = load("model.npz")
    model.predict_proba(table)          # of a classifier
    model.predict(table)                # of a ranker, the rows of one query

A table is a list of rows, a list of dicts, a dict of columns, a 2-D array, or a dataframe with the columns of the
training table: numbers, categories, dates, texts and missing values as they are. Loading a file executes nothing in it.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..._data.probabilities import sum_to_one
from .archive import FORMAT, UnknownOperationError, check_description, damaged, read_arrays
from .columns import category_codes, codes_by_category, codes_of, numbers_of
from .labels import labels_of
from .network import compute, last_uses, operation
from .tables import open_array, open_table
from .texts import features_of_texts, numbers_of_texts_in

_CHUNK_FLOATS = 2**22  # numbers of the widest layer that are held at a time, about


def load(path: Any) -> Any:
    """Return the model in a file of ``sknn.export_numpy``: a `Classifier`, a `Regressor` or a `Ranker`.

    Nothing in the file is executed, and reading it takes no more memory than the size of the file; a damaged file
    raises a ValueError. The time that predict takes depends on the network: arrays of absurd size are refused, but
    limit the time of the process if the file comes from someone you do not trust.
    """
    arrays = {name.removeprefix("value_"): array for name, array in read_arrays(path).items()}
    if "model" not in arrays:
        raise ValueError(f"{path} contains no model of sknn.export_numpy: it has no entry 'model'.")
    try:
        description = json.loads(arrays.pop("model").tobytes().decode("ascii"))
        found = description["format"]
        if found == FORMAT:
            check_description(description, arrays)
            kind = {"real": Regressor, "ranking": Ranker}.get(description["target"]["kind"], Classifier)
            return kind(description, arrays)
    except UnknownOperationError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error
    raise ValueError(
        f"{path} has format {found}, this predictor reads {FORMAT}. Use the .py file that was written together with it."
    )


class Model:
    """What `Classifier`, `Regressor` and `Ranker` have in common."""

    depends_on_others = False  # whether the rows of X are compared with one another, so that they stay together

    def __init__(self, description, arrays):
        self.description = description
        self.columns = description["columns"]
        self.feature_names = description["feature_names"]
        self.target = description["target"]
        self._texts = features_of_texts(self.columns, arrays)
        self._arrays = arrays
        self._nodes = description["nodes"]
        unknown = sorted({node["op"] for node in self._nodes if operation(node["op"]) is None})
        if unknown:
            raise UnknownOperationError(f"the model uses operations that this predictor lacks: {unknown}.")
        self._forget = last_uses(self._nodes, description["output"])
        self._codes = [codes_by_category(column) for column in self.columns]

    def values(self, X: Any) -> np.ndarray:
        """Output of the inverse link of the loss, float32 (n_rows, n_values), and bounds if they were exported."""
        numeric, codes = self.read(X)
        widest = self.description["widest"]
        chunk = max(1, len(numeric) if self.depends_on_others else _CHUNK_FLOATS // max(1, widest))
        parts = []
        for start in range(0, len(numeric), chunk):
            rows = slice(start, start + chunk)
            inputs = {"numeric": numeric[rows], "codes": codes[rows]}
            parts.append(compute(self._nodes, {**self._arrays, **inputs}, self.description["output"], self._forget))
        return np.concatenate(parts)

    def read(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Numbers, float64 (n_rows, ...), NaN = missing, and category codes, int64 (n_rows, n_categorical)."""
        if not self.columns:
            given = self.description
            array = open_array(X, self.feature_names, given["row_shape"], given["allow_nan"])
            return array, np.empty((len(array), 0), dtype=np.int64)
        columns, n_rows = open_table(X, self.feature_names, len(self.columns))
        numeric, codes, texts = [np.empty((n_rows, 0))], [np.empty((n_rows, 0), dtype=np.int64)], []
        for position, (column, values) in enumerate(zip(self.columns, columns, strict=True)):
            label = f"column {position}" if column["name"] is None else f"column {column['name']!r}"
            if column["kind"] == "categorical":
                codes.append(category_codes(values, self._codes[position], column, label)[:, None])
            elif column["kind"] == "numeric":
                found = numbers_of(values, label, column)
                numeric.append(found[:, None])
                if column["categories"]:
                    codes.append(codes_of(found, self._codes[position], column)[:, None])
            if position in self._texts:
                texts.append(numbers_of_texts_in(values, self._texts[position], column, label))
        numeric += texts
        return np.concatenate(numeric, axis=1), np.concatenate(codes, axis=1)

    def _check_level(self):
        if self.target["confidence_level"] is None:
            raise ValueError(
                "the model was exported without intervals; pass confidence_level=0.9, say, to export_numpy."
            )


class Classifier(Model):
    """A classifier: `predict_proba` and `predict`, and `predict_set` if it was exported with a `confidence_level`.

    Attributes
    ----------
    classes_ : ndarray
        Labels, in the order of the probabilities.
    """

    def __init__(self, description, arrays):
        super().__init__(description, arrays)
        self.classes_ = labels_of(self.target)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities, float64 (n_rows, n_classes), as sknn gives them: in rows that sum to one, but for labels."""
        probabilities = self.values(X).astype(np.float64)
        return probabilities if self.target["kind"] == "multilabel" else sum_to_one(probabilities)

    def predict(self, X: Any) -> np.ndarray:
        """Most probable labels (n_rows,); if a row can have several labels, indicators int64 (n_rows, n_labels)."""
        probabilities = self.values(X)
        if self.target["kind"] == "multilabel":
            return (probabilities > 0.5).astype(np.int64)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_set(self, X: Any) -> np.ndarray:
        """Whether each class is in the set of a row, bool (n_rows, n_classes), at the level of the export."""
        self._check_level()
        return self.predict_proba(X) >= np.array(self.target["thresholds"])


class Regressor(Model):
    """A regressor: `predict`, and `predict_interval` if it was exported with a `confidence_level`."""

    def predict(self, X: Any) -> np.ndarray:
        """Values in the unit of y, (n_rows,); (n_rows, n_values) for several outputs or quantiles."""
        return self._in_unit_of_y(self.values(X)[:, : self.target["n_values"]])

    def predict_interval(self, X: Any) -> np.ndarray:
        """Bounds in the unit of y, (n_rows, 2) or (n_rows, 2, n_outputs), at the level of the export."""
        self._check_level()
        lower, upper = np.split(self.values(X)[:, self.target["n_values"] :], 2, axis=1)
        return np.stack([self._in_unit_of_y(lower), self._in_unit_of_y(upper)], axis=1)

    def _in_unit_of_y(self, values):
        target = self.target
        values = values.astype(np.float64) * np.array(target["scale"]) + np.array(target["mean"])
        values = values.astype(target["dtype"])
        return values[:, 0] if target["ndim"] == 1 and values.shape[1] == 1 else values


class Ranker(Model):
    """A ranker of the rows of one query: `predict`."""

    depends_on_others = True

    def predict(self, X: Any) -> np.ndarray:
        """Scores float32 (n_rows,) of the rows of one query, all of them; larger ones come first."""
        return self.values(X)[:, 0]
