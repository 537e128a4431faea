"""The operations of ATen as nodes of ONNX: one function each, from named arguments to names of values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import BatchSize
from ..numpy.operations import enlarged_axes, interpolation, source_places
from .graph import INT64_MAX, OnnxGraph, Value

__all__ = ["Emitted", "converter", "emit"]

Emitted = Any  # the name of a value, or a tuple of such names


def converter(op: str) -> Callable[..., Emitted] | None:
    """The function that emits an operation, or None."""
    return CONVERTERS.get(op) or CONVERTERS.get(op.partition(".")[0])


def emit(graph: OnnxGraph, op: str, args: dict[str, Any], dtype: str | None) -> Emitted:
    """Add the nodes of one operation."""
    function = converter(op)
    assert function is not None
    return function(_Call(graph, dtype), **args)


class _Call:
    """The graph, and the dtype that the operation shall return."""

    def __init__(self, graph: OnnxGraph, dtype: str | None) -> None:
        self.graph = graph
        self.dtype = dtype or "float32"
        self.op, self.ints, self.size, self.sizes = graph.op, graph.ints, graph.size, graph.sizes

    def __call__(self, value: Any, dtype: str | None = None) -> str:
        """A value or number as `dtype`, by default that of the result."""
        dtype = dtype or self.dtype
        if isinstance(value, Value):
            return value.name if value.dtype == dtype else self.graph.cast(value.name, dtype)
        if isinstance(value, BatchSize):
            rows = self.op("Squeeze", self.size(value), self.ints([0]))
            return rows if dtype == "int64" else self.graph.cast(rows, dtype)
        return self.graph.constant(np.array(value), dtype)

    def as_result(self, name: str, dtype: str) -> str:
        """What has `dtype` as the result's."""
        return name if dtype == self.dtype else self.graph.cast(name, self.dtype)


def _common(*values: Any) -> str:
    """Dtype in which values are compared: tensors before numbers, floats before integers."""
    tensors = [value for value in values if isinstance(value, Value)]
    with_dims = [value for value in tensors if value.ndim] or tensors
    dtype = np.result_type(*[np.dtype(value.dtype) for value in with_dims])
    others = [value for value in values if not isinstance(value, Value)] + [v for v in tensors if not v.ndim]
    kinds = {np.dtype(v.dtype).kind if isinstance(v, Value) else np.array(v).dtype.kind for v in others}
    if dtype.kind != "f" and "f" in kinds:
        return "float32"
    return "int64" if dtype.kind == "b" and "i" in kinds else dtype.name


def _ndim(x: Any) -> int:
    return x.ndim if isinstance(x, Value) else 0


def _axis(dim: int, ndim: int) -> int:
    return dim % max(1, ndim)


# ------------------------------------------------------------------------------- arithmetic


def _unary(kind: str) -> Callable[..., Emitted]:
    return lambda c, x: c.op(kind, c(x))


def _binary(kind: str) -> Callable[..., Emitted]:
    return lambda c, x, other: c.op(kind, c(x), c(other))


def _add(c: _Call, x: Any, other: Any, alpha: float = 1) -> Emitted:
    return c.op("Add", c(x), c(other) if alpha == 1 else c.op("Mul", c(other), c(alpha)))


def _sub(c: _Call, x: Any, other: Any, alpha: float = 1) -> Emitted:
    return c.op("Sub", c(x), c(other) if alpha == 1 else c.op("Mul", c(other), c(alpha)))


def _rsub(c: _Call, x: Any, other: Any, alpha: float = 1) -> Emitted:
    return _sub(c, other, x, alpha)


def _div(c: _Call, x: Any, other: Any, rounding_mode: str | None = None) -> Emitted:
    if rounding_mode is None:
        return c.op("Div", c(x), c(other))
    dtype = c.dtype if c.dtype.startswith("float") else "float64"  # Div of integers rounds towards zero
    quotient = c.op("Div", c(x, dtype), c(other, dtype))
    down = c.op("Floor", quotient)
    if rounding_mode == "trunc":
        down = c.op("Mul", c.op("Sign", quotient), c.op("Floor", c.op("Abs", quotient)))
    return c.as_result(down, dtype)


def _remainder(c: _Call, x: Any, other: Any) -> Emitted:
    if c.dtype.startswith("float"):
        x, other = c(x), c(other)
        return c.op("Sub", x, c.op("Mul", c.op("Floor", c.op("Div", x, other)), other))
    return c.op("Mod", c(x), c(other))


def _trunc(c: _Call, x: Any) -> Emitted:
    return c.op("Mul", c.op("Sign", c(x)), c.op("Floor", c.op("Abs", c(x))))


def _logarithm(base: float) -> Callable[..., Emitted]:
    return lambda c, x: c.op("Mul", c.op("Log", c(x)), c(1 / math.log(base)))


def _clamp(c: _Call, x: Any, min: Any = None, max: Any = None) -> Emitted:
    name = c(x)
    if c.dtype == "float64" and not isinstance(min, Value) and not isinstance(max, Value):
        # The encoder's numbers may be NaN, which stays NaN in torch; Clip of ONNX leaves it open.
        clipped = c.op("Clip", name, "" if min is None else c(min), "" if max is None else c(max))
        return c.op("Where", c.op("IsNaN", name), name, clipped)
    name = name if min is None else c.op("Max", name, c(min))
    return name if max is None else c.op("Min", name, c(max))


def _comparison(kind: str, negated: bool = False) -> Callable[..., Emitted]:
    def compare(c: _Call, x: Any, other: Any) -> Emitted:
        dtype = _common(x, other)
        result = c.op(kind, c(x, dtype), c(other, dtype))
        return c.op("Not", result) if negated else result

    return compare


def _logical(kind: str) -> Callable[..., Emitted]:
    return lambda c, x, other: c.op(kind, c(x, "bool"), c(other, "bool"))


def _bitwise(logical: str, bits: str) -> Callable[..., Emitted]:
    return lambda c, x, other: c.op(logical if c.dtype == "bool" else bits, c(x), c(other))


def _is(kind: str) -> Callable[..., Emitted]:
    def test(c: _Call, x: Any) -> Emitted:
        return c.op(kind, c(x, x.dtype if x.dtype.startswith("float") else "float32"))

    return test


def _where(c: _Call, condition: Any, x: Any, other: Any) -> Emitted:
    if c.dtype != "bool":
        return c.op("Where", c(condition, "bool"), c(x), c(other))
    chosen = c.op("Where", c(condition, "bool"), c(x, "int32"), c(other, "int32"))
    return c.graph.cast(chosen, "bool")


def _masked_fill(c: _Call, x: Any, mask: Any, value: Any) -> Emitted:
    return _where(c, mask, value, x)


# ------------------------------------------------------------------------------- activations


def _gelu(c: _Call, x: Any, approximate: str = "none") -> Emitted:
    name = c(x)
    if approximate == "tanh":
        cube = c.op("Mul", c.op("Mul", name, name), name)
        inner = c.op("Mul", c.op("Add", name, c.op("Mul", cube, c(0.044715))), c(math.sqrt(2 / math.pi)))
        share = c.op("Tanh", inner)
    else:
        share = c.op("Erf", c.op("Mul", name, c(math.sqrt(0.5))))
    return c.op("Mul", c.op("Mul", name, c(0.5)), c.op("Add", share, c(1.0)))


def _elu(c: _Call, x: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Emitted:
    name = c(x)
    below = c.op("Exp", c.op("Mul", c.op("Min", name, c(0.0)), c(input_scale)))
    below = c.op("Mul", c.op("Sub", below, c(1.0)), c(alpha * scale))
    return c.op("Where", c.op("Greater", name, c(0.0)), c.op("Mul", name, c(scale)), below)


def _softplus(c: _Call, x: Any, beta: float = 1.0, threshold: float = 20.0) -> Emitted:
    scaled = c.op("Mul", c(x), c(beta))
    curved = c.op("Log", c.op("Add", c.op("Exp", c.op("Min", scaled, c(threshold))), c(1.0)))
    return c.op("Where", c.op("Greater", scaled, c(threshold)), c(x), c.op("Div", curved, c(beta)))


def _silu(c: _Call, x: Any) -> Emitted:
    return c.op("Mul", c(x), c.op("Sigmoid", c(x)))


def _mish(c: _Call, x: Any) -> Emitted:
    return c.op("Mul", c(x), c.op("Tanh", _softplus(c, x)))


def _hardsigmoid(c: _Call, x: Any) -> Emitted:
    return c.op("Clip", c.op("Add", c.op("Div", c(x), c(6.0)), c(0.5)), c(0.0), c(1.0))


def _log_sigmoid(c: _Call, x: Any) -> Emitted:
    name = c(x, x.dtype)
    small = c.op("Exp", c.op("Neg", c.op("Abs", name)))
    one, zero = c(1.0, x.dtype), c(0.0, x.dtype)
    return c.op("Sub", c.op("Min", name, zero), c.op("Log", c.op("Add", small, one))), None


def _softmax(kind: str) -> Callable[..., Emitted]:
    return lambda c, x, dim, half_to_float=False, dtype=None: c.op(kind, c(x), axis=dim)


def _rrelu(c: _Call, x: Any, noise: Any, lower: float = 1 / 8, upper: float = 1 / 3, **_: Any) -> Emitted:
    return c.op("LeakyRelu", c(x, x.dtype), alpha=(lower + upper) / 2)


def _attention(c: _Call, query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
               is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False) -> Emitted:  # fmt: skip
    if enable_gqa:
        raise NotImplementedError("attention with enable_gqa=True")
    n, dtype = query.ndim, query.dtype
    swapped = [*range(n - 2), n - 1, n - 2]
    factor = c(query.shape[-1] ** -0.5 if scale is None else scale, dtype)
    scores = c.op("MatMul", c.op("Mul", query.name, factor), c.graph.permute(key.name, swapped))
    lowest = c(-np.inf, dtype)
    if is_causal:
        mask = np.tri(query.shape[-2], key.shape[-2], dtype=bool)
        scores = c.op("Where", c.graph.constant(mask), scores, lowest)
    if attn_mask is not None and attn_mask.dtype == "bool":
        scores = c.op("Where", attn_mask.name, scores, lowest)
    elif attn_mask is not None:
        scores = c.op("Add", scores, c(attn_mask, dtype))
    return c.op("MatMul", c.op("Softmax", scores, axis=-1), value.name)


def _attention_of_cpu(c: _Call, query: Any, key: Any, value: Any, dropout_p: float = 0.0, is_causal: bool = False,
                      attn_mask: Any = None, scale: float | None = None) -> Emitted:  # fmt: skip
    return _attention(c, query, key, value, attn_mask, 0.0, is_causal, scale), None


# ------------------------------------------------------------------------------- products


def _matmul(second: str) -> Callable[..., Emitted]:
    return lambda c, x, **other: c.op("MatMul", c(x), c(other[second]))


def _addmm(c: _Call, x: Any, mat1: Any, mat2: Any, beta: float = 1, alpha: float = 1) -> Emitted:
    return c.op("Gemm", c(mat1), c(mat2), c(x), alpha=float(alpha), beta=float(beta))


def _baddbmm(c: _Call, x: Any, batch1: Any, batch2: Any, beta: float = 1, alpha: float = 1) -> Emitted:
    product = c.op("MatMul", c(batch1), c(batch2))
    product = product if alpha == 1 else c.op("Mul", product, c(alpha))
    return c.op("Add", product, c(x) if beta == 1 else c.op("Mul", c(x), c(beta)))


def _linear(c: _Call, input: Any, weight: Any, bias: Any = None) -> Emitted:
    product = c.op("MatMul", c(input), c.graph.permute(c(weight), [1, 0]))
    return product if bias is None else c.op("Add", product, c(bias))


def _trilinear(c: _Call, i1: Any, i2: Any, i3: Any, expand1: list[int], expand2: list[int], expand3: list[int],
               sumdim: list[int], unroll_dim: int = 1) -> Emitted:  # fmt: skip
    expanded = zip((i1, i2, i3), (expand1, expand2, expand3), strict=True)
    a, b, d = (c.op("Unsqueeze", c(x), c.ints(dims)) if dims else c(x) for x, dims in expanded)
    return c.op("ReduceSum", c.op("Mul", c.op("Mul", a, b), d), c.ints(sumdim), keepdims=0)


def _convolution(c: _Call, input: Any, weight: Any, bias: Any, stride: list[int], padding: list[int],
                 dilation: list[int], transposed: bool, output_padding: list[int], groups: int) -> Emitted:  # fmt: skip
    n = weight.ndim - 2
    inputs = [c(input), c(weight)] + ([] if bias is None else [c(bias)])
    stride, padding, dilation = ((list(v) * n)[:n] for v in (stride, padding, dilation))
    common = {"strides": stride, "pads": padding * 2, "dilations": dilation, "group": groups}
    if transposed:
        return c.op("ConvTranspose", *inputs, output_padding=(list(output_padding) * n)[:n], **common)
    return c.op("Conv", *inputs, **common)


def _upsample_nearest(c: _Call, input: Any, output_size: Any, scale_factors: Any = None) -> Emitted:
    name = c(input)
    for axis, n_in, n_out, factor in enlarged_axes(input.shape, output_size, scale_factors):
        name = c.op("Gather", name, c.ints(source_places(n_in, n_out, factor).tolist()), axis=axis)
    return name


def _upsample_linear(c: _Call, input: Any, output_size: Any, align_corners: bool, scale_factors: Any = None) -> Emitted:
    name = c(input)
    for axis, n_in, n_out, factor in enlarged_axes(input.shape, output_size, scale_factors):
        order = list(range(input.ndim))
        order[axis], order[-1] = order[-1], order[axis]
        matrix = c.graph.constant(interpolation(n_in, n_out, factor, align_corners).T.copy())
        name = c.op("MatMul", c.op("Transpose", name, perm=order), matrix)
        name = c.op("Transpose", name, perm=order)
    return name


# ------------------------------------------------------------------------------- reductions


def _dims(x: Any, dim: Any) -> list[int]:
    if dim is None or dim == []:
        return list(range(x.ndim))
    return [_axis(d, x.ndim) for d in (dim if isinstance(dim, list) else [dim])]


def _reduction(kind: str, dtype: str | None = None) -> Callable[..., Emitted]:
    def reduce(c: _Call, x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Emitted:
        if not x.ndim:
            return c(x)
        computed = dtype or c.dtype
        name = c(x, "bool") if dtype else c(x)
        name = c.graph.cast(name, dtype) if dtype else name
        result = c.op(kind, name, c.ints(_dims(x, dim)), keepdims=int(keepdim))
        return c.as_result(result, computed)

    return reduce


def _logsumexp(c: _Call, x: Any, dim: Any, keepdim: bool = False) -> Emitted:
    return c.op("ReduceLogSumExp", c(x), c.ints(_dims(x, dim)), keepdims=int(keepdim))


def _moments(c: _Call, name: str, axes: list[int], keepdim: bool = True) -> tuple[str, str, str]:
    """Mean, difference to it, and mean square of that; the last one without the axes if asked."""
    mean = c.op("ReduceMean", name, c.ints(axes), keepdims=1)
    center = c.op("Sub", name, mean)
    return mean, center, c.op("ReduceMean", c.op("Mul", center, center), c.ints(axes), keepdims=int(keepdim))


def _var(c: _Call, x: Any, dim: Any = None, correction: float | None = 1, keepdim: bool = False) -> Emitted:
    axes = _dims(x, dim)
    sizes = [x.shape[axis] for axis in axes]
    if any(isinstance(size, BatchSize) for size in sizes):
        raise NotImplementedError("a variance over the rows")
    n, correction = math.prod(sizes), 1 if correction is None else correction
    return c.op("Mul", _moments(c, c(x, x.dtype), axes, keepdim)[2], c(n / (n - correction), x.dtype))


def _std(c: _Call, x: Any, **args: Any) -> Emitted:
    return c.op("Sqrt", _var(c, x, **args))


def _var_mean(c: _Call, x: Any, dim: Any = None, correction: float | None = 1, keepdim: bool = False) -> Emitted:
    mean = c.op("ReduceMean", x.name, c.ints(_dims(x, dim)), keepdims=int(keepdim))
    return _var(c, x, dim, correction, keepdim), mean


def _vector_norm(c: _Call, x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False,
                 dtype: Any = None) -> Emitted:  # fmt: skip
    if ord not in (1, 2):
        raise NotImplementedError(f"a norm of order {ord}")
    return c.op(f"ReduceL{int(ord)}", c(x), c.ints(_dims(x, dim)), keepdims=int(keepdim))


def _extreme_with_index(reduce: str, find: str) -> Callable[..., Emitted]:
    def extreme(c: _Call, x: Any, dim: int, keepdim: bool = False) -> Emitted:
        axis, keep = _axis(dim, x.ndim), int(keepdim)
        values = c.op(reduce, x.name, c.ints([axis]), keepdims=keep)
        return values, c.op(find, x.name, axis=axis, keepdims=keep)

    return extreme


def _arg_extreme(kind: str) -> Callable[..., Emitted]:
    def find(c: _Call, x: Any, dim: int | None = None, keepdim: bool = False) -> Emitted:
        if dim is None:
            raise NotImplementedError("argmax or argmin over the rows")
        return c.op(kind, x.name, axis=_axis(dim, x.ndim), keepdims=int(keepdim))

    return find


# ------------------------------------------------------------------------------- norms and pools


def _along_channels(c: _Call, values: Any, ndim: int) -> str:
    return c.graph.reshape(c(values, "float32"), [1, -1] + [1] * (ndim - 2))


def _scaled(c: _Call, name: str, weight: Any, bias: Any, ndim: int) -> str:
    name = name if weight is None else c.op("Mul", name, _along_channels(c, weight, ndim))
    return name if bias is None else c.op("Add", name, _along_channels(c, bias, ndim))


def _layer_norm(c: _Call, input: Any, normalized_shape: list[int], weight: Any = None, bias: Any = None,
                eps: float = 1e-5) -> Emitted:  # fmt: skip
    shape = list(normalized_shape)
    scale = c.graph.constant(np.ones(shape), input.dtype) if weight is None else c(weight, input.dtype)
    inputs = [input.name, scale] + ([] if bias is None else [c(bias, input.dtype)])
    return c.op("LayerNormalization", *inputs, axis=-len(shape), epsilon=float(eps)), None, None


def _batch_norm(c: _Call, input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any,
                momentum: float, eps: float) -> Emitted:  # fmt: skip
    n = input.ndim
    spread = c.op("Sqrt", c.op("Add", _along_channels(c, running_var, n), c(eps, "float32")))
    name = c.op("Div", c.op("Sub", input.name, _along_channels(c, running_mean, n)), spread)
    return _scaled(c, name, weight, bias, n), None, None


def _standardised(c: _Call, name: str, axes: list[int], eps: float) -> str:
    _, center, power = _moments(c, name, axes)
    return c.op("Div", center, c.op("Sqrt", c.op("Add", power, c(eps, "float32"))))


def _batch_norm_of_batch(c: _Call, input: Any, weight: Any, bias: Any, training: bool, momentum: float,
                         eps: float) -> Emitted:  # fmt: skip
    name = _standardised(c, input.name, [0, *range(2, input.ndim)], eps)
    return _scaled(c, name, weight, bias, input.ndim), None, None


def _group_norm(c: _Call, input: Any, weight: Any, bias: Any, N: Any, C: int, HxW: int, group: int,
                eps: float) -> Emitted:  # fmt: skip
    grouped = c.graph.reshape(input.name, [N, group, C // group * HxW])
    name = c.graph.reshape(_standardised(c, grouped, [2], eps), list(input.shape))
    return _scaled(c, name, weight, bias, input.ndim), None, None


def _pool(kind: str) -> Callable[..., Emitted]:
    def pool(c: _Call, x: Any, kernel_size: list[int], stride: Any = (), padding: Any = 0, dilation: Any = 1,
             ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None
             ) -> Emitted:  # fmt: skip
        if ceil_mode:
            raise NotImplementedError("pooling with ceil_mode=True")
        n = len(kernel_size)
        padding, dilation = ((list(v) * n)[:n] if isinstance(v, list) else [v] * n for v in (padding, dilation))
        attributes = {
            "kernel_shape": kernel_size,
            "strides": (list(stride or kernel_size) * n)[:n],
            "pads": padding * 2,
        }
        if kind == "MaxPool":
            return c.op(kind, x.name, dilations=dilation, **attributes), None
        if divisor_override:
            mean = c.op(kind, x.name, count_include_pad=1, **attributes)
            return c.op("Mul", mean, c(math.prod(kernel_size) / divisor_override, x.dtype))
        return c.op(kind, x.name, count_include_pad=int(count_include_pad), **attributes)

    return pool


def _max_pool(c: _Call, **args: Any) -> Emitted:
    return _pool("MaxPool")(c, **args)


def _adaptive_pool(kind: str) -> Callable[..., Emitted]:
    def pool(c: _Call, x: Any, output_size: list[int]) -> Emitted:
        name = x.name
        for axis, n in zip(range(x.ndim - len(output_size), x.ndim), output_size, strict=True):
            size = x.shape[axis]
            pieces = [c.graph.slice(name, axis, i * size // n, -(-(i + 1) * size // n)) for i in range(n)]
            pieces = [c.op(kind, piece, c.ints([axis]), keepdims=1) for piece in pieces]
            name = c.op("Concat", *pieces, axis=axis)
        return name if kind == "ReduceMean" else (name, None)

    return pool


# ------------------------------------------------------------------------------- shapes


def _view(c: _Call, x: Any, size: Any = None, shape: Any = None) -> Emitted:
    return c.graph.reshape(x.name, size if shape is None else shape)


def _expand(c: _Call, x: Any, size: list[Any], implicit: bool = False) -> Emitted:
    return c.op("Expand", x.name, c.sizes([1 if n == -1 else n for n in size]))


def _permute(c: _Call, x: Any, dims: list[int]) -> Emitted:
    return c.graph.permute(x.name, [_axis(d, x.ndim) for d in dims])


def _transpose(c: _Call, x: Any, dim0: int, dim1: int) -> Emitted:
    dims = list(range(x.ndim))
    dim0, dim1 = _axis(dim0, x.ndim), _axis(dim1, x.ndim)
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return c.graph.permute(x.name, dims)


def _t(c: _Call, x: Any) -> Emitted:
    return c.graph.permute(x.name, list(range(x.ndim))[::-1])


def _unsqueeze(c: _Call, x: Any, dim: int) -> Emitted:
    return c.op("Unsqueeze", c(x), c.ints([dim % (x.ndim + 1)]))


def _squeeze(c: _Call, x: Any, dim: Any = None) -> Emitted:
    axes = [axis for axis in _dims(x, dim) if x.shape[axis] == 1]
    return c.op("Squeeze", x.name, c.ints(axes)) if axes else c.op("Identity", x.name)


def _cat(c: _Call, tensors: list[Any], dim: int = 0) -> Emitted:
    parts = [t for t in tensors if t.shape != (0,)] or tensors
    return c.op("Concat", *[c(t) for t in parts], axis=_axis(dim, parts[0].ndim))


def _stack(c: _Call, tensors: list[Any], dim: int = 0) -> Emitted:
    axis = dim % (tensors[0].ndim + 1)
    return c.op("Concat", *[c.op("Unsqueeze", c(t), c.ints([axis])) for t in tensors], axis=axis)


def _slice(c: _Call, x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Emitted:
    start, end = 0 if start is None else start, INT64_MAX if end is None else end
    return c.graph.slice(x.name, _axis(dim, x.ndim), start, end, step)


def _slice_scatter(c: _Call, x: Any, src: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
                   ) -> Emitted:  # fmt: skip
    axis = _axis(dim, x.ndim)
    n = x.shape[axis]
    if step != 1 or isinstance(n, BatchSize):
        raise NotImplementedError("assignment to a slice of the rows, or with a step")
    start, end, _ = slice(start, end).indices(n)
    target = [end - start if i == axis else size for i, size in enumerate(x.shape)]
    middle = c.op("Expand", c(src), c.sizes(target))
    return c.op(
        "Concat", c.graph.slice(c(x), axis, 0, start), middle, c.graph.slice(c(x), axis, end, INT64_MAX), axis=axis
    )


def _select(c: _Call, x: Any, dim: int, index: int) -> Emitted:
    return c.op("Gather", x.name, c.graph.constant(np.int64(index)), axis=_axis(dim, x.ndim))


def _select_scatter(c: _Call, x: Any, src: Any, dim: int, index: int) -> Emitted:
    axis = _axis(dim, x.ndim)
    raised = Value(c.op("Unsqueeze", c(src), c.ints([axis])), c.dtype, ())
    start = index % x.shape[axis] if isinstance(x.shape[axis], int) else index
    return _slice_scatter(c, x, raised, axis, start, start + 1)


def _split(c: _Call, x: Any, split_sizes: list[int], dim: int = 0) -> Emitted:
    return tuple(c.graph.ops("Split", len(split_sizes), x.name, c.ints(split_sizes), axis=_axis(dim, x.ndim)))


def _split_evenly(c: _Call, x: Any, split_size: int, dim: int = 0) -> Emitted:
    n = x.shape[_axis(dim, x.ndim)]
    return _split(c, x, [min(split_size, n - start) for start in range(0, n, split_size)], dim)


def _unbind(c: _Call, x: Any, dim: int = 0) -> Emitted:
    return tuple(_select(c, x, dim, i) for i in range(x.shape[_axis(dim, x.ndim)]))


def _flip(c: _Call, x: Any, dims: list[int]) -> Emitted:
    name = x.name
    for dim in dims:
        name = c.graph.slice(name, _axis(dim, x.ndim), -1, -INT64_MAX, -1)
    return name


def _repeat(c: _Call, x: Any, repeats: list[Any]) -> Emitted:
    name = c.graph.reshape(x.name, [1] * (len(repeats) - x.ndim) + list(x.shape))
    return c.op("Tile", name, c.sizes(repeats))


def _pad(c: _Call, x: Any, pad: list[int], value: float = 0.0) -> Emitted:
    pairs = [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    axes = list(range(x.ndim - len(pairs), x.ndim))
    widths = [before for before, _ in pairs] + [after for _, after in pairs]
    return c.op("Pad", x.name, c.ints(widths), c(value, x.dtype), c.ints(axes))


def _trilu(upper: int) -> Callable[..., Emitted]:
    return lambda c, x, diagonal=0: c.op("Trilu", x.name, c.graph.constant(np.int64(diagonal)), upper=upper)


# ------------------------------------------------------------------------------- picking


def _embedding(c: _Call, weight: Any, indices: Any, **_: Any) -> Emitted:
    return c.op("Gather", c(weight), c(indices, "int64"), axis=0)


def _index_select(c: _Call, x: Any, dim: int, index: Any) -> Emitted:
    return c.op("Gather", x.name, c(index, "int64"), axis=_axis(dim, x.ndim))


def _index(c: _Call, x: Any, indices: list[Any]) -> Emitted:
    places = [(axis, index) for axis, index in enumerate(indices) if index is not None]
    if any(index.dtype == "bool" for _, index in places):
        raise NotImplementedError("picking by a mask")
    if len(places) == 1:
        return _index_select(c, x, *places[0])
    if [axis for axis, _ in places] != list(range(len(places))):
        raise NotImplementedError("picking by several indices behind other dimensions")
    zero = c(0, "int64")
    for _, index in places:  # 0 in the shape of all of them together
        zero = c.op("Mul", c.op("Add", zero, c(index, "int64")), c(0, "int64"))
    parts = [c.op("Unsqueeze", c.op("Add", c(index, "int64"), zero), c.ints([-1])) for _, index in places]
    return c.op("GatherND", x.name, c.op("Concat", *parts, axis=-1))


def _gather(c: _Call, x: Any, dim: int, index: Any, sparse_grad: bool = False) -> Emitted:
    return c.op("GatherElements", x.name, c(index, "int64"), axis=_axis(dim, x.ndim))


def _scatter(c: _Call, x: Any, dim: int, index: Any, src: Any = None, value: Any = None) -> Emitted:
    place = c(index, "int64")
    source = c.op("Expand", c(value), c.op("Shape", place)) if src is None else c(src)
    return c.op("ScatterElements", c(x), place, source, axis=_axis(dim, x.ndim))


def _scatter_add(c: _Call, x: Any, dim: int, index: Any, src: Any) -> Emitted:
    return c.op("ScatterElements", c(x), c(index, "int64"), c(src), axis=_axis(dim, x.ndim), reduction="add")


def _topk(c: _Call, x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Emitted:
    axis = _axis(dim, x.ndim)
    return tuple(c.graph.ops("TopK", 2, x.name, c.size(k), axis=axis, largest=int(largest), sorted=1))


def _sort(c: _Call, x: Any, dim: int = -1, descending: bool = False, stable: bool | None = None) -> Emitted:
    return _topk(c, x, x.shape[_axis(dim, x.ndim)], dim, largest=descending)


def _cumsum(c: _Call, x: Any, dim: int, dtype: Any = None) -> Emitted:
    return c.op("CumSum", c(x), c.graph.constant(np.int64(_axis(dim, x.ndim))))


# ------------------------------------------------------------------------------- making


def _arange(c: _Call, start: Any = 0, end: Any = None, step: Any = 1, dtype: Any = None) -> Emitted:
    return c.op("Range", c(start), c(end), c(step))


def _full(c: _Call, size: list[Any], fill_value: Any = 0, dtype: Any = None) -> Emitted:
    return c.op("Expand", c(fill_value), c.sizes(size))


def _ones(c: _Call, size: list[Any], dtype: Any = None) -> Emitted:
    return _full(c, size, 1)


def _full_like(c: _Call, x: Any, fill_value: Any = 0, dtype: Any = None) -> Emitted:
    return _full(c, list(x.shape), fill_value)


def _ones_like(c: _Call, x: Any, dtype: Any = None) -> Emitted:
    return _full_like(c, x, 1)


def _new_full(c: _Call, x: Any, size: list[Any], fill_value: Any = 0, dtype: Any = None) -> Emitted:
    return _full(c, size, fill_value)


def _new_ones(c: _Call, x: Any, size: list[Any], dtype: Any = None) -> Emitted:
    return _full(c, size, 1)


CONVERTERS: dict[str, Callable[..., Emitted]] = {
    "mm": _matmul("mat2"), "bmm": _matmul("mat2"), "matmul": _matmul("other"), "mv": _matmul("vec"),
    "dot": _matmul("tensor"), "addmm": _addmm, "baddbmm": _baddbmm, "linear": _linear, "convolution": _convolution,
    **{f"upsample_nearest{n}d.vec": _upsample_nearest for n in (1, 2, 3)}, "upsample_linear1d.vec": _upsample_linear,
    "upsample_bilinear2d.vec": _upsample_linear, "upsample_trilinear3d.vec": _upsample_linear,
    "add": _add, "sub": _sub, "rsub": _rsub, "mul": _binary("Mul"), "div": _div, "pow": lambda c, x, exponent: c.op(
        "Pow", c(x), c(exponent)), "floor_divide": lambda c, x, other: _div(c, x, other, "floor"),
    "remainder": _remainder, "fmod": lambda c, x, other: c.op("Mod", c(x), c(other), fmod=1),
    "maximum": _binary("Max"), "minimum": _binary("Min"), "clamp": _clamp,
    "clamp_min": lambda c, x, min: _clamp(c, x, min=min), "clamp_max": lambda c, x, max: _clamp(c, x, max=max),
    "reciprocal": _unary("Reciprocal"), "rsqrt": lambda c, x: c.op("Reciprocal", c.op("Sqrt", c(x))),
    "expm1": lambda c, x: c.op("Sub", c.op("Exp", c(x)), c(1.0)), "trunc": _trunc,
    "log1p": lambda c, x: c.op("Log", c.op("Add", c(x), c(1.0))), "log2": _logarithm(2), "log10": _logarithm(10),
    "exp2": lambda c, x: c.op("Pow", c(2.0), c(x)), "square": lambda c, x: c.op("Mul", c(x), c(x)),
    **{name.lower(): _unary(name) for name in (
        "Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Exp", "Log", "Sqrt", "Sin", "Cos", "Tan", "Asin", "Acos",
        "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "Erf", "Relu", "Sigmoid")},
    "eq": _comparison("Equal"), "ne": _comparison("Equal", negated=True), "lt": _comparison("Less"),
    "le": _comparison("LessOrEqual"), "gt": _comparison("Greater"), "ge": _comparison("GreaterOrEqual"),
    "isnan": _is("IsNaN"), "isinf": _is("IsInf"), "logical_not": lambda c, x: c.op("Not", c(x, "bool")),
    "bitwise_not": lambda c, x: c.op("Not" if c.dtype == "bool" else "BitwiseNot", c(x)),
    "logical_and": _logical("And"), "logical_or": _logical("Or"), "logical_xor": _logical("Xor"),
    "bitwise_and": _bitwise("And", "BitwiseAnd"), "bitwise_or": _bitwise("Or", "BitwiseOr"),
    "bitwise_xor": _bitwise("Xor", "BitwiseXor"), "where": _where, "masked_fill": _masked_fill,
    "gelu": _gelu, "elu": _elu, "softplus": _softplus, "silu": _silu, "mish": _mish, "hardsigmoid": _hardsigmoid,
    "hardswish": lambda c, x: c.op("Mul", c(x), _hardsigmoid(c, x)), "log_sigmoid_forward": _log_sigmoid,
    "leaky_relu": lambda c, x, negative_slope=0.01: c.op("LeakyRelu", c(x), alpha=float(negative_slope)),
    "hardtanh": lambda c, x, min_val=-1, max_val=1: c.op("Clip", c(x), c(min_val), c(max_val)),
    "_softmax": _softmax("Softmax"), "softmax": _softmax("Softmax"), "_log_softmax": _softmax("LogSoftmax"),
    "log_softmax": _softmax("LogSoftmax"), "scaled_dot_product_attention": _attention,
    "_scaled_dot_product_flash_attention_for_cpu": _attention_of_cpu,
    "sum": _reduction("ReduceSum"), "mean": _reduction("ReduceMean"), "prod": _reduction("ReduceProd"),
    "amax": _reduction("ReduceMax"), "amin": _reduction("ReduceMin"), "max": _reduction("ReduceMax"),
    "min": _reduction("ReduceMin"), "any": _reduction("ReduceMax", "int32"), "all": _reduction("ReduceMin", "int32"),
    "logsumexp": _logsumexp, "var": _var, "std": _std, "var_mean": _var_mean, "linalg_vector_norm": _vector_norm,
    "max.dim": _extreme_with_index("ReduceMax", "ArgMax"), "min.dim": _extreme_with_index("ReduceMin", "ArgMin"),
    "max.other": _binary("Max"), "min.other": _binary("Min"), "argmax": _arg_extreme("ArgMax"),
    "argmin": _arg_extreme("ArgMin"), "cumsum": _cumsum,
    "native_layer_norm": _layer_norm, "_native_batch_norm_legit_no_training": _batch_norm,
    "_native_batch_norm_legit.no_stats": _batch_norm_of_batch, "native_group_norm": _group_norm,
    "rrelu_with_noise": _rrelu, "rrelu_with_noise_functional": lambda c, **args: (_rrelu(c, **args), None),
    "_trilinear": _trilinear, "max_pool2d_with_indices": _max_pool,
    "max_pool3d_with_indices": _max_pool, "avg_pool1d": _pool("AveragePool"),
    "avg_pool2d": _pool("AveragePool"), "avg_pool3d": _pool("AveragePool"),
    "_adaptive_avg_pool2d": _adaptive_pool("ReduceMean"), "_adaptive_avg_pool3d": _adaptive_pool("ReduceMean"),
    "adaptive_avg_pool1d": _adaptive_pool("ReduceMean"), "adaptive_max_pool2d": _adaptive_pool("ReduceMax"),
    "adaptive_max_pool3d": _adaptive_pool("ReduceMax"),
    "copy": lambda c, x, src: c.op("Expand", c(src), c.sizes(list(x.shape))),
    "view": _view, "_unsafe_view": _view, "reshape": _view, "expand": _expand, "permute": _permute,
    "transpose": _transpose, "t": _t, "unsqueeze": _unsqueeze, "squeeze": _squeeze, "cat": _cat, "stack": _stack,
    "slice": _slice, "slice_scatter": _slice_scatter, "select": _select, "select_scatter": _select_scatter,
    "split_with_sizes": _split, "split": _split_evenly, "unbind": _unbind, "flip": _flip, "repeat": _repeat,
    "constant_pad_nd": _pad, "tril": _trilu(0), "triu": _trilu(1),
    "embedding": _embedding, "index": _index, "index_select": _index_select, "gather": _gather, "scatter": _scatter,
    "scatter_add": _scatter_add, "sort": _sort, "topk": _topk,
    "arange": _arange, "full": _full, "zeros": _full, "empty": _full, "ones": _ones, "full_like": _full_like,
    "zeros_like": _full_like, "empty_like": _full_like, "ones_like": _ones_like, "new_full": _new_full,
    "new_zeros": _new_full, "new_empty": _new_full, "new_ones": _new_ones,
    "scalar_tensor": lambda c, s, dtype=None: c(s), "_to_copy": lambda c, x, dtype=None: c(x),
}  # fmt: skip
