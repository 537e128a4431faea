"""Compare the predictions of a loaded network for the probe rows with those of the saved one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..exceptions import DamagedFileError, ReproductionError
from .json import check_keys, expect
from .other_versions import compared
from .probe import answers, differ, read_rows
from .values.reader_writer import ValueReader, ValueWriter

__all__ = ["CPU", "OTHER_DEVICE", "check_answers", "move", "write_answers"]

CPU = torch.device("cpu")
_ANSWERS = ("raw", "values")
OTHER_DEVICE = 100.0  # factor of the tolerance: a GPU rounds the products of convolutions to 10 bits


def write_answers(found: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """Return JSON for the raw prediction and the link output."""
    writer = ValueWriter()
    return {name: writer.write(tensor.numpy(), "probe") for name, tensor in zip(_ANSWERS, found, strict=True)}


def check_answers(
    value: Any, net: Any, inputs: Any, reader: ValueReader, versions: dict[str, Any], device: torch.device
) -> None:
    """Predict the probe rows again, on the CPU and then on `device`; raise a ReproductionError if they differ."""
    rows = read_rows(inputs, reader)
    check_keys(value, set(_ANSWERS), "probe")
    expected = [_read_answer(reader.read(value[name], "probe")) for name in _ANSWERS]
    for place in dict.fromkeys((CPU, device)):
        move(net, place)
        looseness = 1.0 if place == CPU else OTHER_DEVICE
        try:
            found = answers(net, inputs, rows)
        except Exception as error:
            raise DamagedFileError(
                f"the network fails on the rows of the file: {type(error).__name__}: {error}"
            ) from error
        differences = [differ(a, b, looseness) for a, b in zip(expected, found, strict=True)]
        worst = max((d for d in differences if d is not None), default=None)
        if worst is not None:
            raise ReproductionError(_reproduction_message(worst, versions, place))


def _read_answer(value: Any) -> Tensor:
    if expect(value, np.ndarray, "probe").dtype != np.float32 or value.ndim != 2:
        raise DamagedFileError("probe: expected predictions as a float32 array of two dimensions.")
    return torch.from_numpy(value)


def _reproduction_message(worst: float, versions: dict[str, Any], device: torch.device) -> str:
    return (
        "the model does not predict what it predicted when it was saved: predictions of the probe rows differ by up to "
        f"{worst:.3g} on {device}. {compared(versions)} If the versions are the same, the file was changed."
    )


def move(net: Any, device: torch.device) -> None:
    """Put a net on a device."""
    if str(device) == net.device:
        return
    net.module_.to(device)
    net.criterion_.to(device)
    net.device = str(device)
