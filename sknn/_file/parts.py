"""Parts of a file: strict JSON (no NaN, no duplicate names, limited depth), and tensors as safetensors writes them."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

from torch import Tensor

from .._optional import optional_import
from ..exceptions import DamagedFileError, UntrustedFileError
from .checks import damaged_if_it_fails

__all__ = ["read_json", "read_tensors", "write_json", "write_tensors"]

_MAX_DEPTH = 100  # deeper than any parameter is nested, and far from the recursion limit
_MAX_DIGITS = 4000
_MAX_BYTES = 512 * 2**20  # a list in memory takes up to 30 times its text


def write_json(value: Any, *, sort_names: bool = True) -> bytes:
    """Return JSON with sorted names, ASCII only, so that the same value gives the same bytes."""
    return json.dumps(value, sort_keys=sort_names, allow_nan=False, separators=(",", ":")).encode("ascii")


def read_json(data: bytes, what: str, max_depth: int = _MAX_DEPTH) -> Any:
    """Return the value of JSON without duplicate names and non-finite numbers; `what` names it in messages."""
    if len(data) > _MAX_BYTES:
        raise UntrustedFileError(f"{what} has {len(data)} bytes of JSON; at most {_MAX_BYTES} were expected.")
    if _depth(data) > max_depth:
        raise UntrustedFileError(f"{what} is nested deeper than the {max_depth} levels that a model may have.")
    try:
        text = data.decode("ascii")
        return json.loads(
            text, parse_constant=_finite, parse_float=_finite, parse_int=_whole, object_pairs_hook=_without_doubles
        )
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{what} is not valid JSON: {error}.") from error


def _depth(data: bytes) -> int:
    """Return the deepest nesting of brackets outside of strings."""
    outside = data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    brackets = b"".join(outside).translate(None, delete=_NO_BRACKETS)
    return max(itertools.accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0)


_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:80]} is not a finite number")
    return value


def _whole(text: str) -> int:
    if len(text) > _MAX_DIGITS:  # reading it takes quadratic time
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def write_tensors(tensors: dict[str, Tensor]) -> bytes:
    """Return bytes of the tensors, each with memory of its own, in the order of their names."""
    safetensors = optional_import("safetensors.torch", asked_by="sknn.save", extra="files")
    return safetensors.save({name: tensors[name].detach().cpu().contiguous().clone() for name in sorted(tensors)})


def read_tensors(data: bytes) -> dict[str, Tensor]:
    """Return the tensors; safetensors compares shapes, dtypes and offsets with the number of bytes."""
    safetensors = optional_import("safetensors.torch", asked_by="sknn.load", extra="files")
    with damaged_if_it_fails("the tensors are damaged", "."):
        return {name: tensor.clone() for name, tensor in safetensors.load(data).items()}
