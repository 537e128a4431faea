"""Integrated gradients of any network, by automatic differentiation.

The attribution of an input :math:`x_i` of a row, beside a baseline :math:`x'`, is

.. math:: (x_i - x_i') \\int_0^1 \\partial_i f(x' + \\alpha (x - x')) \\, d\\alpha,

which sums to :math:`f(x) - f(x')` (M. Sundararajan, A. Taly, Q. Yan, Axiomatic Attribution for Deep Networks, ICML
2017, arXiv:1703.01365). Of several baselines it is the mean (G. Erion et al., Improving performance of deep learning
models with axiomatic attribution priors and expected gradients, Nature Machine Intelligence 2021, arXiv:1906.10670).
Codes are interpolated behind their embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .scores import Scores
from .tapped import NotDifferentiableError, TappedNetwork

__all__ = ["Attributions", "NotDifferentiableError", "integrated_gradients"]

# Steps from the only baseline, and from each of many. They are doubled for rows whose attributions miss the difference
# of the predictions by more than _NEAR of the sum of their absolute values, up to so many.
_STEPS, _STEPS_OF_MANY = 8, 2
_MOST_STEPS, _MOST_STEPS_OF_MANY = 128, 8
_NEAR = 0.01
# What is left then is spread over the inputs in proportion. More than this, of the attributions and of the largest
# score, is no matter of steps: the gradients are wrong, as those of a step function.
_FAR, _FAR_OF_SCORES = 0.1, 0.01
# Numbers of the inputs that are differentiated together, about.
_AT_ONCE = 2**20
_GOLDEN = 0.6180339887498949
# Differences that rounding explains, relative to the largest score.
_ROUNDING = 1e-4


@dataclass
class Attributions:
    """What each number of a row adds to its scores.

    Attributes
    ----------
    inputs : dict of str to Tensor
        Of each input of floating point, (n, *shape, n_outputs). Of codes int64 (n, *shape), the sum over their
        embeddings (n, *shape, size), where an embedding layer returned this shape.
    embeddings : list of Tensor
        Of what each embedding layer returned, (n, ..., n_outputs).
    start, end : Tensor (n, n_outputs)
        Scores of the baseline, as the mean of several, and of the rows.
    """

    inputs: dict[str, Tensor]
    embeddings: list[Tensor]
    start: Tensor
    end: Tensor


def integrated_gradients(
    network: nn.Module, scores: Scores, rows: dict[str, Tensor], baselines: Sequence[dict[str, Tensor]]
) -> Attributions:
    """Attributions of the inputs of a batch.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode. It is called with the tensors of a batch in their order, and is not changed.
    scores : Scores
        What of its output is explained.
    rows : dict of str to Tensor
        Inputs (n, *shape) as `Store.tensors` returns them, by name.
    baselines : sequence of dict of str to Tensor
        Inputs of the same shapes, or of one row that serves all. Where neither is of floating point, such as lengths,
        and no embedding layer reads it, it must be that of the rows.

    Raises
    ------
    NotDifferentiableError
        The output has no gradient, or codes act on it otherwise than through embedding layers, or the gradients do not
        explain the difference between rows and baselines.
    """
    path = _Path(network, scores, rows, baselines)
    n_baselines = len(baselines)
    n_steps = max(_STEPS_OF_MANY, -(-_STEPS // n_baselines))
    most = max(_MOST_STEPS_OF_MANY, _MOST_STEPS // n_baselines)
    found = path.integral(None, n_steps)
    remainder, size = path.remainder(found)
    while n_steps < most:
        missed = (remainder.abs() > _NEAR * size + path.rounding).any(1).nonzero()[:, 0]
        if not len(missed):
            break
        n_steps *= 2
        for all_rows, again in zip(found, path.integral(missed, n_steps), strict=True):
            all_rows[missed] = again
        remainder, size = path.remainder(found)
    if bool((remainder.abs() > _FAR * size + _FAR_OF_SCORES * path.largest).any()):
        raise NotDifferentiableError(
            "its gradients do not explain its predictions: it contains a function whose gradient is zero or wrong, "
            "such as a threshold"
        )
    share = remainder / size.clamp_min(1e-30)
    return path.attributions([part[0] + part[1] * _like(share, part[0]) for part in map(_unstacked, found)])


class _Path:
    """Straight lines from baselines to rows, in the space of numbers and of embeddings."""

    def __init__(
        self, network: nn.Module, scores: Scores, rows: dict[str, Tensor], baselines: Sequence[dict[str, Tensor]]
    ) -> None:
        self.network, self.scores, self.rows = TappedNetwork(network), scores, rows
        self.n_rows = len(next(iter(rows.values())))
        self.floats = [name for name, values in rows.items() if values.is_floating_point()]
        with torch.no_grad():
            self.ends = self._varied(rows)
            self.end = self._score(rows, None)
            self.starts = [self._of_all_rows(self._varied(one)) for one in baselines]
            starts = [self._of_all_rows([self._score(one, None)])[0] for one in baselines]
            self.start = torch.stack(starts).mean(0)
            self.largest = max(1e-6, float(self.end.abs().max()), float(self.start.abs().max()))
            self.rounding = _ROUNDING * self.largest
            self._check_codes(dict(zip(rows, self._of_all_rows(list(baselines[0].values())), strict=True)))

    def _varied(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """What is interpolated: the inputs of floating point, and the embeddings."""
        n_rows = len(next(iter(inputs.values())))
        embeddings = self.network.embeddings(tuple(inputs.values()))
        if any(len(part) != n_rows for part in embeddings):
            raise NotDifferentiableError("an embedding layer is called with another axis than that of the rows first")
        return [*(inputs[name] for name in self.floats), *embeddings]

    def _of_all_rows(self, parts: list[Tensor]) -> list[Tensor]:
        """Those of a baseline of one row, for all rows; no memory is taken."""
        return [part.expand(self.n_rows, *part.shape[1:]) for part in parts]

    def _score(self, inputs: dict[str, Tensor], embeddings: list[Tensor] | None) -> Tensor:
        return self.scores.of_raw(self.network(tuple(inputs.values()), embeddings)).float()

    def _check_codes(self, start: dict[str, Tensor]) -> None:
        """Raise an error unless codes act through the embedding layers alone."""
        if any(part.shape != other.shape for part, other in zip(self.ends, self.starts[0], strict=True)):
            raise NotDifferentiableError("its embedding layers are called in another way for other codes")
        codes = {name: values for name, values in start.items() if name not in self.floats}
        if not codes:
            return
        found = self._score({**self.rows, **codes}, self.ends[len(self.floats) :])
        if bool(((found - self.end).abs() > self.rounding).any()):
            raise NotDifferentiableError(
                "it uses category codes otherwise than in layers of torch.nn.Embedding, so that nothing lies between "
                "two codes"
            )

    def integral(self, chosen: Tensor | None, n_steps: int) -> list[Tensor]:
        """Attributions of what is varied, for rows at these positions, and the means of their absolute values.

        Both (n, 2, ..., n_outputs), of each part that is varied.
        """
        positions = torch.arange(self.n_rows, dtype=torch.int64) if chosen is None else chosen.cpu()
        width = sum(part[0].numel() for part in self.ends)
        n_at_once = max(1, _AT_ONCE // (max(width, 64) * n_steps))
        parts = [self._of_rows(some, n_steps) for some in positions.to(self.end.device).split(n_at_once)]
        return [torch.cat(pieces) for pieces in zip(*parts, strict=True)]

    def _of_rows(self, chosen: Tensor, n_steps: int) -> list[Tensor]:
        others = {name: values[chosen].repeat_interleave(n_steps, 0) for name, values in self.rows.items()}
        stop = [part[chosen] for part in self.ends]
        total = [part.new_zeros(len(part), 2, *part.shape[1:], self.scores.n_outputs) for part in stop]
        for i, start in enumerate(self.starts):
            # Each baseline has its own places between the steps, so that few steps of many baselines cover the path.
            share = (0.5 + i * _GOLDEN) % 1.0
            alpha = (torch.arange(n_steps, dtype=torch.float32) + share) / n_steps
            begin = [part[chosen] for part in start]
            for sum_, gradient, first, last in zip(
                total, self._gradients(begin, stop, alpha.to(self.end.device), others), begin, stop, strict=True
            ):
                own = gradient * (last - first).unsqueeze(-1) / len(self.starts)
                sum_ += torch.stack([own, own.abs()], 1)
        return total

    def _gradients(
        self, begin: list[Tensor], stop: list[Tensor], alpha: Tensor, others: dict[str, Tensor]
    ) -> list[Tensor]:
        """Mean gradients over the steps, each (n, ..., n_outputs)."""
        n_steps, weight = len(alpha), torch.ones_like(alpha)
        if len(self.starts) == 1:
            # Shorter steps near the baseline: where it is constant, layers that divide by a spread bend sharply there.
            alpha, weight = alpha.square(), 2 * alpha
        with torch.enable_grad():
            leaves = [_between(*ends, alpha).requires_grad_() for ends in zip(begin, stop, strict=True)]
            inputs = {**others, **dict(zip(self.floats, leaves, strict=False))}
            output = self._score(inputs, leaves[len(self.floats) :])
            if not output.requires_grad:
                raise NotDifferentiableError("its output has no gradient with respect to its inputs")
            sums = output.sum(0)
            of_outputs = [
                torch.autograd.grad(score, leaves, retain_graph=i + 1 < len(sums), allow_unused=True)
                for i, score in enumerate(sums)
            ]
        means = []
        for leaf, gradients in zip(leaves, zip(*of_outputs, strict=True), strict=True):
            found = [torch.zeros_like(leaf) if gradient is None else gradient for gradient in gradients]
            by_step = torch.stack(found, -1).unflatten(0, (-1, n_steps)).flatten(2) * weight.view(1, -1, 1)
            means.append(by_step.mean(1).unflatten(1, (*leaf.shape[1:], len(sums))))
        return means

    def remainder(self, found: list[Tensor]) -> tuple[Tensor, Tensor]:
        """What attributions miss of the difference of the scores, and their absolute sum, (n, n_outputs) each."""
        n_outputs = self.scores.n_outputs
        sums = torch.stack([part.reshape(self.n_rows, 2, -1, n_outputs).sum(2) for part in found]).sum(0)
        return self.end - self.start - sums[:, 0], sums[:, 1]

    def attributions(self, total: list[Tensor]) -> Attributions:
        """The result."""
        n_floats = len(self.floats)
        inputs, embeddings = dict(zip(self.floats, total, strict=False)), total[n_floats:]
        for name, codes in self.rows.items():
            found = [part.sum(-2) for part in embeddings if part.shape[:-2] == codes.shape]
            if name not in inputs and found:
                inputs[name] = torch.stack(found).sum(0)
        return Attributions(inputs, embeddings, self.start, self.end)


def _between(start: Tensor, stop: Tensor, alpha: Tensor) -> Tensor:
    """Points of straight lines (n, ...), the steps of a row one after the other, (n * n_steps, ...)."""
    along = alpha.view(1, -1, *[1] * (start.ndim - 1))
    return torch.lerp(start.unsqueeze(1), stop.unsqueeze(1), along.to(start)).flatten(0, 1)


def _unstacked(part: Tensor) -> tuple[Tensor, Tensor]:
    return part[:, 0], part[:, 1]


def _like(values: Tensor, part: Tensor) -> Tensor:
    """(n, n_outputs) -> (n, 1, ..., 1, n_outputs), with as many axes as `part`."""
    return values.view(len(values), *[1] * (part.ndim - 2), values.shape[1])
