"""Which parameters are trained, and which of them decay."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ..modules import Committee

__all__ = ["parameter_groups"]

NORM_LAYERS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    nn.RMSNorm,
)


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
