"""Comparison of a recorded graph with the estimator that it was recorded from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .._data.inputs import Inputs
from .._data.table_inputs import TableInputs
from .computation import Computation, module_name
from .graph import Graph, node_as_json
from .numpy.network import compute

__all__ = ["verify"]

_N_ROWS = 7  # another number of rows than those of the recordings
_TOLERANCE = 1e-4
_TOLERANCE_OF_NEIGHBOURS = 1e-5  # same number of rows, same operations of the same library


def verify(graph: Graph, estimator: Any, row_shape: list[int]) -> None:
    """Raise a ValueError if the graph predicts something else than the estimator, or a row by the other rows.

    A recording follows the branches that its example takes. A module that branches on the values is found here.
    """
    name, inputs = module_name(estimator.net_), estimator._inputs
    rows = _random_rows(inputs, row_shape)
    nodes = [node_as_json(node) for node in graph.nodes]

    def predicted(batch: dict[str, np.ndarray]) -> np.ndarray:
        return compute(nodes, {**graph.constants, **batch}, graph.output)

    try:
        found = predicted(rows)
    except (NotImplementedError, TypeError) as error:
        raise ValueError(f"module: {name} uses an operation in a form that cannot be exported: {error}.") from error
    with torch.inference_mode():
        tensors = [torch.from_numpy(rows["numeric"])]
        if inputs.cardinalities:
            tensors.append(torch.from_numpy(rows["codes"]))
        expected = Computation(estimator.net_, inputs)(*tensors).numpy()
    scale = max(1.0, float(np.abs(expected).max()))
    if found.shape != expected.shape or not np.allclose(found, expected, rtol=0, atol=_TOLERANCE * scale):
        raise ValueError(
            "module: its recording predicts something else than the module itself, so it was not exported. Its forward "
            "must not depend on other rows, on state that it changes, on random numbers or, by Python's if, on the "
            "values of its input."
        )
    n = _N_ROWS // 2
    others = {
        "numeric": np.concatenate([rows["numeric"][:n], 5 * rows["numeric"][n:]]),
        "codes": np.concatenate([rows["codes"][:n], rows["codes"][: _N_ROWS - n]]),
    }
    fewer = {key: value[:n] for key, value in rows.items()}
    for batch, tolerance in ((others, _TOLERANCE_OF_NEIGHBOURS), (fewer, _TOLERANCE)):
        change = float(np.abs(predicted(batch)[:n] - found[:n]).max())
        if change > tolerance * scale:
            raise ValueError(
                f"module: {name} predicts a row by the other rows of the batch, which cannot be exported: a prediction "
                f"changed by {change:.2g} when other rows were given with it. In evaluation mode it must treat rows "
                "one by one, as predict expects, too: no mean, norm, sort or attention along the batch. BatchNorm with "
                "running statistics does."
            )


def _random_rows(inputs: Inputs, row_shape: list[int]) -> dict[str, np.ndarray]:
    """Rows of about the scale of the training table, under the names of the inputs of the graph."""
    random = np.random.default_rng(0)
    numeric = random.standard_normal((_N_ROWS, *row_shape)).astype(np.float32).astype(np.float64)
    if isinstance(inputs, TableInputs):
        center, scale = (buffer.cpu().numpy() for buffer in (inputs.encoder.center, inputs.encoder.scale))
        numeric = center + numeric / np.where(scale > 0, scale, 1.0)
    cardinalities = np.array(inputs.cardinalities, dtype=np.int64)
    return {"numeric": numeric, "codes": random.integers(0, cardinalities, (_N_ROWS, len(cardinalities)))}
