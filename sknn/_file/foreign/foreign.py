"""Objects of scikit-learn that hold estimators of sknn at any depth: written by skops, with placeholders inside."""

from __future__ import annotations

import functools
import importlib
import inspect
import io
import pickle
from contextvars import ContextVar
from typing import Any

from ..._estimator.base import BaseNeuralEstimator
from ..._optional import optional_import
from ...exceptions import DamagedFileError, FileError, UntrustedFileError
from ..archive import unpack
from ..names import Trust, known_names
from ..values.distributions import READING, Distribution, as_distribution
from .skops_parts import canonical, checked, needed_names

__all__ = ["Placeholder", "names_to_trust", "read_foreign", "take_apart", "write_foreign"]

# Rooms of scikit-learn whose classes keep data and do nothing when they are made; estimators are known to skops.
_SKLEARN_ROOMS = (
    "sklearn.calibration", "sklearn.compose._column_transformer", "sklearn.compose._target",
    "sklearn.ensemble._base", "sklearn.ensemble._stacking", "sklearn.ensemble._voting",
    "sklearn.gaussian_process.kernels", "sklearn.metrics._scorer", "sklearn.model_selection._search",
    "sklearn.model_selection._split", "sklearn.neural_network._stochastic_optimizers",
    "sklearn.preprocessing._function_transformer", "sklearn.utils._bunch", "sklearn.utils._metadata_requests",
)  # fmt: skip
_FUNCTION_ROOMS = ("sklearn.metrics", "sklearn.feature_selection")
_NUMPY_FUNCTIONS = ("numpy.nan_to_num", "numpy.clip", "numpy.round")
_PLAIN_TYPES = (
    "collections.OrderedDict", "datetime.date", "datetime.datetime", "datetime.timedelta", "numpy.dtype",
    "numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray", "scipy.sparse._csr.csr_array", "scipy.sparse._csr.csr_matrix",
    "scipy.sparse._csc.csc_array", "scipy.sparse._csc.csc_matrix", "sknn._file.values.distributions.Distribution",
)  # fmt: skip


class _Filling:
    """Estimators that take the places of placeholders while skops makes an object, and which of them did."""

    def __init__(self, estimators: list[BaseNeuralEstimator]) -> None:
        self.estimators = estimators
        self.used: set[int] = set()

    def take(self, index: Any) -> BaseNeuralEstimator:
        if type(index) is not int or not 0 <= index < len(self.estimators):
            raise DamagedFileError(f"a place for the estimator {str(index)[:40]!r}, of {len(self.estimators)}.")
        self.used.add(index)
        return self.estimators[index]


_FILLING: ContextVar[_Filling | None] = ContextVar("_FILLING", default=None)


class Placeholder:
    """Stands for the estimator of this number, which is stored in parts of its own; to make one while a file is read is
    to get that estimator.

    Parameters
    ----------
    index : int
    """

    index: int

    def __new__(cls, index: int) -> Any:
        filling = _FILLING.get()
        if filling is not None:
            return filling.take(index)
        placeholder = super().__new__(cls)
        placeholder.index = index
        return placeholder

    def __reduce__(self) -> tuple[Any, ...]:  # skops stores it as a call of its class
        return Placeholder, (self.index,)


class _TakingApart(pickle.Pickler):
    """Notes the estimators of sknn on its way through an object."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, protocol=5)
        self.estimators: list[BaseNeuralEstimator] = []
        self._index: dict[int, int] = {}

    def persistent_id(self, obj: Any) -> int | Distribution | None:
        """Its number, instead of what is in it; and what stands for a distribution of scipy."""
        if not isinstance(obj, BaseNeuralEstimator):
            return as_distribution(obj)
        if id(obj) not in self._index:
            self._index[id(obj)] = len(self.estimators)
            self.estimators.append(obj)
        return self._index[id(obj)]


class _PuttingTogether(pickle.Unpickler):
    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._placeholders: dict[int, Placeholder] = {}

    def persistent_load(self, pid: Any) -> Placeholder | Distribution:
        return pid if isinstance(pid, Distribution) else self._placeholders.setdefault(pid, Placeholder(pid))


def take_apart(thing: Any) -> tuple[Any, list[BaseNeuralEstimator]]:
    """A copy with a `Placeholder` for each estimator of sknn, and these estimators.

    The copy is made by pickling an object of the caller's, in memory; nothing of it goes to the file.

    Raises
    ------
    TypeError
        It cannot be copied, for a lambda or an open file in it.
    """
    buffer = io.BytesIO()
    pickler = _TakingApart(buffer)
    try:
        pickler.dump(thing)
    except Exception as error:
        raise TypeError(
            f"{type(thing).__name__} holds something that cannot be stored: {error}. Functions must be defined in a "
            "module, not as lambdas."
        ) from error
    buffer.seek(0)
    return _PuttingTogether(buffer).load(), pickler.estimators


def write_foreign(thing: Any) -> bytes:
    """The archive that skops makes of an object with placeholders, the same bytes for the same object.

    Raises
    ------
    TypeError
        skops cannot store it.
    """
    skops = optional_import("skops.io", asked_by="sknn.save of a scikit-learn object", extra="files")
    try:
        data = skops.dumps(thing)
        return canonical(data)
    except Exception as error:
        raise TypeError(f"{type(thing).__name__} holds something that skops cannot store: {error}") from error


def read_foreign(data: bytes, estimators: list[BaseNeuralEstimator], trust: Trust, what: str) -> Any:
    """The object, with the estimators in their places.

    Raises
    ------
    FileError
    """
    skops = optional_import("skops.io", asked_by="sknn.load of a scikit-learn object", extra="files")
    exceptions = importlib.import_module("skops.io.exceptions")
    archive = checked(unpack(data, what), what, _only_named(), trust)
    allowed = [*_trusted_types(), *trust.paths, *trust.things]
    filling = _Filling(estimators)
    token, reading = _FILLING.set(filling), READING.set(True)
    try:
        thing = skops.loads(archive, trusted=allowed)
    except FileError:
        raise
    except exceptions.UntrustedTypesFoundException as error:
        raise UntrustedFileError(
            f"{what}: {error} If you know these and trust the file's author, pass load(path, trusted=[...]) with them."
        ) from error
    except Exception as error:
        raise DamagedFileError(f"{what} is damaged: {type(error).__name__}: {error}") from error
    finally:
        READING.reset(reading)
        _FILLING.reset(token)
    if filling.used != set(range(len(estimators))):
        raise DamagedFileError(f"{what} has no place for some of its {len(estimators)} estimators.")
    return thing


def _full_name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__name__}"


@functools.lru_cache(maxsize=1)
def _trusted_types() -> tuple[str, ...]:
    """What skops may make beside what it knows itself."""
    names = {_full_name(Placeholder), *_PLAIN_TYPES}
    names |= {name for name in _only_named() if not name.startswith(("builtins.", "None."))}
    for room in _SKLEARN_ROOMS:
        try:
            module = importlib.import_module(room)
        except ImportError:  # another version of scikit-learn
            continue
        members = [thing for thing in vars(module).values() if isinstance(thing, type)]
        names |= {_full_name(thing) for thing in members if thing.__module__ == room}
    return tuple(sorted(names | _functions()))


@functools.lru_cache(maxsize=1)
def _functions() -> frozenset[str]:
    """Functions of scikit-learn and numpy that steps and scorers are given, and that only compute."""
    found = set(_NUMPY_FUNCTIONS)
    for room in _FUNCTION_ROOMS:
        module = importlib.import_module(room)
        members = [getattr(module, name) for name in module.__all__]
        found |= {_full_name(thing) for thing in members if inspect.isfunction(thing)}
    return frozenset(found)


@functools.lru_cache(maxsize=1)
def _only_named() -> frozenset[str]:
    """Classes and functions that a file may name, but not make objects of, or call."""
    return _functions() | frozenset(
        _full_name(thing) for thing in known_names().values() if hasattr(thing, "__module__")
    )


def names_to_trust(data: bytes) -> list[str]:
    """What `load` will have to be told to trust for this archive of `write_foreign`."""
    skops = optional_import("skops.io", asked_by="sknn.save of a scikit-learn object", extra="files")
    return sorted({*skops.get_untrusted_types(data=data)} - {*_trusted_types()} | {*needed_names(data)})
