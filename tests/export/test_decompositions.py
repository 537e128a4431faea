"""Each decomposition computes what the operation of torch computes."""

from __future__ import annotations

import math

import pytest
import torch

from sknn._export.decompositions import _DECOMPOSITIONS

aten = torch.ops.aten
NAN = math.nan


def tensor(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


X, IMAGES, CUBES = tensor(4, 6), tensor(2, 4, 5, 7), tensor(2, 2, 4, 5, 3)
HEADS, SHARED = tensor(2, 4, 3, 5), tensor(2, 2, 3, 5)
MASK = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])  # one query attends to nothing
CHANNELS = [tensor(4), tensor(4) + 1]
CASES = [
    ("elu", (X, 1.7, 1.05, 2.0), {}),
    ("gelu", (X,), {}),
    ("gelu", (X,), {"approximate": "tanh"}),
    ("leaky_relu", (X, 0.3), {}),
    ("hardtanh", (X, -0.5, 0.7), {}),
    ("scaled_dot_product_attention", (HEADS, HEADS, HEADS), {"scale": 0.3}),
    ("scaled_dot_product_attention", (HEADS, HEADS, HEADS, None, 0.0, True), {}),
    ("scaled_dot_product_attention", (HEADS, HEADS, HEADS, MASK), {}),
    ("scaled_dot_product_attention", (HEADS, HEADS, HEADS, tensor(3, 3)), {}),
    ("scaled_dot_product_attention", (HEADS, SHARED, SHARED), {"enable_gqa": True}),
    ("native_layer_norm", (X, [6], tensor(6), None, 1e-3), {}),
    ("native_layer_norm", (IMAGES, [5, 7], None, None, 1e-5), {}),
    ("native_group_norm", (IMAGES, *CHANNELS, 2, 4, 35, 2, 1e-5), {}),
    ("_native_batch_norm_legit_no_training", (IMAGES, *CHANNELS, tensor(4), tensor(4).abs(), 0.1, 1e-5), {}),
    ("_native_batch_norm_legit.no_stats", (IMAGES, *CHANNELS, True, 0.1, 1e-5), {}),
    ("var.correction", (X, [1]), {"correction": 0, "keepdim": True}),
    ("var.correction", (X,), {}),
    ("var_mean.correction", (IMAGES, [1, -1]), {"correction": 2}),
    *[("linalg_vector_norm", (X, order, [1]), {}) for order in (0, 1, 2, 3, math.inf, -math.inf)],
    ("linalg_vector_norm", (X,), {}),
    ("any", (X > 2,), {}),
    ("any.dim", (X > 1, 1), {}),
    ("any.dims", (X, [0, 1], True), {}),
    ("topk", (X, 2, 1, False), {}),
    ("max", (X,), {}),
    ("max.dim", (X, 1), {}),
    ("min.dim", (X, 0, True), {}),
    ("_adaptive_avg_pool2d", (IMAGES, [3, 4]), {}),
    ("_adaptive_avg_pool3d", (CUBES, [2, 5, 1]), {}),
    ("upsample_nearest1d.vec", (tensor(2, 3, 5), None, [2.7]), {}),
    ("upsample_nearest2d.vec", (IMAGES, [8, 3], None), {}),
    ("upsample_nearest3d.vec", (CUBES, None, [1.5, 2.0, 1.1]), {}),
    ("upsample_linear1d.vec", (tensor(2, 3, 5), None, False, [2.7]), {}),
    ("upsample_bilinear2d.vec", (IMAGES, [8, 3], True, None), {}),
    ("upsample_bilinear2d.vec", (IMAGES, None, False, [0.6, 1.9]), {}),
    ("upsample_trilinear3d.vec", (CUBES, [3, 9, 4], False, None), {}),
    ("index_select", (X, -1, torch.tensor([5, 0, 0])), {}),
    ("embedding", (X, torch.tensor([[3, 0], [1, 1]])), {}),
    ("index_put", (X, [X > 0], torch.tensor(7.0)), {}),
    ("slice_scatter", (X, tensor(4, 2), 1, 2, 4), {}),
    ("slice_scatter", (X, tensor(4, 2), 1, 1, 5, 2), {}),
    ("slice_scatter", (X, tensor(4, 6), 0, 0, 2**63 - 1), {}),
    ("split_with_sizes", (X, [1, 2, 3], 1), {}),
    ("_trilinear", (tensor(3, 4), tensor(5, 4, 2), tensor(3, 2), [1, 3], [0], [1, 2], [2, 3]), {}),
    ("copy", (X, torch.arange(6)), {}),
    ("scatter.value", (X, 1, torch.tensor([[0], [3]]), 9.0), {}),
    ("full_like", (X, 3), {}),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{name}" for i, (name, _, _) in enumerate(CASES)])
def test_a_decomposition_computes_what_torch_computes(case):
    name, args, options = case
    packet, _, overload = name.partition(".")
    expected = getattr(getattr(aten, packet), overload or "default")(*args, **options)
    found = _DECOMPOSITIONS[name](*args, **options)
    if isinstance(expected, torch.Tensor):
        expected, found = [expected], [found]
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        if b.numel():
            torch.testing.assert_close(a.reshape(b.shape), b, atol=2e-6, rtol=1e-5)


def test_what_a_decomposition_cannot_express_is_left_to_the_backends():
    index = torch.tensor([0, 2])
    assert _DECOMPOSITIONS["index_put"](X, [index], torch.tensor(1.0)) is NotImplemented
    assert _DECOMPOSITIONS["index_put"](X, [X > 0], torch.tensor(1.0), True) is NotImplemented


def test_pooled_maxima_are_those_of_torch():
    found, _ = _DECOMPOSITIONS["adaptive_max_pool2d"](IMAGES, [3, 4])
    torch.testing.assert_close(found, aten.adaptive_max_pool2d(IMAGES, [3, 4])[0])
