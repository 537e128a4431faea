"""From cells to figures of a model: ranks, means, totals, the worst table."""

from __future__ import annotations

import statistics
from collections.abc import Collection
from dataclasses import dataclass

from benchmarks.quality.measures import ranks
from benchmarks.quality.results import Results

__all__ = ["BASE", "REFERENCES", "Summary", "is_variant", "summarize", "table_ranks"]

BASE = "sknn"
# A model's worst ratio is to the best of these on the table.
REFERENCES = ("linear", "catboost", "lightgbm", "histgb", "xgboost")


def is_variant(model: str) -> bool:
    """Whether it is sknn with another setting."""
    return model.startswith(BASE + "_")


@dataclass(frozen=True)
class Summary:
    """A model over the tables that it has.

    Parameters
    ----------
    model : str
    tables : list of str
    mean_rank, mean_skill : float
    won : int
        Tables of rank 1.
    fit_s : float
        Total seconds.
    predict_s : float
        Median seconds.
    ece : float or None
        Mean over the tables for classification.
    worst_ratio : float or None
        Largest loss relative to the best of `REFERENCES`.
    worst_table : str or None
    memory_mib, memory_increase_mib : float or None
        Largest.
    recorded : bool
    """

    model: str
    tables: list[str]
    mean_rank: float
    mean_skill: float
    won: int
    fit_s: float
    predict_s: float
    ece: float | None
    worst_ratio: float | None
    worst_table: str | None
    memory_mib: float | None
    memory_increase_mib: float | None
    recorded: bool


def table_ranks(results: Results) -> dict[str, dict[str, float]]:
    """Ranks by loss on every table.

    A variant of sknn is ranked in its place: it neither pushes sknn back nor any other model.
    """
    ranked = {}
    for table, cells in results.items():
        losses = {model: cell.loss for model, cell in cells.items()}
        others = {model: loss for model, loss in losses.items() if not is_variant(model)}
        ranked[table] = ranks(others) if others else {}
        others.pop(BASE, None)
        for model in filter(is_variant, losses):
            ranked[table][model] = ranks({**others, model: losses[model]})[model]
    return ranked


def _worst(results: Results, model: str, tables: list[str]) -> tuple[float, str] | tuple[None, None]:
    ratios = []
    for table in tables:
        losses = [cell.loss for name, cell in results[table].items() if name in REFERENCES]
        if losses:
            ratios.append((results[table][model].loss / min(losses), table))
    return max(ratios, default=(None, None))


def _known(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def summarize(results: Results, only: Collection[str] | None = None) -> dict[str, Summary]:
    """Figures of every model, the best mean rank first.

    Parameters
    ----------
    results : dict
    only : collection of str or None
        Tables to look at; all by default.
    """
    results = {table: cells for table, cells in results.items() if only is None or table in only}
    ranked = table_ranks(results)
    summaries = []
    for model in dict.fromkeys(model for cells in results.values() for model in cells):
        tables = [table for table, cells in results.items() if model in cells]
        cells = [results[table][model] for table in tables]
        places = [ranked[table][model] for table in tables]
        worst_ratio, worst_table = _worst(results, model, tables)
        summaries.append(
            Summary(
                model=model,
                tables=tables,
                mean_rank=statistics.mean(places),
                mean_skill=statistics.mean(cell.skill for cell in cells),
                won=places.count(1.0),
                fit_s=sum(cell.fit_s for cell in cells),
                predict_s=statistics.median(cell.predict_s for cell in cells),
                ece=statistics.mean(eces) if (eces := _known([cell.ece for cell in cells])) else None,
                worst_ratio=worst_ratio,
                worst_table=worst_table,
                memory_mib=max(_known([cell.memory_mib for cell in cells]), default=None),
                memory_increase_mib=max(_known([cell.memory_increase_mib for cell in cells]), default=None),
                recorded=all(cell.recorded for cell in cells),
            )
        )
    return {summary.model: summary for summary in sorted(summaries, key=lambda summary: summary.mean_rank)}
