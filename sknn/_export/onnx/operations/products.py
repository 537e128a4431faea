"""Products, convolutions and pools; sums, extremes, softmax and sorting along dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .call import Call

__all__ = ["PRODUCTS"]


def _matmul(second: str) -> Callable[..., Any]:
    return lambda c, x, **other: c.op("MatMul", c(x), c(other[second]))


def _convolution(c: Call, input: Any, weight: Any, bias: Any, stride: list[int], padding: list[int],
                 dilation: list[int], transposed: bool, output_padding: list[int], groups: int) -> Any:  # fmt: skip
    n = weight.ndim - 2
    inputs = [c(input), c(weight)] + ([] if bias is None else [c(bias)])
    stride, padding, dilation = ((list(v) * n)[:n] for v in (stride, padding, dilation))
    common = {"strides": stride, "pads": padding * 2, "dilations": dilation, "group": groups}
    if transposed:
        return c.op("ConvTranspose", *inputs, output_padding=(list(output_padding) * n)[:n], **common)
    return c.op("Conv", *inputs, **common)


def _window(kernel_size: list[int], stride: Any, padding: Any, ceil_mode: bool) -> dict[str, Any]:
    """Attributes of both kinds of pools."""
    if ceil_mode:
        raise NotImplementedError("pooling with ceil_mode=True")
    n = len(kernel_size)
    padding = list(padding) if isinstance(padding, list) else [padding] * n
    return {"kernel_shape": kernel_size, "strides": (list(stride or kernel_size) * n)[:n], "pads": padding * 2}


def _max_pool(c: Call, x: Any, kernel_size: list[int], stride: Any = (), padding: Any = 0, dilation: Any = 1,
              ceil_mode: bool = False) -> Any:  # fmt: skip
    dilation = list(dilation) if isinstance(dilation, list) else [dilation] * len(kernel_size)
    return c.op("MaxPool", x.name, dilations=dilation, **_window(kernel_size, stride, padding, ceil_mode)), None


def _avg_pool(c: Call, x: Any, kernel_size: list[int], stride: Any = (), padding: Any = 0, ceil_mode: bool = False,
              count_include_pad: bool = True, divisor_override: int | None = None) -> Any:  # fmt: skip
    counts_pad = int(count_include_pad or divisor_override is not None)
    window = _window(kernel_size, stride, padding, ceil_mode)
    mean = c.op("AveragePool", x.name, count_include_pad=counts_pad, **window)
    return c.op("Mul", mean, c(math.prod(kernel_size) / divisor_override)) if divisor_override else mean


def _reduction(kind: str) -> Callable[..., Any]:
    def reduce(c: Call, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        dims = range(x.ndim) if dim is None or dim == [] else dim if isinstance(dim, list) else [dim]
        return c.op(kind, c(x), c.ints([x.axis(d) for d in dims]), keepdims=int(keepdim)) if x.ndim else c(x)

    return reduce


def _place_of_extreme(kind: str) -> Callable[..., Any]:
    def find(c: Call, x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            raise NotImplementedError("argmax or argmin over the rows")
        return c.op(kind, x.name, axis=x.axis(dim), keepdims=int(keepdim))

    return find


def _softmax(kind: str) -> Callable[..., Any]:
    return lambda c, x, dim, half_to_float=False: c.op(kind, c(x), axis=dim)


def _sort(c: Call, x: Any, dim: int = -1, descending: bool = False, stable: bool | None = None) -> Any:
    axis = x.axis(dim)
    return tuple(c.graph.ops("TopK", 2, x.name, c.graph.size(x.shape[axis]), axis=axis, largest=int(descending)))


PRODUCTS = {
    "mm": _matmul("mat2"), "bmm": _matmul("mat2"), "matmul": _matmul("other"),
    "addmm": lambda c, x, mat1, mat2, beta=1, alpha=1: c.op(
        "Gemm", c(mat1), c(mat2), c(x), alpha=float(alpha), beta=float(beta)),
    "convolution": _convolution, "max_pool2d_with_indices": _max_pool, "max_pool3d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool, "avg_pool3d": _avg_pool,
    "sum": _reduction("ReduceSum"), "mean": _reduction("ReduceMean"), "prod": _reduction("ReduceProd"),
    "amax": _reduction("ReduceMax"), "amin": _reduction("ReduceMin"), "argmax": _place_of_extreme("ArgMax"),
    "argmin": _place_of_extreme("ArgMin"), "_softmax": _softmax("Softmax"), "_log_softmax": _softmax("LogSoftmax"),
    "cumsum": lambda c, x, dim: c.op("CumSum", c(x), c.graph.constant(np.int64(x.axis(dim)))),
    "sort": _sort,
}  # fmt: skip
