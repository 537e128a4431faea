"""The tables of the bench."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks._timing import print_table

from .case import Case
from .running import Outcome

__all__ = ["Run", "print_healthy", "print_limited", "print_recall", "print_repair", "went_wrong"]


@dataclass(frozen=True)
class Run:
    """One case under one seed: watched, and possibly repaired, and set up well."""

    case: Case
    seed: int
    watched: Outcome
    repaired: Outcome | None = None
    good: Outcome | None = None

    @property
    def hit(self) -> bool:
        """Whether an acceptable symptom was named."""
        return bool(self.case.expected & self.watched.symptoms)

    @property
    def extra(self) -> frozenset[str]:
        """Reported symptoms that are wrong."""
        if "unhealthy" in self.case.statuses:
            return frozenset()
        return self.watched.symptoms - self.case.expected

    @property
    def is_repaired(self) -> bool:
        """Whether the repaired skill is near that of the same task set up well."""
        if self.repaired is None or self.good is None:
            return False
        skill, good = self.repaired.skill, self.good.skill
        return skill > min(0.1, good / 2) and skill >= 0.9 * good

    @property
    def is_changed(self) -> bool:
        """Whether repair changed the predictions of a healthy training run."""
        if self.repaired is None:
            return False
        before, after = self.watched.predictions, self.repaired.predictions
        return (before is None) != (after is None) or not np.array_equal(before, after)  # pyright: ignore


def went_wrong(run: Run) -> list[str]:
    """A line for each wrong result."""
    case, lines = run.case, []
    found = "; ".join(map(str, run.watched.findings)) or "nothing"
    head = f"{case.name}, seed {run.seed}"
    if case.symptom and not run.hit:
        lines.append(f"MISSED  {head}: expected {_names(case.expected)}, found {found}")
    elif run.extra:
        kind = "EXTRA " if case.symptom else "ALARM "
        lines.append(f"{kind}  {head}: expected {_names(case.expected)}, found {found}")
    if case.statuses and run.watched.status not in case.statuses:
        lines.append(f"STATUS  {head}: expected {_names(case.statuses)}, was {run.watched.status}")
    if run.watched.error and not case.symptom:
        lines.append(f"ERROR   {head}: {run.watched.error}")
    if run.repaired is not None and run.good is not None and not run.is_repaired:
        lines.append(
            f"UNFIXED {head}: skill {run.watched.skill:.3f} as it is, {run.repaired.skill:.3f} after "
            f"{run.repaired.n_repairs} repairs, {run.good.skill:.3f} set up well"
            + (f"; {run.repaired.error}" if run.repaired.error else "")
        )
    if not case.symptom and run.is_changed:
        lines.append(f"CHANGED {head}: repair changes the predictions of a healthy training run")
    return lines


def _names(symptoms: Iterable[str]) -> str:
    return " or ".join(sorted(symptoms)) or "nothing"


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} = {100 * part / whole:.0f} %" if whole else "0/0"


def print_recall(runs: Sequence[Run]) -> None:
    """Right symptom named, and wrong ones beside it, per symptom."""
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.case.symptom:
            groups[run.case.symptom].append(run)
    faulty = [run for group in groups.values() for run in group]
    print("\n## Faulty training runs\n")
    rows = [
        [
            name,
            len({run.case.name for run in group}),
            _share(sum(run.hit for run in group), len(group)),
            _share(sum(bool(run.extra) for run in group), len(group)),
            ", ".join(sorted(frozenset().union(*(run.extra for run in group)))) or "none",
        ]
        for name, group in [*groups.items(), ("all", faulty)]
    ]
    print_table(["symptom", "cases", "recall", "runs with a wrong extra symptom", "which"], rows)


def print_limited(runs: Sequence[Run]) -> None:
    """Whether the status says that a result has no skill, or that training had not converged."""
    limited = [run for run in runs if run.case.statuses]
    right = sum(run.watched.status in run.case.statuses for run in limited)
    print("\n## Training runs with a limited result\n")
    print_table(["cases", "right status"], [[len({run.case.name for run in limited}), _share(right, len(limited))]])


def print_healthy(runs: Sequence[Run]) -> None:
    """False alarms."""
    fine = [run for run in runs if run.case.kind == "healthy"]
    alarms = [run for run in fine if run.extra]
    print("\n## Healthy training runs\n")
    changed = [run for run in fine if run.repaired is not None]
    row = [
        len({run.case.name for run in fine}),
        _share(len(alarms), len(fine)),
        ", ".join(sorted(frozenset().union(*(run.extra for run in alarms)))) or "none",
        _share(sum(run.is_changed for run in changed), len(changed)),
    ]
    print_table(["cases", "runs with an alarm", "which", "runs that repair changes"], [row])
    statuses = Counter(run.watched.status for run in fine)
    print("\nStatus:", ", ".join(f"{status} {n}" for status, n in statuses.most_common()))


def print_repair(runs: Sequence[Run]) -> None:
    """Share repaired, per symptom."""
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.case.symptom and run.good is not None:
            groups[run.case.symptom].append(run)
    everything = [run for group in groups.values() for run in group]
    print("\n## Repair\n")
    rows = [
        [name, len({run.case.name for run in group}), _share(sum(run.is_repaired for run in group), len(group))]
        for name, group in [*groups.items(), ("all", everything)]
    ]
    print_table(["symptom", "repairable cases", "repaired"], rows)
