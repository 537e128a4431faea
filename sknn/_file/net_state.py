"""A trained net as JSON and tensors, and back: built by the code that `fit` uses, with the weights of the file."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from skorch.history import History
from torch import Tensor, nn

from .._data.inputs import Inputs
from .._network.table_network import committee_of
from .._training.make_net import loss_of, untrained_network
from .._training.net import _Net
from ..exceptions import DamagedFileError
from ..losses import Loss
from .bounded import build_like, freeze, state_of
from .checks import check_keys, expect
from .values.reader_writer import ValueReader, ValueWriter

__all__ = ["read_net", "write_net"]

_SETTINGS = {"lr": float, "max_epochs": int, "batch_size": int, "optimizer_params": dict}
_NAMES = {*_SETTINGS, "n_networks", "n_rows", "steps_done", "history", "frozen"}


def write_net(net: _Net, writer: ValueWriter) -> dict[str, Any]:
    """JSON for a trained net, without its optimizer; the writer keeps its tensors."""
    committee = committee_of(net.module_)
    for prefix, module, where in (("network", net.module_, "module"), ("criterion", net.criterion_, "criterion")):
        writer.tensors |= {f"{prefix}.{name}": tensor for name, tensor in state_of(module, where).items()}
    # Numbers may be those of numpy, if they come from a grid.
    settings = {name: writer.write(kind(vars(net)[name]), name) for name, kind in _SETTINGS.items()}
    return {
        **settings,
        "n_networks": 1 if committee is None else len(committee.networks),
        "n_rows": None if net.n_rows_ == math.inf else net.n_rows_,
        "steps_done": net.steps_done_,
        "history": writer.write([dict(record) for record in net.history], "history"),
        "frozen": [name for name, parameter in net.module_.named_parameters() if not parameter.requires_grad],
    }


def read_net(value: Any, params: dict[str, Any], inputs: Inputs, targets: Any, reader: ValueReader) -> _Net:
    """The net, on the CPU, ready for prediction and further training; it was built with the parameters `params`."""
    check_keys(value, _NAMES, "net")
    settings = {name: expect(reader.read(value[name], name), kind, name) for name, kind in _SETTINGS.items()}
    optimizer_params = settings.pop("optimizer_params")
    for name, number in settings.items():
        if not 0 < number < 2**62:
            raise DamagedFileError(f"net: {name} is {number}; expected a number > 0.")
    if not 0 <= expect(value["steps_done"], int, "steps_done") < 2**62:
        raise DamagedFileError(f"net: steps_done is {value['steps_done']}; expected a number of steps.")
    loss, network = _read_modules(value, params, inputs, targets, reader)
    kinds: dict[str, Any] = {"target_kind": targets.kind, "n_classes": targets.n_targets}
    # The optimizer of the file is made when the net is trained further.
    made_later = {"optimizer": torch.optim.SGD, "optimizer_params": {}}
    net = _Net(network, loss, **kinds, **settings, **made_later, callbacks=[], device="cpu")
    net.initialize()
    net.release()
    net.optimizer_, net.flat_parameters, net.virtual_params_ = None, None, {}
    net.optimizer, net.optimizer_params = params["optimizer"], optimizer_params
    net.steps_done_, net.n_rows_ = value["steps_done"], _n_rows(value)
    net.history_ = _read_history(reader.read(value["history"], "history"))
    return net


def _n_rows(value: dict[str, Any]) -> float:
    """Number of rows that the network was made for; JSON has no infinity."""
    if value["n_rows"] is None:
        return math.inf
    if not 0 < expect(value["n_rows"], int, "n_rows") < 2**62:
        raise DamagedFileError(f"net: n_rows is {value['n_rows']}; expected a number of rows.")
    return value["n_rows"]


def _read_modules(
    value: Any, params: dict[str, Any], inputs: Inputs, targets: Any, reader: ValueReader
) -> tuple[Loss, nn.Module]:
    n_networks = expect(value["n_networks"], int, "n_networks")
    states = {kind: _state(reader, f"{kind}.") for kind in ("criterion", "network")}
    if not 1 <= n_networks <= max(1, len(states["network"])):
        raise DamagedFileError(f"net: n_networks is {n_networks}, but there are {len(states['network'])} tensors.")
    make = functools.partial(loss_of, params, inputs, targets.kind)
    own_code = _is_own(params["criterion"], params["criterion_params"], reader)
    loss: Any = build_like(make, states["criterion"], "criterion", own_code=own_code)
    width = loss.out_features(targets.n_targets)
    own_code = _is_own(params["module"], params["module_params"], reader)
    make = functools.partial(untrained_network, params, inputs, width, n_networks, _n_rows(value))
    network = build_like(make, states["network"], "module", own_code=own_code)
    freeze(network, value["frozen"], "module")
    network.eval()
    return loss, network


def _state(reader: ValueReader, prefix: str) -> dict[str, Tensor]:
    names = [name for name in reader.tensors if name.startswith(prefix)]
    return {name.removeprefix(prefix): reader.tensor(name, prefix) for name in names}


def _is_own(component: Any, component_params: Any, reader: ValueReader) -> bool:
    """Whether code of the user is called to build it."""
    if isinstance(component, str):
        return False
    while isinstance(component, functools.partial):
        component = component.func
    things = [type(part) for part in component.modules()] if isinstance(component, nn.Module) else [component]
    values = component_params.values() if isinstance(component_params, dict) else ()
    things += [value for value in values if isinstance(value, type) or callable(value)]
    return any(reader.trust.is_own(thing) for thing in things)


def _read_history(records: Any) -> History:
    history = History()
    for record in expect(records, list, "history"):
        expect(record, dict, "history")
        if not all(type(name) is str for name in record):
            raise DamagedFileError("history: names must be strings.")
        if type(record.get("train_loss")) not in (float, int) or type(record.get("epoch")) is not int:
            raise DamagedFileError("history: each epoch needs its number, epoch, and its train_loss.")
        expect(record.get("batches"), list, "history")
        list.append(history, record)
    return history
