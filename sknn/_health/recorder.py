"""Which operations a forward pass consists of, where they happen, and what flows through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["Operation", "Recorder", "first_tensor", "recorded", "tensors_in"]

# What only looks at a tensor in another way: the number that comes out was made by the operation before.
_VIEWS = frozenset(
    [
        "view",
        "reshape",
        "squeeze",
        "unsqueeze",
        "flatten",
        "unflatten",
        "contiguous",
        "transpose",
        "permute",
        "t",
        "T",
        "mT",
        "getitem",
        "float",
        "to",
        "clone",
        "detach",
        "select",
        "narrow",
        "chunk",
        "split",
        "unbind",
        "expand",
        "view_as",
        "reshape_as",
        "swapaxes",
        "movedim",
        "type",
        "type_as",
        "double",
    ]
)
# Attributes of a tensor and other calls that compute nothing.
_IGNORED = frozenset(
    [
        "get",
        "set",
        "size",
        "dim",
        "numel",
        "is_floating_point",
        "stride",
        "shape",
        "dtype",
        "device",
        "ndim",
        "requires_grad_",
    ]
)


@dataclass
class Operation:
    """A call of a torch function.

    Attributes
    ----------
    name : str
        Of the function, without underscores around it.
    layer : str
        Innermost module that was running, as in ``named_modules``.
    args : tuple
    kwargs : dict
    weights : tuple of str
        Names of the parameters among the arguments.
    output : Tensor
    """

    name: str
    layer: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    weights: tuple[str, ...]
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
    """The input of a batch, or of several the first."""
    while not isinstance(x, Tensor):
        if isinstance(x, (str, bytes)):
            raise TypeError(f"expected tensors in a batch, found {type(x).__name__}")
        x = next(iter(x.values() if isinstance(x, dict) else x))
    return x


class Recorder(TorchFunctionMode):
    """Calls `before` and `after` around every torch function that is called inside.

    Functional calls are seen, which hooks of modules miss; what a fused function does inside is not. A mode of
    functions, not of dispatch: the first dispatch mode of a process imports the compiler, which takes a second.

    Parameters
    ----------
    module : nn.Module
        Whose parameters are known by name.
    before, after : callable or None
        Given the operation, without and with its output.
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
        # Tensors are kept, or the memory of one that is gone would lend its identity to the next.
        self.kept: list[Any] = []
        self.made_by: dict[int, Operation] = {}
        # Of weights that are shared, by their first name, as everywhere.
        self.weights = {id(parameter): name for name, parameter in module.named_parameters()}
        self.result: Any = None  # of the whole module
        # Tensors that come from the input -> operations, of those marked, that all ways to them lead through.
        self.ways: dict[int, frozenset[int]] = {}
        self.marked: set[int] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The function itself, watched."""
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
        ways = [self.ways[id(t)] for t in tensors if id(t) in self.ways]
        if ways:
            all_ways = frozenset.intersection(*ways)
            if id(operation) in self.marked:
                all_ways |= {id(operation)}
            self.ways.update({id(t): all_ways for t in outputs})
        self.kept.append((operation, outputs, tensors))
        return operation.output

    def release(self) -> None:
        """Let all tensors go, which circles of references would hold for a while."""
        self.kept.clear()
        self.made_by.clear()
        self.ways.clear()
        self.before = self.after = self.result = None

    def comes_from_input(self, operation: Operation) -> bool:
        """Whether an argument of an operation does."""
        return any(id(t) in self.ways for t in tensors_in([*operation.args, *operation.kwargs.values()]))

    def follow(self, x: Any) -> None:
        """Tell what is the input: a tensor, or several in a list or a dict."""
        tensors = list(tensors_in(x.values() if isinstance(x, dict) else [x]))
        self.kept.append(tensors)
        self.ways.update({id(t): frozenset() for t in tensors})


@contextmanager
def recorded(module: nn.Module, recorder: Recorder) -> Iterator[Recorder]:
    """Record what `module` does inside; its modules tell the recorder which of them is running."""
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
