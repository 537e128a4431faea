"""Recording of a network: from raw numbers and category codes to the output of the inverse link."""

from __future__ import annotations

import contextlib
import io
import logging
import sysconfig
import traceback
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .._data.inputs import Inputs
from .._threads import ProcessLock
from .computation import Computation
from .decompositions import decompositions
from .graph import BatchSize, Graph, Node, Ref, without_dead_nodes
from .transformers import make_recordable

__all__ = ["capture"]

# The graph is recorded for two numbers of rows. Integers that differ between the recordings depend on the number of
# rows, whether the module asked for x.shape[0] or for len(x), which makes a symbolic size of torch.export a constant.
# The difference of the two numbers is odd, so that half of the batch is not mistaken for a multiple of it.
_N_ROWS = (6, 11)

_DTYPES = ("float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")

# Arguments that do not change the result: where and how memory is laid out, and the dtype, which each node has anyway.
_IGNORED = ("device", "layout", "pin_memory", "memory_format", "non_blocking", "implicit", "dtype")

_IDENTITIES = (
    "clone.default", "alias.default", "detach.default", "lift_fresh_copy.default", "contiguous.default",
    "_conj.default", "positive.default",
)  # fmt: skip
_ASSERTIONS = ("_assert_tensor_metadata.default", "sym_constrain_range.default", "_assert_async.msg")

# torch.export works for one thread at a time.
_one_at_a_time = ProcessLock()


def capture(computation: Computation, inputs: Inputs, name: str) -> Graph:
    """The graph of what is computed, with the inputs ``numeric`` and ``codes``; `name` is that of the module.

    The computation is changed, so that it can be recorded.
    """
    make_recordable(computation.network)
    with _one_at_a_time.current:
        first, second = (
            _recorded(computation, inputs.given_shape, len(inputs.cardinalities), n_rows, name) for n_rows in _N_ROWS
        )
    return without_dead_nodes(_Comparison(first, second, name).graph())


def _recorded(computation: Computation, shape: tuple[int, ...], n_categorical: int, n_rows: int, name: str) -> Any:
    """The program that torch records for `n_rows` rows."""
    from torch.export import export  # importing it takes a second

    rows = [torch.zeros((n_rows, *shape), dtype=torch.float64)]
    if n_categorical:
        rows.append(torch.zeros((n_rows, n_categorical), dtype=torch.int64))
    muted = logging.root.manager.disable
    logging.disable(logging.ERROR)  # the error below replaces pages of a printed graph
    try:
        with warnings.catch_warnings(), torch.no_grad(), _SlowPath(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # they concern the recording; a user could not act on them
            program = export(computation, tuple(rows), strict=False)
            return program.run_decompositions(decompositions())
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise ValueError(
            f"module: {name} cannot be exported, since torch.export.export cannot record it{_place(error)}: "
            f"{type(error).__name__}: {reason}. Its forward must not use the values of its input in "
            "Python (if x.sum() > 0, .item(), .tolist(), numpy); use torch.where and other tensor operations instead."
        ) from error
    finally:
        logging.disable(muted)


class _SlowPath(TorchFunctionMode):
    """Switches off the fast path of attention, which is recorded as one operation for a whole transformer layer.

    Any mode does so, and only in the thread that enters it; torch's own switch also changes predictions of others.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def _place(error: Exception) -> str:
    """The innermost line of the user's own code that an error comes from, for messages; empty if there is none."""
    paths = map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))
    libraries = (str(Path(__file__).parents[1]), *paths)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(libraries)]
    lines = [
        f" ({Path(frame.filename).name}, line {frame.lineno}: {frame.line.strip()})" for frame in frames if frame.line
    ]
    return lines[-1] if lines else ""


class _Comparison:
    """One graph made of two recordings; numbers that differ between them depend on the number of rows."""

    def __init__(self, first: Any, second: Any, name: str) -> None:
        self.programs = first, second
        self.name = name
        self.values: dict[Any, Ref] = {}  # node of the first recording -> value

    def graph(self) -> Graph:
        first, second = (list(program.graph.nodes) for program in self.programs)
        if [(node.op, str(node.target)) for node in first if node.op == "call_function"] != [
            (node.op, str(node.target)) for node in second if node.op == "call_function"
        ]:
            raise self._error(f"does not use the same operations for {_N_ROWS[0]} rows and for {_N_ROWS[1]}")
        graph = Graph({}, [], "")
        for node, other in zip(first, second, strict=True):
            if node.op == "placeholder":
                self._add_placeholder(graph, node, other)
            elif node.op == "call_function":
                self._add_node(graph, node, other)
        by_name = {node.name: ref for node, ref in self.values.items()}
        graph.output = by_name[self.programs[0].graph_signature.user_outputs[0]].name
        return graph

    def _add_placeholder(self, graph: Graph, node: Any, other: Any) -> None:
        tensor, again = _tensor_of(self.programs[0], node.name), _tensor_of(self.programs[1], other.name)
        self.values[node] = Ref(node.name)
        if tensor is None or again is None:  # an input
            graph.shapes[node.name] = self._shape(node, other)
            return
        if tensor.shape != again.shape or not torch.equal(tensor.nan_to_num(), again.nan_to_num()):
            raise self._error(f"makes a tensor of shape {tuple(tensor.shape)} that depends on the number of rows")
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
        value, origin, dtype = node.meta.get("val"), _origin(node), None
        if isinstance(value, Tensor):
            dtype = self._dtype(value.dtype, origin)
            graph.shapes[node.name] = self._shape(node, other)
        graph.nodes.append(Node(op, merged, node.name, dtype, origin))
        self.values[node] = Ref(node.name)

    def _keeps_dtype(self, node: Any) -> bool:
        source = node.args[0].meta.get("val")
        return isinstance(source, Tensor) and source.dtype == node.meta["val"].dtype

    def _shape(self, node: Any, other: Any) -> tuple[Any, ...]:
        shapes = zip(node.meta["val"].shape, other.meta["val"].shape, strict=True)
        return tuple(self._merged(int(a), int(b)) for a, b in shapes)

    def _merged(self, a: Any, b: Any) -> Any:
        """The argument that two recordings have in common."""
        if isinstance(a, torch.fx.Node):
            return self.values[a]
        if isinstance(a, (list, tuple)):
            if len(a) != len(b):
                raise self._error("combines a number of tensors that depends on the number of rows")
            return [self._merged(x, y) for x, y in zip(a, b, strict=True)]
        if isinstance(a, int) and not isinstance(a, bool) and a != b:
            factor, rest = divmod(b - a, _N_ROWS[1] - _N_ROWS[0])
            if rest:
                raise self._error(f"uses a size of {a} for {_N_ROWS[0]} rows and of {b} for {_N_ROWS[1]}")
            return BatchSize(factor, a - factor * _N_ROWS[0])
        if a != b and not (a != a and b != b):
            raise self._error(f"uses the number {a!r} for {_N_ROWS[0]} rows and {b!r} for {_N_ROWS[1]}")
        return a

    def _dtype(self, dtype: torch.dtype, what: str) -> str:
        name = str(dtype).removeprefix("torch.")
        if name not in _DTYPES:
            fix = f"Exported are {', '.join(_DTYPES)}: call .float() on the module before fit"
            raise self._error(f"computes in {dtype} ({what})", fix)
        return name

    def _error(self, what: str, fix: str = "Make each row's prediction a function of that row alone") -> ValueError:
        return ValueError(f"module: {self.name} {what}, which cannot be exported. {fix}.")


def _tensor_of(program: Any, name: str) -> Tensor | None:
    """The parameter, buffer or constant that a placeholder stands for; None for an input."""
    target = {spec.arg.name: spec.target for spec in program.graph_signature.input_specs}.get(name)
    return None if target is None else {**program.constants, **program.state_dict}[target]


def _operation_name(node: Any) -> str:
    is_item = getattr(node.target, "__name__", "") == "getitem"
    return "getitem" if is_item else str(node.target).removeprefix("aten.")


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
    return {name: value for name, value in named.items() if name not in _IGNORED}


def _origin(node: Any) -> str:
    """The innermost layer that a node comes from, for messages."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "forward"
    path, kind = stack[-1]
    kind = kind if isinstance(kind, str) else kind.__name__
    # The modules around the one that the user gave are ours.
    path = "" if path == "network" else str(path).removeprefix("network.").removeprefix("network.")
    return f"layer {path!r} ({kind.rpartition('.')[2]})" if path else kind.rpartition(".")[2]
