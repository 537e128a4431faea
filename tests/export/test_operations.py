"""Each operation gives the same result by numpy, by onnxruntime and by torch."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sknn._export.numpy.operations import OPERATIONS
from sknn._export.onnx.graph import OnnxGraph, Value
from sknn._export.onnx.operations import Call, converter

aten = torch.ops.aten


def tensor(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


X, CUBE, IMAGES = tensor(3, 4), tensor(2, 3, 4), tensor(2, 4, 5, 6)
POSITIVE, UNIT, WHOLE, FLAGS = X.abs() + 0.1, X.tanh() * 0.9, (X * 5).long(), X > 0
PLACES = torch.tensor([[1, 0, 2, 2], [0, 0, 1, 2], [2, 1, 1, 0]])
GAPS = torch.tensor([1.0, float("nan"), -3.0], dtype=torch.float64)
UNARY = ["abs", "neg", "sign", "floor", "ceil", "round", "trunc", "exp", "exp2", "expm1", "sin", "cos", "tan", "atan",
         "sinh", "cosh", "tanh", "asinh", "erf", "relu", "sigmoid", "isnan", "isinf"]  # fmt: skip
OF_POSITIVE = ["log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal"]
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]
CASES = [
    *[(name, X) for name in UNARY],
    *[(name, POSITIVE) for name in OF_POSITIVE],
    *[(name, UNIT) for name in ("asin", "acos", "atanh")],
    ("acosh", POSITIVE + 1), ("logical_not", WHOLE), ("bitwise_not", WHOLE), ("bitwise_not", FLAGS),
    *[(f"{name}.Tensor", WHOLE, X) for name in COMPARISONS],
    *[(f"{name}.Scalar", WHOLE, 1) for name in COMPARISONS],
    *[(f"logical_{name}", FLAGS, WHOLE) for name in ("and", "or", "xor")],
    *[(f"bitwise_{name}.Tensor", whole, whole.flip(0)) for name in ("and", "or", "xor") for whole in (WHOLE, FLAGS)],
    ("add.Tensor", X, WHOLE, 2), ("sub.Tensor", X, WHOLE, 2), ("mul.Tensor", X, 0.5), ("maximum", X, -X),
    ("minimum", X, -X), ("div.Tensor", WHOLE, 2), ("div.Tensor_mode", X, 0.3, "floor"), ("div.Tensor_mode", X, 0.3, "trunc"),
    ("div.Tensor_mode", WHOLE, torch.tensor(3), "floor"), ("div.Tensor_mode", WHOLE, torch.tensor(3), "trunc"),
    ("remainder.Scalar", X, 0.7), ("remainder.Scalar", WHOLE, 3), ("fmod.Scalar", X, 0.7), ("fmod.Scalar", WHOLE, 3),
    ("pow.Tensor_Scalar", POSITIVE, 1.5), ("pow.Tensor_Scalar", X, 2), ("pow.Tensor_Tensor", POSITIVE, X),
    ("clamp", X, -0.5), ("clamp", X, None, 0.5), ("clamp", GAPS, -1, 2), ("clamp.Tensor", X, torch.zeros(4)),
    ("where.self", FLAGS, X, torch.tensor(1.0)), ("where.self", FLAGS, FLAGS.flip(0), FLAGS.flip(1)),
    ("mm", X, X.T), ("bmm", CUBE, CUBE.mT), ("matmul", CUBE, X.T), ("addmm", X, X, tensor(4, 4), 0.5, 2.0),
    ("convolution", IMAGES, tensor(6, 2, 3, 2), tensor(6), [2, 1], [1, 0], [1, 2], False, [0, 0], 2),
    ("convolution", IMAGES, tensor(4, 3, 3, 2), None, [2, 1], [1, 0], [1, 2], True, [1, 0], 2),
    ("max_pool2d_with_indices", IMAGES, [3, 2], [2, 1], [1, 0], [1, 2]),
    ("avg_pool2d", IMAGES, [3, 2], [2, 1], [1, 0], False, False), ("avg_pool2d", IMAGES, [3, 2], [], [1, 1]),
    ("avg_pool2d", IMAGES, [3, 2], [2, 2], [0, 0], False, True, 5), ("avg_pool3d", CUBE[:, None, None], [1, 3, 2]),
    ("_softmax", X, -1, False), ("_log_softmax", X, 0, False), ("sum.dim_IntList", CUBE, [0, -1]),
    ("sum.dim_IntList", FLAGS, [1], True), ("mean.dim", CUBE, [1], True), ("mean", CUBE), ("prod", X), ("prod.dim_int", X, 1),
    ("amax", CUBE, [1, 2]), ("amin", CUBE), ("argmax", X, 1), ("argmin", X, 0, True), ("cumsum", CUBE, -2),
    ("sort", X, 0), ("sort", X, -1, True),
    ("view", X, [2, 6]), ("expand", X, [2, 3, 4]), ("expand", X[:1], [5, -1]), ("permute", CUBE, [2, 0, -2]),
    ("squeeze.dims", CUBE[:, :1, :1], [1, -1]), ("unsqueeze", X, -2), ("cat", [X, WHOLE, torch.zeros(0)], -1),
    ("slice.Tensor", CUBE, -1, 1, -1, 2), ("slice.Tensor", CUBE, 1), ("select.int", CUBE, 1, -1), ("flip", CUBE, [0, -1]),
    ("repeat", X, [2, 1, 3]), ("constant_pad_nd", CUBE, [1, 2, 0, 1], 7.0), ("constant_pad_nd", CUBE, [-1, 2], 7.0),
    ("index.Tensor", CUBE, [None, PLACES[0]]), ("index.Tensor", CUBE, [torch.tensor([[1], [0]]), PLACES[0]]),
    ("gather", X, 0, PLACES), ("scatter.src", X, 0, PLACES[:, :2], CUBE[0]),
    ("scatter_add", X, 0, PLACES, CUBE[0]), ("arange.start_step", 2, 9, 3), ("full", [2, 3], 0.5),
]  # fmt: skip


def named_arguments(op, args):
    """Arguments by the names of the schema, ``self`` as ``x``."""
    names = ["x" if argument.name == "self" else argument.name for argument in op._schema.arguments]
    return dict(zip(names, args, strict=False))


def converted(value, convert):
    if isinstance(value, list):
        return [converted(item, convert) for item in value]
    return convert(value.contiguous().numpy()) if isinstance(value, torch.Tensor) else value


def by_onnx(name, arguments, expected):
    graph = OnnxGraph("rows", [])
    values = {
        key: converted(value, lambda array: Value(graph.constant(array), array.dtype.name, array.shape))
        for key, value in arguments.items()
    }
    single = expected[0] if len(expected) == 1 else None
    names = converter(name)(Call(graph, single and single[0], single[1] if single else ()), **values)
    names = [names] if single else [found for found in names if found]
    helper, types = onnx.helper, onnx.TensorProto
    outputs = [helper.make_tensor_value_info(found, types.UNDEFINED, None) for found in names]
    proto = helper.make_graph(graph.nodes, "operation", [], outputs, initializer=graph.used_initializers())
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.shape_inference.infer_shapes(model)
    for output, (dtype, _) in zip(model.graph.output, expected, strict=False):
        output.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {})


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{name}" for i, (name, *_) in enumerate(CASES)])
def test_an_operation_gives_the_result_of_torch(case):
    name, *args = case
    packet, _, overload = name.partition(".")
    op = getattr(getattr(aten, packet), overload or "default")
    n_positional = sum(not argument.kwarg_only for argument in op._schema.arguments)
    keywords = [argument.name for argument in op._schema.arguments if argument.kwarg_only]
    expected = op(*args[:n_positional], **dict(zip(keywords, args[n_positional:], strict=False)))
    expected = [value.numpy() for value in (expected if isinstance(expected, tuple) else [expected])]
    arguments = named_arguments(op, args)
    with np.errstate(all="ignore"):
        by_numpy = OPERATIONS[packet](**{key: converted(value, np.asarray) for key, value in arguments.items()})
    by_numpy = list(by_numpy) if isinstance(by_numpy, tuple) else [by_numpy]
    shapes = [(value.dtype.name, value.shape) for value in expected]
    for found in (by_numpy, by_onnx(name, arguments, shapes)):
        for a, b in zip(found, expected, strict=False):
            if a is not None:
                assert np.shape(a) == b.shape
                np.testing.assert_allclose(np.asarray(a, dtype=b.dtype), b, rtol=2e-5, atol=2e-6)


def test_both_backends_know_the_same_operations():
    only_numpy = {"atan2", "getitem", "index_put"}
    assert {name for name in OPERATIONS if converter(name) is None} == only_numpy
