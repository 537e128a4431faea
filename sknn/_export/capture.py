"""A fitted estimator's network -> a graph from raw numbers and category codes to the output of the link."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from .._data.inputs import Inputs
from .._data.table_inputs import TableInputs
from .._network.table_network import first_output, network_inputs
from .._training.net import _Net
from .graph import BatchSize, Dtype, Graph, Node, Ref, without_dead_nodes

__all__ = ["Computation", "capture", "module_name"]

# The graph is recorded twice. What differs between the recordings follows the number of rows, however the module came
# by it: len(x), x.shape[0], x.size(0). Their difference is odd, so that half a batch is not taken for a multiple.
_N_ROWS = (6, 11)

_DTYPES = {
    torch.float32: "float32", torch.float64: "float64", torch.int64: "int64", torch.int32: "int32",
    torch.int16: "int16", torch.int8: "int8", torch.uint8: "uint8", torch.bool: "bool",
}  # fmt: skip

# Where and how memory lies, which is no part of the result.
_ABOUT_MEMORY = ("device", "layout", "pin_memory", "memory_format", "non_blocking", "implicit")

# Operations that are quicker as they are than as what torch makes of them.
_WHOLE = (torch.ops.aten.scaled_dot_product_attention.default, torch.ops.aten.silu.default, torch.ops.aten.mish.default)

_IDENTITIES = (
    "clone.default", "alias.default", "detach.default", "lift_fresh_copy.default", "contiguous.default",
    "_conj.default", "positive.default",
)  # fmt: skip
_ASSERTIONS = ("_assert_tensor_metadata.default", "sym_constrain_range.default", "_assert_async.msg")


class Computation(nn.Module):
    """Encoder, network, combination of members and inverse link in one.

    Shape
    -----
    numeric : float64 (batch, ...); codes : int64 (batch, n_categorical); output : float32 (batch, n_values).
    """

    def __init__(self, net: _Net, inputs: Inputs) -> None:
        super().__init__()
        self.network = copy.deepcopy(net.module_).cpu().eval()
        self.criterion = copy.deepcopy(net.criterion_).cpu().eval()
        self.encoder = None if inputs.encoder is None else copy.deepcopy(inputs.encoder).cpu()
        self.is_table = isinstance(inputs, TableInputs)
        self.rescaling = inputs.rescaling

    def forward(self, numeric: Tensor, codes: Tensor | None = None) -> Tensor:
        """What `predict_proba` and `predict` are made of."""
        if not self.is_table:
            numeric = numeric.float()  # sparse and untouched rows are float32 before anything is done to them
        if self.encoder is not None:
            numeric = self.encoder(numeric)
        if self.rescaling is not None:
            center, spread = self.rescaling
            numeric = (numeric - center) / spread
        batch = {"x_num": numeric} if codes is None else {"x_num": numeric, "x_cat": codes}
        raw = first_output(self.network(*network_inputs(batch)))
        if raw.ndim == 3:
            raw = self.criterion.combine(raw)
        raw = raw if raw.ndim > 1 else raw.unsqueeze(1)
        return self.criterion.inverse_link(raw.float())


def capture(net: _Net, inputs: Inputs) -> Graph:
    """The graph of what a fitted net computes, with the inputs ``numeric`` and ``codes``.

    Raises
    ------
    ValueError
        The module decides by the values of its input, or is no function of the batch that can be recorded.
    """
    computation = Computation(net, inputs)
    name = module_name(net)
    shape = (len(inputs.reader.numeric),) if isinstance(inputs, TableInputs) else inputs.row_shape
    first, second = (_recorded(computation, shape, len(inputs.cardinalities), n_rows, name) for n_rows in _N_ROWS)
    return without_dead_nodes(_Comparison(first, second, name).graph())


def module_name(net: _Net) -> str:
    """Class of the module as its author knows it, without what is around it."""
    return type(getattr(net.module_, "network", net.module_)).__name__


def _recorded(computation: Computation, shape: tuple[int, ...], n_categorical: int, n_rows: int, name: str) -> Any:
    """What torch records for so many rows."""
    from torch.export import default_decompositions, export  # a second that only an export shall take

    rows = [torch.zeros((n_rows, *shape), dtype=torch.float64)]
    if n_categorical:
        rows.append(torch.zeros((n_rows, n_categorical), dtype=torch.int64))
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one opaque operation for a whole transformer layer
    muted = logging.root.manager.disable
    logging.disable(logging.ERROR)  # a failure is told by the error below, without pages of a graph
    try:
        with warnings.catch_warnings(), torch.no_grad(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # about what is being recorded, and nothing that a user could change
            program = export(computation, tuple(rows), strict=False)
            decompositions = default_decompositions()
            for whole in _WHOLE:
                decompositions.pop(whole, None)
            return program.run_decompositions(decompositions)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise ValueError(
            f"module: {name} cannot be exported, since torch.export.export cannot record it: "
            f"{type(error).__name__}: {reason}. Its forward must not decide by the values of its input (if "
            "x.sum() > 0, .item(), .tolist(), numpy); use torch.where and other tensor operations instead."
        ) from error
    finally:
        logging.disable(muted)
        torch.backends.mha.set_fastpath_enabled(fast)


class _Comparison:
    """One graph of two recordings, of which the numbers that differ follow the number of rows."""

    def __init__(self, first: Any, second: Any, name: str) -> None:
        self.programs = first, second
        self.name = name
        self.values: dict[Any, Ref] = {}  # node of the first recording -> value

    def graph(self) -> Graph:
        first, second = (list(program.graph.nodes) for program in self.programs)
        if [(node.op, str(node.target)) for node in first if node.op == "call_function"] != [
            (node.op, str(node.target)) for node in second if node.op == "call_function"
        ]:
            raise self._error(f"does something else for {_N_ROWS[0]} rows than for {_N_ROWS[1]}")
        graph = Graph({}, {}, [], "")
        for node, other in zip(first, second, strict=True):
            if node.op == "placeholder":
                self._add_placeholder(graph, node, other)
            elif node.op == "call_function":
                self._add_node(graph, node, other)
        signature = self.programs[0].graph_signature
        graph.output = signature.user_outputs[0]
        by_name = {node.name: ref for node, ref in self.values.items()}
        graph.output = by_name[graph.output].name
        return graph

    def _add_placeholder(self, graph: Graph, node: Any, other: Any) -> None:
        tensor, again = _tensor_of(self.programs[0], node.name), _tensor_of(self.programs[1], other.name)
        self.values[node] = Ref(node.name)
        if tensor is None or again is None:
            value = node.meta["val"]
            graph.inputs[node.name] = self._dtype(value.dtype, "its input")
            graph.shapes[node.name] = self._shape(node, other)
            return
        if tensor.shape != again.shape or not torch.equal(tensor.nan_to_num(), again.nan_to_num()):
            raise self._error(f"makes a tensor of shape {tuple(tensor.shape)} that follows the number of rows")
        self._dtype(tensor.dtype, f"its tensor {node.name}")
        graph.constants[node.name] = tensor.detach().cpu().contiguous().numpy()
        graph.shapes[node.name] = tuple(tensor.shape)

    def _add_node(self, graph: Graph, node: Any, other: Any) -> None:
        op = _operation_name(node)
        if op in _ASSERTIONS:
            return
        args, others = _named_args(node), _named_args(other)
        merged = {name: self._merged(value, others[name]) for name, value in args.items()}
        is_identity = op in _IDENTITIES or (op == "_to_copy.default" and self._keeps_dtype(node))
        if is_identity and isinstance(merged["x"], Ref):
            self.values[node] = merged["x"]
            return
        value = node.meta.get("val")
        is_tensor = isinstance(value, Tensor)
        origin = _origin(node)
        dtype = self._dtype(value.dtype, origin) if is_tensor else None
        graph.nodes.append(Node(op, merged, node.name, dtype, value.ndim if is_tensor else 0, origin))
        self.values[node] = Ref(node.name)
        if is_tensor:
            graph.shapes[node.name] = self._shape(node, other)

    def _keeps_dtype(self, node: Any) -> bool:
        source = node.args[0].meta.get("val")
        return isinstance(source, Tensor) and source.dtype == node.meta["val"].dtype

    def _shape(self, node: Any, other: Any) -> tuple[Any, ...]:
        shapes = zip(node.meta["val"].shape, other.meta["val"].shape, strict=True)
        return tuple(self._merged(int(a), int(b)) for a, b in shapes)

    def _merged(self, a: Any, b: Any) -> Any:
        """One argument of two recordings."""
        if isinstance(a, torch.fx.Node):
            return self.values[a]
        if isinstance(a, (list, tuple)):
            if len(a) != len(b):
                raise self._error("takes a number of tensors that follows the number of rows")
            return [self._merged(x, y) for x, y in zip(a, b, strict=True)]
        if isinstance(a, torch.dtype):
            return Dtype(self._dtype(a, "a conversion"))
        if isinstance(a, int) and not isinstance(a, bool) and a != b:
            factor, rest = divmod(b - a, _N_ROWS[1] - _N_ROWS[0])
            if rest:
                raise self._error(f"uses a size of {a} for {_N_ROWS[0]} rows and of {b} for {_N_ROWS[1]}")
            return BatchSize(factor, a - factor * _N_ROWS[0])
        if a != b and not (a != a and b != b):
            raise self._error(f"uses the number {a!r} for {_N_ROWS[0]} rows and {b!r} for {_N_ROWS[1]}")
        return a

    def _dtype(self, dtype: torch.dtype, what: str) -> str:
        if dtype not in _DTYPES:
            raise self._error(
                f"computes in {dtype} ({what})",
                f"Exported are {', '.join(_DTYPES.values())}: call .float() on the module before fit",
            )
        return _DTYPES[dtype]

    def _error(self, what: str, fix: str = "Make each row's prediction a function of that row alone") -> ValueError:
        return ValueError(f"module: {self.name} {what}, which cannot be exported. {fix}.")


def _tensor_of(program: Any, name: str) -> Tensor | None:
    """The parameter, buffer or constant that a placeholder stands for; None for an input."""
    for spec in program.graph_signature.input_specs:
        if spec.arg.name == name:
            if spec.target is None:
                return None
            found = program.state_dict.get(spec.target)
            return program.constants[spec.target] if found is None else found
    return None


def _operation_name(node: Any) -> str:
    target = node.target
    if getattr(target, "__name__", "") == "getitem":
        return "getitem"
    return str(target).removeprefix("aten.") if str(target).startswith("aten.") else str(target)


def _named_args(node: Any) -> dict[str, Any]:
    """Arguments by the names of the schema; ``self`` is called ``x``."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        names = ["x", "index"] if _operation_name(node) == "getitem" else [str(i) for i in range(len(node.args))]
        return dict(zip(names, node.args, strict=True))
    named = {argument.name: value for argument, value in zip(schema.arguments, node.args, strict=False)}
    named.update(node.kwargs)
    if "self" in named:
        named = {"x": named.pop("self"), **named}
    return {name: value for name, value in named.items() if name not in _ABOUT_MEMORY}


def _origin(node: Any) -> str:
    """The innermost layer that a node comes from, as a user knows it."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "forward"
    path, kind = stack[-1]
    kind = kind if isinstance(kind, str) else kind.__name__
    path = "" if path == "network" else str(path).removeprefix("network.").removeprefix("network.")  # ours, around it
    return f"layer {path!r} ({kind.rpartition('.')[2]})" if path else kind.rpartition(".")[2]
