"""One estimator of sknn as JSON and tensors, and back."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._device import resolve_device
from .._estimator.base import BaseNeuralEstimator
from .._estimator.parameters import BUILT_WITH, fit_parameters
from .._hyperparameters import constructor_names, hyperparameter_names, hyperparameters
from ..exceptions import DamagedFileError, FileError, UntrustedFileError, VersionError
from ..losses import Loss
from .attributes import check_attributes
from .checks import check_keys, damaged_if_it_fails, expect
from .names import Trust
from .net_state import read_net, write_net
from .parts import read_tensors, write_tensors
from .probe import CPU, check_answers, largest_difference, make_rows, move, predict_rows, write_answers
from .state import read_inputs, read_targets, write_inputs, write_targets
from .values.instances import read_instance, write_instance
from .values.reader_writer import ValueReader, ValueWriter

__all__ = ["read_estimator", "write_estimator"]

_OTHERWISE = ("net_", "_inputs", "_targets", "_random", "_built_with")  # attributes that are stored in another form
_DEVICES = ("cpu", "cuda", "mps", "xpu")  # not "meta", on which nothing is computed
_FITTED = {"built_with", "attributes", "random", "inputs", "targets", "net", "probe"}


def write_estimator(estimator: BaseNeuralEstimator) -> tuple[dict[str, Any], bytes]:
    """Return JSON and tensors of an estimator, fitted or not."""
    writer = ValueWriter(write_instance)
    parameters = hyperparameters(estimator)
    parameters["checkpoint"] = None  # further training must not write where a file says
    written: dict[str, Any] = {
        "class": writer.names.add(type(estimator), "the estimator"),
        "parameters": {name: writer.write(value, name) for name, value in parameters.items()},
        "fitted": None,
    }
    if "net_" in vars(estimator):
        written["fitted"] = _write_fitted(estimator, writer)
    data = _signed(written, writer.tensors)
    if written["fitted"] is not None:
        try:
            twin = read_estimator(written, data, Trust(writer.names.things.values()), {})
        except FileError as error:
            raise TypeError(f"the model cannot be rebuilt from what a file can store: {error}") from error
        probe = _probe(estimator, twin)
        if probe is not None:
            rows, found = probe
            # Not with the tensors, so that other tensors do not match.
            written["fitted"]["probe"] = write_answers(found)
            data = _signed(written, {**writer.tensors, **rows})
    return written, data


def _signed(written: dict[str, Any], tensors: dict[str, Tensor]) -> bytes:
    """Return the tensors as bytes, whose hash is written too: those of another file are not accepted."""
    data = write_tensors(tensors)
    written["tensors"] = hashlib.sha256(data).hexdigest()
    return data


def _write_fitted(estimator: Any, writer: ValueWriter) -> dict[str, Any]:
    changed = {
        name: value
        for name, value in estimator._built_with.items()
        if value is not getattr(estimator, name) and repr(value) != repr(getattr(estimator, name))
    }
    return {
        "built_with": {name: writer.write(value, name) for name, value in changed.items()},
        "attributes": _write_attributes(estimator, writer),
        "random": writer.write(estimator._random, "random_state"),
        "inputs": write_inputs(estimator._inputs, writer),
        "targets": write_targets(estimator._targets, writer),
        "net": write_net(estimator.net_, writer),
        "probe": None,
    }


def _write_attributes(estimator: Any, writer: ValueWriter) -> dict[str, Any]:
    """Return the fitted attributes as JSON, without private ones that are not plain data."""
    parameters, written = hyperparameters(estimator), {}
    for name, value in sorted(vars(estimator).items()):
        if name in parameters or name in _OTHERWISE:
            continue
        try:
            written[name] = writer.write(value, f"the attribute {name}")
        except TypeError:
            if not name.startswith("_"):
                raise
    return written


def _probe(estimator: Any, twin: Any) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor]] | None:
    """Return probe rows and what the model that was read back predicts for them, on the CPU as in `load`.

    None where the network accepts no artificial rows, or its predictions are random.
    """
    net, inputs = estimator.net_, estimator._inputs
    for rows in make_rows(inputs):
        try:
            here, again = (predict_rows(net, inputs, rows) for _ in range(2))
        except Exception:  # not every network accepts artificial rows: words must be in its vocabulary
            continue
        if largest_difference(here, again, CPU) is not None:
            return None
        try:
            found = predict_rows(twin.net_, twin._inputs, rows)
            worst = largest_difference(here, found, torch.device(net.device))
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise TypeError(f"module: the network fails when it is built again: {problem}") from error
        if worst is not None:
            raise TypeError(
                f"module: predictions of {type(estimator.module_).__qualname__} change by up to {worst:.3g} when it is "
                "built again with its weights. Keep all that it learns in parameters and buffers."
            )
        return rows, found
    return None


def read_estimator(
    value: Any,
    data: bytes,
    trust: Trust,
    versions: dict[str, Any],
    device: torch.device | None = CPU,
) -> BaseNeuralEstimator:
    """Return the estimator of these parts of a file, its network on `device`; None: on the device of its parameter."""
    check_keys(value, {"class", "parameters", "fitted", "tensors"}, "estimator")
    if value["tensors"] != hashlib.sha256(data).hexdigest():
        raise DamagedFileError("the tensors belong to another estimator.")
    reader = ValueReader(read_tensors(data), trust, read_instance)
    kind = trust.find(value["class"], "the estimator")
    if not (isinstance(kind, type) and issubclass(kind, BaseNeuralEstimator)):
        raise DamagedFileError(f"the estimator is a {value['class']}; expected an estimator of sknn.")
    estimator = _with_parameters(kind, value["parameters"], reader, versions)
    if value["fitted"] is not None:
        _read_fitted(estimator, value["fitted"], reader, versions, device or _device_of(estimator))
    left = sorted(set(reader.tensors) - reader.read_tensors)
    if left:
        raise DamagedFileError(f"the file contains tensors that nothing uses: {left[:5]}.")
    return estimator


def _device_of(estimator: Any) -> torch.device:
    """Return the device that the estimator asks for, or the CPU if it is not available."""
    try:
        device = resolve_device(estimator.device)
    except ValueError:
        return CPU
    return device if device.type in _DEVICES else CPU


def _with_parameters(kind: Any, value: Any, reader: ValueReader, versions: dict[str, Any]) -> Any:
    """Return an estimator, after refusing parameters that `fit` would refuse."""
    expect(value, dict, "parameters")
    unknown = sorted(set(value) - set(hyperparameter_names(kind)))
    if unknown:
        raise VersionError(
            f"{kind.__name__} has no parameters {unknown[:5]} here; the file was written by sknn "
            f"{versions.get('sknn', 'of an unknown version')}. Install that version, or a newer one."
        )
    found, taken = {name: reader.read(item, name) for name, item in value.items()}, constructor_names(kind)
    estimator = kind(**{name: item for name, item in found.items() if name in taken})
    vars(estimator).update({name: item for name, item in found.items() if name not in taken})
    try:
        estimator._validate_params()
    except (ValueError, TypeError) as error:
        raise DamagedFileError(f"a parameter in the file is invalid: {error}") from error
    _check_components(fit_parameters(estimator), reader.trust)
    _check_surroundings(estimator)
    return estimator


def _check_surroundings(estimator: Any) -> None:
    """Refuse parameters that would make further training write where the file says, or compute where nothing can."""
    if estimator.checkpoint is not None:
        raise UntrustedFileError(
            f"checkpoint is {str(estimator.checkpoint)[:80]!r}: further training would write there. sknn.save stores "
            "no checkpoint; set it after loading, model.set_params(checkpoint=...)."
        )
    device = estimator.device
    with damaged_if_it_fails(f"device is {str(device)[:40]!r}; expected 'auto' or the name of a device of torch"):
        kind = "cpu" if device == "auto" else torch.device(device).type
    if kind not in _DEVICES:
        raise DamagedFileError(f"device is {str(device)[:40]!r}; expected 'auto', or one of {', '.join(_DEVICES)}.")


def _check_components(params: dict[str, Any], trust: Trust) -> None:
    """Refuse components that are neither classes of the right kind nor functions of the user."""
    for name, base in (("module", nn.Module), ("criterion", nn.Module), ("optimizer", torch.optim.Optimizer)):
        value = params[name]
        while isinstance(value, functools.partial):
            value = value.func
        if isinstance(value, type) and issubclass(value, base):
            continue
        if isinstance(value, base | str) or (callable(value) and trust.is_own(value)):
            continue
        raise DamagedFileError(f"{name} is {str(value)[:80]}; expected a class derived from {base.__name__}.")


def _read_fitted(
    estimator: Any, value: Any, reader: ValueReader, versions: dict[str, Any], device: torch.device
) -> None:
    check_keys(value, _FITTED, "fitted")
    built_with = {name: getattr(estimator, name) for name in BUILT_WITH}
    for name, item in expect(value["built_with"], dict, "built_with").items():
        if name not in built_with:
            raise DamagedFileError(f"built_with: no network is built with a parameter {name[:40]!r}.")
        built_with[name] = reader.read(item, name)
    _check_components(built_with, reader.trust)
    random = expect(reader.read(value["random"], "random_state"), np.random.RandomState, "random_state")
    attributes = expect(value["attributes"], dict, "attributes")
    attributes = {name: reader.read(item, f"the attribute {name}") for name, item in attributes.items()}
    inputs = read_inputs(value["inputs"], reader)
    targets = read_targets(value["targets"], reader, estimator._target_kinds)
    net = read_net(value["net"], {**fit_parameters(estimator), **built_with}, inputs, targets, reader)
    if not isinstance(net.criterion_, Loss):
        raise DamagedFileError("criterion: expected a loss.")
    check_attributes(estimator, attributes, _OTHERWISE, inputs, targets, net)
    if value["probe"] is not None:
        check_answers(value["probe"], net, inputs, reader, versions, device)
    move(net, device)
    vars(estimator).update(attributes, net_=net, _inputs=inputs, _targets=targets, _random=random)
    estimator._built_with = built_with
