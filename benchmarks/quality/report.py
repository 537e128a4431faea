"""The report in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.quality.bars import bars
from benchmarks.quality.results import Cell, Results
from benchmarks.quality.summary import BASE, Summary, summarize

__all__ = ["report"]


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _summary_table(summaries: dict[str, Summary], n_tables: int) -> str:
    head = ["model", "mean rank", "mean skill", "tables won", "fit, total s", "predict, median s", "calibration error"]
    head += ["worst ratio", "on"]
    memory = any(summary.memory_mib is not None for summary in summaries.values())
    head += ["peak MiB", "of it by the table"] if memory else []
    rows = []
    for summary in summaries.values():
        partly = f", {len(summary.tables)} tables" if len(summary.tables) < n_tables else ""
        row = [
            summary.model + (" (recorded)" if summary.recorded else "") + partly,
            f"{summary.mean_rank:.2f}",
            f"{summary.mean_skill:.4f}",
            str(summary.won),
            f"{summary.fit_s:.1f}",
            f"{summary.predict_s:.3f}",
            _number(summary.ece, ".4f"),
            _number(summary.worst_ratio, ".3f"),
            summary.worst_table or "",
        ]
        if memory:
            row += [_number(summary.memory_mib, ".0f"), _number(summary.memory_increase_mib, ".0f")]
        rows.append(row)
    return _table(head, rows)


def _partial_lines(results: Results, summaries: dict[str, Summary]) -> list[str]:
    """sknn's mean skill on the tables of each model that lacks some of sknn's."""
    lines = []
    for model, summary in summaries.items():
        common = [table for table in summary.tables if BASE in results[table]]
        if BASE not in summaries or not common or len(common) == len(summaries[BASE].tables):
            continue
        own, other = (summarize(results, common)[name] for name in (BASE, model))
        figures = [
            f"{one.model} {one.mean_skill:.4f}, mean rank {one.mean_rank:.2f}, {one.fit_s:.1f} s"
            for one in (other, own)
        ]
        lines.append(f"- Mean skill on the {len(common)} tables of {model}: {'; '.join(figures)}.")
    return lines


def _cells_table(
    results: Results, models: list[str], show: Callable[[Cell], str], best: Callable[[Cell], float] | None
) -> str:
    """A row a table, a column a model, the least of `best` in bold."""
    rows = []
    for table, cells in results.items():
        least = min(map(best, cells.values())) if best and cells else None
        row = [table]
        for model in models:
            cell = cells.get(model)
            text = "" if cell is None else show(cell)
            row.append(f"**{text}**" if cell is not None and best and best(cell) == least else text)
        rows.append(row)
    return _table(["table", *models], rows)


def report(results: Results) -> str:
    """Summary, bars, and losses, skills and fit seconds of every table."""
    results = {table: cells for table, cells in results.items() if cells}
    summaries = summarize(results)
    models = list(summaries)
    parts = [
        f"## Models, {len(results)} {'table' if len(results) == 1 else 'tables'}",
        _summary_table(summaries, len(results)),
    ]
    parts.append(
        "Ranks by loss among the models of a table, one with another setting of sknn in sknn's place. Worst ratio: "
        "largest loss relative to the best of linear, CatBoost, LightGBM, HistGradientBoosting and XGBoost. "
        "Recorded: results and seconds of an earlier run, read from the folder of the data."
    )
    parts += ["\n".join(lines)] if (lines := _partial_lines(results, summaries)) else []
    if held := bars(results):
        parts += [
            "## Bars",
            _table(["bar", "figure", "asked", ""], [[b.name, b.figure, b.bar, b.verdict] for b in held]),
        ]
    parts += ["## Loss", _cells_table(results, models, lambda cell: f"{cell.loss:.4g}", lambda cell: cell.loss)]
    parts += ["## Skill", _cells_table(results, models, lambda cell: f"{cell.skill:.4f}", lambda cell: -cell.skill)]
    parts += ["## Fit seconds", _cells_table(results, models, lambda cell: f"{cell.fit_s:.2f}", None)]
    return "\n\n".join(parts)
