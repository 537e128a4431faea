"""Which parameters decay, and an optimizer over them: over flat buffers if it treats every number alike."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .._errors import refused_as, shown
from ..modules import Committee
from ..modules._layers import BATCH_NORMS, INSTANCE_NORMS
from ..modules.tabm import SharedLayer
from ._flat_parameters import FlatParameters
from ._muon import Muon

__all__ = ["build_optimizer", "parameter_groups"]

# Optimizers that treat every number alike, so that one long vector serves as well as many small tensors.
ELEMENTWISE = (
    torch.optim.SGD,
    torch.optim.Adam,
    torch.optim.AdamW,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.Adamax,
    torch.optim.Adadelta,
    torch.optim.Adagrad,
    torch.optim.RMSprop,
    Muon,  # its groups of matrices say so
)
# Those of torch that take sparse gradients, SparseAdam no others.
TAKE_SPARSE = (torch.optim.SGD, torch.optim.Adagrad, torch.optim.SparseAdam, torch.optim.LBFGS)
FUSED = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad)
NORM_LAYERS = (*BATCH_NORMS, *INSTANCE_NORMS, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm, nn.RMSNorm)


def parameter_groups(modules: Sequence[nn.Module]) -> list[list[nn.Parameter]]:
    """Trainable parameters in two groups: those that decay, and those that do not.

    Biases, parameters of norms, single numbers and factors (``*scale``) do not decay. A shared parameter appears once,
    at its first occurrence. Corresponding parameters of the networks of a committee are neighbours.
    """
    decayed: list[nn.Parameter] = []
    undecayed: list[nn.Parameter] = []
    seen: set[int] = set()
    position: dict[int, int] = {}  # of a parameter in its network of a committee
    for module in modules:
        for part in module.modules():
            if isinstance(part, Committee):
                for network in part.networks:
                    position.update({id(parameter): i for i, parameter in enumerate(network.parameters())})
            for name, parameter in part.named_parameters(recurse=False):
                if not parameter.requires_grad or id(parameter) in seen:
                    continue
                seen.add(id(parameter))
                exempt = (
                    isinstance(part, NORM_LAYERS) or "bias" in name or name.endswith("scale") or parameter.ndim == 0
                )
                (undecayed if exempt else decayed).append(parameter)
    return [sorted(group, key=lambda parameter: position.get(id(parameter), -1)) for group in (decayed, undecayed)]


def build_optimizer(
    optimizer: Any, params: dict[str, Any], lr: float, modules: list[nn.Module]
) -> tuple[torch.optim.Optimizer, FlatParameters | None]:
    """The optimizer over the parameters of the network and the criterion, and their flat buffers.

    The optimizer "auto" is `Muon` for networks with blocks of `TabM`, and AdamW for others. The buffers are None if
    the optimizer needs the shapes of the parameters. A ``weight_decay`` in `params` applies to weights, not to biases
    and norms. Raises a ValueError if there is nothing to train, or the optimizer refuses its arguments.
    """
    optimizer, groups = _groups_for(optimizer, modules)
    if not groups:
        raise ValueError(
            f"module: {type(modules[0]).__name__} has no parameters that require gradients, so there is nothing to "
            "train. Set requires_grad=True on some of them."
        )
    with refused_as("optimizer", "a class of torch.optim, or a function that makes an optimizer"):
        accepted = inspect.signature(optimizer).parameters
    is_sparse = _has_sparse_gradients(modules)
    _check_sparse_gradients(optimizer, params, modules)
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.SparseAdam) and not is_sparse:
        raise ValueError(
            f"optimizer: {optimizer.__name__} needs sparse gradients, as those of nn.Embedding(..., sparse=True), but "
            f"{type(modules[0]).__name__} has none. Use torch.optim.Adam."
        )
    flat = None
    if optimizer in ELEMENTWISE and not is_sparse and _can_be_flat(modules, [group["params"] for group in groups]):
        flat = FlatParameters([group["params"] for group in groups])
        groups = [{**group, "params": [buffer]} for group, buffer in zip(groups, flat.groups, strict=True)]
        on_known_device = flat.data.device.type in ("cpu", "cuda")
        if optimizer in FUSED and on_known_device and "foreach" not in params and not params.get("differentiable"):
            params = {"fused": True, **params}
    made = _construct(optimizer, _arguments(optimizer, groups, accepted), lr, params)
    return made, flat


def _groups_for(optimizer: Any, modules: Sequence[nn.Module]) -> tuple[Any, list[dict[str, Any]]]:
    """The class that "auto" means, and the groups that are not empty: with decay, without, and of Muon's matrices."""
    layers = [part for module in modules for part in module.modules() if isinstance(part, SharedLayer)]
    matrices = {id(layer.weight) for layer in layers if layer.weight.requires_grad}
    if isinstance(optimizer, str):
        optimizer = Muon if matrices else torch.optim.AdamW
    decayed, undecayed = parameter_groups(modules)
    of_shape: dict[tuple[int, ...], list[nn.Parameter]] = {}
    if optimizer is Muon:
        for parameter in decayed:
            if id(parameter) in matrices:
                of_shape.setdefault(tuple(parameter.shape), []).append(parameter)
        decayed = [parameter for parameter in decayed if id(parameter) not in matrices]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": undecayed, "weight_decay": 0.0}]
    groups += [{"params": parameters, "matrices": shape} for shape, parameters in of_shape.items()]
    return optimizer, [group for group in groups if group["params"]]


def _has_sparse_gradients(modules: list[nn.Module]) -> bool:
    """Whether a layer says so by an attribute ``sparse``, as torch's embeddings do."""
    return any(getattr(part, "sparse", False) for module in modules for part in module.modules())


def _check_sparse_gradients(optimizer: Any, params: dict[str, Any], modules: list[nn.Module]) -> None:
    """Raise a ValueError if an embedding has sparse gradients that this optimizer of torch refuses."""
    parts = [part for module in modules for part in module.modules()]
    sparse = [p for p in parts if isinstance(p, nn.Embedding | nn.EmbeddingBag) and p.sparse and p.weight.requires_grad]
    if not sparse or not str(optimizer.__module__).startswith("torch.optim"):
        return
    n_trained = sum(len(group) for group in parameter_groups(modules))
    if optimizer not in TAKE_SPARSE:
        problem = f"{optimizer.__name__} does not take the sparse gradients"
    elif params.get("weight_decay"):
        problem = f"weight_decay={shown(params['weight_decay'])} does not go with the sparse gradients"
    elif optimizer is torch.optim.SparseAdam and len({p.weight for p in sparse}) < n_trained:
        problem = "SparseAdam takes no other gradients than the sparse ones"
    else:
        return
    raise ValueError(
        f"optimizer: {problem} of {type(sparse[0]).__name__}(..., sparse=True). Leave out sparse=True, or use "
        "torch.optim.SGD or Adagrad without weight_decay."
    )


def _can_be_flat(modules: list[nn.Module], groups: list[list[nn.Parameter]]) -> bool:
    parameters = [p for group in groups for p in group]
    if len({(p.dtype, p.device) for p in parameters}) != 1 or parameters[0].is_complex():  # not a fused optimizer's
        return False
    if not parameters[0].is_cuda:
        return True
    # On a GPU, cuDNN keeps the weights of recurrent layers in a buffer of its own.
    return not any(isinstance(part, nn.RNNBase) for module in modules for part in module.modules())


def _arguments(optimizer: type, groups: list[dict[str, Any]], accepted: Mapping[str, Any]) -> list[Any]:
    """The parameters as `optimizer` accepts them: groups, of which not all may decay, or a list."""
    together = [parameter for group in groups for parameter in group["params"]]
    if optimizer is torch.optim.LBFGS:  # it allows one group only
        return together
    return groups if "weight_decay" in accepted else [{"params": together}]


def _construct(
    optimizer: type[torch.optim.Optimizer], arguments: list[Any], lr: float, params: dict[str, Any]
) -> torch.optim.Optimizer:
    try:
        made: Any = optimizer(arguments, lr=lr, **params)  # type: ignore[call-arg]
    except Exception as error:
        name = getattr(optimizer, "__name__", type(optimizer).__name__)
        raise ValueError(
            f"optimizer: {name} refuses lr={lr!r}, optimizer_params={shown(params)}: {error or type(error).__name__}"
        ) from error
    if not isinstance(made, torch.optim.Optimizer):
        raise TypeError(f"optimizer: {shown(optimizer)} made {shown(made)}, expected a torch.optim.Optimizer.")
    return made
