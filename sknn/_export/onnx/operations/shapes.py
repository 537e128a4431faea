"""Operations that rearrange, join and make tensors, or read and write at places given by indices."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..graph import INT64_MAX
from .call import Call

__all__ = ["SHAPES"]


def _reshape(c: Call, x: Any, **_: Any) -> Any:
    return c.graph.reshape(c(x), c.shape)


def _cat(c: Call, tensors: list[Any], dim: int = 0) -> Any:
    parts = [t for t in tensors if t.shape != (0,)] or tensors
    return c.op("Concat", *[c(t) for t in parts], axis=parts[0].axis(dim))


def _slice(c: Call, x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    start, end = 0 if start is None else start, INT64_MAX if end is None else end
    return c.graph.slice(x.name, x.axis(dim), start, end, step)


def _flip(c: Call, x: Any, dims: list[int]) -> Any:
    name = x.name
    for dim in dims:
        name = c.graph.slice(name, x.axis(dim), -1, -INT64_MAX, -1)
    return name


def _repeat(c: Call, x: Any, repeats: list[Any]) -> Any:
    name = c.graph.reshape(x.name, [1] * (len(repeats) - x.ndim) + list(x.shape))
    return c.op("Tile", name, c.sizes(repeats))


def _pad(c: Call, x: Any, pad: list[int], value: float = 0.0) -> Any:
    pairs = [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    widths = [before for before, _ in pairs] + [after for _, after in pairs]
    return c.op("Pad", x.name, c.ints(widths), c(value), c.ints(range(x.ndim - len(pairs), x.ndim)))


def _index(c: Call, x: Any, indices: list[Any]) -> Any:
    places = [(axis, index) for axis, index in enumerate(indices) if index is not None]
    if any(index.dtype == "bool" for _, index in places):
        raise NotImplementedError("picking by a mask")
    if len(places) == 1:
        ((axis, index),) = places
        return c.op("Gather", x.name, c(index, "int64"), axis=axis)
    if [axis for axis, _ in places] != list(range(len(places))):
        raise NotImplementedError("picking by several indices behind other dimensions")
    zero = c(0, "int64")
    for _, index in places:  # a zero in the shape that all indices have together
        zero = c.op("Mul", c.op("Add", zero, c(index, "int64")), c(0, "int64"))
    parts = [c.op("Unsqueeze", c.op("Add", c(index, "int64"), zero), c.ints([-1])) for _, index in places]
    return c.op("GatherND", x.name, c.op("Concat", *parts, axis=-1))


def _scatter(c: Call, x: Any, dim: int, index: Any, src: Any, **options: Any) -> Any:
    name = c(src)
    for axis, (n, n_given) in enumerate(zip(index.shape, src.shape, strict=True)):
        name = name if n == n_given else c.graph.slice(name, axis, 0, n)
    return c.op("ScatterElements", c(x), c(index, "int64"), name, axis=x.axis(dim), **options)


SHAPES = {
    "view": _reshape, "reshape": _reshape, "unsqueeze": _reshape, "squeeze": _reshape,
    "permute": lambda c, x, dims: c.op("Transpose", x.name, perm=[x.axis(d) for d in dims]),
    "expand": lambda c, x, size: c.op("Expand", x.name, c.sizes(c.shape)), "cat": _cat,
    "slice": _slice, "flip": _flip, "repeat": _repeat, "constant_pad_nd": _pad,
    "arange": lambda c, start=0, end=None, step=1: c.op("Range", c(start), c(end), c(step)),
    "full": lambda c, size, fill_value: c.op("Expand", c(fill_value), c.sizes(c.shape)),
    "_to_copy": lambda c, x: c(x),
    "select": lambda c, x, dim, index: c.op("Gather", x.name, c.graph.constant(np.int64(index)), axis=x.axis(dim)),
    "gather": lambda c, x, dim, index, sparse_grad=False: c.op(
        "GatherElements", x.name, c(index, "int64"), axis=x.axis(dim)),
    "index": _index, "scatter": _scatter, "scatter_add": functools.partial(_scatter, reduction="add"),
}  # fmt: skip
