"""A graph of ONNX to which nodes and initializers are added one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._optional import optional_import
from ..graph import BatchSize

__all__ = ["OnnxGraph", "Value", "onnx_module"]

ASKED_BY = "sknn.export_onnx"
INT64_MAX = 2**63 - 1


def onnx_module() -> Any:
    """The package onnx, or an ImportError that names the extra."""
    return optional_import("onnx", asked_by=ASKED_BY, extra="onnx")


@dataclass(frozen=True)
class Value:
    """A value of the graph of ONNX that stands for a value of the recording."""

    name: str
    dtype: str  # name that numpy gives it
    shape: tuple[Any, ...]  # of int and BatchSize

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def axis(self, dim: int) -> int:
        """A dimension counted from the first."""
        return dim % max(1, self.ndim)


class OnnxGraph:
    """A graph that grows by one node per call; values are names.

    The first dimension of the input `rows` is the batch. The names in `reserved` are not given to other values.
    """

    def __init__(self, rows: str, reserved: Sequence[str]) -> None:
        self.onnx = onnx_module()
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._rows = rows
        self._n_names = 0
        self._reserved = set(reserved)
        self._constants: dict[Any, str] = {}  # content of a small array -> name
        self._sizes: dict[BatchSize, str] = {}

    def _name(self, what: str) -> str:
        self._n_names += 1
        name = f"{what.lower()}_{self._n_names}"
        return name if name not in self._reserved else self._name(what)

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; return its name. An empty name leaves out an optional input."""
        return self.ops(kind, 1, *inputs, domain=domain, **attributes)[0]

    def ops(self, kind: str, n_outputs: int, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node with several outputs."""
        outputs = [self._name(kind) for _ in range(n_outputs)]
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), outputs, domain=domain, **attributes))
        return outputs

    def constant(self, array: Any, dtype: str | None = None) -> str:
        """An initializer; equal small arrays share one."""
        array = np.asarray(array, dtype=dtype)
        if array.dtype.kind in "US":
            array = array.astype(object)
        key = None
        if array.size <= 64:
            content = tuple(array.ravel().tolist()) if array.dtype == object else array.tobytes()
            key = array.dtype.str, array.shape, content
            if key in self._constants:
                return self._constants[key]
        name = self._name("constant")
        if array.dtype == object:
            data = [str(item).encode() for item in array.ravel()]
            tensor = self.onnx.helper.make_tensor(name, self.onnx.TensorProto.STRING, array.shape, data)
        else:
            tensor = self.onnx.numpy_helper.from_array(np.array(array, order="C"), name)  # keeps 0 dimensions
        self.initializers.append(tensor)
        if key is not None:
            self._constants[key] = name
        return name

    def used_initializers(self) -> list[Any]:
        """The initializers that a node reads; onnxruntime warns of others."""
        read = {name for node in self.nodes for name in node.input}
        return [tensor for tensor in self.initializers if tensor.name in read]

    def ints(self, values: Sequence[int]) -> str:
        """An int64 vector."""
        return self.constant(np.array(list(values), dtype=np.int64).reshape(-1))

    def cast(self, name: str, dtype: str) -> str:
        """Convert to a dtype given by its name in numpy."""
        return self.op("Cast", name, to=self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def size(self, size: int | BatchSize) -> str:
        """A size as an int64 vector of length 1."""
        if not isinstance(size, BatchSize):
            return self.ints([size])
        if size not in self._sizes:
            if size == BatchSize(1, 0):
                name = self.op("Shape", self._rows, start=0, end=1)
            else:
                name = self.size(BatchSize(1, 0))
            if size.factor != 1:
                name = self.op("Mul", name, self.ints([size.factor]))
            self._sizes[size] = self.op("Add", name, self.ints([size.offset])) if size.offset else name
        return self._sizes[size]

    def sizes(self, sizes: Sequence[int | BatchSize]) -> str:
        """A shape as an int64 vector."""
        fixed = [size for size in sizes if not isinstance(size, BatchSize)]
        if len(fixed) == len(sizes):
            return self.ints(fixed)
        return self.op("Concat", *[self.size(size) for size in sizes], axis=0)

    def reshape(self, name: str, shape: Sequence[int | BatchSize]) -> str:
        """Reshape. A single dimension that depends on the rows is left to be inferred."""
        following = [size for size in shape if isinstance(size, BatchSize)]
        if len(following) == 1 and not any(size in (0, -1) for size in shape):
            target = self.ints([-1 if isinstance(size, BatchSize) else size for size in shape])
        else:
            target = self.sizes(shape)
        return self.op("Reshape", name, target, allowzero=int(0 in shape))

    def slice(self, name: str, axis: int, start: Any, end: Any, step: int = 1) -> str:
        """A part along one axis."""
        return self.op("Slice", name, self.size(start), self.size(end), self.ints([axis]), self.ints([step]))
