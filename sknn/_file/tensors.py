"""Tensors <-> bytes of the safetensors format, which consists of names, dtypes, shapes and numbers only."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .._optional import optional_import
from ..exceptions import DamagedFileError

__all__ = ["read_tensors", "write_tensors"]


def _safetensors(asked_by: str) -> Any:
    return optional_import("safetensors.torch", asked_by=asked_by, extra="files")


def write_tensors(tensors: dict[str, Tensor]) -> bytes:
    """Return bytes of the tensors, each with memory of its own, in the order of their names."""
    copies = {name: tensors[name].detach().cpu().contiguous().clone() for name in sorted(tensors)}
    return _safetensors("sknn.save").save(copies)


def read_tensors(data: bytes) -> dict[str, Tensor]:
    """Return the tensors; safetensors compares shapes, dtypes and offsets with the number of bytes."""
    module = _safetensors("sknn.load")
    try:
        return {name: tensor.clone() for name, tensor in module.load(data).items()}
    except Exception as error:  # its own error, and several others
        raise DamagedFileError(f"the tensors are damaged: {type(error).__name__}: {error}.") from error
