"""The bars that sknn's defaults are held to."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.quality.results import Results
from benchmarks.quality.summary import BASE, Summary, is_variant, summarize

__all__ = ["QUARTER", "Bar", "bars"]

QUARTER = f"{BASE}_quarter"
_GB_IN_MIB = 1e9 / 2**20


@dataclass(frozen=True)
class Bar:
    """A figure and what was asked of it.

    Parameters
    ----------
    name, figure, bar : str
    met : bool or None
        None: this run cannot tell, `bar` says why.
    """

    name: str
    figure: str
    bar: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "met", False: "missed", None: "open"}[self.met]


def _common(results: Results, first: str, second: str) -> tuple[Summary, Summary] | None:
    """Both over the tables that both have."""
    common = [table for table, cells in results.items() if first in cells and second in cells]
    if not common:
        return None
    summaries = summarize(results, common)
    return summaries[first], summaries[second]


def _mean_rank(results: Results) -> Bar:
    name = "mean rank, best of all"
    rivals = [model for model in summarize(results) if model != BASE and not is_variant(model)]
    pairs = [pair for rival in rivals if (pair := _common(results, BASE, rival))]
    if not pairs:
        return Bar(name, "", "nothing to compare with", None)
    own, rival = min(pairs, key=lambda pair: pair[1].mean_rank - pair[0].mean_rank)
    on = f" on {len(rival.tables)} tables" if len(rival.tables) < len(results) else ""
    text = f"< {rival.mean_rank:.2f} ({rival.model}{on})"
    return Bar(name, f"{own.mean_rank:.2f}", text, own.mean_rank < rival.mean_rank)


def _mean_skill(results: Results) -> Bar:
    name = "mean skill, CatBoost's + 0.020"
    pair = _common(results, BASE, "catboost")
    if pair is None:
        return Bar(name, "", "CatBoost was not run", None)
    bar = pair[1].mean_skill + 0.020
    return Bar(name, f"{pair[0].mean_skill:.4f}", f">= {bar:.4f}", pair[0].mean_skill >= bar)


def _fit_seconds(results: Results) -> Bar:
    name = "fit seconds in total, 0.6 x CatBoost's"
    pair = _common(results, BASE, "catboost")
    if pair is None:
        return Bar(name, "", "CatBoost was not run", None)
    figure, bar = f"{pair[0].fit_s:.1f}", f"<= {0.6 * pair[1].fit_s:.1f}"
    if pair[1].recorded:  # seconds of another day and another machine
        return Bar(name, figure, f"{bar} (recorded)", None)
    return Bar(name, figure, bar, pair[0].fit_s <= 0.6 * pair[1].fit_s)


def _worst_ratio(results: Results) -> Bar:
    name = "loss / best of linear and boosting, on every table"
    own = summarize(results)[BASE]
    if own.worst_ratio is None:
        return Bar(name, "", "none of them was run", None)
    return Bar(name, f"{own.worst_ratio:.3f} ({own.worst_table})", "<= 1.05", own.worst_ratio <= 1.05)


def _calibration(results: Results) -> Bar:
    name = "expected calibration error, CatBoost's"
    pair = _common(results, BASE, "catboost")
    if pair is None or pair[0].ece is None or pair[1].ece is None:
        return Bar(name, "", "CatBoost was not run on a classification", None)
    return Bar(name, f"{pair[0].ece:.4f}", f"<= {pair[1].ece:.4f}", pair[0].ece <= pair[1].ece)


def _quarter(results: Results) -> Bar:
    name = "mean skill in a quarter of the time, CatBoost's"
    pair = _common(results, QUARTER, "catboost")
    if pair is None:
        return Bar(name, "", "needs --max-time-ratio 0.25 and CatBoost", None)
    own, rival = (summary.mean_skill for summary in pair)
    return Bar(name, f"{own:.4f}", f">= {rival:.4f}", own >= rival)


def _memory(results: Results) -> Bar:
    name = "peak memory of the process"
    peak = summarize(results)[BASE].memory_mib
    if peak is None:
        return Bar(name, "", "needs --memory", None)
    return Bar(name, f"{peak:.0f} MiB", "< 1 GB (954 MiB)", peak < _GB_IN_MIB)


def bars(results: Results) -> list[Bar]:
    """All bars; none without results of sknn."""
    if not any(BASE in cells for cells in results.values()):
        return []
    checks = [_mean_rank, _mean_skill, _fit_seconds, _worst_ratio, _calibration, _quarter, _memory]
    return [check(results) for check in checks]
