"""An object of scikit-learn <-> the archive of skops, with placeholders for the estimators of sknn."""

from __future__ import annotations

import importlib
from typing import Any

from ..._estimator.base import BaseNeuralEstimator
from ..._optional import optional_import
from ...exceptions import DamagedFileError, UntrustedFileError
from ..archive import unpack
from ..checks import damaged_if_it_fails
from ..names import Trust
from .placeholders import filled_with
from .skops_parts import canonical, checked, needed_names
from .trusted_types import only_named, trusted_types

__all__ = ["names_to_trust", "read_foreign", "write_foreign"]


def _skops(asked_by: str) -> Any:
    return optional_import("skops.io", asked_by=f"{asked_by} of a scikit-learn object", extra="files")


def write_foreign(thing: Any) -> bytes:
    """Return the archive that skops writes of an object with placeholders; the same object gives the same bytes."""
    skops = _skops("sknn.save")
    try:
        return canonical(skops.dumps(thing))
    except Exception as error:
        raise TypeError(f"{type(thing).__name__} contains something that skops cannot store: {error}") from error


def names_to_trust(data: bytes) -> list[str]:
    """Return names that `load` will need in `trusted` to read this archive of `write_foreign`."""
    untrusted = _skops("sknn.save").get_untrusted_types(data=data)
    return sorted({*untrusted} - trusted_types() | {*needed_names(data)})


def read_foreign(data: bytes, estimators: list[BaseNeuralEstimator], trust: Trust, what: str) -> Any:
    """Return the object, with the estimators instead of placeholders."""
    skops = _skops("sknn.load")
    exceptions = importlib.import_module("skops.io.exceptions")
    archive = checked(unpack(data, what), what, only_named(), trust)
    with filled_with(estimators) as used, damaged_if_it_fails(f"{what} is damaged"):
        try:
            thing = skops.loads(archive, trusted=[*sorted(trusted_types()), *trust.paths, *trust.things])
        except exceptions.UntrustedTypesFoundException as error:
            raise UntrustedFileError(
                f"{what}: {error} If you know them and trust the file's author, list them in load(path, trusted=[...])."
            ) from error
    if len(used) != len(estimators):
        raise DamagedFileError(f"{what} uses {len(used)} of the {len(estimators)} estimators in the file.")
    return thing
