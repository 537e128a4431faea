"""Settings of the process that a caller may have made: does anything that sknn computes or writes change by a bit?"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch

from ._caller_settings import CALLER_SETTINGS, FUNCTION_MODES
from ._caller_uses import MODELS, TRANSFORMER_OF_TORCH, USES, digest_of
from ._figures import Figure

__all__ = ["measure"]

_N_PAIRS = 100
Job = tuple[str, str, tuple[str, ...]]  # use, model, settings


def measure(seed: int, data: Path, share: float) -> list[Figure]:
    """Share of the uses that give, under one setting or two, the bits that they give without.

    Parameters
    ----------
    seed : int
        Which model each setting is tried on, and which pairs.
    data : Path
        Not needed: the tables are drawn.
    share : float
        Of the settings under each use, and of the pairs.
    """
    torch.set_num_threads(1)
    references: dict[tuple[str, str], str] = {}
    failures: list[str] = []
    n_tried = 0
    for use, jobs in itertools.groupby(_jobs(seed, share), key=lambda job: job[0]):
        n_before = len(failures)
        n_of_use = 0
        for _, model, settings in jobs:
            if (use, model) not in references:
                references[use, model] = digest_of(use, model, [])
                if ":" in references[use, model]:
                    failures.append(f"{use}, {model}, no setting: {references[use, model]}")
            digest = digest_of(use, model, [CALLER_SETTINGS[name] for name in settings])
            n_of_use += 1
            if digest != references[use, model]:
                reason = f" ({digest})" if ":" in digest else ""
                failures.append(f"{use}, {model}, {' and '.join(settings)}{reason}")
        n_tried += n_of_use
        print(f"{use}: {n_of_use - (len(failures) - n_before)} of {n_of_use} equal", flush=True)
    measured = f"{n_tried - len(failures)} of {n_tried}, {len(CALLER_SETTINGS)} settings, {len(USES)} uses"
    return [Figure("uses under settings of the caller: the same bits", measured, "all", not failures, failures)]


def _jobs(seed: int, share: float) -> list[Job]:
    """Each use under each setting, and pairs of settings, each with a model of its own; sorted by use."""
    rng = np.random.default_rng(seed)
    singles = list(itertools.product(USES, [(name,) for name in CALLER_SETTINGS]))
    pairs = list(itertools.product(USES, itertools.combinations(CALLER_SETTINGS, 2)))
    chosen = [
        *rng.permutation(len(singles))[: max(1, round(share * len(singles)))].tolist(),
        *(len(singles) + rng.choice(len(pairs), max(1, round(share * _N_PAIRS)), replace=False)).tolist(),
    ]
    models = itertools.cycle(rng.permutation(list(MODELS)).tolist())
    jobs: list[Job] = []
    for i in chosen:
        use, settings = [*singles, *pairs][i]
        model = next(models)
        # torch itself computes these layers otherwise while any function mode is active.
        while model == TRANSFORMER_OF_TORCH and set(settings) & FUNCTION_MODES:
            model = next(models)
        jobs.append((use, model, settings))
    return sorted(jobs, key=lambda job: list(USES).index(job[0]))
