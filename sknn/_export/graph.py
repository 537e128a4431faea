"""The operations of a network as a list that any library can carry out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .numpy.network import compute_node

__all__ = ["BatchSize", "Graph", "Node", "Ref", "fold_constants", "node_as_json", "without_dead_nodes"]

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


@dataclass
class Node:
    """One operation of ATen."""

    op: str  # name with overload, such as "add.Tensor"
    args: dict[str, Any]  # name in ATen's schema -> number, string, None, Ref, BatchSize, or a list of these
    out: str  # name of the result
    dtype: str | None  # dtype of the result; None if it is a tuple
    origin: str  # the layer that the operation comes from, for messages


@dataclass
class Graph:
    """Operations in the order in which they are carried out."""

    constants: dict[str, np.ndarray]
    nodes: list[Node]
    output: str  # name of the result
    shapes: dict[str, tuple[Any, ...]] = field(default_factory=dict)  # of each value that is one array

    @property
    def widest(self) -> int:
        """Numbers per row of the largest value whose size depends on the number of rows."""
        return max([1, *(_factor(self.shapes[node.out]) for node in self.nodes if node.out in self.shapes)])


def _factor(shape: tuple[Any, ...]) -> int:
    """Numbers per row in a value of this shape; 0 if its size does not depend on the number of rows."""
    sizes = [abs(size.factor) if isinstance(size, BatchSize) else size for size in shape]
    return math.prod(sizes) if any(isinstance(size, BatchSize) for size in shape) else 0


def _leaves(arg: Any) -> Iterator[Any]:
    """The items of an argument, and those of lists in it."""
    if isinstance(arg, list):
        for item in arg:
            yield from _leaves(item)
    else:
        yield arg


def _references(node: Node) -> list[str]:
    """Names of the values that a node reads."""
    return [leaf.name for leaf in _leaves(list(node.args.values())) if isinstance(leaf, Ref)]


def without_dead_nodes(graph: Graph) -> Graph:
    """The graph without values that no node reads."""
    needed, nodes = {graph.output}, []
    for node in reversed(graph.nodes):
        if node.out in needed:
            needed.update(_references(node))
            nodes.append(node)
    constants = {name: value for name, value in graph.constants.items() if name in needed}
    return replace(graph, constants=constants, nodes=nodes[::-1])


def fold_constants(graph: Graph) -> Graph:
    """The graph with those operations carried out that do not depend on any input."""
    values: dict[str, Any] = dict(graph.constants)
    constants, nodes = dict(graph.constants), []
    for node in graph.nodes:
        names = _references(node)
        follows_batch = any(isinstance(leaf, BatchSize) for leaf in _leaves(list(node.args.values())))
        if not follows_batch and all(name in values for name in names):
            value = compute_node(node_as_json(node), values, 0)
            size = sum(np.size(values[name]) for name in names)
            if isinstance(value, tuple) or np.size(value) <= max(_ALWAYS_FOLDED, _MAX_GROWTH * size):
                values[node.out] = value
                if isinstance(value, np.ndarray):
                    constants[node.out] = value
                    continue
        nodes.append(node)
    return without_dead_nodes(replace(graph, constants=constants, nodes=nodes))


def _as_json(arg: Any) -> Any:
    """An argument for JSON: ``{"value": name}``, ``{"rows": [factor, offset]}``, a list, or itself."""
    if isinstance(arg, Ref):
        return {"value": arg.name}
    if isinstance(arg, BatchSize):
        return {"rows": [arg.factor, arg.offset]}
    return [_as_json(item) for item in arg] if isinstance(arg, list) else arg


def node_as_json(node: Node) -> dict[str, Any]:
    """A node in the form that the predictor reads."""
    args = {name: _as_json(arg) for name, arg in node.args.items()}
    return {"op": node.op, "args": args, "out": node.out, "dtype": node.dtype}
