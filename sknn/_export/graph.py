"""The operations of a network as a list that any library can carry out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = [
    "BatchSize",
    "Dtype",
    "Graph",
    "Node",
    "Ref",
    "fold_constants",
    "node_as_json",
    "references",
    "without_dead_nodes",
]

# A folded constant may be this many times larger than what it is computed from. Small ones are always folded.
_MAX_GROWTH, _ALWAYS_FOLDED = 1.5, 4096


@dataclass(frozen=True)
class Ref:
    """A value of the graph: an input, a constant, or the result of a node."""

    name: str


@dataclass(frozen=True)
class BatchSize:
    """An integer that depends on the number of rows: ``factor * n_rows + offset``."""

    factor: int
    offset: int


@dataclass(frozen=True)
class Dtype:
    """A dtype, by the name that numpy gives it."""

    name: str


@dataclass
class Node:
    """One operation of ATen.

    Attributes
    ----------
    op : str
        Name with overload, such as ``"add.Tensor"``.
    args : dict
        Name in the schema of ATen -> number, string, None, `Ref`, `BatchSize`, `Dtype`, or a list of these.
    out : str
        Name of the result.
    dtype : str or None
        Dtype of the result; None if it is a tuple.
    origin : str
        The layer that the operation comes from, for messages.
    """

    op: str
    args: dict[str, Any]
    out: str
    dtype: str | None
    origin: str


@dataclass
class Graph:
    """Operations in the order in which they are carried out.

    Attributes
    ----------
    constants : dict
        Name -> ndarray.
    nodes : list of Node
    output : str
        Name of the result.
    shapes : dict
        Name -> shape of every value that is one array: integers and `BatchSize`.
    """

    constants: dict[str, np.ndarray]
    nodes: list[Node]
    output: str
    shapes: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def widest(self) -> int:
        """Numbers per row of the largest value whose size depends on the number of rows."""
        sizes = [_factor(self.shapes[node.out]) for node in self.nodes if node.out in self.shapes]
        return max([1, *sizes])


def _factor(shape: tuple[Any, ...]) -> int:
    """Numbers per row in a value of this shape; 0 if its size does not depend on the number of rows."""
    sizes = [abs(size.factor) if isinstance(size, BatchSize) else size for size in shape]
    return math.prod(sizes) if any(isinstance(size, BatchSize) for size in shape) else 0


def references(arg: Any) -> list[str]:
    """Names of the values that an argument refers to."""
    if isinstance(arg, Ref):
        return [arg.name]
    if isinstance(arg, dict):
        arg = list(arg.values())
    return [name for item in arg for name in references(item)] if isinstance(arg, list) else []


def _follows_batch(arg: Any) -> bool:
    if isinstance(arg, dict):
        arg = list(arg.values())
    return any(map(_follows_batch, arg)) if isinstance(arg, list) else isinstance(arg, BatchSize)


def without_dead_nodes(graph: Graph) -> Graph:
    """The graph without values that no node reads."""
    needed, nodes = {graph.output}, []
    for node in reversed(graph.nodes):
        if node.out in needed:
            needed.update(references(node.args))
            nodes.append(node)
    constants = {name: value for name, value in graph.constants.items() if name in needed}
    return Graph(constants, nodes[::-1], graph.output, graph.shapes)


def fold_constants(graph: Graph, compute: Callable[[Node, dict[str, Any]], Any]) -> Graph:
    """The graph with those operations carried out that do not depend on any input.

    Parameters
    ----------
    graph : Graph
    compute : callable
        ``compute(node, values)`` carries out one operation.
    """
    values: dict[str, Any] = dict(graph.constants)
    constants, nodes = dict(graph.constants), []
    for node in graph.nodes:
        names = references(node.args)
        if not _follows_batch(node.args) and all(name in values for name in names):
            value = compute(node, values)
            size = sum(np.size(values[name]) for name in names)
            if isinstance(value, tuple) or np.size(value) <= max(_ALWAYS_FOLDED, _MAX_GROWTH * size):
                values[node.out] = value
                if isinstance(value, np.ndarray):
                    constants[node.out] = value
                    continue
        nodes.append(node)
    return without_dead_nodes(Graph(constants, nodes, graph.output, graph.shapes))


def _as_json(arg: Any) -> Any:
    """An argument for JSON: ``{"value": name}``, ``{"rows": [factor, offset]}``, ``{"dtype": name}``, or itself."""
    if isinstance(arg, Ref):
        return {"value": arg.name}
    if isinstance(arg, BatchSize):
        return {"rows": [arg.factor, arg.offset]}
    if isinstance(arg, Dtype):
        return {"dtype": arg.name}
    if isinstance(arg, list):
        return [_as_json(item) for item in arg]
    return arg


def node_as_json(node: Node) -> dict[str, Any]:
    """A node in the form that the predictor reads."""
    args = {name: _as_json(arg) for name, arg in node.args.items()}
    return {"op": node.op, "args": args, "out": node.out, "dtype": node.dtype}
