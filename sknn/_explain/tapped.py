"""A network whose embeddings of codes can be read and replaced by others."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from .._data.stores import whole_tiles
from .._errors import one_line
from ..modules.embeddings import CategoricalEmbeddings, OneHot
from .scores import raw_scores

__all__ = ["NotDifferentiableError", "TappedNetwork"]

_EMBEDDINGS = (CategoricalEmbeddings, OneHot, nn.Embedding, nn.EmbeddingBag)


class NotDifferentiableError(ValueError):
    """The output of a network cannot be attributed by gradients; the message says why."""


class TappedNetwork:
    """A network, and what its embedding layers return, in the order in which they are called.

    A number between two codes does not exist, but one between their embeddings does. The structure of the network is
    copied and its tensors are shared: nothing is registered in the network itself, which other threads may be using.
    """

    def __init__(self, network: nn.Module) -> None:
        shared: dict[int, Any] = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
        try:
            self._network = copy.deepcopy(network, shared)
        except Exception as error:  # of any object that the user's module holds
            raise NotDifferentiableError(f"its structure cannot be copied ({one_line(str(error))})") from error
        self._seen: list[Tensor] = []
        self._of_rows: list[bool] | None = None  # of each call of an embedding layer
        self._replaced: list[Tensor] | None = None
        _hook_outermost(self._network, self._embedded)

    def __call__(self, inputs: tuple[Tensor, ...], embeddings: list[Tensor] | None = None) -> Tensor:
        """The raw scores of the network, if `embeddings` are given with these instead of its own."""
        self._seen = []
        self._replaced = None if embeddings is None else [whole_tiles(part.clone()) for part in embeddings]
        return raw_scores(self._network, inputs)

    def embeddings(self, inputs: tuple[Tensor, ...]) -> list[Tensor]:
        """What the embedding layers return for the rows, each (batch, ...); those of positions are left out."""
        if self._of_rows is None:
            sizes = []
            for n_rows in (4, 8):  # whole tiles
                self(tuple(values[:1].expand(n_rows, *values.shape[1:]) for values in inputs))
                sizes.append([len(output) for output in self._seen])
            self._of_rows = [one != two for one, two in zip(*sizes, strict=False)]
        self(inputs)
        n_rows = len(inputs[0])
        return [output[:n_rows] for output, is_of_rows in zip(self._seen, self._of_rows, strict=False) if is_of_rows]

    def _embedded(self, module: nn.Module, given: Any, output: Tensor) -> Tensor:
        place = len(self._seen)
        self._seen.append(output.clone())
        if self._replaced is None or self._of_rows is None or not all(self._of_rows[place : place + 1]):
            return output
        place = sum(self._of_rows[:place])
        return self._replaced[place] if place < len(self._replaced) else output


def _hook_outermost(module: nn.Module, hook: Any) -> None:
    if isinstance(module, _EMBEDDINGS):
        module.register_forward_hook(hook)
        return
    for child in module.children():
        _hook_outermost(child, hook)
