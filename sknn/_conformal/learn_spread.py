"""How large errors are expected to be, learned from the errors of held-out rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .spread import LearnedSpread, centred_raw

__all__ = ["learn_spread"]

# Of wider tables, and of columns with more categories, the encoded numbers or the codes are left out: a few thousand
# absolute errors say little about each of many effects.
_MOST_NUMBERS, _MOST_CODES = 128, 64
# So many features, those that move with the errors most, enter one fit: all of them would cost more than they give.
_MOST_FEATURES = 64
_MOST_OUTPUTS = 8
_LEAST_ROWS = 40
# Precisions of the prior of an effect, in rows; infinity is a constant spread.
_PENALTIES = (1000.0, 300.0, 100.0, 30.0, 10.0)
_N_STEPS = 4
# A wild error must not decide: an error counts as so many times the expected one at most where it moves an effect, and
# as so many times the quantile 0.9 of all where it moves the mean.
_LARGEST_RATIO, _LARGEST_ERROR = 6.0, 4.0
_LEAST_SCALE = 0.3  # of a feature, so that effects of rare categories are shrunk
_LEAST_GAIN = 2.0  # of likelihood by a spread that varies, in standard errors
_SMALLEST = 1e-12  # of the mean error of an output: those that never vary have none


class _Design(NamedTuple):
    """Features of the rows, each with mean zero and a scale of about one."""

    features: Tensor  # float32 (n, n_features)
    center: Tensor
    scale: Tensor
    has_numbers: bool
    codes_used: list[bool]  # of each categorical column


class _Effects(NamedTuple):
    """``log(spread) = constant + features[:, chosen] @ effects``."""

    constant: Tensor
    chosen: Tensor
    effects: Tensor

    def of(self, features: Tensor) -> Tensor:
        return self.constant + features[:, self.chosen] @ self.effects


def learn_spread(
    x: Tensor | None,
    x_cat: Tensor | None,
    cardinalities: Sequence[int],
    raw: Tensor,
    errors: Tensor,
    weight: Tensor,
    fold: Tensor,
) -> tuple[LearnedSpread, Tensor]:
    """The spread, and its logarithm for each row by the rows of other folds, float32 (n, n_outputs).

    The error of a row has an exponential distribution with the spread as its mean, which is a log-linear function of
    the features with normal priors. Fisher's scoring, whose matrix is the same in each step, finds the most probable
    effects. The penalty, or a constant spread, is the likeliest by cross-validation.

    Parameters
    ----------
    x : Tensor float32 (n, n_numbers) or None
    x_cat : Tensor int64 (n, n_categorical) or None
    cardinalities : sequence of int
    raw, errors : Tensor float32 (n, n_outputs)
        Raw predictions, and absolute errors of what is made of them.
    weight : Tensor float32 (n,)
    fold : Tensor int64 (n,)
        Rows of one fold are predicted by those of the others.
    """
    n_outputs, raw_range = errors.shape[1], _range_of(raw)
    if n_outputs > _MOST_OUTPUTS or len(errors) < _LEAST_ROWS:
        return _constant_spread(errors, weight, raw_range)
    if x is not None and x.shape[1] > _MOST_NUMBERS:
        x = None
    z = centred_raw(raw, raw_range)
    parts: dict[str, list[Tensor]] = {name: [] for name in ("constant", "linear", "square", "categories", "of_raw")}
    logs = []
    for output in range(n_outputs):
        design = _design(x, x_cat, cardinalities, z[:, output])
        log_spread, effects = _one_output(design, errors[:, output], weight, fold)
        logs.append(log_spread)
        for name, values in _unscaled(effects, design, cardinalities).items():
            parts[name].append(values)
    found = torch.stack(logs, dim=1)
    columns = {name: torch.stack(values, dim=1) for name, values in parts.items()}
    if not bool(columns["linear"].any() or columns["square"].any()):
        columns["linear"] = columns["square"] = torch.zeros(0, n_outputs, dtype=torch.float32)
    if not bool(columns["categories"].any()):
        columns["categories"] = torch.zeros(0, n_outputs, dtype=torch.float32)
    return _learned({**columns, "raw_range": raw_range}, found), found


def _constant_spread(errors: Tensor, weight: Tensor, raw_range: Tensor) -> tuple[LearnedSpread, Tensor]:
    """The mean error of each output, of few rows or many outputs."""
    share = weight / weight.sum()
    logs = torch.stack([_ratios(column, share)[1] for column in errors.unbind(dim=1)])[None]
    none = torch.zeros(0, logs.shape[1], dtype=torch.float32)
    of_raw = torch.zeros(2, logs.shape[1], dtype=torch.float32)
    columns = dict(constant=logs, linear=none, square=none, categories=none, of_raw=of_raw, raw_range=raw_range)
    return _learned(columns, logs), logs.expand_as(errors)


def _learned(columns: dict[str, Tensor], log_spread: Tensor) -> LearnedSpread:
    limits = torch.stack([log_spread.amin(dim=0), log_spread.amax(dim=0)])
    arrays = {name: values.float().contiguous().numpy() for name, values in {**columns, "limits": limits}.items()}
    return LearnedSpread(**arrays)


def _range_of(raw: Tensor) -> Tensor:
    """Lowest, highest, centre and scale of the raw predictions, (4, n_outputs)."""
    scale = raw.std(dim=0) if len(raw) > 1 else torch.ones(raw.shape[1], dtype=torch.float32)
    scale = torch.where(scale > _SMALLEST, scale, torch.ones_like(scale))
    return torch.stack([raw.amin(dim=0), raw.amax(dim=0), raw.mean(dim=0), scale])


def _design(x: Tensor | None, x_cat: Tensor | None, cardinalities: Sequence[int], z: Tensor) -> _Design:
    """Features in the order of `LearnedSpread`: of the raw prediction, numbers, their squares, categories."""
    blocks = [torch.stack([z, z * z], dim=1)]
    if x is not None:
        blocks += [x, x * x]
    used = [size <= _MOST_CODES for size in cardinalities]
    if x_cat is not None:
        for column, (size, is_used) in enumerate(zip(cardinalities, used, strict=True)):
            if is_used:
                blocks.append(torch.nn.functional.one_hot(x_cat[:, column], size).float())
    features = torch.cat(blocks, dim=1)
    center = features.mean(dim=0)
    features = features - center
    scale = features.square().mean(dim=0).sqrt().clamp(min=_LEAST_SCALE)
    return _Design(features / scale, center, scale, x is not None, used)


def _one_output(design: _Design, errors: Tensor, weight: Tensor, fold: Tensor) -> tuple[Tensor, _Effects]:
    """Logarithm of the spread of each row by the other folds, (n,), and the effects by all rows."""
    features = design.features
    found = torch.empty(1 + len(_PENALTIES), len(errors), dtype=torch.float32)
    for one in fold.unique().tolist():
        others, own = fold != one, fold == one
        for i, effects in enumerate(_fits(features[others], errors[others], weight[others], _PENALTIES)):
            found[i, own] = effects.of(features[own])
    ratios = (errors * (-found).exp()).clamp(max=10 * _LARGEST_RATIO)
    losses = ratios + found
    best = int((losses @ weight).argmin())
    gain = (losses[0] - losses[best]) * weight
    if gain.mean() <= _LEAST_GAIN * gain.std() / math.sqrt(len(gain)):  # a constant needs no cross-validation
        constant = _fits(features, errors, weight, ())[0]
        return constant.of(features), constant
    return found[best], _fits(features, errors, weight, _PENALTIES[:best])[-1]


def _fits(features: Tensor, errors: Tensor, weight: Tensor, penalties: Sequence[float]) -> list[_Effects]:
    """A constant spread, and the most probable effects for each penalty, from the strongest one on."""
    weight = weight / weight.sum().clamp(min=_SMALLEST)
    ratio, constant = _ratios(errors, weight)
    chosen = torch.arange(0, dtype=torch.int64)
    fits = [_Effects(constant, chosen, torch.zeros(0, dtype=torch.float32))]
    if not penalties:
        return fits
    ranks = (features.T @ (weight * (ratio - 1))).abs().argsort(descending=True, stable=True)
    chosen = ranks[:_MOST_FEATURES].sort().values
    features = features[:, chosen]
    center = weight @ features
    features = features - center
    weighted = features * weight[:, None] * len(errors)
    values, vectors = torch.linalg.eigh((features.T @ weighted).double())
    effects = torch.zeros(len(chosen), dtype=torch.float32)
    for penalty in penalties:
        for _ in range(_N_STEPS):
            ratio, _ = _ratios(errors * (-features @ effects).exp(), weight)
            gradient = weighted.T @ (ratio - 1) - penalty * effects
            step = vectors @ ((vectors.T @ gradient.double()) / (values.clamp(min=0) + penalty))
            effects = effects + step.float()
        _, constant = _ratios(errors * (-features @ effects).exp(), weight)
        fits.append(_Effects(constant - center @ effects, chosen, effects))
    return fits


def _ratios(scaled: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Bounded errors in units of their mean, with mean one, and the logarithm of that mean.

    `scaled` (n,) are errors in units of their spread up to a constant factor, `weight` (n,) has the sum one.
    """
    usual = scaled.quantile(0.9)
    bound = _LARGEST_ERROR * usual if bool(usual > 0) else scaled.max()
    mean = (scaled.clamp(max=bound) @ weight).clamp(min=_SMALLEST)
    ratio = (scaled / mean).clamp(max=_LARGEST_RATIO)
    return ratio / (ratio @ weight).clamp(min=_SMALLEST), mean.log()


def _unscaled(effects: _Effects, design: _Design, cardinalities: Sequence[int]) -> dict[str, Tensor]:
    """The effects of the features before they were centred and scaled, by the fields of `LearnedSpread`."""
    slopes = torch.zeros(len(design.scale), dtype=torch.float32)
    slopes[effects.chosen] = effects.effects
    slopes = slopes / design.scale
    constant = effects.constant - slopes @ design.center
    n_codes = [size if is_used else 0 for size, is_used in zip(cardinalities, design.codes_used, strict=True)]
    n_numbers = (len(slopes) - 2 - sum(n_codes)) // 2 if design.has_numbers else 0
    of_raw, linear, square, *of_codes = slopes.split([2, n_numbers, n_numbers, *n_codes])
    pairs = zip(cardinalities, of_codes, strict=True)
    categories = [found if len(found) else torch.zeros(size, dtype=torch.float32) for size, found in pairs]
    return {
        "constant": constant[None],
        "linear": linear,
        "square": square,
        "categories": torch.cat([torch.zeros(0, dtype=torch.float32), *categories]),
        "of_raw": of_raw,
    }
