"""One seed, one result: fits under pairs of settings that must not matter, compared bit by bit."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from ._figures import Figure
from ._fits import CASES, SETTINGS, axis_of
from ._processes import PLACES, Job

__all__ = ["measure"]


def measure(seed: int, data: Path, share: float) -> list[Figure]:
    """Share of the fits under two settings that learn, to the bit, what the fit without them learns.

    Parameters
    ----------
    seed : int
        Which case each pair is tried on.
    data : Path
        Not needed: the tables are drawn.
    share : float
        Of the pairs.
    """
    places = _shared_out(seed, share)
    cases = sorted({case for jobs in places.values() for case, _ in jobs})
    reference = dict(zip(cases, PLACES["here"]([(case, ()) for case in cases]), strict=True))
    n_equal, n_compared, failures = 0, 0, []
    for place, jobs in places.items():
        found = PLACES[place](jobs)
        unequal = []
        for (case, settings), digest in zip(jobs, found, strict=True):
            if digest == reference[case]:
                n_equal += 1
            else:
                what = " and ".join((place, *settings))
                reason = "" if len(digest) == len(reference[case]) and ":" not in digest else f" ({digest})"
                unequal.append(f"{what}: {case}{reason}")
        n_compared += len(jobs)
        failures += unequal
        print(f"{place}: {len(jobs) - len(unequal)} of {len(jobs)} equal", flush=True)
    n_bad = sum(":" in digest for digest in reference.values())
    failures += [f"{case}: {digest}" for case, digest in reference.items() if ":" in digest]
    measured = f"{n_equal} of {n_compared} pairs of settings equal ({n_equal / n_compared:.1%})"
    return [Figure("reproducibility matrix", measured, "100 % equal", n_equal == n_compared and not n_bad, failures)]


def _shared_out(seed: int, share: float) -> dict[str, list[Job]]:
    """Pairs of settings of different axes, each with a case of its own, by the place they are tried in."""
    within = [pair for pair in itertools.combinations(SETTINGS, 2) if axis_of(pair[0]) != axis_of(pair[1])]
    # A fit moves a RandomState on, and the clone of a fitted estimator has a copy of it as it is then.
    within = [pair for pair in within if set(pair) != {"clone of a fitted one", "RandomState"}]
    pairs: list[tuple[str, tuple[str, ...]]] = [("here", pair) for pair in within]
    pairs += [(place, (setting,)) for place in PLACES if place != "here" for setting in SETTINGS]
    # Dropout draws from torch's global generator, which the caller must not use in another thread meanwhile.
    pairs.remove(("threads, n_jobs=2", ("global generators used",)))
    rng = np.random.default_rng(seed)
    rng.shuffle(pairs)
    cases = itertools.cycle(rng.permutation(list(CASES)).tolist())
    places: dict[str, list[Job]] = {place: [] for place in PLACES}
    for place, settings in pairs[: max(1, round(share * len(pairs)))]:
        places[place].append((next(cases), tuple(settings)))
    return {place: jobs for place, jobs in places.items() if jobs}
