"""What `fit` learned about X and y, as JSON and tensors, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._data.categories import Column
from .._data.encoder import Encoder
from .._data.inputs import Inputs
from .._data.table import TableReader
from .._data.targets import ClassTargets, MultilabelTargets, RealTargets
from ..exceptions import DamagedFileError
from .hashes import check_hashes
from .json import check_keys, expect
from .values.reader_writer import ValueReader, ValueWriter

__all__ = ["read_inputs", "read_targets", "write_inputs", "write_targets"]

_ENCODER = ("center", "scale", "gap_columns")


# ---------------------------------------------------------------------- X


def write_inputs(inputs: Inputs, writer: ValueWriter) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """JSON and tensors for what was learned about X."""
    tensors: dict[str, Tensor] = {}
    if inputs.encoder is not None:
        tensors |= {f"encoder.{name}": getattr(inputs.encoder, name).cpu() for name in _ENCODER}
    if inputs.rescaling is not None:
        tensors |= {f"rescaling.{i}": tensor.cpu() for i, tensor in enumerate(inputs.rescaling)}
    written: dict[str, Any] = {
        "mode": inputs.mode,
        "preprocessing": bool(inputs.preprocessing),
        "categorical_features": writer.write(inputs.categorical_features, "categorical_features"),
        "row_shape": [int(size) for size in inputs.row_shape],
        "table": _write_table(inputs, writer) if inputs.mode == "table" else None,
    }
    return written, tensors


def _write_table(inputs: Inputs, writer: ValueWriter) -> dict[str, Any]:
    reader = inputs.reader
    columns = [
        {
            "name": writer.write(column.name, f"the name of column {i}"),
            "kind": column.kind,
            "categories": [writer.write(c, f"a category of column {column.name!r}") for c in column.categories],
        }
        for i, column in enumerate(reader.columns_)
    ]
    return {
        "columns": columns,
        "was_sparse": bool(reader.sparse_),
        "all_missing": sorted(int(position) for position in reader._all_missing),
        "never_missing": [bool(flag) for flag in inputs.never_missing],
    }


def read_inputs(value: Any, reader: ValueReader) -> Inputs:
    """What was learned about X, if its pieces match."""
    where = "inputs"
    check_keys(value, {"mode", "preprocessing", "categorical_features", "row_shape", "table"}, where)
    features = reader.read(value["categorical_features"], "categorical_features")
    inputs = Inputs(expect(value["preprocessing"], bool, where), features)
    inputs.mode = mode = expect(value["mode"], str, where)
    inputs.row_shape = tuple(_size(size, "row_shape") for size in expect(value["row_shape"], list, "row_shape"))
    inputs.cardinalities, inputs.encoder = [], None
    if (mode == "table") != (value["table"] is not None) or mode not in ("table", "sparse", "array"):
        raise DamagedFileError(f"inputs: mode {mode[:40]!r} and the table do not match.")
    if any(name.startswith("encoder.") for name in reader.tensors) or mode == "table":
        inputs.encoder = _read_encoder(reader)
    if mode == "table":
        _read_table(value["table"], inputs, reader)
    if mode == "array" and inputs.encoder is not None:
        raise DamagedFileError("inputs: arrays without preprocessing must not have an encoder.")
    if mode == "sparse":
        encoder, n_columns = inputs.encoder, inputs.row_shape[-1:]
        if len(inputs.row_shape) != 1 or (encoder is not None and (encoder.center.shape != n_columns or
                                                                   len(encoder.gap_columns))):  # fmt: skip
            raise DamagedFileError("inputs: encoder and columns of the sparse table do not match.")
    if any(name.startswith("rescaling.") for name in reader.tensors):
        inputs.rescaling = _read_rescaling(inputs, reader)
    return inputs


def _read_encoder(reader: ValueReader) -> Encoder:
    center, scale, gaps = (reader.tensor(f"encoder.{name}", "encoder") for name in _ENCODER)
    dtypes = (torch.float64, torch.float64, torch.int64)
    d = len(center) if center.ndim == 1 else -1
    if tuple(t.dtype for t in (center, scale, gaps)) != dtypes or scale.shape != (d,) or gaps.ndim != 1:
        raise DamagedFileError("encoder: tensors with other shapes or dtypes than expected.")
    positions = gaps.tolist()
    if positions != sorted(set(positions)) or (positions and not 0 <= positions[0] <= positions[-1] < d):
        raise DamagedFileError(f"encoder: gap_columns must be increasing positions below {d}.")
    if not (torch.isfinite(center).all() and torch.isfinite(scale).all() and (scale >= 0).all()):
        raise DamagedFileError("encoder: centers and scales must be finite, scales not negative.")
    encoder = Encoder()
    encoder._set(center.numpy(), scale.numpy(), gaps.numpy())
    return encoder


def _read_table(value: Any, inputs: Inputs, reader: ValueReader) -> None:
    check_keys(value, {"columns", "was_sparse", "all_missing", "never_missing"}, "table")
    table = TableReader(inputs.categorical_features)
    table.sparse_ = expect(value["was_sparse"], bool, "table")
    table.columns_ = [_read_column(c, i, reader) for i, c in enumerate(expect(value["columns"], list, "columns"))]
    table.numeric_ = [i for i, column in enumerate(table.columns_) if column.kind == "numeric"]
    table.categorical_ = [i for i, column in enumerate(table.columns_) if column.kind == "categorical"]
    table.cardinalities_ = [len(table.columns_[i].categories) + 2 for i in table.categorical_]
    table._all_missing = {_size(i, "all_missing") for i in expect(value["all_missing"], list, "all_missing")}
    never = [expect(flag, bool, "never_missing") for flag in expect(value["never_missing"], list, "never_missing")]
    encoder = inputs.encoder
    assert encoder is not None
    fits = (
        len(table.numeric_) == len(encoder.center)
        and len(never) == len(table.categorical_)
        and table._all_missing <= set(table.numeric_)
        and inputs.row_shape == (encoder.out_features,)
        and not (table.sparse_ and table.categorical_)
    )
    if not fits:
        raise DamagedFileError("inputs: columns, encoder and width of a row do not match.")
    inputs.reader = table
    inputs.cardinalities = list(table.cardinalities_)
    inputs.missing_codes = np.array(inputs.cardinalities, dtype=np.int64) - 1
    inputs.never_missing = np.array(never, dtype=bool)


def _read_column(value: Any, position: int, reader: ValueReader) -> Column:
    where = f"column {position}"
    check_keys(value, {"name", "kind", "categories"}, where)
    name = reader.read(value["name"], f"the name of {where}")
    categories = tuple(reader.read(c, where) for c in expect(value["categories"], list, where))
    kind = expect(value["kind"], str, where)
    if kind not in ("numeric", "categorical") or (kind == "numeric" and categories):
        raise DamagedFileError(f"{where}: kind {kind[:40]!r} with {len(categories)} categories is not possible.")
    try:
        hash(name)
        check_hashes(categories, where)
        n_distinct = len(set(categories))
    except TypeError as error:
        raise DamagedFileError(f"{where}: a name or category that cannot be hashed: {error}.") from error
    if n_distinct != len(categories):
        raise DamagedFileError(f"{where}: a category occurs twice.")
    return Column(name, "numeric" if kind == "numeric" else "categorical", categories)


def _read_rescaling(inputs: Inputs, reader: ValueReader) -> tuple[Tensor, Tensor]:
    center, spread = (reader.tensor(f"rescaling.{i}", "rescaling") for i in range(2))
    fits = inputs.mode == "array" and center.shape == spread.shape and center.ndim <= len(inputs.row_shape)
    for size, whole in zip(reversed(center.shape), reversed(inputs.row_shape), strict=False):
        fits = fits and size in (1, whole)
    if not fits or center.dtype != torch.float32 or spread.dtype != torch.float32 or bool((spread == 0).any()):
        raise DamagedFileError("inputs: center and spread of the rescaling do not match the rows.")
    return center, spread


def _size(value: Any, where: str) -> int:
    if not 0 <= expect(value, int, where) < 2**31:
        raise DamagedFileError(f"{where} is {value}; expected a size.")
    return value


# ---------------------------------------------------------------------- y


def write_targets(targets: Any, writer: ValueWriter) -> dict[str, Any]:
    """JSON for what was learned about y."""
    if targets.kind == "classes":
        return {"kind": "classes", "classes": writer.write(targets.classes_, "classes_")}
    if targets.kind == "multilabel":
        return {"kind": "multilabel", "n_labels": len(targets.classes_)}
    return {
        "kind": "real",
        "ndim": targets.ndim,
        "mean": writer.write(np.asarray(targets.mean), "targets"),
        "scale": writer.write(np.asarray(targets.scale), "targets"),
        "dtype": np.dtype(targets.dtype).name,
    }


def read_targets(value: Any, reader: ValueReader, classifies: bool) -> Any:
    """What was learned about y, if its pieces match, and the kind of estimator."""
    kind = expect(value, dict, "targets").get("kind")
    if kind not in (("classes", "multilabel") if classifies else ("real",)):
        raise DamagedFileError(f"targets: this estimator has no targets of kind {str(kind)[:40]!r}.")
    if kind == "classes":
        check_keys(value, {"kind", "classes"}, "targets")
        classes = reader.read(value["classes"], "classes_")
        if type(classes) is not np.ndarray or classes.ndim != 1 or len(classes) < 2 or _has_doubles(classes):
            raise DamagedFileError("classes_: expected two or more different labels.")
        return ClassTargets(classes)
    if kind == "multilabel":
        check_keys(value, {"kind", "n_labels"}, "targets")
        n_labels = _size(value["n_labels"], "n_labels")
        if not 0 < n_labels <= sum(math.prod(tensor.shape) for tensor in reader.tensors.values()):
            raise DamagedFileError(f"targets: {n_labels} labels, more than the network has weights.")
        return MultilabelTargets(n_labels)
    check_keys(value, {"kind", "ndim", "mean", "scale", "dtype"}, "targets")
    targets = RealTargets.__new__(RealTargets)
    dtypes: Any = {"float32": np.float32, "float64": np.float64}
    targets.ndim, targets.dtype = value["ndim"], dtypes.get(expect(value["dtype"], str, "targets"))
    targets.mean, targets.scale = (reader.read(value[name], f"targets.{name}") for name in ("mean", "scale"))
    arrays = (targets.mean, targets.scale)
    fits = all(type(a) is np.ndarray and a.dtype == np.float64 and a.ndim == 1 and np.isfinite(a).all() for a in arrays)
    if not fits or targets.dtype is None or type(targets.ndim) is not int or targets.ndim not in (1, 2):
        raise DamagedFileError("targets: expected finite means and scales of the outputs, and 1 or 2 dimensions.")
    targets.n_targets = len(targets.mean)
    n_scales, n_least = len(targets.scale), (1 if targets.ndim == 1 else targets.n_targets)
    if not 0 < targets.n_targets == n_scales == n_least or bool((targets.scale == 0).any()):
        raise DamagedFileError("targets: means, scales and number of outputs do not match.")
    return targets


def _has_doubles(labels: np.ndarray) -> bool:
    items = labels.tolist()
    try:
        check_hashes(items, "classes_")
        return len(set(items)) != len(items)
    except TypeError:
        return True
