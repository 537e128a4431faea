"""Networks of a committee that are trained at the same time, each on a thread of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from ._build import TableNetwork, committee_of, network_inputs
from ._threads import threads
from .modules import Committee, TabM

__all__ = ["SideBySide"]


class SideBySide:
    """Loss and gradients of a committee, network by network.

    The networks of a committee have nothing in common but the batch, so that two threads wait for each other once a
    step; threads that share a matrix product do so at its end, some thirty times a step, and where other work takes
    one of the processors the other waits, too. On one thread the numbers are the same.

    Parameters
    ----------
    network : nn.Module
        A `Committee`, perhaps behind a `TableNetwork`.
    n_threads : int
        Threads that the computation deserves, shared by the networks.
    """

    def __init__(self, network: nn.Module, n_threads: int) -> None:
        committee = committee_of(network)
        assert committee is not None
        self.committee = committee
        self.categories = network if isinstance(network, TableNetwork) else None
        n_networks = len(committee.networks)
        self.n_workers = min(n_networks, n_threads)
        self._open = ExitStack()
        self._pool: ThreadPoolExecutor | None = None
        if self.n_workers > 1:
            each = max(1, n_threads // n_networks)
            # The setting of torch is one of each thread.
            self._open.enter_context(threads(each))
            pool = ThreadPoolExecutor(self.n_workers - 1, "sknn", torch.set_num_threads, (each,))
            self._pool = self._open.enter_context(pool)

    @staticmethod
    def serves(network: nn.Module, criterion: nn.Module) -> bool:
        """Whether its networks are known to share nothing: no random numbers, no state, no loss that learns."""
        committee = committee_of(network)
        return (
            committee is not None
            and type(committee) is Committee
            and all(type(part) is TabM and part.dropout == 0 and _is_pure(part) for part in committee.networks)
            and type(criterion).__module__.startswith("sknn.")
            and next(criterion.parameters(), None) is None
            and next(network.parameters()).device.type == "cpu"
        )

    def gradient(self, inputs: dict[str, Tensor], y: Tensor, loss_of: Any, precision: str) -> tuple[Tensor, Tensor]:
        """Mean loss and raw scores of the members; gradients are added to those of the parameters."""
        given = network_inputs(inputs)
        if self.categories is not None:
            given = self.categories.network_inputs(*given)
        weight = inputs.get("sample_weight")
        committee, n_networks = self.committee, len(self.committee.networks)
        targets = (y,) if weight is None else (y, weight)
        parts = list(zip(committee.networks, committee.parts(*given), committee.parts(*targets), strict=True))

        def work(network: nn.Module, given: tuple[Tensor, ...], target: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                raw = network(*given).float()
            loss = loss_of(raw, *target) / n_networks
            loss.backward()
            return loss.detach(), raw.detach()

        def work_on(mine: list[Any]) -> list[tuple[Tensor, Tensor]]:
            return [work(*part) for part in mine]

        shares = [parts[worker :: self.n_workers] for worker in range(self.n_workers)]
        done: list[Any] = [None] * n_networks
        waiting = [self._pool.submit(work_on, share) for share in shares[1:]] if self._pool is not None else []
        done[:: self.n_workers] = work_on(shares[0])
        for worker, future in enumerate(waiting, 1):
            done[worker :: self.n_workers] = future.result()
        losses, raw = zip(*done, strict=True)
        return torch.stack(losses).sum(), committee.joined(raw)

    def close(self) -> None:
        """End the threads."""
        self._open.close()


def _is_pure(module: TabM) -> bool:
    """No activation of the user's, which might hold a state."""
    return type(module.activation).__module__.startswith("torch.nn.modules.activation")
