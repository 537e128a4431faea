"""Try the estimators of a file in a child process, where the system limits memory and time.

A child that needs too much is ended, whatever it is doing; this process is not affected. It is a new interpreter, not a
fork, so it neither copies threads nor runs the user's script again. It reads the same bytes as this process, not the
path, so the file cannot change in between.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import math
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from .._optional import optional_import
from ..exceptions import DamagedFileError, FileError, ReproductionError, UntrustedFileError, VersionError
from .archive import pack, unpack
from .estimator import read_estimator
from .limits import Limits
from .names import Trust
from .parts import read_json, write_json

try:
    import resource
except ImportError:  # Windows
    resource = None

__all__ = ["main", "try_in_child"]

_VERSIONS = "versions.json"
_STARTING_S = 600.0  # a busy machine imports torch slowly
_PATIENCE = 10.0  # seconds of a busy machine for one of computing
_NO_MEMORY = ("allocate memory", "could not create a primitive")  # the second of oneDNN, for convolutions
_FOR_ANY_NETWORK = 64 * 2**20  # with less, libraries fail in ways of their own
_READ, _OUT_OF_MEMORY = "read", "memory"
_UNCAUGHT_ERROR, _SIGXCPU = 1, -24
_TIMEOUT = b"Timeout ("  # written by faulthandler, which ends the child with the code of an uncaught error
_ANSWER = b"\nsknn answers: "  # what the user has installed may print, too
_ADVICE = (
    "If you trust the file's author, pass larger limits to load(path, max_memory=..., max_seconds=...), or None for no "
    "limit."
)


def _absolute(paths: list[str]) -> Iterator[str]:
    """Return these paths as they are now, without those relative to a folder that has been removed."""
    for path in paths:
        with contextlib.suppress(OSError, TypeError):
            yield os.path.abspath(path)


# The caller may enter another folder later, and a relative path would lead elsewhere.
_PATHS = list(_absolute(sys.path))
_KINDS = {kind.__name__: kind for kind in (DamagedFileError, ReproductionError, UntrustedFileError, VersionError)}


def try_in_child(parts: dict[str, bytes], versions: dict[str, Any], limits: Limits, what: str) -> None:
    """Read these parts of estimators in a child process; raise the error that it raised, or that it needs too much."""
    _import_libraries()  # one that is missing is no fault of the file
    data = pack({**parts, _VERSIONS: write_json(versions)})
    allowed = limits.for_file(len(data))
    if not sys.executable or "frozen" in vars(sys):
        raise UntrustedFileError(
            f"{what} must be tried in a process of its own, and there is no Python interpreter to start. {_ADVICE}"
        )
    paths = list(dict.fromkeys([*_PATHS, *_absolute(sys.path)]))
    code = (
        f"import sys; sys.path[:] = {paths!r}; from sknn._file.trial import main; "
        f"main({allowed.memory!r}, {allowed.seconds!r})"
    )
    # One thread: each further one takes memory, and the seconds of all threads count.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    wall = None if allowed.seconds is None else _STARTING_S + _PATIENCE * allowed.seconds
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, env=environment) as child:
        try:
            output, problem = child.communicate(data, timeout=wall)
        except subprocess.TimeoutExpired:
            output, problem = b"", _TIMEOUT
        finally:
            child.kill()
    _raise(output, problem, child.returncode, limits, what)


def _raise(output: bytes, problem: bytes, code: int, limits: Limits, what: str) -> None:
    """Raise what the child found; nothing if it read the estimators."""
    _, _, answer = output.partition(_ANSWER)
    kind, message = json.loads(answer.splitlines()[0]) if answer else ("", "")
    if kind == _READ:
        return
    if kind in _KINDS:
        raise _KINDS[kind](message)
    if kind == _OUT_OF_MEMORY:
        reason = f"its network needs more than max_memory={limits.memory} bytes"
    elif _TIMEOUT in problem or code == _SIGXCPU:
        reason = f"its network needs more than max_seconds={limits.seconds} seconds"
    elif code == _UNCAUGHT_ERROR:
        reason = (problem.decode(errors="replace").strip().splitlines() or ["no reason was given"])[-1]
        raise UntrustedFileError(
            f"{what} must be tried in a process of its own, which failed: {reason[-300:]}. {_ADVICE}"
        )
    else:  # a library ended the process where memory was short, or because of a fault of its own
        reason = (
            f"the process that tried its network ended with code {code} (max_memory={limits.memory}, "
            f"max_seconds={limits.seconds}): {problem[-300:].decode(errors='replace').strip()}"
        )
    raise UntrustedFileError(f"{what}: {reason}, as no model of this size does. {_ADVICE}")


def main(memory: int | None, seconds: float | None) -> None:
    """Read the estimators from standard input, and write `_ANSWER` and the outcome as JSON to standard output."""
    data = sys.stdin.buffer.read()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    _import_libraries()  # their memory is not that of the network
    torch.optim.SGD([torch.zeros(1, dtype=torch.float32)], lr=0.1)  # the first optimizer imports much of torch
    _limit(memory, seconds)
    outcome = _outcome(data, memory)
    sys.stdout.flush()
    with open(1, "wb", closefd=False) as output:  # sys.stdout may have been replaced
        output.write(_ANSWER + json.dumps(outcome).encode() + b"\n")


def _import_libraries() -> None:
    optional_import("safetensors.torch", asked_by="sknn.load", extra="files")


def _outcome(data: bytes, memory: int | None) -> tuple[str, str]:
    """Return kind and message of the error, or `_READ`; `memory` is the limit in bytes."""
    try:
        parts = unpack(data, "the file")
        versions = read_json(parts.pop(_VERSIONS), _VERSIONS)
        for name in (name for name in parts if name.endswith(".json")):
            tensors = parts[name.replace(".json", ".safetensors")]
            read_estimator(read_json(parts[name], name), tensors, Trust(), versions)
    except Exception as error:
        is_tiny = memory is not None and memory < _FOR_ANY_NETWORK
        is_own = isinstance(error, FileError) and error.__cause__ is None
        if _is_out_of_memory(error) or (is_tiny and not is_own):
            return _OUT_OF_MEMORY, ""
        if isinstance(error, FileError):
            return type(error).__name__, str(error)
        return DamagedFileError.__name__, f"the file cannot be read: {type(error).__name__}: {error}"
    return _READ, ""


def _is_out_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        # The parts name no module or path that could be missing, but what a library imports or opens late may find no
        # memory. torch raises a RuntimeError.
        if isinstance(error, MemoryError | ImportError | OSError) or any(text in str(error) for text in _NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def _limit(memory: int | None, seconds: float | None) -> None:
    """Limit what this process takes from now on."""
    if seconds is not None:
        # A busy machine gives this process a part of the time only, so the limit of the clock is looser.
        faulthandler.dump_traceback_later(_PATIENCE * seconds, exit=True, file=2)
    if resource is None:
        return
    _lower(resource.RLIMIT_CORE, 0)
    if seconds is not None:
        _lower(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))
    status = Path("/proc/self/statm")
    if memory is not None and status.exists():  # elsewhere the system does not say how much is in use
        in_use = int(status.read_text().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, in_use + memory)


def _lower(kind: int, value: int) -> None:
    """Lower a limit of this process, which may have a lower one already."""
    assert resource is not None
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (min(limit for limit in (value, soft, hard) if limit != resource.RLIM_INFINITY), hard))
