"""A trained net as JSON and tensors, and back: built by the code that `fit` uses, with the weights of the file."""

from __future__ import annotations

import functools
from typing import Any

import torch
from skorch.history import History
from torch import Tensor, nn

from .._data.inputs import Inputs
from .._network.table_network import committee_of
from .._training.make_net import untrained_network
from .._training.net import _Net
from ..exceptions import DamagedFileError
from ..losses import Loss, make_loss
from .bounded import build_like, check_outputs, freeze, state_of
from .checks import check_keys, expect
from .probe import n_probe_rows
from .values.reader_writer import ValueReader, ValueWriter

__all__ = ["read_net", "write_net"]

_NAMES = {"lr", "max_epochs", "batch_size", "optimizer_params", "n_networks", "steps_done", "history", "frozen"}


def write_net(net: _Net, writer: ValueWriter) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """JSON and tensors for a trained net, without its optimizer."""
    committee = committee_of(net.module_)
    tensors = {f"network.{name}": tensor for name, tensor in state_of(net.module_, "module").items()}
    tensors |= {f"criterion.{name}": tensor for name, tensor in state_of(net.criterion_, "criterion").items()}
    values = {
        "lr": float(net.lr),  # numbers of numpy, if they come from a grid
        "max_epochs": int(net.max_epochs),
        "batch_size": int(net.batch_size),
        "optimizer_params": dict(net.optimizer_params),
        "history": [dict(record) for record in net.history],
    }
    written = {name: writer.write(value, name) for name, value in values.items()}
    written["n_networks"] = 1 if committee is None else len(committee.networks)
    written["steps_done"] = net.steps_done_
    written["frozen"] = [name for name, p in net.module_.named_parameters() if not p.requires_grad]
    return written, tensors


def read_net(value: Any, params: dict[str, Any], inputs: Inputs, targets: Any, reader: ValueReader) -> _Net:
    """The net, on the CPU, ready for prediction and further training; it was built with the parameters `params`."""
    check_keys(value, _NAMES, "net")
    read = {name: reader.read(value[name], name) for name in ("lr", "max_epochs", "batch_size", "optimizer_params")}
    for name, kind in (("lr", float), ("max_epochs", int), ("batch_size", int)):
        if not 0 < expect(read[name], (kind, int), name) < 2**62:
            raise DamagedFileError(f"net: {name} is invalid; expected a number > 0.")
    expect(read["optimizer_params"], dict, "optimizer_params")
    loss, network = _read_modules(value, params, inputs, targets, reader)
    net = _Net(
        network,
        loss,
        target_kind=targets.kind,
        n_classes=targets.n_targets,
        optimizer=torch.optim.SGD,  # the real one is made when it trains on
        optimizer_params={},
        lr=0.1,
        max_epochs=read["max_epochs"],
        batch_size=read["batch_size"],
        callbacks=[],
        device="cpu",
    )
    net.initialize()
    net.release()
    net.optimizer_, net.flat_parameters, net.virtual_params_ = None, None, {}
    net.optimizer, net.optimizer_params, net.lr = params["optimizer"], read["optimizer_params"], read["lr"]
    net.steps_done_ = expect(value["steps_done"], int, "steps_done")
    if not 0 <= net.steps_done_ < 2**62:
        raise DamagedFileError(f"net: steps_done is {net.steps_done_}; expected a number of steps.")
    net.history_ = _read_history(reader.read(value["history"], "history"))
    return net


def _read_modules(
    value: Any, params: dict[str, Any], inputs: Inputs, targets: Any, reader: ValueReader
) -> tuple[Loss, nn.Module]:
    n_networks = expect(value["n_networks"], int, "n_networks")
    states = {kind: _state(reader, f"{kind}.") for kind in ("criterion", "network")}
    if not 1 <= n_networks <= max(1, len(states["network"])):
        raise DamagedFileError(f"net: n_networks is {n_networks}, but there are {len(states['network'])} tensors.")
    make = functools.partial(make_loss, params["criterion"], dict(params["criterion_params"] or {}), targets.kind)
    own_code = _is_own(params["criterion"], params["criterion_params"], reader)
    loss: Any = build_like(make, states["criterion"], "criterion", own_code=own_code)
    width = loss.out_features(targets.n_targets)
    own_code = _is_own(params["module"], params["module_params"], reader)
    network = build_like(
        lambda: untrained_network(params, inputs, width, n_networks),
        states["network"],
        "module",
        own_code=own_code,
    )
    freeze(network, value["frozen"], "module")
    network.eval()
    if not own_code:
        check_outputs(network, _few_rows(inputs), "module")
    return loss, network


def _few_rows(inputs: Inputs) -> dict[str, Tensor]:
    """Encoded rows on the meta device, as many as the probe has."""
    n_rows = n_probe_rows(inputs)
    rows = {"x_num": torch.empty(n_rows, *inputs.row_shape, device="meta")}
    if inputs.cardinalities:
        rows["x_cat"] = torch.zeros(n_rows, len(inputs.cardinalities), dtype=torch.int64, device="meta")
    return rows


def _state(reader: ValueReader, prefix: str) -> dict[str, Tensor]:
    names = [name for name in reader.tensors if name.startswith(prefix)]
    return {name.removeprefix(prefix): reader.tensor(name, prefix) for name in names}


def _is_own(component: Any, component_params: Any, reader: ValueReader) -> bool:
    """Whether code of the user is called to build it."""
    if isinstance(component, str):
        return False
    while isinstance(component, functools.partial):
        component = component.func
    parts = list(component.modules()) if isinstance(component, nn.Module) else []
    things = [*map(type, parts)] or [component]
    values = component_params.values() if isinstance(component_params, dict) else ()
    things += [value for value in values if isinstance(value, type) or callable(value)]
    return any(reader.trust.is_own(thing) for thing in things)


def _read_history(records: Any) -> History:
    history = History()
    for record in expect(records, list, "history"):
        expect(record, dict, "history")
        if not all(type(name) is str for name in record):
            raise DamagedFileError("history: names must be strings.")
        if "train_loss" in record:
            expect(record["train_loss"], (float, int), "history")
        expect(record.get("batches"), list, "history")
        list.append(history, record)
    return history
