"""The recorded operations, carried out one after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .operations import OPERATIONS

_MOST_NUMBERS = 2**28  # in any value: no exported network needs more, so a file that asks for more is damaged


def compute(nodes: list, values: dict, output: str, forget: list | None = None) -> np.ndarray:
    """Carry out the nodes in their order and return the output.

    `values` contains the constants and inputs, and every result is added to it. `forget` lists for each node the names
    that no later node reads, so that their memory can be freed.
    """
    n_rows = len(values["numeric"])
    for i, node in enumerate(nodes):
        values[node["out"]] = compute_node(node, values, n_rows)
        for name in forget[i] if forget else ():
            del values[name]
    return values[output]


def compute_node(node: dict, values: dict, n_rows: int) -> Any:
    """Carry out one node."""
    arguments = {name: _argument(value, values, n_rows) for name, value in node["args"].items()}
    _check_size(node["op"], _numbers_asked_for(arguments))
    with np.errstate(all="ignore"):
        result = operation(node["op"])(**arguments)
    if isinstance(result, (tuple, list)):
        return tuple(result)
    _check_size(node["op"], np.size(result))
    return np.asarray(result) if node["dtype"] is None else np.asarray(result, dtype=node["dtype"])


def _check_size(op, size):
    if size > _MOST_NUMBERS:
        raise ValueError(f"the model asks for an array of {size:.0f} numbers by {op!r}; the file may be damaged.")


def _numbers_asked_for(arguments):
    """Return the size of the result where it follows from arguments that are not arrays, else 0."""
    x = arguments.get("x")
    shape = x.shape if isinstance(x, np.ndarray) else ()
    if isinstance(arguments.get("size"), list):
        return math.prod(max(1, n) for n in arguments["size"])
    if "repeats" in arguments:
        return math.prod(shape) * math.prod(arguments["repeats"])
    if isinstance(arguments.get("pad"), list):
        pads = [*arguments["pad"], *[0] * (2 * len(shape))]
        return math.prod(n + pads[2 * i] + pads[2 * i + 1] for i, n in enumerate(reversed(shape)))
    if "end" in arguments and "x" not in arguments:  # of arange
        return (arguments["end"] - arguments.get("start", 0)) / arguments.get("step", 1)
    return 0


def _argument(argument, values, n_rows):
    if isinstance(argument, list):
        return [_argument(item, values, n_rows) for item in argument]
    if not isinstance(argument, dict):
        return argument
    ((kind, content),) = argument.items()
    if kind == "value":
        return values[content]
    return content[0] * n_rows + content[1]  # {"rows": [factor, offset]}


def last_uses(nodes, output):
    """Return for each node the names that no later node reads, constants and inputs included."""
    later, forget = {output}, []
    for node in reversed(nodes):
        names = set(names_in(list(node["args"].values()))) | {node["out"]}
        forget.append(names - later)
        later |= names
    return forget[::-1]


def names_in(argument):
    if isinstance(argument, dict):
        return [argument["value"]] if "value" in argument else []
    return [name for item in argument for name in names_in(item)] if isinstance(argument, list) else []


def operation(name: str) -> Any:
    """The function of an operation of ATen, or None."""
    return OPERATIONS.get(name.partition(".")[0])
