"""Which column of category codes each number of an embedding belongs to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .gradients import Attributions, NotDifferentiableError
from .tapped import TappedNetwork

__all__ = ["attributions_of_codes"]


@torch.no_grad()
def attributions_of_codes(
    network: nn.Module, found: Attributions, rows: dict[str, Tensor], baselines: list[dict[str, Tensor]]
) -> Tensor:
    """Attributions of ``x_cat``, (n, n_categorical, n_outputs): those of the embeddings summed by column.

    A module may look up its columns one by one, or all in one table. So one column after the other is changed, and the
    embeddings that change with it are its own.
    """
    batches = [rows, *baselines]
    codes = torch.cat([batch["x_cat"] for batch in batches]).unique(dim=0)
    x = torch.cat([batch["x"] for batch in batches])[:1].expand(len(codes), *rows["x"].shape[1:])
    tapped = TappedNetwork(network)
    unknown = torch.zeros_like(codes)  # two codes differ, so one of them at least differs from code 0
    plain = tapped.embeddings((x, unknown))
    total = rows["x"].new_zeros(*rows["x_cat"].shape, found.end.shape[1])
    owners = [torch.full(part.shape[1:], -1, dtype=torch.int64, device=part.device) for part in plain]
    for column in range(codes.shape[1]):
        changed = unknown.clone()
        changed[:, column] = codes[:, column]
        for owner, part, before in zip(owners, tapped.embeddings((x, changed)), plain, strict=True):
            own = (part != before).any(0)
            if bool((owner[own] >= 0).any()):
                raise NotDifferentiableError("it adds embeddings of several columns before a layer has seen them")
            owner[own] = column
    for owner, part in zip(owners, found.embeddings, strict=True):
        known = owner.flatten() >= 0
        total.index_add_(1, owner.flatten()[known], part.flatten(1, -2)[:, known])
    return total
