"""Operations of ATen expressed by simpler ones, so that each backend has to support only the simpler ones.

`decompositions()` adds the functions of this file to those of torch. Each takes the arguments of ATen's schema.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["decompositions"]

aten = torch.ops.aten


@functools.cache
def decompositions() -> Any:
    """Operation -> function that computes it from simpler operations."""
    from torch.export import default_decompositions  # importing it takes a second

    table = default_decompositions()
    # The decomposition of torch reshapes both factors to three dimensions, although both backends broadcast.
    table.pop(aten.matmul.default, None)
    for name, function in _DECOMPOSITIONS.items():
        packet, _, overload = name.partition(".")
        operation = getattr(aten, packet, None)  # older versions of torch lack some
        if operation is not None:
            table[getattr(operation, overload or "default")] = function
    return table


# ------------------------------------------------------------------------------- activations


def _elu(x: Tensor, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Tensor:
    below = torch.expm1(x.clamp(max=0) * input_scale) * (alpha * scale)
    return torch.where(x > 0, x * scale, below)


def _gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    if approximate == "tanh":
        share = torch.tanh((x + 0.044715 * (x * x * x)) * math.sqrt(2 / math.pi))
    else:
        share = torch.erf(x * math.sqrt(0.5))
    return x * 0.5 * (share + 1)


def _leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    return torch.where(x > 0, x, x * negative_slope)


def _rrelu(x: Tensor, noise: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, *_: Any) -> Tensor:
    return _leaky_relu(x, (lower + upper) / 2)  # what it is in evaluation mode


def _attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
               is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False) -> Tensor:  # fmt: skip
    if enable_gqa:
        n_shared = query.shape[-3] // key.shape[-3]
        key, value = (x.repeat_interleave(n_shared, dim=-3) for x in (key, value))
    query = query * (query.shape[-1] ** -0.5 if scale is None else scale)
    scores = torch.matmul(query, key.transpose(-1, -2))
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if attn_mask is None:
        return torch.matmul(torch.softmax(scores, -1), value)
    scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    # A query that may attend to nothing gives zeros, as in torch.
    is_blind = scores.amax(-1, keepdim=True) == -math.inf
    return torch.matmul(torch.softmax(scores, -1).masked_fill(is_blind, 0.0), value)


# ------------------------------------------------------------------------------- statistics and norms


def _moments(x: Tensor, dims: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, difference to it, and mean square of that difference."""
    mean = x.mean(dims, keepdim=True)
    center = x - mean
    return mean, center, (center * center).mean(dims, keepdim=True)


def _standardized(x: Tensor, dims: Any, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """The standardized values, the mean, and the reciprocal of the standard deviation."""
    mean, center, power = _moments(x, dims)
    spread = torch.sqrt(power + eps)
    return center / spread, mean, 1 / spread


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None, along_channels: bool = True) -> Tensor:
    if along_channels:
        weight, bias = (None if v is None else _along_channels(v, x) for v in (weight, bias))
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _along_channels(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def _layer_norm(x: Tensor, shape: list[int], weight: Tensor | None, bias: Tensor | None, eps: float) -> Any:
    out, mean, rstd = _standardized(x, list(range(-len(shape), 0)), eps)
    return _affine(out, weight, bias, along_channels=False), mean, rstd


def _batch_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor, running_var: Tensor,
                momentum: float, eps: float) -> Any:  # fmt: skip
    spread = torch.sqrt(_along_channels(running_var, x) + eps)
    nothing = running_mean[:0]
    return _affine((x - _along_channels(running_mean, x)) / spread, weight, bias), nothing, nothing


def _batch_norm_of_batch(x: Tensor, weight: Tensor | None, bias: Tensor | None, training: bool, momentum: float,
                         eps: float) -> Any:  # fmt: skip
    out, mean, rstd = _standardized(x, [0, *range(2, x.ndim)], eps)
    return _affine(out, weight, bias), mean.reshape(-1), rstd.reshape(-1)


def _group_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int,
                eps: float) -> Any:  # fmt: skip
    out, mean, rstd = _standardized(x.reshape(N, group, C // group * HxW), [2], eps)
    return _affine(out.reshape(x.shape), weight, bias), mean.squeeze(-1), rstd.squeeze(-1)


def _var_mean(x: Tensor, dim: Any = None, *, correction: float | None = 1, keepdim: bool = False) -> Any:
    dims = dim or list(range(x.ndim))
    n_values = math.prod(x.shape[d] for d in dims)
    mean, center, _ = _moments(x, dims)
    freedom = n_values - (1 if correction is None else correction)
    variance = (center * center).sum(dims, keepdim=keepdim) / freedom
    return variance, mean if keepdim else mean.squeeze(dims)


def _vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    x = x.to(dtype or x.dtype).abs()
    dims = list(range(x.ndim)) if dim is None else dim
    if math.isinf(ord):
        return x.amax(dims, keepdim) if ord > 0 else x.amin(dims, keepdim)
    if ord == 2:
        return torch.sqrt((x * x).sum(dims, keepdim))
    if ord == 1:
        return x.sum(dims, keepdim)
    return (x**ord).sum(dims, keepdim) ** (1 / ord) if ord else (x != 0).to(x.dtype).sum(dims, keepdim)


# ------------------------------------------------------------------------------- reductions


def _any(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    dims = [] if dim is None else [dim] if isinstance(dim, int) else dim
    return x.to(torch.bool).to(torch.int32).amax(dims, keepdim).to(torch.bool)


def _topk(x: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    values, places = x.sort(dim, descending=largest)
    return values.narrow(dim, 0, k), places.narrow(dim, 0, k)


# ------------------------------------------------------------------------------- pools and enlarging


def _adaptive_pool(reduce: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def pool(x: Tensor, output_size: list[int]) -> Tensor:
        for dim, n in zip(range(-len(output_size), 0), output_size, strict=True):
            size = x.shape[dim]
            ends = [(i * size // n, -(-(i + 1) * size // n)) for i in range(n)]
            x = torch.cat([reduce(x.narrow(dim, a, b - a), dim, keepdim=True) for a, b in ends], dim)
        return x

    return pool


def _adaptive_max_pool(x: Tensor, output_size: list[int]) -> tuple[Tensor, Tensor]:
    pooled = _adaptive_pool(torch.amax)(x, output_size)
    return pooled, torch.full_like(pooled, -1, dtype=torch.int64)  # the places of the maxima are not computed


def _enlarged_dims(x: Tensor, output_size: Any, factors: Any) -> Iterator[tuple[int, int, int, float]]:
    """Dimension, size, enlarged size, and step between two places of each dimension that is enlarged."""
    n = len(output_size or factors)
    for i, dim in enumerate(range(x.ndim - n, x.ndim)):
        n_in = x.shape[dim]
        if factors is None:
            yield dim, n_in, output_size[i], n_in / output_size[i]
        else:
            yield dim, n_in, output_size[i] if output_size else int(n_in * factors[i]), 1 / factors[i]


def _upsample_nearest(x: Tensor, output_size: Any, scale_factors: Any = None) -> Tensor:
    for dim, n_in, n_out, step in _enlarged_dims(x, output_size, scale_factors):
        places = torch.arange(n_out, dtype=torch.float64) * float(np.float32(step))  # torch computes in float32
        x = x.index_select(dim, places.floor().clamp(max=n_in - 1).to(torch.int64))
    return x


def _upsample_linear(x: Tensor, output_size: Any, align_corners: bool, scale_factors: Any = None) -> Tensor:
    for dim, n_in, n_out, step in _enlarged_dims(x, output_size, scale_factors):
        places = torch.arange(n_out, dtype=torch.float64)
        if align_corners:
            places = places * ((n_in - 1) / max(1, n_out - 1))
        else:
            places = ((places + 0.5) * step - 0.5).clamp(0, n_in - 1)
        distances = places - torch.arange(n_in, dtype=torch.float64)[:, None]
        weights = (1 - distances.abs()).clamp(min=0).to(x.dtype)  # (n_in, n_out), two of each column are not zero
        x = torch.matmul(x.transpose(dim, -1), weights).transpose(dim, -1)
    return x


# ------------------------------------------------------------------------------- indexing and shapes


def _index_put(x: Tensor, indices: list[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """Assignment of one number where a mask is true."""
    mask = indices[0] if len(indices) == 1 else None
    if accumulate or mask is None or mask.dtype != torch.bool or values.numel() != 1:
        return NotImplemented
    mask = mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim))
    return torch.where(mask, values.reshape(()), x)


def _slice_scatter(x: Tensor, src: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Tensor:
    n = x.shape[dim]
    start, end, step = slice(start, end, step).indices(n)
    if (start, end, step) == (0, n, 1):
        return src.to(x.dtype).expand(x.shape)
    if step != 1:
        places = torch.arange(n, dtype=torch.int64) - start
        is_replaced = (places >= 0) & (places < end - start) & (places % step == 0)
        new = x if src.shape[dim] == 0 else src.index_select(dim, (places // step).clamp(0, src.shape[dim] - 1))
        return torch.where(is_replaced.reshape(-1, *[1] * (x.ndim - 1 - dim % x.ndim)), new.to(x.dtype), x)
    return torch.cat([x.narrow(dim, 0, start), src.to(x.dtype), x.narrow(dim, end, n - end)], dim)


def _split(x: Tensor, split_sizes: list[int], dim: int = 0) -> list[Tensor]:
    starts = [sum(split_sizes[:i]) for i in range(len(split_sizes))]
    return [x.narrow(dim, start, size) for start, size in zip(starts, split_sizes, strict=True)]


def _trilinear(i1: Tensor, i2: Tensor, i3: Tensor, expand1: list[int], expand2: list[int], expand3: list[int],
               sumdim: list[int], unroll_dim: int = 1) -> Tensor:  # fmt: skip
    factors = []
    for x, dims in ((i1, expand1), (i2, expand2), (i3, expand3)):
        for dim in sorted(dims):
            x = x.unsqueeze(dim)
        factors.append(x)
    return (factors[0] * factors[1] * factors[2]).sum(sumdim)


_DECOMPOSITIONS: dict[str, Callable[..., Any]] = {
    "elu": _elu, "gelu": _gelu, "leaky_relu": _leaky_relu, "rrelu_with_noise": _rrelu,
    "rrelu_with_noise_functional": lambda x, noise, *args, **_: (_rrelu(x, noise, *args), noise),
    "hardtanh": lambda x, min_val=-1.0, max_val=1.0: x.clamp(min_val, max_val),
    "scaled_dot_product_attention": _attention,
    "native_layer_norm": _layer_norm, "_native_batch_norm_legit_no_training": _batch_norm,
    "_native_batch_norm_legit.no_stats": _batch_norm_of_batch, "native_group_norm": _group_norm,
    "var.correction": lambda x, dim=None, **options: _var_mean(x, dim, **options)[0],
    "var_mean.correction": _var_mean, "linalg_vector_norm": _vector_norm,
    "any": _any, "any.dim": _any, "any.dims": _any, "topk": _topk,
    "max": lambda x: x.amax(), "min": lambda x: x.amin(),
    "max.dim": lambda x, dim, keepdim=False: (x.amax(dim, keepdim), x.argmax(dim, keepdim)),
    "min.dim": lambda x, dim, keepdim=False: (x.amin(dim, keepdim), x.argmin(dim, keepdim)),
    "_adaptive_avg_pool2d": _adaptive_pool(torch.mean), "_adaptive_avg_pool3d": _adaptive_pool(torch.mean),
    "adaptive_max_pool2d": _adaptive_max_pool, "adaptive_max_pool3d": _adaptive_max_pool,
    **{f"upsample_nearest{n}d.vec": _upsample_nearest for n in (1, 2, 3)}, "upsample_linear1d.vec": _upsample_linear,
    "upsample_bilinear2d.vec": _upsample_linear, "upsample_trilinear3d.vec": _upsample_linear,
    "index_select": lambda x, dim, index: aten.index.Tensor(x, [None] * (dim % x.ndim) + [index.reshape(-1)]),
    "embedding": lambda weight, indices, *_: aten.index.Tensor(weight, [indices]),
    "index_put": _index_put, "slice_scatter": _slice_scatter, "split_with_sizes": _split, "_trilinear": _trilinear,
    "copy": lambda x, src, non_blocking=False: src.to(x.dtype).expand(x.shape),
    "scatter.value": lambda x, dim, index, value: x.scatter(dim, index, torch.full_like(index, value, dtype=x.dtype)),
    "full_like": lambda x, value, *, dtype=None, **_: torch.full(x.shape, value, dtype=dtype or x.dtype),
    "scalar_tensor": lambda value, *, dtype=None, **_: torch.full((), value, dtype=dtype),
    "empty.memory_format": lambda size, *, dtype=None, **_: torch.full(size, 0, dtype=dtype),
}  # fmt: skip
