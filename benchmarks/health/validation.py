"""Check the bench: faulty training runs are worse than the same task set up well, healthy ones learn."""

from __future__ import annotations

from collections.abc import Iterable

from .case import Case
from .running import Outcome, run

__all__ = ["validate"]


def validate(cases: Iterable[Case], n_seeds: int) -> int:
    """Print a line for each case; return how many are not what they claim."""
    n_wrong = 0
    print("| case | symptom | skill of each seed | set up well | seconds | as claimed |\n|---|---|---|---|---|---|")
    for case in cases:
        runs = [run(case, seed, None) for seed in range(n_seeds)]
        good = [run(case, seed, None, good=True) for seed in range(n_seeds)] if case.symptom else []
        doubt = _doubt(case, runs, good)
        n_wrong += bool(doubt)
        claim = f"{case.symptom}" + ("" if case.symptom else f"healthy, {case.learns:g}")
        seconds = max(outcome.seconds for outcome in [*runs, *good])
        cells = [case.name, claim, _skills(runs), _skills(good), f"{seconds:.2f}", doubt or "yes"]
        print("| " + " | ".join(cells) + " |", flush=True)
    print(f"\n{n_wrong} not as claimed")
    return int(n_wrong > 0)


def _skills(outcomes: list[Outcome]) -> str:
    return ", ".join(f"{outcome.skill:.2f}" for outcome in outcomes)


def _doubt(case: Case, runs: list[Outcome], good: list[Outcome]) -> str:
    """What is wrong with the case; empty if nothing."""
    errors = {outcome.error for outcome in [*good, *(runs if not case.symptom else [])]} - {""}
    if errors:
        return f"raises {sorted(errors)[0]}"
    if not case.symptom:
        return "" if min(outcome.skill for outcome in runs) >= case.learns else "learns too little"
    if case.mild:
        return ""
    for faulty, well in zip(runs, good, strict=True):
        if well.skill < 0.1:
            return "not learned by the good version"
        if faulty.skill > 0.8 * well.skill:
            return "hardly worse than the good version"
    return ""
