"""What `fit` learned about X and y, as JSON and tensors, and back."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._data.array_inputs import ArrayInputs
from .._data.inputs import Inputs
from .._data.itself_targets import ItselfTargets
from .._data.kinds import KINDS
from .._data.ranking_inputs import RankingInputs
from .._data.ranking_targets import RankingTargets
from .._data.real_targets import RealTargets
from .._data.sparse_inputs import SparseInputs
from .._data.table_inputs import TableInputs
from .._data.targets import ClassTargets, MultilabelTargets
from ..exceptions import DamagedFileError
from .checks import check_keys, count_distinct, damaged_if_it_fails, expect
from .table_state import read_encoder, read_table, write_table
from .values.reader_writer import ValueReader, ValueWriter

__all__ = ["read_inputs", "read_targets", "write_inputs", "write_targets"]

# Targets that describe themselves.
_DESCRIBED: dict[str, Any] = {kind.kind: kind for kind in (ItselfTargets, RankingTargets)}

_OF_COLUMNS = (TableInputs, SparseInputs, ArrayInputs)


def write_inputs(inputs: Inputs, writer: ValueWriter) -> dict[str, Any]:
    """JSON for what was learned about X; the writer keeps its tensors."""
    if isinstance(inputs, RankingInputs):
        return {**write_inputs(inputs.table, writer), "kind": inputs.kind, "row_shape": list(inputs.row_shape)}
    if inputs.encoder is not None:
        writer.tensors |= {f"encoder.{name}": buffer.cpu() for name, buffer in inputs.encoder.named_buffers()}
    if inputs.used is not None:
        writer.tensors["used"] = torch.from_numpy(inputs.used)
    if inputs.rescaling is not None:
        writer.tensors |= {f"rescaling.{i}": tensor.cpu() for i, tensor in enumerate(inputs.rescaling)}
    is_own = not isinstance(inputs, _OF_COLUMNS)
    return {
        "kind": inputs.kind,
        "preprocessing": inputs.preprocessing if isinstance(inputs, ArrayInputs) else None,
        "codes": isinstance(inputs, ArrayInputs) and inputs.codes,
        "state": writer.write(inputs.to_state(), "what was learned about X") if is_own else None,
        "row_shape": [int(size) for size in inputs.row_shape],
        "table": write_table(inputs, writer) if isinstance(inputs, TableInputs) else None,
        "n_columns": inputs.given_shape[0] if inputs.kind == "sparse" else None,
    }


def read_inputs(value: Any, reader: ValueReader) -> Inputs:
    """What was learned about X, if its pieces match."""
    where = "inputs"
    if expect(value, dict, where).get("kind") == RankingInputs.kind:
        return _read_ranking(value, reader)
    check_keys(value, {"kind", "preprocessing", "codes", "state", "row_shape", "table", "n_columns"}, where)
    kind = expect(value["kind"], str, where)
    if kind in KINDS and not issubclass(KINDS[kind], _OF_COLUMNS):
        return _read_state(KINDS[kind], value, reader)
    row_shape = tuple(_size(size, "row_shape") for size in expect(value["row_shape"], list, "row_shape"))
    if (kind == "table") != (value["table"] is not None) or kind not in ("table", "sparse", "array"):
        raise DamagedFileError(f"inputs: kind {kind[:40]!r} and the table do not belong together.")
    preprocessing = expect(value["preprocessing"], bool if kind == "array" else type(None), where)
    has_encoder = any(name.startswith("encoder.") for name in reader.tensors)
    encoder = read_encoder(reader) if has_encoder or kind == "table" else None
    if kind == "array":
        if encoder is not None:
            raise DamagedFileError("inputs: numbers that go to the network untouched have no encoder.")
        inputs = ArrayInputs(row_shape, preprocessing, expect(value["codes"], bool, where))
    elif kind == "sparse":
        plain = encoder is None or (encoder.out_features,) == (encoder.in_features,) == row_shape
        if len(row_shape) != 1 or not plain:
            raise DamagedFileError("inputs: encoder and columns of the sparse table do not belong together.")
        n_columns = _size(value["n_columns"], "n_columns")
        inputs = SparseInputs(n_columns, encoder, _read_used(reader, n_columns))
        if inputs.row_shape != row_shape:
            raise DamagedFileError("inputs: the columns that are used do not belong to the width of a row.")
    else:
        assert encoder is not None
        inputs = read_table(value["table"], encoder, row_shape, reader)
    if any(name.startswith("rescaling.") for name in reader.tensors):
        inputs.rescaling = _read_rescaling(inputs, reader)
    return inputs


def _read_ranking(value: dict[str, Any], reader: ValueReader) -> Inputs:
    """What was learned about a table whose rows are ranked."""
    row_shape = expect(value.get("row_shape"), list, "row_shape")
    width = _size(row_shape[0] if len(row_shape) == 1 else None, "row_shape")
    table = read_inputs({**value, "kind": TableInputs.kind, "row_shape": [width // RankingInputs.n_parts]}, reader)
    assert isinstance(table, TableInputs)
    inputs = RankingInputs(table)
    if inputs.row_shape != (width,):
        raise DamagedFileError("inputs: row_shape is not that of the rows.")
    return inputs


def _read_state(kind: type[Inputs], value: dict[str, Any], reader: ValueReader) -> Inputs:
    """What was learned about X of a kind that describes itself."""
    state = expect(reader.read(value["state"], "inputs"), dict, "inputs")
    if any(value[name] is not None for name in ("preprocessing", "table", "n_columns")) or value["codes"] is not False:
        raise DamagedFileError(f"inputs: they hold more than those of the kind {kind.kind!r}.")
    with damaged_if_it_fails("inputs: what was learned about X does not fit together"):
        inputs = kind.from_state(state)
    if list(inputs.row_shape) != value["row_shape"]:
        raise DamagedFileError("inputs: row_shape is not that of the rows.")
    return inputs


def _read_used(reader: ValueReader, n_columns: int) -> np.ndarray | None:
    """Which columns of a sparse table the network gets; None for all."""
    if "used" not in reader.tensors:
        return None
    used = reader.tensor("used", "used")
    positions = used.tolist() if used.dtype == torch.int64 and used.ndim == 1 else []
    if not positions or positions != sorted(set(positions)) or not 0 <= positions[0] <= positions[-1] < n_columns:
        raise DamagedFileError(f"used: expected increasing positions below {n_columns}.")
    return used.numpy()


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
    if targets.kind in _DESCRIBED:
        return {"kind": targets.kind, "state": writer.write(targets.to_state(), "targets")}
    return {
        "kind": "real",
        "ndim": targets.ndim,
        "mean": writer.write(np.asarray(targets.mean), "targets"),
        "scale": writer.write(np.asarray(targets.scale), "targets"),
        "constant": writer.write(np.asarray(targets.constant), "targets"),
        "dtype": np.dtype(targets.dtype).name,
    }


def read_targets(value: Any, reader: ValueReader, kinds: Collection[str]) -> Any:
    """What was learned about y, if its pieces match, of one of the `kinds` that the estimator may have."""
    kind = expect(value, dict, "targets").get("kind")
    if kind not in kinds:
        raise DamagedFileError(f"targets: this estimator has no targets of kind {str(kind)[:40]!r}.")
    if kind in _DESCRIBED:
        check_keys(value, {"kind", "state"}, "targets")
        state = expect(reader.read(value["state"], "targets"), dict, "targets")
        with damaged_if_it_fails("targets: what was learned about y does not fit together"):
            return _DESCRIBED[kind].from_state(state)
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
    check_keys(value, {"kind", "ndim", "mean", "scale", "constant", "dtype"}, "targets")
    targets = RealTargets.__new__(RealTargets)
    dtypes: Any = {"float32": np.float32, "float64": np.float64}
    targets.ndim, targets.dtype = value["ndim"], dtypes.get(expect(value["dtype"], str, "targets"))
    arrays = [reader.read(value[name], f"targets.{name}") for name in ("mean", "scale", "constant")]
    targets.mean, targets.scale, targets.constant = arrays
    fits = all(type(a) is np.ndarray and a.dtype == np.float64 and a.ndim == 1 for a in arrays)
    # Of an output that varies, the constant is NaN.
    fits = fits and all(np.isfinite(a).all() for a in arrays[:2]) and not np.isinf(targets.constant).any()
    if not fits or targets.dtype is None or type(targets.ndim) is not int or targets.ndim not in (1, 2):
        raise DamagedFileError("targets: expected finite means and scales of the outputs, and 1 or 2 dimensions.")
    targets.n_targets = len(targets.mean)
    n_least = 1 if targets.ndim == 1 else targets.n_targets
    if not 0 < len(targets.mean) == len(targets.scale) == len(targets.constant) == n_least or 0 in targets.scale:
        raise DamagedFileError("targets: means, scales and number of outputs do not match.")
    return targets
