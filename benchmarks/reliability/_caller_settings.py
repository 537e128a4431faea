"""Settings of a process or a thread that a caller may have made, as contexts."""

from __future__ import annotations

import contextlib
import decimal
import gc
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import pandas as pd
import sklearn
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

__all__ = ["CALLER_SETTINGS", "FUNCTION_MODES", "attribute", "written"]

_ONEDNN: Any = torch.backends.mkldnn  # their attributes are made when they are read
_OF_FUTURE: Any = torch.__future__


@contextmanager
def written(write: Callable[[Any], object], value: Any, before: Any) -> Iterator[None]:
    write(value)
    try:
        yield
    finally:
        write(before)


def attribute(of: Any, name: str, value: Any) -> AbstractContextManager[None]:
    return written(lambda new: setattr(of, name, new), value, getattr(of, name))


class _CallsSeen(TorchFunctionMode):
    """Watches every call of a function of torch."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def _matmul_precision(value: str) -> AbstractContextManager[None]:
    return written(torch.set_float32_matmul_precision, value, "highest")


def _default_dtype(value: torch.dtype) -> AbstractContextManager[None]:
    return written(torch.set_default_dtype, value, torch.get_default_dtype())


@contextmanager
def _precision_of_layers() -> Iterator[None]:
    with attribute(_ONEDNN.conv, "fp32_precision", "bf16"), attribute(_ONEDNN.rnn, "fp32_precision", "bf16"):
        yield


@contextmanager
def _other_folder() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _print_options() -> Iterator[None]:
    with (
        np.printoptions(precision=2, legacy="1.13", threshold=3),
        pd.option_context("display.precision", 1, "display.max_rows", 2),
    ):
        torch.set_printoptions(precision=1, threshold=2)
        try:
            yield
        finally:
            torch.set_printoptions(profile="default")


@contextmanager
def _warnings_as_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextmanager
def _module_hook() -> Iterator[None]:
    handle = torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    with written(torch.use_deterministic_algorithms, True, before):
        yield


CALLER_SETTINGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "default dtype float64": lambda: _default_dtype(torch.float64),
    "default dtype bfloat16": lambda: _default_dtype(torch.bfloat16),
    "default device meta": lambda: written(torch.set_default_device, "meta", None),
    "with torch.device('meta')": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu"),
    "autocast to float16": lambda: torch.autocast("cpu", torch.float16),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "float32 products in bfloat16": lambda: _matmul_precision("medium"),
    "float32 products in bfloat16, of oneDNN": lambda: attribute(_ONEDNN.matmul, "fp32_precision", "bf16"),
    "convolutions in bfloat16": _precision_of_layers,
    "all float32 operations in bfloat16": lambda: attribute(torch.backends, "fp32_precision", "bf16"),
    "deterministic algorithms": _deterministic,
    "without oneDNN": lambda: attribute(_ONEDNN, "enabled", False),
    "no fused transformer layers": lambda: written(torch.backends.mha.set_fastpath_enabled, False, True),
    "attention in single operations": lambda: sdpa_kernel(SDPBackend.MATH),
    "no fusion of scripts": lambda: written(
        torch.jit.set_fusion_strategy, [("STATIC", 0)], [("STATIC", 2), ("DYNAMIC", 10)]
    ),
    "denormal numbers flushed": lambda: written(torch.set_flush_denormal, True, False),
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "tensors for gradients elsewhere": torch.autograd.graph.save_on_cpu,
    "parameters swapped by to()": lambda: written(_OF_FUTURE.set_swap_module_params_on_conversion, True, False),
    "parameters replaced by to()": lambda: written(_OF_FUTURE.set_overwrite_module_params_on_conversion, True, False),
    "function mode": _CallsSeen,
    "hook of all modules": _module_hook,
    "numpy raises": lambda: np.errstate(all="raise"),
    "numpy ignores": lambda: np.errstate(all="ignore"),
    "scikit-learn's settings": lambda: sklearn.config_context(
        transform_output="pandas", assume_finite=True, enable_metadata_routing=True
    ),
    "warnings are errors": _warnings_as_errors,
    "decimals of three digits": lambda: decimal.localcontext(decimal.Context(prec=3, traps=[decimal.Inexact])),
    "another working directory": _other_folder,
    "no garbage collection": _no_garbage_collection,
    "print options": _print_options,
    "two threads": lambda: written(torch.set_num_threads, 2, torch.get_num_threads()),
    "pandas' strings in Python": lambda: pd.option_context(
        "mode.string_storage", "python", "future.infer_string", False
    ),
    "stdout closed": lambda: attribute(sys, "stdout", None),
}
# While one of these is active, torch does not take its fast path through its own transformer layers.
FUNCTION_MODES = {"default device meta", "with torch.device('meta')", "function mode"}
