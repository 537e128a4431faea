"""Products of matrices, convolutions and pools."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .call import Call, Emitted

__all__ = ["PRODUCTS"]


def _matmul(second: str) -> Callable[..., Emitted]:
    return lambda c, x, **other: c.op("MatMul", c(x), c(other[second]))


def _addmm(c: Call, x: Any, mat1: Any, mat2: Any, beta: float = 1, alpha: float = 1) -> Emitted:
    return c.op("Gemm", c(mat1), c(mat2), c(x), alpha=float(alpha), beta=float(beta))


def _convolution(c: Call, input: Any, weight: Any, bias: Any, stride: list[int], padding: list[int],
                 dilation: list[int], transposed: bool, output_padding: list[int], groups: int) -> Emitted:  # fmt: skip
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
              ceil_mode: bool = False) -> Emitted:  # fmt: skip
    dilation = list(dilation) if isinstance(dilation, list) else [dilation] * len(kernel_size)
    return c.op("MaxPool", x.name, dilations=dilation, **_window(kernel_size, stride, padding, ceil_mode)), None


def _avg_pool(c: Call, x: Any, kernel_size: list[int], stride: Any = (), padding: Any = 0, ceil_mode: bool = False,
              count_include_pad: bool = True, divisor_override: int | None = None) -> Emitted:  # fmt: skip
    counts_pad = int(count_include_pad or divisor_override is not None)
    window = _window(kernel_size, stride, padding, ceil_mode)
    mean = c.op("AveragePool", x.name, count_include_pad=counts_pad, **window)
    return c.op("Mul", mean, c(math.prod(kernel_size) / divisor_override)) if divisor_override else mean


PRODUCTS = {
    "mm": _matmul("mat2"), "bmm": _matmul("mat2"), "matmul": _matmul("other"), "addmm": _addmm,
    "convolution": _convolution, "max_pool2d_with_indices": _max_pool, "max_pool3d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool, "avg_pool3d": _avg_pool,
}  # fmt: skip
