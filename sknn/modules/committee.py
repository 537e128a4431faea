"""Several networks in one module, each trained on its own rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .tabm import TabM


class Committee(nn.Module):
    """Networks of one kind, trained in one run on different rows, whose predictions are averaged.

    If the networks hold out different rows, the committee learns from all rows, and early stopping is decided on more
    validation rows than a single network could hold out.

    Parameters
    ----------
    networks : iterable of nn.Module
        At least one. Each returns ``(batch, out_features)`` or ``(batch, n_members, out_features)``.

    Attributes
    ----------
    networks : nn.ModuleList
    n_members : int
        Members of all networks together.

    Raises
    ------
    ValueError
        There is no network, or in ``own_rows`` a batch cannot be divided evenly.

    Shape
    -----
    - Input: that of each network.
    - Output: ``(batch, sum of the members, out_features)``: every network predicts every row. Within
      :meth:`own_rows` ``(batch, n_members, out_features)``: the batch is split into one part per
      network, and each network predicts its own part.

    References
    ----------
    .. [1] B. Parmanto, P. Munro, H. Doyle. Improving Committee Diagnosis with Resampling Techniques. NIPS 1995
       (cross-validation committees).

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from sknn.modules import Committee
    >>> committee = Committee([nn.Linear(4, 3), nn.Linear(4, 3)])
    >>> committee(torch.randn(10, 4)).shape
    torch.Size([10, 2, 3])
    >>> with committee.own_rows():
    ...     committee(torch.randn(10, 4)).shape
    torch.Size([10, 1, 3])
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        if not len(self.networks):
            raise ValueError("networks is empty; expected at least one nn.Module.")
        self._sizes = [members_of(network) or 1 for network in self.networks]
        self.n_members = sum(self._sizes)
        self._each_its_own = False

    @contextmanager
    def own_rows(self) -> Iterator[None]:
        """Within this context each network is called with its own part of a batch, in order."""
        self._each_its_own = True
        try:
            yield
        finally:
            self._each_its_own = False

    def forward(self, *inputs: Tensor) -> Tensor:
        """Raw scores of all networks, or within :meth:`own_rows` of each network for its own rows."""
        parts = zip(self.networks, self.parts(*inputs), strict=True)
        return self.joined([network(*part) for network, part in parts])

    def parts(self, *tensors: Tensor) -> list[tuple[Tensor, ...]]:
        """The inputs of each network for a batch: all rows, or within :meth:`own_rows` its part of them."""
        n_networks, n_rows = len(self.networks), len(tensors[0])
        if not self._each_its_own:
            return [tensors] * n_networks
        if n_rows % n_networks:
            raise ValueError(f"a batch of {n_rows} rows cannot be divided among {n_networks} networks.")
        return list(zip(*(tensor.split(n_rows // n_networks) for tensor in tensors), strict=True))

    def joined(self, outputs: Sequence[Tensor]) -> Tensor:
        """The networks' outputs concatenated: along members, or within :meth:`own_rows` along rows."""
        return torch.cat([_members(output) for output in outputs], dim=0 if self._each_its_own else 1)

    def split(self, joined: Tensor) -> list[Tensor]:
        """The inverse of :meth:`joined`, also for a gradient of the same shape."""
        if self._each_its_own:
            return list(joined.split(len(joined) // len(self.networks)))
        return list(joined.split(self._sizes, dim=1))

    def fit_knots(self, x_num: Tensor, sample_weight: Tensor | None = None) -> Committee:
        """Call ``fit_knots`` of the networks that have this method; returns the module."""
        first: TabM | None = None
        for network in self.networks:
            if first is not None and type(network) is TabM and network.knots.shape == first.knots.shape:
                network.knots.copy_(first.knots)  # those of the same rows, which take long to find
            elif hasattr(network, "fit_knots"):
                network.fit_knots(x_num, sample_weight)  # pyright: ignore[reportCallIssue]
                first = network if type(network) is TabM else first
        return self


def members_of(network: nn.Module) -> int | None:
    """The attribute ``n_members`` of a network that returns ``(batch, n_members, out_features)``, else None."""
    return getattr(network, "n_members", None)


def _members(output: Tensor) -> Tensor:
    """An output as (batch, n_members, out_features); without members, or with one score as (batch,), it lacks axes."""
    output = output if output.ndim > 1 else output.unsqueeze(1)
    return output if output.ndim > 2 else output.unsqueeze(1)


__all__ = ["Committee", "members_of"]
