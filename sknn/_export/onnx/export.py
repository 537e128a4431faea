"""A fitted estimator as one graph of ONNX from raw columns to predictions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..._atomic import check_destination, replace_file
from ..._versions import __version__
from ..graph import BatchSize, Node, Ref
from ..intervals import refuse_condition
from ..model import ExportedModel, exported_model
from ..numpy.labels import labels_of
from .graph import ASKED_BY, OnnxGraph, Value, onnx_module
from .inputs import NUMERIC, OnnxInputs, encodable, onnx_inputs
from .operations import Call, converter

__all__ = ["export_onnx"]

# Old enough for onnxruntime of 2023, new enough for LabelEncoder of doubles and LayerNormalization.
_OPSET, _ML_OPSET, _IR_VERSION = 18, 4, 9
_ML = "ai.onnx.ml"
_BATCH = "batch"


def export_onnx(
    estimator: Any, path: str | os.PathLike[str], *, confidence_level: float | None = None, condition: Any = None
) -> OnnxInputs:
    """Write a fitted estimator as one graph of ONNX, from raw numbers and categories to predictions.

    Parameters
    ----------
    estimator : NeuralClassifier, NeuralRegressor or NeuralRanker
        A fitted estimator. Its module may use the operations that docs/export.md lists.
    path : path-like
        The file, usually ``*.onnx``. It appears whole or not at all.
    confidence_level : float, default=None
        In (0, 1): the graph has the bounds of `predict_interval`, or the classes of `predict_set`, as further outputs.
    condition : None
        Not possible in an export: a level for each value of a column, as in `predict_interval`, is refused.

    Returns
    -------
    inputs : OnnxInputs
        Names, types and units of the inputs, which the file's metadata and doc strings contain too;
        ``inputs.feeds(table)`` makes the arrays from a table, and ``inputs.save("feeds.py")`` writes a module that
        does so without sknn.

    Raises
    ------
    ImportError
        The package onnx is not installed: ``pip install "sknn[onnx]"``.
    NotFittedError
        The estimator is not fitted.
    TypeError
        `estimator` is not an estimator of sknn. To export a pipeline, export its last step.
    ValueError
        The module uses an unknown operation, branches on the values of its input, or its prediction for a row depends
        on other rows; or ONNX has no type for a category or label. With a `confidence_level`: it is outside of (0, 1),
        or the fit held out too few rows; or a `condition` is given.
    FileNotFoundError
        The folder does not exist.

    Notes
    -----
    Inputs: ``numeric``, double (batch, n_numeric), NaN = missing, dates as seconds since 1970; and one input for each
    categorical column, named after it: string (batch, 1), the empty string = missing, or double (batch, 1) if the
    categories are numbers, booleans or dates, NaN = missing. Outputs: ``probabilities``, float (batch, n_classes), and
    ``label`` for classifiers, ``prediction`` for regressors, ``score`` for rankers. With a `confidence_level` also
    ``set``, bool (batch, n_classes), or ``lower`` and ``upper``, each of the type and shape of ``prediction``, or of
    one output where the prediction has several quantiles. The number of rows is free; of a ranker of tables, they are
    those of one query.

    Probabilities differ from `predict_proba` by about 1e-6. The file contains weights, statistics of the columns, and
    categories, but no row of the training table. It needs operator set 18 and ai.onnx.ml 4: onnxruntime 1.17 or later.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sknn import NeuralClassifier, export_onnx
    >>> from sknn.modules import MLP
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = NeuralClassifier(MLP, max_epochs=1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     inputs = export_onnx(clf, Path(folder) / "iris.onnx")
    >>> inputs.inputs
    [OnnxInput(name='numeric', type='double', columns=[0, 1, 2, 3], shape=[4], missing=None, units={})]
    """
    refuse_condition(condition, ASKED_BY)
    onnx = onnx_module()
    check_destination(Path(path))
    model = exported_model(estimator, ASKED_BY, confidence_level)
    inputs = onnx_inputs(model)
    proto = _ModelBuilder(model, inputs).build()
    onnx.checker.check_model(proto, full_check=True)
    replace_file(Path(path), proto.SerializeToString())
    return inputs


class _ModelBuilder:
    """Builds the graph of one model: inputs, categories, network and outputs, in this order."""

    def __init__(self, model: ExportedModel, inputs: OnnxInputs) -> None:
        self.model, self.inputs = model, inputs
        self.graph = OnnxGraph(inputs.inputs[0].name, reserved=[spec.name for spec in inputs.inputs])
        self.onnx = self.graph.onnx
        self.values: dict[str, Any] = {}  # name in the recording -> Value, or a tuple of names

    def build(self) -> Any:
        """The model as a protocol buffer of onnx."""
        self._add_inputs()
        for name, array in self.model.graph.constants.items():
            self.values[name] = Value(self.graph.constant(array), array.dtype.name, array.shape)
        for node in self.model.graph.nodes:
            self._add_node(node)
        outputs = self._outputs(self.values[self.model.graph.output])
        helper = self.onnx.helper
        infos = [self._info(spec.name, spec.type, spec.shape, spec.description) for spec in self.inputs.inputs]
        graph = helper.make_graph(self.graph.nodes, "sknn", infos, outputs, initializer=self.graph.used_initializers())
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_ML, _ML_OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="sknn", producer_version=__version__
        )
        helper.set_model_props(model, self._metadata())
        return model

    def _metadata(self) -> dict[str, str]:
        fields = ("name", "type", "columns", "shape", "missing", "units", "position")
        specs = [{name: vars(spec)[name] for name in fields} for spec in self.inputs.inputs]
        shown = ("kind", "classes", "dtype", "confidence_level")
        target = {key: value for key, value in self.model.target.items() if key in shown}
        return {
            "sknn.version": __version__,
            "sknn.estimator": self.model.estimator,
            "sknn.inputs": json.dumps(specs),
            "sknn.table": json.dumps(self.inputs.table),
            "sknn.target": json.dumps(target),
        }

    def _add_inputs(self) -> None:
        rows, model = BatchSize(1, 0), self.model
        specs = {spec.position: spec for spec in self.inputs.inputs}
        codes, n_numeric = [], 0
        for position, column in enumerate(model.columns):
            if column["kind"] == "categorical":
                codes.append(self._codes(specs[position], column))
            elif column["kind"] == "numeric":
                if column["categories"]:  # it is both
                    numbers = self.graph.op("Gather", NUMERIC, self.graph.ints([n_numeric]), axis=1)
                    codes.append(self._codes_of_numbers(numbers, column["categories"], column["never_missing"]))
                n_numeric += 1
        if codes:
            joined = codes[0] if len(codes) == 1 else self.graph.op("Concat", *codes, axis=1)
            self.values["codes"] = Value(joined, "int64", (rows, len(codes)))
        name = NUMERIC
        if None not in specs:  # a table without numeric columns
            name = self.graph.op("Expand", self.graph.constant(np.zeros((1, 0))), self.graph.sizes([rows, 0]))
        self.values[NUMERIC] = Value(name, "float64", (rows, *model.row_shape))

    def _codes(self, spec: Any, column: dict[str, Any]) -> str:
        """Category codes int64 (batch, 1)."""
        if spec.type != "string":
            return self._codes_of_numbers(spec.name, spec.categories, column["never_missing"])
        known = list(range(1, len(spec.categories) + 1))
        missing = 0 if column["never_missing"] else len(known) + 1
        return self.graph.op(
            "LabelEncoder", spec.name, domain=_ML, keys_strings=[*spec.categories, spec.missing],
            values_int64s=[*known, missing], default_int64=0,
        )  # fmt: skip

    def _codes_of_numbers(self, name: str, categories: list[float], never_missing: bool) -> str:
        """The same of doubles (batch, 1), NaN for missing."""
        known = list(range(1, len(categories) + 1))
        missing = 0 if never_missing else len(known) + 1
        tensor, kinds = self.onnx.helper.make_tensor, self.onnx.TensorProto
        codes = self.graph.op(
            "LabelEncoder", name, domain=_ML,
            keys_tensor=tensor("keys", kinds.DOUBLE, [len(known)], categories),
            values_tensor=tensor("values", kinds.INT64, [len(known)], known),
            default_tensor=tensor("default", kinds.INT64, [1], [0]),
        )  # fmt: skip
        is_missing = self.graph.op("IsNaN", name)
        return self.graph.op("Where", is_missing, self.graph.constant(np.int64(missing)), codes)

    def _add_node(self, node: Node) -> None:
        args = {name: self._argument(arg) for name, arg in node.args.items()}
        convert, shape = converter(node.op), self.model.graph.shapes.get(node.out, ())
        instead = "Replace it by other tensor operations in the module's forward, or use sknn.export_numpy."
        if node.op == "getitem":
            name = args["x"][args["index"]]
            if name is None:
                raise ValueError(f"module: {node.origin} uses a result that {ASKED_BY} cannot compute.")
        elif convert is None:
            raise ValueError(
                f"module: {node.origin} uses the operation {node.op!r} of torch, which {ASKED_BY} does not support. "
                f"{instead}"
            )
        else:
            try:
                name = convert(Call(self.graph, node.dtype, shape), **args)
            except (NotImplementedError, TypeError) as error:
                raise ValueError(
                    f"module: {node.origin} uses {node.op!r} in a form that {ASKED_BY} does not support ({error}). "
                    f"{instead}"
                ) from error
        is_one = node.dtype is not None and isinstance(name, str)
        self.values[node.out] = Value(name, str(node.dtype), shape) if is_one else name

    def _argument(self, arg: Any) -> Any:
        if isinstance(arg, Ref):
            return self.values[arg.name]
        return [self._argument(item) for item in arg] if isinstance(arg, list) else arg

    def _outputs(self, values: Value) -> list[Any]:
        target = self.model.target
        if target["kind"] == "real":
            return self._predictions(values, target)
        if target["kind"] == "ranking":
            scores = self.graph.op("Squeeze", values.name, self.graph.ints([1]))
            return [self._named(scores, "score", "float32", [])]
        probabilities = self._named(values.name, "probabilities", "float32", [values.shape[1]])
        if target["kind"] == "multilabel":
            chosen = self.graph.op("Greater", values.name, self.graph.constant(np.float32(0.5)))
            label = self.graph.cast(chosen, "int64")
            return [probabilities, self._named(label, "label", "int64", [values.shape[1]])]
        classes = labels_of(target)
        if classes.dtype.kind not in "biufUO":
            raise ValueError(
                f"classes_ have the dtype {classes.dtype}, for which ONNX has no type; expected strings, numbers or "
                "booleans. Convert y before fit, as by .astype(str), or use sknn.export_numpy."
            )
        place = self.graph.op("ArgMax", values.name, axis=1, keepdims=0)
        dtype = "string" if classes.dtype.kind in "UO" else classes.dtype.name  # which says nothing of byte order
        labels = encodable(classes.tolist(), "classes_ contain") if dtype == "string" else classes.astype(dtype)
        label = self.graph.op("Gather", self.graph.constant(labels), place, axis=0)
        outputs = [probabilities, self._named(label, "label", dtype, [])]
        if target["confidence_level"] is not None:
            thresholds = self.graph.constant(np.array(target["thresholds"], dtype=np.float32))
            is_in = self.graph.op("GreaterOrEqual", values.name, thresholds)
            outputs.append(self._named(is_in, "set", "bool", [len(classes)]))
        return outputs

    def _predictions(self, values: Value, target: dict[str, Any]) -> list[Any]:
        """The prediction, and the bounds if there are any."""
        n_values = target["n_values"]
        if target["confidence_level"] is None:
            return [self._in_unit_of_y(values, target, "prediction")]
        n_outputs = (values.shape[1] - n_values) // 2
        ends = {"prediction": n_values, "lower": n_values + n_outputs, "upper": n_values + 2 * n_outputs}
        outputs, start = [], 0
        for name, end in ends.items():
            part = self.graph.op("Gather", values.name, self.graph.ints([*range(start, end)]), axis=1)
            outputs.append(self._in_unit_of_y(Value(part, values.dtype, (values.shape[0], end - start)), target, name))
            start = end
        return outputs

    def _in_unit_of_y(self, values: Value, target: dict[str, Any], output: str) -> Any:
        """An output in the unit of y, with the dtype of `predict`."""
        scale, mean = (self.graph.constant(np.array(target[key], dtype=np.float64)) for key in ("scale", "mean"))
        name = self.graph.op("Add", self.graph.op("Mul", self.graph.cast(values.name, "float64"), scale), mean)
        if target["dtype"] != "float64":
            name = self.graph.cast(name, target["dtype"])
        n_values = max(values.shape[1], len(target["scale"]))
        if target["ndim"] == 1 and n_values == 1:
            return self._named(self.graph.op("Squeeze", name, self.graph.ints([1])), output, target["dtype"], [])
        return self._named(name, output, target["dtype"], [n_values])

    def _named(self, name: str, output: str, dtype: str, shape: list[int]) -> Any:
        """Description of an output of the graph, after adding the node that names it."""
        self.graph.nodes.append(self.onnx.helper.make_node("Identity", [name], [output]))
        return self._info(output, dtype, shape)

    def _info(self, name: str, dtype: str, shape: list[int], description: str = "") -> Any:
        """Description of an input or output; `shape` is that of one row."""
        helper = self.onnx.helper
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(object if dtype == "string" else dtype))
        return helper.make_tensor_value_info(name, kind, [_BATCH, *shape], doc_string=description)
