"""One seed -> one estimator, table, target and what is done with them -> what went wrong."""

from __future__ import annotations

import contextlib
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sknn import NeuralClassifier, NeuralRegressor

from ._fuzz_judge import unclear_refusal, unexpected_warnings, wrong_prediction
from ._fuzz_parameters import NotFinite, draw_parameters
from ._fuzz_tables import changed, draw_table, n_rows_of
from ._fuzz_targets import draw_classes, draw_groups, draw_target, draw_weight

__all__ = ["Outcome", "run_case"]

# A call that takes longer hangs: each is a matter of milliseconds.
_LONGEST_CALL_S = 30


@dataclass
class Outcome:
    """What a case came to.

    Attributes
    ----------
    seed : int
    described : str
        What was drawn.
    n_calls, n_served, n_refused : int
        Calls of fit, partial_fit, predict, predict_proba.
    failures : list of str
    """

    seed: int
    described: str = ""
    n_calls: int = 0
    n_served: int = 0
    n_refused: int = 0
    failures: list[str] = field(default_factory=list)


class Hung(BaseException):
    """A call took too long; not an Exception, so that nothing on the way takes it for a failure of its own."""


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def interrupt(*_: Any) -> None:
        raise Hung(f"longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _failed_at(error: BaseException) -> str:
    frames = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    try:
        text = str(error)[:300]
    except Exception:
        text = "(no message)"
    return f"{type(error).__name__}: {text} [{' < '.join(reversed(frames[-4:]))}]"


class _Case:
    """The calls of one case, each judged."""

    def __init__(self, seed: int) -> None:
        self.outcome = Outcome(seed)

    def call(self, what: str, function: Callable[[], Any], *, must_serve: bool = False) -> Any:
        """What `function` returns, or None for what was refused or failed."""
        outcome = self.outcome
        outcome.n_calls += 1
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                with _time_limit(_LONGEST_CALL_S):
                    result = function()
            except (Exception, Hung) as error:
                reason = unclear_refusal(error)
                if reason is None and must_serve:
                    reason = "refuses what fit was given"
                if reason is not None:
                    outcome.failures.append(f"{what}: {reason}: {_failed_at(error)}")
                outcome.n_refused += 1
                result = None
            else:
                outcome.n_served += 1
        outcome.failures += [f"{what}: warns: {text}" for text in unexpected_warnings(caught)]
        return result

    def fail(self, what: str) -> None:
        self.outcome.failures.append(what)


def _copy_of(X: Any) -> Any:
    """The numbers of an array as they are now; None for what is not compared."""
    return (
        np.array(X)
        if isinstance(X, np.ndarray) and X.dtype.kind in "biufcMm" and not isinstance(X, np.ma.MaskedArray)
        else None
    )


def _changed(X: Any, before: Any) -> bool:
    return before is not None and np.ascontiguousarray(X).tobytes() != np.ascontiguousarray(before).tobytes()


def _check_predictions(case: _Case, what: str, model: Any, X: Any, *, must_serve: bool = False) -> None:
    n_rows = n_rows_of(X, -1)
    one_label = True  # several, and their probabilities do not sum to one
    names = ["predict"] + (["predict_proba"] if isinstance(model, NeuralClassifier) else [])
    for name in names:
        values = case.call(f"{name} of {what}", lambda name=name: getattr(model, name)(X), must_serve=must_serve)
        if values is None:
            return
        wrong = wrong_prediction(values, n_rows, probabilities=name == "predict_proba")
        if model.module is NotFinite:  # fit has warned that its numbers are none
            wrong = None
        one_label = values.ndim == 1 if name == "predict" else one_label
        if (
            wrong is None
            and name == "predict_proba"
            and one_label
            and np.abs(values.sum(axis=1) - 1).max(initial=0) > 1e-4
        ):
            wrong = "probabilities do not sum to 1"
        if wrong is not None:
            case.fail(f"{name} of {what}: {wrong}")
    if not must_serve or not isinstance(model, NeuralClassifier):
        return
    scores = case.call(f"decision_function of {what}", lambda: model.decision_function(X), must_serve=True)
    logarithms = case.call(f"predict_log_proba of {what}", lambda: model.predict_log_proba(X), must_serve=True)
    if scores is not None and model.module is not NotFinite:
        wrong = wrong_prediction(scores, n_rows, probabilities=False)
        if wrong is None and not np.allclose(np.exp(logarithms), values, atol=1e-5):
            wrong = "logarithms are not those of the probabilities"
        if wrong is not None:
            case.fail(f"decision_function or predict_log_proba of {what}: {wrong}")


def _fit_arguments(rng: np.random.Generator, n: int, d: int, classifier: bool) -> tuple[str, dict[str, Any]]:
    """Weights, groups and validation rows; none in most cases."""
    said, given = [], {}
    if rng.random() < 0.2:
        name, given["sample_weight"] = draw_weight(rng, n)
        said.append(f"sample_weight {name}")
    if rng.random() < 0.12:
        name, given["groups"] = draw_groups(rng, n)
        said.append(f"groups {name}")
    if rng.random() < 0.12:
        table, given["X_val"] = draw_table(rng, 6, d, plain=0.6)
        target, given["y_val"] = draw_target(rng, 6, classifier, 0.3)
        if rng.random() < 0.2:
            del given[("X_val", "y_val")[rng.integers(2)]]
        said.append(f"validation on {table}, y {target}")
        if rng.random() < 0.3:
            name, given["sample_weight_val"] = draw_weight(rng, 6)
            said.append(f"sample_weight_val {name}")
    return "; ".join(said), given


def run_case(seed: int) -> Outcome:
    """Draw, fit, predict, and judge all of it."""
    rng = np.random.default_rng(seed)
    case = _Case(seed)
    classifier = bool(rng.random() < 0.6)
    odd_part = rng.integers(6)  # one part is odd in most cases: what is odd twice is refused for the first
    n = int((1, 2, 3, 7, 30, 70, 24, 24)[rng.integers(8)])
    d = int((0, 1, 2, 3, 3, 4, 6)[rng.integers(7)])
    table, X = draw_table(rng, n, d, plain=0.15 if odd_part == 0 else 0.5)
    n_rows = n_rows_of(X, n)
    target, y = draw_target(rng, n_rows, classifier, 0.8 if odd_part == 1 else 0.05)
    odd, params = draw_parameters(rng, classifier, 0.9 if odd_part in (2, 3) else 0.05)
    extra, given = _fit_arguments(rng, n_rows, max(d, 1), classifier) if odd_part > 3 else ("", {})
    kind = NeuralClassifier if classifier else NeuralRegressor
    case.outcome.described = f"{kind.__name__}({odd}) on {table} ({n_rows}, {d}), y {target}; {extra}"

    model = kind(**params)
    X_before, y_before = _copy_of(X), _copy_of(y)
    before = dict(vars(model))
    partial = rng.random() < 0.15
    if partial:
        said, classes = draw_classes(rng, y)
        arguments = {"classes": classes} if classifier else {}
        arguments.update({name: value for name, value in given.items() if name == "sample_weight"})
        case.outcome.described += f"; partial_fit, classes {said}"
        fitted = case.call("partial_fit", lambda: model.partial_fit(X, y, **arguments))
    else:
        fitted = case.call("fit", lambda: model.fit(X, y, **given))
    if fitted is None and not (
        vars(model).keys() == before.keys() and all(vars(model)[k] is before[k] for k in before)
    ):
        case.fail("a failed fit changed the estimator")
    if fitted is not None:
        _check_predictions(case, "the table of fit", model, X, must_serve=True)
        for _ in range(2):
            what, other = changed(rng, X)
            _check_predictions(case, what, model, other)
        if rng.random() < 0.2:
            _fit_again(case, rng, model, X, y, d, classifier)
    if _changed(X, X_before) or _changed(y, y_before):
        case.fail("changed what it was given")
    return case.outcome


def _fit_again(case: _Case, rng: np.random.Generator, model: Any, X: Any, y: Any, d: int, classifier: bool) -> None:
    """Train on with other rows; a refusal leaves the estimator as it was, and able to predict."""
    before = dict(vars(model))
    other, target = X, y
    if rng.random() < 0.8:
        _, other = changed(rng, X)
        target = draw_target(rng, n_rows_of(other, 4), classifier, 0.3)[1]
    again = model.partial_fit if rng.random() < 0.5 else model.fit
    if case.call(f"{again.__name__} again", lambda: again(other, target)) is None:
        if vars(model).keys() != before.keys() or any(vars(model)[name] is not before[name] for name in before):
            case.fail("a failed second fit changed the estimator")
        _check_predictions(case, "the table of fit, after a failed second fit", model, X, must_serve=True)
