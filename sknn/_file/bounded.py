"""Build the network that a file describes, after checking without memory that its tensors are those of the file."""

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
from ..exceptions import DamagedFileError, UntrustedFileError
from .checks import damaged_if_it_fails, expect

__all__ = ["build_like", "check_outputs", "freeze", "state_of"]

# Limits on what a constructor registers, per tensor or byte of the file and in addition: it may create more layers than
# the file has tensors, since layers without weights have none and some are only used to initialise others.
_PARTS_BESIDE, _PARTS_A_TENSOR = 2000, 20
_BYTES_BESIDE, _BYTES_A_BYTE = 2**26, 8
# Numbers in the output of one layer for a few rows (512 MiB), and of all layers.
_MAX_OUTPUTS, _MAX_ALL_OUTPUTS = 2**27, 2**29
# Products for a few rows: those with weights are vectorised, the windows of pooling are not.
_MAX_WORK, _MAX_POOLING = 2**38, 2**32
_CPU = torch.device("cpu")
_REGISTER = ("parameter", "buffer", "module")


def state_of(module: nn.Module, where: str) -> dict[str, Tensor]:
    """Return parameters and buffers of a module, on the CPU; without those that a lazy layer has not created yet."""
    state = module.state_dict(keep_vars=True)
    state = {name: tensor for name, tensor in state.items() if not is_lazy(tensor)}
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            raise TypeError(
                f"{where} has a state {name!r} that is not a plain tensor, so it cannot be stored. Keep what it learns "
                "in parameters and buffers, without get_extra_state."
            )
    return {name: tensor.detach().cpu() for name, tensor in state.items()}


def build_like(make: Callable[[], nn.Module], state: dict[str, Tensor], where: str, *, own_code: bool) -> nn.Module:
    """Return the module that `make` creates, with this state.

    It is created on the meta device first, where tensors take no memory, and its shapes are compared with those of
    `state`. `own_code` leaves that out: code of the user may not work on the meta device, and is called once only.
    """
    with damaged_if_it_fails(f"{where} cannot be built from what the file says"):
        if not own_code:
            with _limited(state, where, bytes_too=False), isolated_random_state(0, _CPU), torch.device("meta"):
                trial = make()
            _compare(trial, state, where)
        with _limited(state, where, bytes_too=True), isolated_random_state(0, _CPU):
            built = make()
        _compare(built, state, where)
        built.load_state_dict(state, strict=False)  # the names have been compared
    return built


def check_outputs(network: nn.Module, inputs: dict[str, Tensor], where: str) -> None:
    """Refuse a network whose layers need far more memory or time for such inputs than those of any model.

    Layers that pad, repeat or pool could fill the memory or take hours without any weights. The shapes of the outputs
    are computed on the meta device.
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
    too_large = UntrustedFileError(f"{where} needs far more memory or time for a few rows than any model.")
    trial = copy.deepcopy(network).to("meta")
    for layer in trial.modules():
        layer.register_forward_hook(check)
    try:
        with torch.inference_mode():
            trial(*network_inputs({name: tensor.to("meta") for name, tensor in inputs.items()}))
    except UntrustedFileError:
        raise
    except Exception:  # shapes depend on numbers: the probe rows will fail if anything is wrong
        return


def _work(layer: nn.Module) -> tuple[bool, int]:
    """Return whether the layer has windows without weights, and the number of products for each output."""
    shapes = [parameter.shape for parameter in layer.parameters(recurse=False) if parameter.ndim > 1]
    if shapes:
        return False, max(math.prod(shape[1:]) for shape in shapes)
    window = getattr(layer, "kernel_size", 1)
    sizes = window if isinstance(window, tuple | list) else (window,)
    # A single number is the window in each of the two or three dimensions.
    n_sizes = next((n for n in (3, 2) if f"{n}d" in type(layer).__name__), 1)
    sizes = sizes if len(sizes) > 1 else (*sizes,) * n_sizes
    return True, math.prod(size for size in sizes if isinstance(size, int))


def freeze(module: nn.Module, names: Any, where: str) -> None:
    """Freeze the parameters with these names, which come from a file."""
    parameters = dict(module.named_parameters())
    for name in expect(names, list, where):
        if expect(name, str, where) not in parameters:
            raise DamagedFileError(f"{where}: there is no parameter {name[:80]!r} to freeze.")
        parameters[name].requires_grad_(False)


def _compare(built: nn.Module, state: dict[str, Tensor], where: str) -> None:
    if not isinstance(built, nn.Module):
        raise DamagedFileError(f"{where}: expected a torch.nn.Module, got a {type(built).__name__}.")
    expected = built.state_dict(keep_vars=True)
    needed = {name for name, tensor in expected.items() if not is_lazy(tensor)}
    if not needed <= state.keys() <= expected.keys():
        wrong = sorted((needed - state.keys()) | (state.keys() - expected.keys()))[:5]
        raise DamagedFileError(f"{where} does not match the tensors in the file: {wrong} are in one of them only.")
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
    """A context in which creating more layers, or larger ones, than belong to these tensors is an error."""
    n_parts = _PARTS_BESIDE + _PARTS_A_TENSOR * len(state)
    n_bytes = _BYTES_BESIDE + _BYTES_A_BYTE * sum(tensor.nbytes for tensor in state.values())
    too_large = UntrustedFileError(f"{where} would be far larger than the file.")
    thread = threading.get_ident()  # the hooks are called for all modules of the process

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
    except Exception as error:  # perhaps raised by a constructor that wraps errors
        if error is not too_large and (n_parts < 0 or n_bytes < 0):
            raise too_large from error
        raise
    finally:
        for handle in handles:
            handle.remove()
