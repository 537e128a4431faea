"""A loaded network is asked what the saved one was asked, on the CPU and where it goes."""

from __future__ import annotations

from typing import Any

import torch

from ..exceptions import DamagedFileError, ReproductionError
from ._probe import answers, differ, read_rows
from ._values import ValueReader
from ._versions import compared

__all__ = ["CPU", "OTHER_DEVICE", "check_answers", "move"]

CPU = torch.device("cpu")
OTHER_DEVICE = 100.0  # times the tolerance: a GPU rounds the products of convolutions to 10 bits


def check_answers(net: Any, inputs: Any, reader: ValueReader, versions: dict[str, Any], device: torch.device) -> None:
    """Ask the rows again, on the CPU and where the network goes."""
    rows = read_rows(inputs, reader)
    expected = [reader.tensor(f"probe.{name}", "probe") for name in ("raw", "values")]
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


def _reproduction_message(worst: float, versions: dict[str, Any], device: torch.device) -> str:
    return (
        f"the model answers otherwise than when it was saved: by up to {worst:.3g} on made-up rows. "
        f"{compared(versions)} It was asked on {device}. If the versions are the same, the file was changed."
    )


def move(net: Any, device: torch.device) -> None:
    if str(device) == net.device:
        return
    net.module_.to(device)
    net.criterion_.to(device)
    net._set(device=str(device))
