"""Tensors <-> bytes of the safetensors format, which consists of names, dtypes, shapes and numbers only."""

from __future__ import annotations

from torch import Tensor

from .._optional import optional_import
from .checks import damaged_if_it_fails

__all__ = ["read_tensors", "write_tensors"]


def write_tensors(tensors: dict[str, Tensor]) -> bytes:
    """Return bytes of the tensors, each with memory of its own, in the order of their names."""
    safetensors = optional_import("safetensors.torch", asked_by="sknn.save", extra="files")
    return safetensors.save({name: tensors[name].detach().cpu().contiguous().clone() for name in sorted(tensors)})


def read_tensors(data: bytes) -> dict[str, Tensor]:
    """Return the tensors; safetensors compares shapes, dtypes and offsets with the number of bytes."""
    safetensors = optional_import("safetensors.torch", asked_by="sknn.load", extra="files")
    with damaged_if_it_fails("the tensors are damaged", "."):
        return {name: tensor.clone() for name, tensor in safetensors.load(data).items()}
