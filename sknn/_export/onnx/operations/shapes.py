"""Operations that rearrange, join and make tensors."""

from __future__ import annotations

from typing import Any

from ..graph import INT64_MAX
from .call import Call, Emitted, axis_of

__all__ = ["SHAPES"]


def _reshape(c: Call, x: Any, **_: Any) -> Emitted:
    return c.graph.reshape(c(x), c.shape)


def _permute(c: Call, x: Any, dims: list[int]) -> Emitted:
    return c.graph.permute(x.name, [axis_of(d, x) for d in dims])


def _cat(c: Call, tensors: list[Any], dim: int = 0) -> Emitted:
    parts = [t for t in tensors if t.shape != (0,)] or tensors
    return c.op("Concat", *[c(t) for t in parts], axis=axis_of(dim, parts[0]))


def _slice(c: Call, x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Emitted:
    start, end = 0 if start is None else start, INT64_MAX if end is None else end
    return c.graph.slice(x.name, axis_of(dim, x), start, end, step)


def _flip(c: Call, x: Any, dims: list[int]) -> Emitted:
    name = x.name
    for dim in dims:
        name = c.graph.slice(name, axis_of(dim, x), -1, -INT64_MAX, -1)
    return name


def _repeat(c: Call, x: Any, repeats: list[Any]) -> Emitted:
    name = c.graph.reshape(x.name, [1] * (len(repeats) - x.ndim) + list(x.shape))
    return c.op("Tile", name, c.sizes(repeats))


def _pad(c: Call, x: Any, pad: list[int], value: float = 0.0) -> Emitted:
    pairs = [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    widths = [before for before, _ in pairs] + [after for _, after in pairs]
    return c.op("Pad", x.name, c.ints(widths), c(value), c.ints(range(x.ndim - len(pairs), x.ndim)))


def _arange(c: Call, start: Any = 0, end: Any = None, step: Any = 1, dtype: Any = None) -> Emitted:
    return c.op("Range", c(start), c(end), c(step))


SHAPES = {
    "view": _reshape, "reshape": _reshape, "unsqueeze": _reshape, "squeeze": _reshape, "permute": _permute,
    "expand": lambda c, x, size, implicit=False: c.op("Expand", x.name, c.sizes(c.shape)), "cat": _cat,
    "slice": _slice, "flip": _flip, "repeat": _repeat, "constant_pad_nd": _pad, "arange": _arange,
    "full": lambda c, size, fill_value, dtype=None: c.op("Expand", c(fill_value), c.sizes(c.shape)),
    "_to_copy": lambda c, x, dtype=None: c(x),
}  # fmt: skip
