"""The operations of a forward pass, the modules that call them, and their arguments and results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["Operation", "Recorder", "first_tensor", "recorded", "tensors_in"]

# Operations that compute no new numbers: their result counts as made by the operation before.
_VIEWS = frozenset([
    "view", "reshape", "squeeze", "unsqueeze", "flatten", "unflatten", "contiguous", "transpose", "permute", "t",
    "T", "mT", "getitem", "float", "to", "clone", "detach", "select", "narrow", "chunk", "split", "unbind",
    "expand", "view_as", "reshape_as", "swapaxes", "movedim", "type", "type_as", "double"
])  # fmt: skip
# Attributes of a tensor and other calls that compute nothing.
_IGNORED = frozenset([
    "get", "set", "size", "dim", "numel", "is_floating_point", "stride", "shape", "dtype", "device", "ndim",
    "requires_grad_"
])  # fmt: skip


@dataclass
class Operation:
    """A call of a torch function."""

    name: str  # name of the function, without underscores around it
    layer: str  # innermost module that was running, as in ``named_modules``
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    weights: tuple[str, ...]  # names of the parameters among the arguments
    output: Any

    @property
    def weight(self) -> str | None:
        """Name of the first parameter among the arguments."""
        return self.weights[0] if self.weights else None


def tensors_in(values: Any) -> Iterator[Tensor]:
    """Tensors among arguments or results, those in lists and tuples included."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from tensors_in(value)


def first_tensor(x: Any) -> Tensor:
    """The input of a batch, or the first of several."""
    while not isinstance(x, Tensor):
        if isinstance(x, (str, bytes)):
            raise TypeError(f"expected tensors in a batch, found {type(x).__name__}")
        x = next(iter(x.values() if isinstance(x, dict) else x))
    return x


class Recorder(TorchFunctionMode):
    """Calls `before` and `after` around every torch function that is called inside.

    Functional calls are recorded, which hooks of modules miss; the inside of a fused function is not. It is a function
    mode, since the first dispatch mode of a process imports the compiler, which takes a second.
    """

    def __init__(
        self,
        module: nn.Module,
        before: Callable[[Operation], None] | None = None,
        after: Callable[[Operation], None] | None = None,
    ) -> None:
        super().__init__()
        self.before, self.after = before, after
        self.layers = [""]  # of the modules that are running
        # Tensors are kept alive, since the identity of a freed one may be used again.
        self.kept: list[Any] = []
        self.made_by: dict[int, Operation] = {}
        # A shared weight is known by its first name.
        self.weights = {id(parameter): name for name, parameter in module.named_parameters()}
        self.result: Any = None  # output of the whole module
        # Tensor that depends on the input -> those marked operations that every path from the input to it passes.
        self.passed: dict[int, frozenset[int]] = {}
        self.marked: set[int] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, and record it."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").strip("_")
        if name in _IGNORED:
            return func(*args, **kwargs)
        tensors = [*tensors_in(args), *tensors_in(kwargs.values())]
        weights = tuple(self.weights[id(t)] for t in tensors if id(t) in self.weights)
        operation = Operation(name, self.layers[-1], args, kwargs, weights, None)
        if self.before is not None and name not in _VIEWS:
            self.before(operation)
        operation.output = func(*args, **kwargs)
        outputs = list(tensors_in([operation.output]))
        if weights and len(weights) == len(tensors):  # a weight, transposed or normalised
            self.weights.update({id(t): weights[0] for t in outputs})
        elif name in _VIEWS and tensors:
            source = self.made_by.get(id(tensors[0]))
            if source is not None:
                self.made_by.update({id(t): source for t in outputs})
        elif outputs:
            if self.after is not None:
                self.after(operation)  # which may replace the output
                outputs = list(tensors_in([operation.output]))
            self.made_by.update({id(t): operation for t in outputs})
        paths = [self.passed[id(t)] for t in tensors if id(t) in self.passed]
        if paths:
            on_all_paths = frozenset.intersection(*paths)
            if id(operation) in self.marked:
                on_all_paths |= {id(operation)}
            self.passed.update({id(t): on_all_paths for t in outputs})
        self.kept.append((operation, outputs, tensors))
        return operation.output

    def release(self) -> None:
        """Release all tensors, which reference cycles would keep alive for a while."""
        self.kept.clear()
        self.made_by.clear()
        self.passed.clear()
        self.before = self.after = self.result = None

    def comes_from_input(self, operation: Operation) -> bool:
        """Whether an argument of an operation depends on the input."""
        return any(id(t) in self.passed for t in tensors_in([*operation.args, *operation.kwargs.values()]))

    def follow(self, x: Any) -> None:
        """Declare the input: a tensor, or several in a list or a dict."""
        tensors = list(tensors_in(x.values() if isinstance(x, dict) else [x]))
        self.kept.append(tensors)
        self.passed.update({id(t): frozenset() for t in tensors})


@contextmanager
def recorded(module: nn.Module, recorder: Recorder) -> Iterator[Recorder]:
    """Record the operations of `module`; hooks tell the recorder which of its parts is running."""
    handles = []

    def entering(name: str) -> Any:
        return lambda *_: recorder.layers.append(name)

    def leaving(_: Any, __: Any, output: Any) -> None:
        recorder.layers.pop()
        if len(recorder.layers) == 1:
            recorder.result = output

    try:
        for name, part in module.named_modules():
            handles.append(part.register_forward_pre_hook(entering(name)))
            handles.append(part.register_forward_hook(leaving, always_call=True))
        with recorder:
            yield recorder
    finally:
        for handle in handles:
            handle.remove()
