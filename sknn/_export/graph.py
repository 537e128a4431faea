"""What a network computes, as a list of operations that any library can carry out."""

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
    "as_json",
    "fold_constants",
    "references",
    "without_dead_nodes",
]

# A folded constant may be so many times larger than what it is made of; small ones always may.
_MAX_GROWTH, _ALWAYS_FOLDED = 1.5, 4096


@dataclass(frozen=True)
class Ref:
    """A value of the graph: an input, a constant, or what a node computes."""

    name: str


@dataclass(frozen=True)
class BatchSize:
    """An integer that follows the number of rows: ``factor * n_rows + offset``."""

    factor: int
    offset: int


@dataclass(frozen=True)
class Dtype:
    """A dtype, by numpy's name."""

    name: str


@dataclass
class Node:
    """One operation of ATen.

    Attributes
    ----------
    op : str
        Name with overload, such as ``"add.Tensor"``.
    args : dict
        By the names of ATen's schema: numbers, strings, None, `Ref`, `BatchSize`, `Dtype`, and lists of these.
    out : str
        Name of the value.
    dtype : str or None
        Of the value; None where it is a tuple.
    ndim : int
        Number of dimensions of the value.
    origin : str
        The layer that asked for it, for messages.
    """

    op: str
    args: dict[str, Any]
    out: str
    dtype: str | None
    ndim: int
    origin: str


@dataclass
class Graph:
    """Operations in the order in which they are carried out.

    Attributes
    ----------
    inputs : dict
        Name -> dtype; the first dimension is the batch.
    constants : dict
        Name -> ndarray.
    nodes : list of Node
    output : str
        Name of the result.
    shapes : dict
        Name -> shape of every value that is one array: integers and `BatchSize`.
    """

    inputs: dict[str, str]
    constants: dict[str, np.ndarray]
    nodes: list[Node]
    output: str
    shapes: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def widest(self) -> int:
        """Numbers a row of the largest value that follows the number of rows."""
        sizes = [_factor(self.shapes[node.out]) for node in self.nodes if node.out in self.shapes]
        return max([1, *sizes])


def _factor(shape: tuple[Any, ...]) -> int:
    """Numbers a row in a value of this shape."""
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
    """The graph without values that nobody reads."""
    needed, nodes = {graph.output}, []
    for node in reversed(graph.nodes):
        if node.out in needed:
            needed.update(references(node.args))
            nodes.append(node)
    constants = {name: value for name, value in graph.constants.items() if name in needed}
    return Graph(graph.inputs, constants, nodes[::-1], graph.output, graph.shapes)


def fold_constants(graph: Graph, compute: Callable[[Node, dict[str, Any]], Any]) -> Graph:
    """The graph with those operations done that no input of a row enters.

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
    return without_dead_nodes(Graph(graph.inputs, constants, nodes, graph.output, graph.shapes))


def as_json(arg: Any) -> Any:
    """An argument in JSON: ``{"value": name}``, ``{"rows": [factor, offset]}``, ``{"dtype": name}``, or itself."""
    if isinstance(arg, Ref):
        return {"value": arg.name}
    if isinstance(arg, BatchSize):
        return {"rows": [arg.factor, arg.offset]}
    if isinstance(arg, Dtype):
        return {"dtype": arg.name}
    if isinstance(arg, list):
        return [as_json(item) for item in arg]
    return arg
