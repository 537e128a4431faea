"""sknn.load."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from .._device import resolve_device
from .._settings import default_settings
from ..exceptions import DamagedFileError, FileError, VersionError
from .archive import unpack
from .checks import check_keys, expect
from .cost import is_cheap, names_in
from .estimator import read_estimator
from .foreign.skops_file import read_foreign
from .limits import Limits
from .names import Trust, known_names
from .other_versions import warn_of_other_versions
from .parts import read_json
from .save import FOREIGN, FORMAT
from .trial import try_in_child

__all__ = ["load"]


def load(
    path: str | os.PathLike[str],
    trusted: Iterable[Any] = (),
    *,
    device: str | torch.device | None = None,
    max_memory: int | str | None = "1GB",
    max_seconds: float | None = 2.0,
) -> Any:
    """Read a file of :func:`sknn.save`. No code from the file is run, and it cannot cause an import.

    Parameters
    ----------
    path : str or path
    trusted : list of classes, functions and str, default=()
        Your own classes and functions that the file may use, or their import paths such as ``"package.MyModule"``.
        Those of sknn, torch.nn, torch.optim and scikit-learn need not be listed.
    device : str, torch.device or None, default=None
        Where the networks compute. None: on the device that the parameter `device` of the estimator says, or on the
        CPU if it is not available.
    max_memory : int, str or None, default="1GB"
        Bytes that building and trying the networks may take, beyond what the interpreter and the file's own bytes need.
        Measured in a child process, before this process builds anything; enforced on Linux only.
    max_seconds : float or None, default=2.0
        Seconds of a processor that building and trying the networks may take, in addition to a second for each 50 MB.
        No child process is started where the work is known to be in proportion to the file (see Notes), where the file
        uses your own code, or where both limits are None.

    Returns
    -------
    estimator : the class that was saved
        It predicts, is cloned and trained further like the one that was saved, with a new optimizer.

    Warns
    -----
    InconsistentVersionWarning
        It was saved by another major or minor version of sknn or torch.

    Raises
    ------
    DamagedFileError
        The file is truncated, edited or incomplete, or was not written by :func:`sknn.save`.
    UntrustedFileError
        It uses classes that `trusted` does not list, or needs more memory or time than the limits.
    VersionError
        It is written in a format that this version cannot read.
    ReproductionError
        The model does not predict what it predicted when it was saved.
    TypeError, ValueError
        `trusted`, `device`, `max_memory` or `max_seconds` is invalid.
    OSError
        The file cannot be opened.
    ImportError
        safetensors, or skops for objects of scikit-learn, is missing: ``pip install "sknn[files]"``.

    See Also
    --------
    save : Write the file; with an example.

    Notes
    -----
    The work is in proportion to the file for `MLP`, `ResNet`, `TabM` and `FTTransformer` (up to about 100 columns) with
    a usual activation, for chains of linear and element-wise layers, and for objects of scikit-learn. It is known to be
    small for `TextNet`, and for `ConvNet`, `SequenceNet` and `AudioNet` on rows of usual sizes. Other networks are
    tried in a child process first, which takes about three seconds.
    """
    trust = Trust(trusted)
    wanted = None if device is None else resolve_device(device)
    limits = Limits.of(max_memory, max_seconds)
    data = Path(path).read_bytes()
    try:
        with default_settings():
            found, versions = _read(data, trust, wanted, limits, os.fspath(path))
    except (FileError, ImportError):
        raise
    except Exception as error:  # caused by the content of the file
        raise DamagedFileError(f"{os.fspath(path)} cannot be read: {type(error).__name__}: {error}") from error
    warn_of_other_versions(versions, stacklevel=2)
    return found


def _read(
    data: bytes, trust: Trust, wanted: torch.device | None, limits: Limits, what: str
) -> tuple[Any, dict[str, Any]]:
    parts = unpack(data, what)
    versions = _read_manifest(parts, what)
    foreign = parts.pop(FOREIGN, None)
    names = [f"estimators/{i}" for i in range(len(parts) // 2)]
    if {f"{name}.{ending}" for name in names for ending in ("json", "safetensors")} != set(parts):
        raise DamagedFileError(f"{what} does not have the parts of {len(names)} estimators.")
    if foreign is None and len(names) != 1:
        raise DamagedFileError(f"{what} contains {len(names)} estimators; expected one, or an object around them.")
    values = {name: read_json(parts[f"{name}.json"], f"{name}.json") for name in names}
    trust.check_all(n for value in values.values() for n in names_in(value))
    _try(values, parts, versions, limits, what)
    estimators: list[Any] = []
    for name, value in values.items():
        estimators.append(read_estimator(value, parts[f"{name}.safetensors"], trust, versions, wanted))
    return estimators[0] if foreign is None else read_foreign(foreign, estimators, trust, FOREIGN), versions


def _try(values: dict[str, Any], parts: dict[str, bytes], versions: dict[str, Any], limits: Limits, what: str) -> None:
    """Try estimators of unknown cost in a child process, unless they use code of the user, which may do anything."""
    if limits == Limits(None, None):
        return
    tried: dict[str, bytes] = {}
    for name, value in values.items():
        own = any(known not in known_names() for known in names_in(value))
        if not own and not is_cheap(value, parts[f"{name}.safetensors"]):
            tried |= {part: parts[part] for part in (f"{name}.json", f"{name}.safetensors")}
    if tried:
        try_in_child(tried, versions, limits, what)


def _read_manifest(parts: dict[str, bytes], what: str) -> dict[str, Any]:
    """Return the versions that wrote a file, after comparing its parts with those that the manifest lists."""
    content = parts.pop("manifest.json", None)
    if content is None:
        raise DamagedFileError(f"{what} has no manifest.json, so it was not written by sknn.save.")
    manifest = expect(read_json(content, "manifest.json"), dict, "manifest.json")
    written = expect(manifest.get("format"), int, "manifest.json: format")
    versions = expect(manifest.get("versions"), dict, "manifest.json: versions")
    for package, version in versions.items():
        expect(version, str, f"manifest.json: the version of {package[:40]}")
    if written != FORMAT:
        raise VersionError(
            f"{what} is written in format {written}, by sknn {versions.get('sknn', 'of an unknown version')[:40]}; "
            f"this version reads format {FORMAT}. Install the version that wrote it, or save the model again."
        )
    check_keys(manifest, {"format", "versions", "parts"}, "manifest.json")
    listed = expect(manifest["parts"], dict, "manifest.json: parts")
    if set(listed) != set(parts):
        wrong = sorted(set(listed) ^ set(parts))[:5]
        raise DamagedFileError(f"{what} and its list of parts differ: {wrong}.")
    for name, content in parts.items():
        entry = check_keys(listed[name], {"size", "sha256"}, f"manifest.json: {name}")
        if entry["size"] != len(content) or entry["sha256"] != hashlib.sha256(content).hexdigest():
            raise DamagedFileError(f"{what}: part {name} has changed since it was saved. Copy or save the file again.")
    return versions
