"""What is asked of sknn on the tasks, and whether it was met."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Bar", "Score", "bars", "task_bar"]

_TEXTS = ("sms_spam", "trec_questions")
_TEXT_PEERS = ("tfidf12_linearsvc", "nbsvm", "fasttext")
_SEQUENCES = ("japanese_vowels", "basic_motions", "italy_power", "arrow_head")
_SENSORS = ("linaker1v", "irregular")
_SPEAKERS = ("unseen_speaker_0", "unseen_speaker_1", "unseen_speaker_2")
_AT_LEAST = {"fashion_6k": 0.88, "load_digits": 0.99, "fsdd_dev": 0.99}
# Seconds of a fit on two quiet cores.
_SECONDS = {
    **dict.fromkeys(_TEXTS, 20.0),
    **dict.fromkeys(("fashion_6k", "load_digits", "colour_images"), 90.0),
    **dict.fromkeys(("fsdd_dev", *_SPEAKERS, *_SEQUENCES, *_SENSORS), 60.0),
}


@dataclass(frozen=True)
class Score:
    """A model on a task: mean and deviation of accuracy or R2 over the seeds, median seconds of a fit."""

    mean: float
    deviation: float = 0.0
    fit_s: float | None = None
    is_recorded: bool = False


Scores = dict[str, dict[str, Score]]  # task -> model -> score


@dataclass(frozen=True)
class Bar:
    """A figure and what was asked of it; `met` is None if this run cannot tell."""

    name: str
    figure: str
    bar: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "met", False: "missed", None: "open"}[self.met]


def _best(models: dict[str, Score], names: tuple[str, ...] | None = None) -> tuple[float, str] | None:
    """Best peer of a task, of all or of these."""
    peers = [
        (score.mean, name)
        for name, score in models.items()
        if not name.startswith(("sknn", "spike")) and (names is None or name in names)
    ]
    return max(peers, default=None)


def task_bar(task: str, models: dict[str, Score]) -> Bar | None:
    """What is asked on one task alone."""
    own = models.get("sknn")
    if own is None:
        return None
    if task in _AT_LEAST:
        at_least, why = _AT_LEAST[task], ""
    elif task in _SEQUENCES and (best := _best(models, ("minirocket", "multirocket_hydra"))):
        at_least, why = best[0] - 0.01, f" ({best[1]} - 0.01)"
    elif task in _SENSORS and "hgb" in models:
        peers = {name: models[name].mean for name in ("hgb", "sknn_flat") if name in models}
        name = max(peers, key=peers.__getitem__)
        at_least, why = peers[name] - 0.01, f" ({name} - 0.01)"
    else:
        return None
    return Bar(task, f"{own.mean:.4f}", f">= {at_least:.4f}{why}", own.mean >= at_least)


def _mean_of(
    scores: Scores, tasks: tuple[str, ...], name: str, margin: float, peer: Callable[[dict[str, Score]], float | None]
) -> Bar:
    """Mean of sknn over tasks against that of a peer plus a margin."""
    pairs = [
        (models["sknn"].mean, other)
        for task in tasks
        if "sknn" in (models := scores.get(task, {})) and (other := peer(models)) is not None
    ]
    if len(pairs) < len(tasks):
        return Bar(name, "", f"needs {', '.join(tasks)}", None)
    own = statistics.mean(pair[0] for pair in pairs)
    bar = statistics.mean(pair[1] for pair in pairs) + margin
    return Bar(name, f"{own:.4f}", f">= {bar:.4f}", own >= bar)


def _best_single_peer(scores: Scores, tasks: tuple[str, ...]) -> str | None:
    """The peer with the best mean over tasks, of those that have a result on each."""
    everywhere = set.intersection(*(set(scores.get(task, {})) for task in tasks))
    peers = [name for name in everywhere if not name.startswith(("sknn", "spike"))]
    return max(peers, key=lambda name: statistics.mean(scores[task][name].mean for task in tasks), default=None)


def _fit_seconds(scores: Scores) -> Bar:
    name = "seconds of a fit"
    shares = [
        (seconds / _SECONDS[task], task, seconds)
        for task, models in scores.items()
        if task in _SECONDS and "sknn" in models and (seconds := models["sknn"].fit_s) is not None
    ]
    if not shares:
        return Bar(name, "", "nothing was run", None)
    share, task, seconds = max(shares)
    return Bar(name, f"{seconds:.1f} ({task})", f"<= {_SECONDS[task]:.0f}", share <= 1)


def bars(scores: Scores) -> list[Bar]:
    """All that is asked: on single tasks, on average over tasks of a kind, and seconds."""

    def best_text(models: dict[str, Score]) -> float | None:
        best = _best(models, _TEXT_PEERS)
        return best[0] if best else None

    def minirocket(models: dict[str, Score]) -> float | None:
        return models["minirocket"].mean if "minirocket" in models else None

    audio_peer = _best_single_peer(scores, _SPEAKERS)

    def best_audio(models: dict[str, Score]) -> float | None:
        return models[audio_peer].mean if audio_peer else None

    single = [bar for task, models in scores.items() if (bar := task_bar(task, models))]
    return [
        *single,
        _mean_of(scores, _TEXTS, "texts, mean of the best of LinearSVC, NB-SVM, fastText + 0.005", 0.005, best_text),
        _mean_of(scores, _SEQUENCES, "sequences, mean of MiniRocket", 0.0, minirocket),
        _mean_of(scores, _SPEAKERS, f"unseen speakers, best peer ({audio_peer}) + 0.05", 0.05, best_audio),
        _fit_seconds(scores),
    ]
