"""Probe rows: artificial rows, for which a loaded network must predict what the saved one predicted.

They are drawn from the learned statistics of the columns, never taken from the data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from .._data.array_inputs import ArrayInputs
from .._data.columns import Texts
from .._data.inputs import Inputs, RawRows
from .._data.ranking_inputs import RankingInputs, RankingRows
from .._data.table_inputs import TableInputs, TableRows
from .._estimator.prediction import prediction_of_rows
from ..exceptions import DamagedFileError, ReproductionError
from .checks import check_keys, damaged_if_it_fails, expect
from .other_versions import compared
from .values.reader_writer import ValueReader, ValueWriter

__all__ = [
    "CPU", "check_answers", "largest_difference", "make_rows", "move", "n_probe_rows", "predict_rows", "write_answers",
]  # fmt: skip

_N_ROWS, _N_ROWS_OF_LARGE = 16, 4
_LARGE = 10_000  # numbers of a row
_N_STORED = 32  # non-zero numbers of a sparse row
_SHARE_MISSING = 0.1
# Processors and versions of torch add in different orders; two different models differ by far more.
_RELATIVE, _ABSOLUTE = 1e-4, 1e-5
_NOISE = 1e-6  # rounding of hidden units of about 1; outputs may be smaller
_OTHER_DEVICE = 100.0  # factor of the tolerance: a GPU rounds the products of convolutions to 10 bits
_ANSWERS = ("raw", "values")
# For columns of texts; which n-grams were learned is not in the file, only their hashes.
_TEXTS = [
    "The quick brown fox jumps over the lazy dog.", "and this is what they have been waiting for: 42 of 100", "",
    "Der Preis ist nicht zu hoch, sagt die Frau.", "les enfants ne sont pas dans la maison", "not good",
    "el tren que sale con una hora de retraso", "order 2024-12-31, $19.99 each, free shipping!",
    "\u044d\u0442\u043e \u043d\u0435 \u0434\u043b\u044f \u043c\u0435\u043d\u044f",
    "\u8fd9\u4e0d\u662f\u4e00\u672c\u4e66\u3002", "senior engineer for the water works",
]  # fmt: skip
CPU = torch.device("cpu")


def make_rows(inputs: Inputs) -> list[dict[str, Tensor]]:
    """Return sets of rows to try, as tensors for the file; not every network accepts every set."""
    draw = np.random.RandomState(0)
    if isinstance(inputs, RankingInputs):
        return make_rows(inputs.table)
    if isinstance(inputs, TableInputs):
        return [_table_rows(inputs, draw)]
    if inputs.kind == "sparse":
        return [_sparse_rows(inputs, draw)]
    if not isinstance(inputs, ArrayInputs):
        return [{}]  # made anew from what was learned
    shape = (n_probe_rows(inputs), *inputs.row_shape)
    normal = torch.from_numpy(draw.standard_normal(shape).astype(np.float32))
    if inputs.rescaling is not None:
        center, spread = inputs.rescaling
        normal = center + normal * torch.where(torch.isinf(spread), 0.0, spread)
    if inputs.codes:
        return [{"probe.numbers": torch.from_numpy(draw.randint(0, 2, shape))}]
    # Networks with a vocabulary accept small whole numbers only.
    return [{"probe.numbers": x} for x in (normal, torch.from_numpy(draw.randint(0, 2, shape)).float())]


def n_probe_rows(inputs: Inputs) -> int:
    """Return how many rows `make_rows` makes at most."""
    return _N_ROWS_OF_LARGE if math.prod(inputs.row_shape) > _LARGE else _N_ROWS


def _table_rows(inputs: TableInputs, draw: np.random.RandomState) -> dict[str, Tensor]:
    encoder = inputs.encoder
    d = len(inputs.reader.numeric)
    center, scale = encoder.center[:d].cpu().numpy(), encoder.scale[:d].cpu().numpy()
    z = 1.5 * draw.standard_normal((_N_ROWS, len(center)))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        numbers = center + np.where(scale > 0, z / scale, 0.0)
    numbers = np.nan_to_num(numbers, nan=0.0, posinf=1e300, neginf=-1e300)
    numbers[draw.random_sample(numbers.shape) < _SHARE_MISSING] = np.nan
    codes = [draw.randint(0, cardinality, _N_ROWS) for cardinality in inputs.cardinalities]
    for i, j in zip(*inputs.reader.both, strict=True):
        known = inputs.reader.columns[inputs.reader.numeric[i]].known_numbers
        numbers[:, i] = np.where(codes[j] > 0, np.concatenate([known, [np.nan]])[codes[j] - 1], numbers[:, i])
    stacked = np.stack(codes, axis=1) if codes else np.empty((_N_ROWS, 0))
    return {"probe.numbers": torch.from_numpy(numbers), "probe.codes": torch.from_numpy(stacked.astype(np.int64))}


def _sparse_rows(inputs: Inputs, draw: np.random.RandomState) -> dict[str, Tensor]:
    (d,) = inputs.row_shape
    n = min(d, _N_STORED)
    columns = np.stack([np.sort(draw.choice(d, n, replace=False)) for _ in range(_N_ROWS)])
    values = draw.standard_normal((_N_ROWS, n))
    if inputs.encoder is not None:
        scale = inputs.encoder.scale.cpu().numpy()[columns]
        values = np.divide(values, scale, out=np.zeros_like(values), where=scale > 1e-30)
    values = np.clip(values, -1e30, 1e30).astype(np.float32)
    columns = columns.astype(np.int64) if inputs.used is None else inputs.used[columns]
    return {"probe.numbers": torch.from_numpy(values), "probe.columns": torch.from_numpy(columns)}


def _read_rows(inputs: Inputs, reader: ValueReader) -> dict[str, Tensor]:
    """Return the rows of a file, if they match these inputs."""
    inputs = inputs.table if isinstance(inputs, RankingInputs) else inputs
    named = {"table": ("numbers", "codes"), "sparse": ("numbers", "columns"), "array": ("numbers",)}
    if inputs.kind not in named:
        return {}
    names = named[inputs.kind]
    rows = {f"probe.{name}": reader.tensor(f"probe.{name}", "probe") for name in names}
    numbers, *others = rows.values()
    width, dtype, limits = numbers.shape[1:2], torch.float32, torch.tensor(inputs.cardinalities, dtype=torch.int64)
    if isinstance(inputs, TableInputs):
        width, dtype = torch.Size([len(inputs.reader.numeric)]), torch.float64
    elif isinstance(inputs, ArrayInputs):
        width, dtype = torch.Size(inputs.row_shape), torch.int64 if inputs.codes else torch.float32
    else:
        limits = torch.full(width, inputs.given_shape[0], dtype=torch.int64)
    n_rows = len(numbers) if numbers.ndim else 0
    fits = 0 < n_rows <= _N_ROWS and numbers.shape[1:] == width and numbers.dtype == dtype
    for indices in others:  # of categories, or of columns
        fits = fits and indices.dtype == torch.int64 and indices.shape == (n_rows, *limits.shape)
        fits = fits and bool(((indices >= 0) & (indices < limits)).all())
    if not fits or (dtype == torch.float64 and bool(torch.isinf(numbers).any())):
        raise DamagedFileError("probe: the rows do not match the columns in shape, dtype or categories.")
    return rows


def predict_rows(net: Any, inputs: Inputs, rows: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return raw prediction (n_rows, out_features) and link output (n_rows, n_values) for such rows, both float32."""
    with torch.inference_mode():
        raw = prediction_of_rows(net, inputs, _raw_rows(inputs, rows))
        values = net.criterion_.inverse_link(raw)
    return raw.clone(), values.float().clone()


def _raw_rows(inputs: Inputs, rows: dict[str, Tensor]) -> RawRows:
    """Return the rows as they are after reading."""
    if isinstance(inputs, RankingInputs):
        rows_of_table = _raw_rows(inputs.table, rows)
        assert isinstance(rows_of_table, TableRows)
        return RankingRows(rows_of_table, np.arange(len(rows_of_table)) // 5)
    if not rows:
        return inputs.read(inputs.prepare(inputs.probe_rows(np.random.RandomState(0))))
    numbers = rows["probe.numbers"].numpy()
    if inputs.kind == "array":
        return inputs.read(numbers)
    if inputs.kind == "sparse":
        columns = rows["probe.columns"].numpy()
        starts = np.arange(len(columns) + 1) * columns.shape[1]
        shape = (len(columns), *inputs.given_shape)
        return inputs.read(sparse.csr_array((numbers.ravel(), columns.ravel(), starts), shape=shape))
    assert isinstance(inputs, TableInputs)
    contents: list[Any] = [None] * len(inputs.reader.columns)
    for i, position in enumerate(inputs.reader.numeric):
        contents[position] = numbers[:, i]
    for i, position in enumerate(inputs.reader.categorical):
        if contents[position] is None:  # else the codes follow from the numbers
            contents[position] = rows["probe.codes"][:, i].numpy()
    for i, position in enumerate(inputs.reader.texts):
        contents[position] = Texts(_TEXTS, (np.arange(len(numbers)) + i) % len(_TEXTS), contents[position])
    return TableRows(inputs.reader, contents)


def write_answers(found: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """Return JSON for the raw prediction and the link output."""
    writer = ValueWriter()
    return {name: writer.write(tensor.numpy(), "probe") for name, tensor in zip(_ANSWERS, found, strict=True)}


def check_answers(
    value: Any, net: Any, inputs: Inputs, reader: ValueReader, versions: dict[str, Any], device: torch.device
) -> None:
    """Predict the probe rows again, on the CPU and then on `device`; raise a ReproductionError if they differ."""
    rows = _read_rows(inputs, reader)
    check_keys(value, set(_ANSWERS), "probe")
    arrays = [expect(reader.read(value[name], "probe"), np.ndarray, "probe") for name in _ANSWERS]
    if any(array.dtype != np.float32 or array.ndim != 2 for array in arrays):
        raise DamagedFileError("probe: expected predictions as float32 arrays of two dimensions.")
    expected = [torch.from_numpy(array) for array in arrays]
    for place in dict.fromkeys((CPU, device)):
        move(net, place)
        with damaged_if_it_fails("the network fails on the rows of the file"):
            found = predict_rows(net, inputs, rows)
            worst = largest_difference(expected, found, place)
        if worst is not None:
            raise ReproductionError(
                "the model does not predict what it predicted when it was saved: predictions of the probe rows differ "
                f"by up to {worst:.3g} on {place}. {compared(versions)} If the versions are the same, the file was "
                "changed."
            )


def largest_difference(expected: Sequence[Tensor], found: Sequence[Tensor], device: torch.device) -> float | None:
    """Return the largest difference beyond the tolerance of a CPU and this device; None if there is none."""
    looseness = 1.0 if device.type == "cpu" else _OTHER_DEVICE
    differences = [_differ(a, b, looseness) for a, b in zip(expected, found, strict=True)]
    return max((difference for difference in differences if difference is not None), default=None)


def _differ(expected: Tensor, found: Tensor, looseness: float) -> float | None:
    """Return the largest difference beyond the tolerance; NaN equals NaN."""
    if expected.shape != found.shape:
        return math.inf
    expected, found = expected.double(), found.double()
    finite = expected[torch.isfinite(expected)].abs()
    scale = float(finite.max()) if len(finite) else 0.0
    atol = looseness * (_ABSOLUTE * scale + _NOISE)
    if torch.allclose(expected, found, rtol=looseness * _RELATIVE, atol=atol, equal_nan=True):
        return None
    difference = (expected - found).abs()
    difference[torch.isnan(expected) & torch.isnan(found)] = 0.0
    return float(torch.nan_to_num(difference, nan=math.inf, posinf=math.inf).max())


def move(net: Any, device: torch.device) -> None:
    """Put a net on a device."""
    if str(device) == net.device:
        return
    net.module_.to(device)
    net.criterion_.to(device)
    net.device = str(device)
