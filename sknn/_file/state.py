"""What `fit` learned about X and y, as JSON and tensors, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._data.array_inputs import ArrayInputs
from .._data.categories import Column
from .._data.encoder import Encoder
from .._data.inputs import Inputs
from .._data.sparse_inputs import SparseInputs
from .._data.table import TableReader
from .._data.table_inputs import TableInputs
from .._data.targets import ClassTargets, MultilabelTargets, RealTargets
from ..exceptions import DamagedFileError
from .checks import check_keys, count_distinct, damaged_if_it_fails, expect
from .values.reader_writer import ValueReader, ValueWriter

__all__ = ["read_inputs", "read_targets", "write_inputs", "write_targets"]

_ENCODER = ("center", "scale", "gap_columns")


def write_inputs(inputs: Inputs, writer: ValueWriter) -> dict[str, Any]:
    """JSON for what was learned about X; the writer keeps its tensors."""
    if inputs.encoder is not None:
        writer.tensors |= {f"encoder.{name}": getattr(inputs.encoder, name).cpu() for name in _ENCODER}
    if inputs.rescaling is not None:
        writer.tensors |= {f"rescaling.{i}": tensor.cpu() for i, tensor in enumerate(inputs.rescaling)}
    return {
        "kind": inputs.kind,
        "preprocessing": inputs.preprocessing if isinstance(inputs, ArrayInputs) else None,
        "row_shape": [int(size) for size in inputs.row_shape],
        "table": _write_table(inputs, writer) if isinstance(inputs, TableInputs) else None,
    }


def _write_table(inputs: TableInputs, writer: ValueWriter) -> dict[str, Any]:
    columns = [
        {
            "name": writer.write(column.name, f"the name of column {i}"),
            "kind": column.kind,
            "categories": [writer.write(c, f"a category of column {column.name!r}") for c in column.categories],
            "all_missing": column.all_missing,
        }
        for i, column in enumerate(inputs.reader.columns)
    ]
    return {"columns": columns, "never_missing": [bool(flag) for flag in inputs.never_missing]}


def read_inputs(value: Any, reader: ValueReader) -> Inputs:
    """What was learned about X, if its pieces match."""
    where = "inputs"
    check_keys(value, {"kind", "preprocessing", "row_shape", "table"}, where)
    kind = expect(value["kind"], str, where)
    row_shape = tuple(_size(size, "row_shape") for size in expect(value["row_shape"], list, "row_shape"))
    if (kind == "table") != (value["table"] is not None) or kind not in ("table", "sparse", "array"):
        raise DamagedFileError(f"inputs: kind {kind[:40]!r} and the table do not belong together.")
    preprocessing = expect(value["preprocessing"], bool if kind == "array" else type(None), where)
    has_encoder = any(name.startswith("encoder.") for name in reader.tensors)
    encoder = _read_encoder(reader) if has_encoder or kind == "table" else None
    if kind == "array":
        if encoder is not None:
            raise DamagedFileError("inputs: numbers that go to the network untouched have no encoder.")
        inputs = ArrayInputs(row_shape, preprocessing)
    elif kind == "sparse":
        if len(row_shape) != 1 or (encoder is not None and (encoder.center.shape != row_shape or
                                                            len(encoder.gap_columns))):  # fmt: skip
            raise DamagedFileError("inputs: encoder and columns of the sparse table do not belong together.")
        inputs = SparseInputs(row_shape[0], encoder)
    else:
        assert encoder is not None
        inputs = _read_table(value["table"], encoder, row_shape, reader)
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


def _read_table(value: Any, encoder: Encoder, row_shape: tuple[int, ...], reader: ValueReader) -> TableInputs:
    check_keys(value, {"columns", "never_missing"}, "table")
    columns = expect(value["columns"], list, "columns")
    table = TableReader([_read_column(column, i, reader) for i, column in enumerate(columns)])
    never = [expect(flag, bool, "never_missing") for flag in expect(value["never_missing"], list, "never_missing")]
    fits = len(table.numeric) == len(encoder.center) and len(never) == len(table.categorical)
    if not fits or row_shape != (encoder.out_features,):
        raise DamagedFileError("inputs: columns, encoder and width of a row do not belong together.")
    return TableInputs(table, encoder, np.array(never, dtype=bool))


def _read_column(value: Any, position: int, reader: ValueReader) -> Column:
    where = f"column {position}"
    check_keys(value, {"name", "kind", "categories", "all_missing"}, where)
    name = reader.read(value["name"], f"the name of {where}")
    categories = tuple(reader.read(c, where) for c in expect(value["categories"], list, where))
    kind, all_missing = expect(value["kind"], str, where), expect(value["all_missing"], bool, where)
    if kind not in ("numeric", "categorical") or (categories if kind == "numeric" else all_missing):
        raise DamagedFileError(f"{where} is {kind[:40]!r} with {len(categories)} categories, as no column is.")
    count_distinct([name], where)
    if count_distinct(categories, where) != len(categories):
        raise DamagedFileError(f"{where}: a category occurs twice.")
    return Column(name, "numeric" if kind == "numeric" else "categorical", categories, all_missing)


def _read_rescaling(inputs: Inputs, reader: ValueReader) -> tuple[Tensor, Tensor]:
    center, spread = (reader.tensor(f"rescaling.{i}", "rescaling") for i in range(2))
    fits = inputs.kind == "array" and center.shape == spread.shape and center.ndim <= len(inputs.row_shape)
    for size, whole in zip(reversed(center.shape), reversed(inputs.row_shape), strict=False):
        fits = fits and size in (1, whole)
    if not fits or center.dtype != torch.float32 or spread.dtype != torch.float32 or bool((spread == 0).any()):
        raise DamagedFileError("inputs: center and spread of the rescaling do not match the rows.")
    return center, spread


def _size(value: Any, where: str) -> int:
    if not 0 <= expect(value, int, where) < 2**31:
        raise DamagedFileError(f"{where} is {value}; expected a size.")
    return value


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
        classes = expect(reader.read(value["classes"], "classes_"), np.ndarray, "classes_")
        labels = classes.ravel().tolist()
        if classes.ndim != 1 or len(labels) < 2 or count_distinct(labels, "classes_") != len(labels):
            raise DamagedFileError("classes_: expected two or more different labels.")
        with damaged_if_it_fails("classes_: the labels cannot be compared"):
            is_sorted = bool((classes[:-1] < classes[1:]).all())
        if not is_sorted:  # labels are encoded by bisection
            raise DamagedFileError("classes_: expected increasing labels.")
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
