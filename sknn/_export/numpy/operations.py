"""The operations of ATen in numpy. Arguments are named as in ATen's schemas, but ``self`` is called ``x``."""

from __future__ import annotations

import functools
import math

import numpy as np

_ERF_STEPS = 256  # steps per unit
_ERF_END = 6.0  # erf is 1 beyond it


def _axes(dim):
    """Axes of a reduction; None and an empty list mean all."""
    return None if dim is None or dim == [] else tuple(dim) if isinstance(dim, list) else dim


def _reduction(function):
    def reduce(x, dim=None, keepdim=False):
        return function(x, axis=_axes(dim), keepdims=keepdim)

    return reduce


def _addmm(x, mat1, mat2, beta=1, alpha=1):
    product = np.matmul(mat1, mat2)
    return (product if alpha == 1 else alpha * product) + (x if beta == 1 else beta * x)


def _div(x, other, rounding_mode=None):
    if rounding_mode == "floor":
        return np.floor_divide(x, other)
    return np.trunc(np.true_divide(x, other)) if rounding_mode == "trunc" else np.true_divide(x, other)


def _clamp(x, min=None, max=None):
    x = x if min is None else np.maximum(x, min)
    return x if max is None else np.minimum(x, max)


@functools.cache
def _erf_table():
    """Values and slopes of erf on a regular grid."""
    grid = np.arange(0, _ERF_END + 2 / _ERF_STEPS, 1 / _ERF_STEPS)
    return np.array([math.erf(t) for t in grid]), 2 / math.sqrt(math.pi) * np.exp(-(grid**2)) / _ERF_STEPS


def _erf(x):
    """By cubic interpolation in a table of math.erf: exact to 1e-11."""
    value, slope = _erf_table()
    position = np.minimum(np.abs(x).astype(np.float64), _ERF_END) * _ERF_STEPS
    i = np.nan_to_num(position).astype(np.int64)
    t = position - i
    rise = value[i + 1] - value[i]
    bend, last = 3 * rise - 2 * slope[i] - slope[i + 1], slope[i] + slope[i + 1] - 2 * rise
    return np.copysign(value[i] + t * (slope[i] + t * (bend + t * last)), x)


def _softmax(x, dim, half_to_float=False):
    e = np.exp(x - x.max(axis=dim, keepdims=True))
    return e / e.sum(axis=dim, keepdims=True)


def _log_softmax(x, dim, half_to_float=False):
    x = x - x.max(axis=dim, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=dim, keepdims=True))


def _windows(x, size, stride, padding, dilation, fill):
    """Windows over the last axes: (batch, channels, *positions, *size)."""
    n = len(size)
    stride, padding, dilation = ((list(v) * n)[:n] for v in (stride or size, padding, dilation))
    x = np.pad(x, [(0, 0)] * (x.ndim - n) + [(p, p) for p in padding], constant_values=fill)
    spans = [d * (s - 1) + 1 for s, d in zip(size, dilation, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(x, spans, axis=tuple(range(-n, 0)))
    ends = [slice(None, None, s) for s in stride] + [slice(None, None, d) for d in dilation]
    return windows[(..., *ends)]


def _listed(value):
    return value if isinstance(value, list) else [value]


def _convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    n = weight.ndim - 2
    if transposed:
        return _transposed_convolution(input, weight, bias, stride, padding, dilation, output_padding, groups)
    windows = _windows(input, weight.shape[2:], stride, padding, dilation, 0)
    outputs = []
    for x, w in zip(np.split(windows, groups, axis=1), np.split(weight, groups), strict=True):
        axes = [1, *range(2 + n, 2 + 2 * n)]
        outputs.append(np.moveaxis(np.tensordot(x, w, (axes, [1, *range(2, 2 + n)])), -1, 1))
    out = np.concatenate(outputs, axis=1)
    return out if bias is None else out + bias.reshape(-1, *[1] * n)


def _transposed_convolution(input, weight, bias, stride, padding, dilation, output_padding, groups):
    """Convolution with the flipped kernel of the input with zeros inserted between its values."""
    n = weight.ndim - 2
    stride, padding, dilation, output_padding = ((list(v) * n)[:n] for v in (stride, padding, dilation, output_padding))
    sizes = [(size - 1) * step + 1 for size, step in zip(input.shape[2:], stride, strict=True)]
    spread = np.zeros((*input.shape[:2], *sizes), dtype=input.dtype)
    spread[(..., *(slice(None, None, step) for step in stride))] = input
    pads = []
    for size, p, d, more in reversed(list(zip(weight.shape[2:], padding, dilation, output_padding, strict=True))):
        pads += [d * (size - 1) - p, d * (size - 1) - p + more]
    weight = np.flip(weight, tuple(range(2, 2 + n)))
    weight = np.concatenate([np.swapaxes(part, 0, 1) for part in np.split(weight, groups)])
    return _convolution(_pad(spread, pads), weight, bias, [1], [0], dilation, False, [0], groups)


def _max_pool(x, kernel_size, stride=(), padding=0, dilation=1, ceil_mode=False):
    if ceil_mode:
        raise NotImplementedError("pooling with ceil_mode=True")
    windows = _windows(x, kernel_size, stride, _listed(padding), _listed(dilation), -np.inf)
    return windows.max(axis=tuple(range(-len(kernel_size), 0))), None


def _avg_pool(x, kernel_size, stride=(), padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    if ceil_mode:
        raise NotImplementedError("pooling with ceil_mode=True")
    axes = tuple(range(-len(kernel_size), 0))
    total = _windows(x, kernel_size, stride, _listed(padding), [1], 0).sum(axis=axes)
    if divisor_override:
        return total / divisor_override
    if count_include_pad:
        return total / math.prod(kernel_size)
    return total / _windows(np.ones_like(x), kernel_size, stride, _listed(padding), [1], 0).sum(axis=axes)


def _expand(x, size):
    size = [x.shape[i - len(size)] if n == -1 else n for i, n in enumerate(size)]
    return np.broadcast_to(x, size)


def _squeeze(x, dim=None):
    dims = range(x.ndim) if dim is None else _listed(dim)
    return np.squeeze(x, axis=tuple(d for d in dims if x.shape[d] == 1))


def _cat(tensors, dim=0):
    return np.concatenate([t for t in tensors if t.shape != (0,)] or tensors, axis=dim)


def _slice(x, dim=0, start=None, end=None, step=1):
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)]


def _index_key(indices):
    """The key of indices along the first axes; None means the whole axis."""
    return tuple(slice(None) if index is None else index for index in indices)


def _index_put(x, indices, values, accumulate=False):
    if accumulate:
        raise NotImplementedError("index_put with accumulate=True")
    out = np.array(x)
    out[_index_key(indices)] = values
    return out


def _places(index, dim):
    """Indices of all axes: those of `index` along `dim`, and all positions along the other axes."""
    places = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    places[dim] = index
    return tuple(places)


def _scatter(x, dim, index, src):
    out = np.array(x)
    out[_places(index, dim)] = src[tuple(slice(n) for n in index.shape)]
    return out


def _scatter_add(x, dim, index, src):
    out = np.array(x)
    np.add.at(out, _places(index, dim), src[tuple(slice(n) for n in index.shape)])
    return out


def _sort(x, dim=-1, descending=False, stable=None):
    order = np.argsort(-x if descending else x, axis=dim, kind="stable")
    return np.take_along_axis(x, order, axis=dim), order


def _pad(x, pad, value=0.0):
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    x = np.pad(x, [(max(0, a), max(0, b)) for a, b in widths], constant_values=value)
    return x[tuple(slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(widths, x.shape, strict=True))]


def _elementwise(function):
    return lambda x: function(x)  # functions of numpy do not take x by its name


def _binary(function):
    return lambda x, other: function(x, other)


OPERATIONS = {
    # arithmetic
    "add": lambda x, other, alpha=1: x + (other if alpha == 1 else alpha * other),
    "sub": lambda x, other, alpha=1: x - (other if alpha == 1 else alpha * other),
    "div": _div, "clamp": _clamp, "erf": _erf, "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "pow": lambda x, exponent: x**exponent, "relu": lambda x: np.maximum(x, 0),
    "rsqrt": lambda x: 1 / np.sqrt(x), "reciprocal": lambda x: 1 / x,
    "where": lambda condition, x, other: np.where(condition, x, other),
    **{name: _binary(function) for name, function in {
        "mul": np.multiply, "remainder": np.mod, "fmod": np.fmod, "maximum": np.maximum, "minimum": np.minimum,
        "atan2": np.arctan2, "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
        "gt": np.greater, "ge": np.greater_equal, "logical_and": np.logical_and, "logical_or": np.logical_or,
        "logical_xor": np.logical_xor, "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or,
        "bitwise_xor": np.bitwise_xor}.items()},
    **{name: _elementwise(function) for name, function in {
        "abs": np.abs, "neg": np.negative, "sign": np.sign, "floor": np.floor, "ceil": np.ceil, "round": np.rint,
        "trunc": np.trunc, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
        "log2": np.log2, "log10": np.log10, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan,
        "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
        "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "isnan": np.isnan, "isinf": np.isinf,
        "logical_not": np.logical_not, "bitwise_not": np.invert}.items()},
    # products and pools
    "mm": lambda x, mat2: np.matmul(x, mat2), "bmm": lambda x, mat2: np.matmul(x, mat2), "matmul": _binary(np.matmul),
    "addmm": _addmm, "convolution": _convolution,
    "max_pool2d_with_indices": _max_pool, "max_pool3d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool, "avg_pool3d": _avg_pool,
    # reductions
    "_softmax": _softmax, "_log_softmax": _log_softmax, "sum": _reduction(np.sum), "mean": _reduction(np.mean),
    "prod": _reduction(np.prod), "amax": _reduction(np.max), "amin": _reduction(np.min),
    "argmax": _reduction(np.argmax), "argmin": _reduction(np.argmin),
    "cumsum": lambda x, dim: np.cumsum(x, axis=dim), "sort": _sort,
    # shapes
    "view": lambda x, size: np.reshape(x, size), "reshape": lambda x, shape: np.reshape(x, shape),
    "expand": _expand, "permute": lambda x, dims: np.transpose(x, dims), "squeeze": _squeeze,
    "unsqueeze": lambda x, dim: np.expand_dims(x, dim), "cat": _cat, "slice": _slice,
    "select": lambda x, dim, index: x[(slice(None),) * (dim % x.ndim) + (index,)],
    "flip": lambda x, dims: np.flip(x, dims), "repeat": lambda x, repeats: np.tile(x, repeats),
    "constant_pad_nd": _pad, "getitem": lambda x, index: x[index],
    # indexing
    "index": lambda x, indices: x[_index_key(indices)], "index_put": _index_put,
    "gather": lambda x, dim, index, sparse_grad=False: x[_places(index, dim)],
    "scatter": _scatter, "scatter_add": _scatter_add,
    # new arrays
    "arange": lambda start=0, end=None, step=1: np.arange(start, end, step),
    "full": lambda size, fill_value=0: np.full(size, fill_value), "_to_copy": lambda x: x,
}  # fmt: skip
