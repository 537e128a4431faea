"""Settings of torch and numpy that the caller has made, and that must not change what sknn computes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

from ._threads import ProcessLock, call_in_forked_child

__all__ = ["default_settings"]


class default_settings:  # noqa: N801 - as torch's and numpy's contexts
    """Compute under the settings that torch and numpy begin with; restore the caller's on exit, also after an error.

    Those of the thread are default device, autocast, gradient and inference mode, numpy's reaction to floating-point
    errors, and flushed denormal numbers. Those of the process are default dtype, precision of float32 products and
    convolutions, oneDNN, kernels of attention, how modules take other tensors, and, on a machine without accelerator,
    deterministic algorithms. Where these are not the defaults, they change for all threads until the last has left.

    What only watches stays: anomaly detection, profilers, hooks, function and dispatch modes.

    A prediction of a single row has no time to ask for all of them. With ``foreign_code=False`` only those count that
    change a prediction of sknn's own layers, whose tensors have an explicit dtype and device.
    """

    __slots__ = ("_foreign_code", "_of_thread")

    def __init__(self, *, foreign_code: bool = True) -> None:
        self._foreign_code = foreign_code

    def __enter__(self) -> None:
        is_thorough = self._foreign_code or _matmul_precision() != "highest"
        try:
            _enter(_OF_PROCESS if is_thorough else _OF_OWN_LAYERS)
            self._of_thread = _enter_contexts_of_thread(self._foreign_code)
        except BaseException:
            _leave()
            raise

    def __exit__(self, *error: object) -> None:
        try:
            if self._of_thread is not None:
                self._of_thread.close()
        finally:
            _leave()


# ---------------------------------------------------------------------- of the thread

_ERRORS_OF_NUMPY: Any = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_ACCELERATOR = torch.accelerator.current_accelerator()  # None in a build for processors alone
_AUTOCAST_DEVICES = ["cpu"] if _ACCELERATOR is None else ["cpu", _ACCELERATOR.type]
_SMALLEST = 5e-324  # a denormal number


def _enter_contexts_of_thread(foreign_code: bool) -> ExitStack | None:
    """Enter what the defaults need; nothing, nearly always."""
    needed: list[AbstractContextManager[Any]] = []
    for kind in _AUTOCAST_DEVICES:
        if torch.is_autocast_enabled(kind):
            needed.append(torch.autocast(kind, enabled=False))
    if _SMALLEST * 1.0 == 0.0:
        needed.append(_kept_denormals())
    if foreign_code:
        if torch.get_default_device().type != "cpu":
            needed.append(torch.device("cpu"))
        if torch.is_inference_mode_enabled():  # its tensors could never be trained further
            needed.append(torch.inference_mode(False))
        elif not torch.is_grad_enabled():
            needed.append(torch.enable_grad())
        if np.geterr() != _ERRORS_OF_NUMPY:
            needed.append(np.errstate(**_ERRORS_OF_NUMPY))
    if not needed:
        return None
    with ExitStack() as stack:
        for context in needed:
            stack.enter_context(context)
        return stack.pop_all()


@contextmanager
def _kept_denormals() -> Iterator[None]:
    torch.set_flush_denormal(False)
    try:
        yield
    finally:
        torch.set_flush_denormal(True)


# ---------------------------------------------------------------------- of the process


_ONEDNN: Any = torch.backends.mkldnn  # its attributes are made when they are read
_FUTURE: Any = torch.__future__


class _Setting(NamedTuple):
    read: Callable[[], Any]
    write: Callable[[Any], object]
    default: Any


def _matmul_precision() -> Any:
    """One word, or those of oneDNN and CUDA where these were set one by one: torch then refuses to say one."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return _ONEDNN.matmul.fp32_precision, torch.backends.cuda.matmul.fp32_precision


def _set_matmul_precision(value: Any) -> None:
    if isinstance(value, str):
        torch.set_float32_matmul_precision(value)
    else:
        _ONEDNN.matmul.fp32_precision, torch.backends.cuda.matmul.fp32_precision = value


def _precision(of: Any, write: Callable[[Any], object]) -> _Setting:
    """Precision of float32 operations: of all backends, of oneDNN, or of one kind of layer in it."""

    def read() -> str:
        value = of.fp32_precision
        return "none" if value == "ieee" else value  # "none": as the wider setting says

    return _Setting(read, write, "none")


def _deterministic() -> tuple[bool, bool]:
    """Whether deterministic algorithms are asked for, and whether by a warning only.

    On a processor all are deterministic, and the setting merely chooses others. On an accelerator it is the way to ask
    for repeatable results, so there it is left to the caller.
    """
    if not torch.are_deterministic_algorithms_enabled() or torch.accelerator.is_available():
        return False, False
    return True, torch.is_deterministic_algorithms_warn_only_enabled()


# Where the precision of products is not the default, all settings are asked for.
_OF_OWN_LAYERS = [
    _Setting(lambda: _ONEDNN.enabled, lambda value: setattr(_ONEDNN, "enabled", value), True),
    # Other kernels of attention, which round otherwise.
    _Setting(torch.backends.cuda.flash_sdp_enabled, torch.backends.cuda.enable_flash_sdp, True),
    _Setting(torch.backends.cuda.mem_efficient_sdp_enabled, torch.backends.cuda.enable_mem_efficient_sdp, True),
    _Setting(torch.backends.cuda.math_sdp_enabled, torch.backends.cuda.enable_math_sdp, True),
]
_OF_PROCESS = [
    *_OF_OWN_LAYERS,
    _Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    _Setting(
        _deterministic, lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]), (False, False)
    ),
    _Setting(torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled, True),
    # How a module takes tensors of another dtype or device: recurrent layers refuse to swap theirs.
    _Setting(_FUTURE.get_swap_module_params_on_conversion, _FUTURE.set_swap_module_params_on_conversion, False),
    _Setting(
        _FUTURE.get_overwrite_module_params_on_conversion, _FUTURE.set_overwrite_module_params_on_conversion, False
    ),
]
if hasattr(torch.backends, "fp32_precision"):  # torch 2.9
    # The wider ones first: what reads them is then the default, and not set by itself.
    _OF_PROCESS += [
        _precision(torch.backends, lambda value: setattr(torch.backends, "fp32_precision", value)),
        _precision(_ONEDNN, lambda value: _ONEDNN.set_flags(_fp32_precision=value)),
        *(
            _precision(layer, lambda value, layer=layer: setattr(layer, "fp32_precision", value))
            for layer in (_ONEDNN.conv, _ONEDNN.rnn)
        ),
    ]
_OF_PROCESS.append(_Setting(_matmul_precision, _set_matmul_precision, "highest"))

# Threads that are inside, as often as they have entered, and what was set before the first of them.
_inside: list[int] = []
_before: dict[_Setting, Any] = {}
_lock = ProcessLock()


def _enter(settings: list[_Setting]) -> None:
    with _lock.current:
        _inside.append(threading.get_ident())
        for setting in settings:
            value = setting.read()
            if value != setting.default:
                _before.setdefault(setting, value)  # first, since Ctrl-C may come between the two
                setting.write(setting.default)


def _leave() -> None:
    with _lock.current:
        _inside.remove(threading.get_ident())
        if _before and not _inside:
            _restore()


def _restore() -> None:
    failure = None
    for setting, value in _before.items():
        try:
            setting.write(value)
        except Exception as error:  # the others are restored nevertheless
            failure = error
    _before.clear()
    if failure is not None:
        raise failure


def _only_this_thread() -> None:
    """After a fork: the other threads do not exist in the child."""
    this = threading.get_ident()
    _inside[:] = [thread for thread in _inside if thread == this]
    if _before and not _inside:
        _restore()


call_in_forked_child(_only_this_thread)
