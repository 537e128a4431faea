"""Build the network that a file describes, after checking without memory that its tensors are those of the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from .._random import isolated_random_state
from ..exceptions import DamagedFileError
from .checks import damaged_if_it_fails, expect

__all__ = ["build_like", "freeze", "state_of"]

_CPU = torch.device("cpu")


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
            with isolated_random_state(0, _CPU), torch.device("meta"):
                trial = make()
            _compare(trial, state, where)
        with isolated_random_state(0, _CPU):
            built = make()
        _compare(built, state, where)
        built.load_state_dict(state, strict=False)  # the names have been compared
    return built


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
