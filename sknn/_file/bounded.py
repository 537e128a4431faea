"""Build a network that a file describes, and find before it takes any memory that it is not the one in the file."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration
from torch.nn.parameter import is_lazy

from .._network.table_network import network_inputs
from .._random import isolated_random_state
from ..exceptions import DamagedFileError, FileError, UntrustedFileError
from .json import expect

__all__ = ["build_like", "check_outputs", "freeze", "state_of"]

# A constructor makes layers only to draw weights from, and layers without weights: more than there are tensors.
_PARTS_BESIDE, _PARTS_A_TENSOR = 2000, 20
_BYTES_BESIDE, _BYTES_A_BYTE = 2**26, 8
# Modules registered over and over, that is layers in a number that the file says.
# Of what one layer gives for a few rows (512 MiB), and all of them.
_MAX_OUTPUTS, _MAX_ALL_OUTPUTS = 2**27, 2**29
# Products for a few rows: those of weights run at the speed of the processor, the windows of pooling one by one.
_MAX_WORK, _MAX_POOLING = 2**38, 2**32
_CPU = torch.device("cpu")
_REGISTER = ("parameter", "buffer", "module")


def state_of(module: nn.Module, where: str) -> dict[str, Tensor]:
    """Parameters and buffers of a module, on the CPU; lazy layers that have not seen a row have none yet.

    Raises
    ------
    TypeError
        It has a state that is no tensor.
    """
    state = module.state_dict(keep_vars=True)
    state = {name: tensor for name, tensor in state.items() if not is_lazy(tensor)}
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            raise TypeError(
                f"{where} has a state {name!r} that is no plain tensor, which a file cannot hold. Keep what it learns "
                "in parameters and buffers, without get_extra_state."
            )
    return {name: tensor.detach().cpu() for name, tensor in state.items()}


def build_like(make: Callable[[], nn.Module], state: dict[str, Tensor], where: str, *, own_code: bool) -> nn.Module:
    """The module that `make` makes, with this state.

    It is made on the meta device first, where weights have a shape but take no memory, and its shapes are compared with
    those of `state`.

    Parameters
    ----------
    make : callable
    state : dict of str to Tensor
    where : str
    own_code : bool
        Whether a class or function of the user's is in it, which may not be possible on the meta device, and is called
        only once.

    Raises
    ------
    DamagedFileError
        Constructor or shapes refuse it.
    UntrustedFileError
        It would be far larger than the file.
    """
    try:
        if not own_code:
            with _limited(state, where, bytes_too=False), isolated_random_state(0, _CPU), torch.device("meta"):
                trial = make()
            _compare(trial, state, where)
        with _limited(state, where, bytes_too=True), isolated_random_state(0, _CPU):
            built = make()
        _compare(built, state, where)
        built.load_state_dict(state, strict=False)  # the names have been compared
    except FileError:
        raise
    except Exception as error:
        raise _refused(error, where) from error
    return built


def check_outputs(network: nn.Module, inputs: dict[str, Tensor], where: str) -> None:
    """Ask on the meta device how large the outputs of all layers are for such inputs, and how much work they take.

    Layers that pad, repeat or pool need no weights to fill any memory, or to take hours.

    Raises
    ------
    UntrustedFileError
        They are far larger than those of any model.
    """

    def check(layer: nn.Module, args: Any, output: Any) -> None:
        for tensor in output if isinstance(output, tuple | list) else (output,):
            if not isinstance(tensor, Tensor):
                continue
            is_pooling, per_number = _work(layer)
            totals["outputs"] += tensor.numel()
            totals["pooling" if is_pooling else "work"] += tensor.numel() * per_number
            if tensor.numel() > _MAX_OUTPUTS or any(totals[name] > limits[name] for name in limits):
                raise too_large

    limits = {"outputs": _MAX_ALL_OUTPUTS, "work": _MAX_WORK, "pooling": _MAX_POOLING}
    totals = dict.fromkeys(limits, 0)
    too_large = UntrustedFileError(f"{where} makes far more of a few rows, in memory or work, than any model.")
    trial = copy.deepcopy(network).to("meta")
    for layer in trial.modules():
        layer.register_forward_hook(check)
    try:
        with torch.inference_mode():
            trial(*network_inputs({name: tensor.to("meta") for name, tensor in inputs.items()}))
    except UntrustedFileError:
        raise
    except Exception:  # where shapes depend on numbers; the rows themselves tell what is wrong
        return


def _work(layer: nn.Module) -> tuple[bool, int]:
    """Whether it goes through windows without weights, and the products for each number that it gives."""
    shapes = [parameter.shape for parameter in layer.parameters(recurse=False) if parameter.ndim > 1]
    if shapes:
        return False, max(math.prod(shape[1:]) for shape in shapes)
    window = getattr(layer, "kernel_size", 1)
    sizes = window if isinstance(window, tuple | list) else (window,)
    # One number for each of two or three dimensions is the rule of torch's pools.
    n_sizes = next((n for n in (3, 2) if f"{n}d" in type(layer).__name__), 1)
    sizes = sizes if len(sizes) > 1 else (*sizes,) * n_sizes
    return True, math.prod(size for size in sizes if isinstance(size, int))


def freeze(module: nn.Module, names: Any, where: str) -> None:
    """Let the parameters of these names, as a file gives them, need no gradient."""
    parameters = dict(module.named_parameters())
    for name in expect(names, list, where):
        if expect(name, str, where) not in parameters:
            raise DamagedFileError(f"{where}: there is no parameter {name[:80]!r} that could be frozen.")
        parameters[name].requires_grad_(False)


def _refused(error: Exception, where: str) -> DamagedFileError:
    return DamagedFileError(f"{where} cannot be built from what the file says: {type(error).__name__}: {error}")


def _compare(built: nn.Module, state: dict[str, Tensor], where: str) -> None:
    if not isinstance(built, nn.Module):
        raise DamagedFileError(f"{where}: expected a torch.nn.Module, got a {type(built).__name__}.")
    expected = built.state_dict(keep_vars=True)
    needed = {name for name, tensor in expected.items() if not is_lazy(tensor)}
    if not needed <= state.keys() <= expected.keys():
        wrong = sorted((needed - state.keys()) | (state.keys() - expected.keys()))[:5]
        raise DamagedFileError(f"{where} and the tensors of the file do not belong together: {wrong} are only in one.")
    for name, found in state.items():
        tensor = expected[name]
        if is_lazy(tensor):
            continue
        if tensor.shape != found.shape or tensor.dtype != found.dtype:
            raise DamagedFileError(
                f"{where}: tensor {name} has shape {tuple(found.shape)} and {found.dtype} in the file; expected "
                f"{tuple(tensor.shape)} and {tensor.dtype}."
            )


@contextmanager
def _limited(state: dict[str, Tensor], where: str, *, bytes_too: bool) -> Iterator[None]:
    """A context in which no more layers can be made than belong to so many tensors."""
    n_parts = _PARTS_BESIDE + _PARTS_A_TENSOR * len(state)
    n_bytes = _BYTES_BESIDE + _BYTES_A_BYTE * sum(tensor.nbytes for tensor in state.values())
    too_large = UntrustedFileError(f"{where} would be far larger than the file, as no saved model is.")
    thread = threading.get_ident()  # the hooks hold for all modules of the process

    def count(module: nn.Module, name: str, part: Any) -> None:
        nonlocal n_parts, n_bytes
        if threading.get_ident() != thread:
            return
        n_parts -= 1
        if bytes_too and isinstance(part, Tensor) and not is_lazy(part):
            n_bytes -= part.nbytes
        if n_parts < 0 or n_bytes < 0:
            raise too_large

    handles = [getattr(registration, f"register_module_{part}_registration_hook")(count) for part in _REGISTER]
    try:
        yield
    except Exception as error:  # perhaps made of it by a constructor that explains its errors
        if error is not too_large and (n_parts < 0 or n_bytes < 0):
            raise too_large from error
        raise
    finally:
        for handle in handles:
            handle.remove()
