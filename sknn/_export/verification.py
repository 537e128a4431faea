"""Comparison of a recorded graph with the estimator that it was recorded from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch

from .._data.inputs import Inputs
from .._data.stores import whole_tiles
from .computation import Computation
from .graph import Graph, node_as_json
from .numpy.network import compute
from .rows_to_compare import Rows, rows_to_compare

__all__ = ["verify"]

# The network may take another path for few rows than for many, and predict gives it thousands of rows at once. More
# rows than fit into the memory of `_MOST_NUMBERS` are not tried.
_SMALL, _LARGE = (1, 2, 3, 7, 64, 100), (1000, 4096)
_MOST_NUMBERS = 2**26  # in the widest value of the graph: 256 MB of float32
_N_CHANGED, _N_KEPT = 7, 3  # rows of which some are kept and the others are changed

_TOLERANCE = 1e-4
_TOLERANCE_OF_NEIGHBOURS = 1e-5  # same number of rows, same operations of the same library

Predict = Callable[[Rows], np.ndarray]


def verify(graph: Graph, computation: Computation, inputs: Inputs, row_shape: list[int], name: str) -> None:
    """Raise a ValueError if the graph gives something else than the computation, or a row depends on the other rows.

    These may be those of its query.

    `name` is that of the module. A recording follows the branches that its example takes. A module that branches on
    the values of its input, or on the number of rows, is found here.
    """
    nodes = [node_as_json(node) for node in graph.nodes]

    def recorded(batch: Rows) -> np.ndarray:
        return compute(nodes, {**graph.constants, **batch}, graph.output)

    def original(batch: Rows) -> np.ndarray:
        return _predicted(computation, batch, inputs)

    depends_on_others = computation.is_one_query

    most_rows = max(_N_CHANGED, _MOST_NUMBERS // max(graph.widest, math.prod(row_shape)))
    sizes = sorted({min(n, most_rows) for n in (*_SMALL, *_LARGE)})
    accepted = _accepted(rows_to_compare(inputs, row_shape, sizes[-1]), original, name)
    try:
        for i, rows in enumerate(accepted):
            if not depends_on_others:
                _check_neighbours(recorded, rows, _other_rows(rows, original), name)
            _check_sizes(recorded, original, rows, [n for n in sizes if i == 0 or n <= _SMALL[-1]], name)
    except (NotImplementedError, TypeError) as error:
        raise ValueError(f"module: {name} uses an operation in a form that cannot be exported: {error}.") from error


def _predicted(computation: Computation, batch: Rows, inputs: Inputs) -> np.ndarray:
    """What the module itself computes for a batch, as `predict` gives it: in whole tiles."""
    names = ["numeric", "codes"] if inputs.cardinalities else ["numeric"]
    given = [torch.from_numpy(batch[name]) for name in names]
    if not computation.is_one_query:
        given = [whole_tiles(tensor) for tensor in given]
    with torch.inference_mode():
        return computation(*given).numpy()[: _n_rows(batch)]


def _accepted(groups: Iterable[list[Rows]], original: Predict, name: str) -> list[Rows]:
    """The sets that the module accepts, of the first group that has any."""
    refusal = ""
    for group in groups:
        accepted = []
        for rows in group:
            try:
                original(_first(rows, _N_CHANGED))
            except Exception as error:  # of the user's module
                refusal = refusal or f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            else:
                accepted.append(rows)
        if accepted:
            return accepted
    raise ValueError(
        f"module: {name} refuses all rows by which its recording could be compared with it, random numbers and small "
        f"whole numbers, so it was not exported: {refusal.rstrip('.')}. Let its forward accept these."
    )


def _check_sizes(recorded: Predict, original: Predict, rows: Rows, sizes: list[int], name: str) -> None:
    """Raise if the graph predicts something else than the module for some number of rows."""
    differences = {}
    for n in sizes:
        batch = _first(rows, n)
        found, expected = recorded(batch), original(batch)
        differences[n] = _difference(found, expected)
    wrong = [n for n, difference in differences.items() if not difference <= _TOLERANCE]
    if wrong:
        which = f"{', '.join(map(str, wrong))} rows" + (", whatever their number" if wrong == sizes else "")
        raise ValueError(
            f"module: the recording of {name} predicts something else than the module itself for {which} (the "
            f"predictions differ by {max(differences[n] for n in wrong):.2g}), so it was not exported. Its forward "
            "must not depend on the number of rows, on other rows, on state that it changes, on random numbers or, by "
            "Python's if, on the values of its input."
        )


def _other_rows(rows: Rows, original: Predict) -> Rows:
    """Rows of which the first are kept and the others changed: five times as large if the module accepts that."""
    repeated = {key: np.concatenate([values[:_N_KEPT], values[: _N_CHANGED - _N_KEPT]]) for key, values in rows.items()}
    larger = 5 * rows["numeric"][_N_KEPT:_N_CHANGED]
    enlarged = {**repeated, "numeric": np.concatenate([rows["numeric"][:_N_KEPT], larger])}
    try:
        original(enlarged)
    except Exception:  # of the user's module, outside of its vocabulary
        return repeated
    return enlarged


def _check_neighbours(recorded: Predict, rows: Rows, others: Rows, name: str) -> None:
    """Raise if the prediction of a row depends on the other rows of the batch, on their number or their order."""
    found = recorded(_first(rows, _N_CHANGED))[:_N_KEPT]
    reversed_rows = {key: values[_N_CHANGED - 1 :: -1] for key, values in rows.items()}
    for again, tolerance in (
        (recorded(others), _TOLERANCE_OF_NEIGHBOURS),
        (recorded(_first(rows, _N_KEPT)), _TOLERANCE),
        (recorded(reversed_rows)[::-1], _TOLERANCE),
    ):
        difference = _difference(again[:_N_KEPT], found)
        if not difference <= tolerance:
            raise ValueError(
                f"module: {name} predicts a row by the other rows of the batch, which cannot be exported: a prediction "
                f"changed by {difference:.2g} when other rows were given with it. In evaluation mode it must treat "
                "rows one by one, as predict expects, too: no mean, norm, sort or attention along the batch. BatchNorm "
                "with running statistics does."
            )


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, in units of the largest number if that is above 1; infinity for other shapes."""
    if found.shape != expected.shape:
        return math.inf
    both_nan = np.isnan(found) & np.isnan(expected)
    scale = max(1.0, float(np.nan_to_num(np.abs(expected)).max()))
    with np.errstate(invalid="ignore"):
        difference = np.where((found == expected) | both_nan, 0.0, np.abs(found - expected))
    return float(difference.max()) / scale


def _first(rows: Rows, n: int) -> Rows:
    return {key: values[:n] for key, values in rows.items()}


def _n_rows(batch: Rows) -> int:
    return len(batch["numeric"])
