"""The operations of ATen in numpy. Arguments have the names of ATen's schemas, but ``self`` is ``x``."""

from __future__ import annotations

import math

import numpy as np


def _axes(dim):
    """Axes of a reduction; None and an empty list mean all."""
    return None if dim is None or dim == [] else tuple(dim) if isinstance(dim, list) else dim


def _reduction(function):
    def reduce(x, dim=None, keepdim=False, dtype=None):
        return function(x, axis=_axes(dim), keepdims=keepdim)

    return reduce


def _matmul(x, mat2):
    return np.matmul(x, mat2)


def _addmm(x, mat1, mat2, beta=1, alpha=1):
    product = np.matmul(mat1, mat2)
    return (product if alpha == 1 else alpha * product) + (x if beta == 1 else beta * x)


def _baddbmm(x, batch1, batch2, beta=1, alpha=1):
    return _addmm(x, batch1, batch2, beta, alpha)


def _linear(input, weight, bias=None):
    product = np.matmul(input, weight.T)
    return product if bias is None else product + bias


def _trilinear(i1, i2, i3, expand1, expand2, expand3, sumdim, unroll_dim=1):
    a, b, c = (
        np.expand_dims(x, tuple(dims)) for x, dims in zip((i1, i2, i3), (expand1, expand2, expand3), strict=True)
    )
    return (a * b * c).sum(axis=tuple(sumdim))


def _add(x, other, alpha=1):
    return x + (other if alpha == 1 else alpha * other)


def _sub(x, other, alpha=1):
    return x - (other if alpha == 1 else alpha * other)


def _div(x, other, rounding_mode=None):
    if rounding_mode == "floor":
        return np.floor_divide(x, other)
    return np.trunc(np.true_divide(x, other)) if rounding_mode == "trunc" else np.true_divide(x, other)


def _clamp(x, min=None, max=None):
    x = x if min is None else np.maximum(x, min)
    return x if max is None else np.minimum(x, max)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


_erf_table = None


def _erf(x):
    """By cubic interpolation in a table of math.erf: exact to 1e-11."""
    global _erf_table
    steps, end = 256, 6.0  # a number per unit; erf is 1 beyond the end
    if _erf_table is None:
        grid = np.arange(0, end + 2 / steps, 1 / steps)
        slope = 2 / math.sqrt(math.pi) * np.exp(-(grid**2)) / steps
        _erf_table = np.array([math.erf(t) for t in grid]), slope
    value, slope = _erf_table
    position = np.minimum(np.abs(x).astype(np.float64), end) * steps
    i = np.nan_to_num(position).astype(np.int64)
    t = position - i
    rise = value[i + 1] - value[i]
    bend, last = 3 * rise - 2 * slope[i] - slope[i + 1], slope[i] + slope[i + 1] - 2 * rise
    return np.copysign(value[i] + t * (slope[i] + t * (bend + t * last)), x)


def _gelu(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _erf(x * math.sqrt(0.5)))


def _elu(x, alpha=1.0, scale=1.0, input_scale=1.0):
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) * input_scale))


def _softplus(x, beta=1.0, threshold=20.0):
    return np.where(x * beta > threshold, x, np.log1p(np.exp(np.minimum(x * beta, threshold))) / beta)


def _rrelu(x, noise, lower=1 / 8, upper=1 / 3, training=False, generator=None):
    return np.where(x > 0, x, x * ((lower + upper) / 2))


def _softmax(x, dim, half_to_float=False, dtype=None):
    e = np.exp(x - x.max(axis=dim, keepdims=True))
    return e / e.sum(axis=dim, keepdims=True)


def _log_softmax(x, dim, half_to_float=False, dtype=None):
    x = x - x.max(axis=dim, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=dim, keepdims=True))


def _logsumexp(x, dim, keepdim=False):
    axes = _axes(dim)
    largest = x.max(axis=axes, keepdims=True)
    shift = np.where(np.isfinite(largest), largest, 0)
    result = np.log(np.exp(x - shift).sum(axis=axes, keepdims=True)) + shift
    return result if keepdim else np.squeeze(result, axis=axes)


def _var(x, dim=None, correction=1, keepdim=False):
    axes = _axes(dim)
    mean = x.mean(axis=axes, keepdims=True)
    return np.square(x - mean).sum(axis=axes, keepdims=keepdim) / (x.size // mean.size - correction)


def _var_mean(x, dim=None, correction=1, keepdim=False):
    return _var(x, dim, correction, keepdim), x.mean(axis=_axes(dim), keepdims=keepdim)


def _vector_norm(x, ord=2, dim=None, keepdim=False, dtype=None):
    axes = _axes(dim)
    if ord == math.inf:
        return np.abs(x).max(axis=axes, keepdims=keepdim)
    return (np.abs(x) ** ord).sum(axis=axes, keepdims=keepdim) ** (1 / ord)


def _extreme_with_index(reduce, find):
    def extreme(x, dim, keepdim=False):
        return reduce(x, axis=dim, keepdims=keepdim), find(x, axis=dim, keepdims=keepdim)

    return extreme


def _arg_extreme(find):
    def extreme(x, dim=None, keepdim=False):
        return find(x, axis=dim, keepdims=keepdim)

    return extreme


def _standardised(x, axes, eps):
    center = x - x.mean(axis=axes, keepdims=True)
    return center / np.sqrt((center * center).mean(axis=axes, keepdims=True) + np.float32(eps))


def _along_channels(values, ndim):
    return values.reshape((1, -1) + (1,) * (ndim - 2))


def _affine(x, weight, bias):
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    x = _standardised(input, tuple(range(-len(normalized_shape), 0)), eps)
    return _affine(x, weight, bias), None, None


def _batch_norm(input, weight, bias, running_mean, running_var, momentum, eps):
    mean, var = (_along_channels(values, input.ndim) for values in (running_mean, running_var))
    weight, bias = (None if v is None else _along_channels(v, input.ndim) for v in (weight, bias))
    return _affine((input - mean) / np.sqrt(var + np.float32(eps)), weight, bias), None, None


def _batch_norm_of_batch(input, weight, bias, training, momentum, eps):
    x = _standardised(input, (0, *range(2, input.ndim)), eps)
    weight, bias = (None if v is None else _along_channels(v, x.ndim) for v in (weight, bias))
    return _affine(x, weight, bias), None, None


def _group_norm(input, weight, bias, N, C, HxW, group, eps):
    x = _standardised(input.reshape(N, group, -1), (2,), eps).reshape(input.shape)
    weight, bias = (None if v is None else _along_channels(v, x.ndim) for v in (weight, bias))
    return _affine(x, weight, bias), None, None


def _attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    if enable_gqa:
        raise NotImplementedError("attention with enable_gqa=True")
    scores = np.matmul(query, np.swapaxes(key, -1, -2)) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if attn_mask is not None:
        scores = np.where(attn_mask, scores, -np.inf) if attn_mask.dtype == bool else scores + attn_mask
    return np.matmul(_softmax(scores, -1), value)


def _attention_of_cpu(query, key, value, dropout_p=0.0, is_causal=False, attn_mask=None, scale=None):
    return _attention(query, key, value, attn_mask, dropout_p, is_causal, scale), None


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
    return out if bias is None else out + _along_channels(bias, out.ndim)


def _transposed_convolution(input, weight, bias, stride, padding, dilation, output_padding, groups):
    """The usual convolution of the input, spread out by the stride, with the kernel turned round."""
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


def source_places(n_in, n_out, factor, align_corners=None):
    """Where along an axis each place of an enlarged one comes from; align_corners=None for the nearest."""
    places = np.arange(n_out)
    step = n_in / n_out if factor is None else 1 / factor
    if align_corners is None:
        return np.minimum(np.floor(places * np.float32(step)), n_in - 1).astype(np.int64)
    if align_corners:
        return places * ((n_in - 1) / max(1, n_out - 1))
    return np.maximum(0, (places + 0.5) * step - 0.5)


def interpolation(n_in, n_out, factor, align_corners):
    """Matrix float32 (n_out, n_in) of linear interpolation along an axis."""
    places = source_places(n_in, n_out, factor, align_corners)
    left = np.minimum(places.astype(np.int64), n_in - 1)
    right, rows = np.minimum(left + 1, n_in - 1), np.arange(n_out)
    matrix = np.zeros((n_out, n_in))
    np.add.at(matrix, (rows, left), 1 - (places - left))
    np.add.at(matrix, (rows, right), places - left)
    return matrix.astype(np.float32)


def enlarged_axes(shape, output_size, scale_factors):
    """Axis, size, enlarged size and factor of each axis that is enlarged."""
    n = len(output_size or scale_factors)
    for i, axis in enumerate(range(len(shape) - n, len(shape))):
        factor = None if scale_factors is None else scale_factors[i]
        yield axis, shape[axis], int(shape[axis] * factor) if output_size is None else output_size[i], factor


def _upsample_nearest(input, output_size, scale_factors=None):
    for axis, n_in, n_out, factor in enlarged_axes(input.shape, output_size, scale_factors):
        input = np.take(input, source_places(n_in, n_out, factor), axis=axis)
    return input


def _upsample_linear(input, output_size, align_corners, scale_factors=None):
    for axis, n_in, n_out, factor in enlarged_axes(input.shape, output_size, scale_factors):
        matrix = interpolation(n_in, n_out, factor, align_corners)
        input = np.swapaxes(np.matmul(np.swapaxes(input, axis, -1), matrix.T), axis, -1)
    return input


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


def _adaptive_pool(reduce):
    def pool(x, output_size):
        for axis, n in zip(range(-len(output_size), 0), output_size, strict=True):
            size = x.shape[axis]
            pieces = [_slice(x, axis, i * size // n, -(-(i + 1) * size // n)) for i in range(n)]
            x = np.concatenate([reduce(piece, axis=axis, keepdims=True) for piece in pieces], axis=axis)
        return x

    return pool


_adaptive_avg_pool, _adaptive_largest = _adaptive_pool(np.mean), _adaptive_pool(np.max)


def _expand(x, size, implicit=False):
    size = [x.shape[i - len(size)] if n == -1 else n for i, n in enumerate(size)]
    return np.broadcast_to(x, size)


def _transpose(x, dim0, dim1):
    return np.swapaxes(x, dim0, dim1)


def _unsqueeze(x, dim):
    return np.expand_dims(x, dim)


def _squeeze(x, dim=None):
    dims = range(x.ndim) if dim is None else _listed(dim)
    return np.squeeze(x, axis=tuple(d for d in dims if x.shape[d] == 1))


def _cat(tensors, dim=0):
    return np.concatenate([t for t in tensors if t.shape != (0,)] or tensors, axis=dim)


def _slice(x, dim=0, start=None, end=None, step=1):
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)]


def _slice_scatter(x, src, dim=0, start=None, end=None, step=1):
    out = np.array(x)
    out[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)] = src
    return out


def _select(x, dim, index):
    return x[(slice(None),) * (dim % x.ndim) + (index,)]


def _select_scatter(x, src, dim, index):
    out = np.array(x)
    out[(slice(None),) * (dim % x.ndim) + (index,)] = src
    return out


def _split(x, split_sizes, dim=0):
    return np.split(x, np.cumsum(split_sizes)[:-1], axis=dim)


def _split_evenly(x, split_size, dim=0):
    return np.split(x, range(split_size, x.shape[dim], split_size), axis=dim)


def _unbind(x, dim=0):
    return list(np.moveaxis(x, dim, 0))


def _index(x, indices):
    return x[tuple(slice(None) if index is None else index for index in indices)]


def _index_put(x, indices, values, accumulate=False):
    out, key = np.array(x), tuple(slice(None) if index is None else index for index in indices)
    if accumulate:
        raise NotImplementedError("index_put with accumulate=True")
    out[key] = values
    return out


def _index_select(x, dim, index):
    return np.take(x, index, axis=dim)


def _places(index, dim):
    """Indices of all axes: those of `index` along `dim`, and every other place along the others."""
    places = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    places[dim] = index
    return tuple(places)


def _gather(x, dim, index, sparse_grad=False):
    return x[_places(index, dim)]


def _scatter(x, dim, index, src=None, value=None):
    out = np.array(x)
    out[_places(index, dim)] = value if src is None else src[tuple(slice(n) for n in index.shape)]
    return out


def _scatter_add(x, dim, index, src):
    out = np.array(x)
    np.add.at(out, _places(index, dim), src[tuple(slice(n) for n in index.shape)])
    return out


def _sort(x, dim=-1, descending=False, stable=None):
    order = np.argsort(-x if descending else x, axis=dim, kind="stable")
    return np.take_along_axis(x, order, axis=dim), order


def _topk(x, k, dim=-1, largest=True, sorted=True):
    values, order = _sort(x, dim, descending=largest)
    return _slice(values, dim, 0, k), _slice(order, dim, 0, k)


def _pad(x, pad, value=0.0):
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    x = np.pad(x, [(max(0, a), max(0, b)) for a, b in widths], constant_values=value)
    return x[tuple(slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(widths, x.shape, strict=True))]


def _arange(start=0, end=None, step=1, dtype=None):
    return np.arange(start, end, step)


def _full(size, fill_value=0, dtype=None):
    return np.full(size, fill_value)


def _full_like(x, fill_value=0, dtype=None):
    return np.full(x.shape, fill_value)


def _new_full(x, size, fill_value=0, dtype=None):
    return np.full(size, fill_value)


OPERATIONS = {
    # products
    "mm": _matmul, "bmm": _matmul, "addmm": _addmm, "baddbmm": _baddbmm, "linear": _linear,
    "matmul": lambda x, other: np.matmul(x, other), "dot": lambda x, tensor: np.dot(x, tensor),
    "mv": lambda x, vec: np.matmul(x, vec), "convolution": _convolution,
    # arithmetic
    "add": _add, "sub": _sub, "mul": lambda x, other: x * other, "div": _div,
    "rsub": lambda x, other, alpha=1: other - alpha * x,
    "floor_divide": lambda x, other: np.floor_divide(x, other), "remainder": lambda x, other: np.mod(x, other),
    "fmod": lambda x, other: np.fmod(x, other), "pow": lambda x, exponent: np.power(x, exponent),
    "maximum": lambda x, other: np.maximum(x, other), "minimum": lambda x, other: np.minimum(x, other),
    "atan2": lambda x, other: np.arctan2(x, other), "clamp": _clamp,
    "clamp_min": lambda x, min: np.maximum(x, min), "clamp_max": lambda x, max: np.minimum(x, max),
    "rsqrt": lambda x: 1 / np.sqrt(x), "reciprocal": lambda x: 1 / x, "erf": _erf,
    # comparison and logic
    "eq": lambda x, other: x == other, "ne": lambda x, other: x != other, "lt": lambda x, other: x < other,
    "le": lambda x, other: x <= other, "gt": lambda x, other: x > other, "ge": lambda x, other: x >= other,
    "logical_and": lambda x, other: np.logical_and(x, other), "logical_or": lambda x, other: np.logical_or(x, other),
    "logical_xor": lambda x, other: np.logical_xor(x, other), "bitwise_and": lambda x, other: x & other,
    "bitwise_or": lambda x, other: x | other, "bitwise_xor": lambda x, other: x ^ other,
    "where": lambda condition, x, other: np.where(condition, x, other),
    "masked_fill": lambda x, mask, value: np.where(mask, value, x),
    # activations
    "relu": lambda x: np.maximum(x, 0), "sigmoid": _sigmoid, "gelu": _gelu, "elu": _elu, "softplus": _softplus,
    "silu": lambda x: x * _sigmoid(x), "mish": lambda x: x * np.tanh(_softplus(x)),
    "leaky_relu": lambda x, negative_slope=0.01: np.where(x > 0, x, x * negative_slope),
    "hardtanh": lambda x, min_val=-1, max_val=1: np.clip(x, min_val, max_val),
    "hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1), "hardswish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "log_sigmoid_forward": lambda x: (np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))), None),
    "rrelu_with_noise": _rrelu, "rrelu_with_noise_functional": lambda **args: (_rrelu(**args), None),
    "_trilinear": _trilinear, "_softmax": _softmax, "softmax": _softmax,
    "_log_softmax": _log_softmax, "log_softmax": _log_softmax,
    "scaled_dot_product_attention": _attention,
    "_scaled_dot_product_flash_attention_for_cpu": _attention_of_cpu,
    # reductions
    "sum": _reduction(np.sum), "mean": _reduction(np.mean), "prod": _reduction(np.prod), "amax": _reduction(np.max),
    "amin": _reduction(np.min), "any": _reduction(np.any), "all": _reduction(np.all), "logsumexp": _logsumexp,
    "var": _var, "var_mean": _var_mean, "linalg_vector_norm": _vector_norm,
    "std": lambda x, dim=None, correction=1, keepdim=False: np.sqrt(_var(x, dim, correction, keepdim)),
    "max": _reduction(np.max), "min": _reduction(np.min), "max.dim": _extreme_with_index(np.max, np.argmax),
    "min.dim": _extreme_with_index(np.min, np.argmin), "argmax": _arg_extreme(np.argmax),
    "argmin": _arg_extreme(np.argmin), "cumsum": lambda x, dim, dtype=None: np.cumsum(x, axis=dim),
    "max.other": lambda x, other: np.maximum(x, other), "min.other": lambda x, other: np.minimum(x, other),
    # norms and pools
    "native_layer_norm": _layer_norm, "_native_batch_norm_legit_no_training": _batch_norm,
    "_native_batch_norm_legit.no_stats": _batch_norm_of_batch, "native_group_norm": _group_norm,
    "max_pool2d_with_indices": _max_pool, "max_pool3d_with_indices": _max_pool, "avg_pool1d": _avg_pool,
    "avg_pool2d": _avg_pool, "avg_pool3d": _avg_pool, "_adaptive_avg_pool2d": _adaptive_avg_pool,
    "_adaptive_avg_pool3d": _adaptive_avg_pool, "adaptive_avg_pool1d": _adaptive_avg_pool,
    "adaptive_max_pool2d": lambda x, output_size: (_adaptive_largest(x, output_size), None),
    "adaptive_max_pool3d": lambda x, output_size: (_adaptive_largest(x, output_size), None),
    **{f"upsample_nearest{n}d.vec": _upsample_nearest for n in (1, 2, 3)}, "upsample_linear1d.vec": _upsample_linear,
    "upsample_bilinear2d.vec": _upsample_linear, "upsample_trilinear3d.vec": _upsample_linear,
    # shapes
    "copy": lambda x, src, non_blocking=False: np.broadcast_to(src, x.shape),
    "view": lambda x, size: np.reshape(x, size), "_unsafe_view": lambda x, size: np.reshape(x, size),
    "reshape": lambda x, shape: np.reshape(x, shape), "expand": _expand, "transpose": _transpose,
    "permute": lambda x, dims: np.transpose(x, dims), "t": lambda x: np.transpose(x), "unsqueeze": _unsqueeze,
    "squeeze": _squeeze, "cat": _cat, "stack": lambda tensors, dim=0: np.stack(tensors, axis=dim), "slice": _slice,
    "select": _select, "slice_scatter": _slice_scatter, "select_scatter": _select_scatter,
    "split_with_sizes": _split, "split": _split_evenly, "unbind": _unbind, "getitem": lambda x, index: x[index],
    "flip": lambda x, dims: np.flip(x, dims), "repeat": lambda x, repeats: np.tile(x, repeats),
    "roll": lambda x, shifts, dims=(): np.roll(x, shifts, tuple(dims) or None), "constant_pad_nd": _pad,
    "tril": lambda x, diagonal=0: np.tril(x, diagonal), "triu": lambda x, diagonal=0: np.triu(x, diagonal),
    # picking
    "embedding": lambda weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False: weight[indices],
    "index": _index, "index_put": _index_put, "index_select": _index_select, "gather": _gather,
    "scatter": _scatter, "scatter_add": _scatter_add, "sort": _sort, "topk": _topk,
    # making
    "arange": _arange, "full": _full, "zeros": _full, "empty": _full,
    "ones": lambda size, dtype=None: np.ones(size), "full_like": _full_like, "zeros_like": _full_like,
    "empty_like": _full_like, "ones_like": lambda x, dtype=None: np.ones(x.shape), "new_full": _new_full,
    "new_zeros": _new_full, "new_empty": _new_full, "new_ones": lambda x, size, dtype=None: np.ones(size),
    "scalar_tensor": lambda s, dtype=None: np.asarray(s), "_to_copy": lambda x, dtype=None: x,
}  # fmt: skip


def _elementwise(function):
    return lambda x: function(x)  # functions of numpy do not take x by its name


_ELEMENTWISE = {
    "abs": np.abs, "neg": np.negative, "sign": np.sign, "floor": np.floor, "ceil": np.ceil, "round": np.rint,
    "trunc": np.trunc, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "log2": np.log2, "log10": np.log10, "sqrt": np.sqrt, "square": np.square, "sin": np.sin, "cos": np.cos,
    "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "isnan": np.isnan,
    "isinf": np.isinf, "logical_not": np.logical_not, "bitwise_not": np.invert,
}  # fmt: skip
OPERATIONS.update({name: _elementwise(function) for name, function in _ELEMENTWISE.items()})
