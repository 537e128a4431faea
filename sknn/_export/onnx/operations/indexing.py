"""Operations that read or write at places given by indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .call import Call, Emitted, axis_of

__all__ = ["INDEXING"]


def _select(c: Call, x: Any, dim: int, index: int) -> Emitted:
    return c.op("Gather", x.name, c.graph.constant(np.int64(index)), axis=axis_of(dim, x))


def _index(c: Call, x: Any, indices: list[Any]) -> Emitted:
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


def _gather(c: Call, x: Any, dim: int, index: Any, sparse_grad: bool = False) -> Emitted:
    return c.op("GatherElements", x.name, c(index, "int64"), axis=axis_of(dim, x))


def _scatter(c: Call, x: Any, dim: int, index: Any, src: Any, **options: Any) -> Emitted:
    name = c(src)
    for axis, (n, n_given) in enumerate(zip(index.shape, src.shape, strict=True)):
        name = name if n == n_given else c.graph.slice(name, axis, 0, n)
    return c.op("ScatterElements", c(x), c(index, "int64"), name, axis=axis_of(dim, x), **options)


def _scatter_add(c: Call, x: Any, dim: int, index: Any, src: Any) -> Emitted:
    return _scatter(c, x, dim, index, src, reduction="add")


INDEXING = {"select": _select, "index": _index, "gather": _gather, "scatter": _scatter, "scatter_add": _scatter_add}
