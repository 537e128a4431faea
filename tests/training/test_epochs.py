"""The loop over epochs: events in order, and how it ends."""

from __future__ import annotations

import itertools
import math
import time
from typing import Any

import pytest
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, LRScheduler, PrintLog, ProgressBar

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP

from .nets import make_net, make_rows, train
from .test_skorch_scoring import X, Y, fit_with


def test_events_come_in_order() -> None:
    events: list[str] = []

    class Listens(Callback):
        pass

    for event in ("on_train_begin", "on_epoch_begin", "on_batch_begin", "on_grad_computed", "on_batch_end",
                  "on_epoch_end", "on_train_end"):  # fmt: skip
        setattr(Listens, event, lambda self, net, event=event, **kwargs: events.append(event))
    net = make_net(callbacks=[Listens()], epochs=1, before_epoch=lambda: events.append("before"),
                   after_epoch=lambda: bool(events.append("after")))  # fmt: skip
    train(net, make_rows(n_rows=20))
    batch = ["on_batch_begin", "on_grad_computed", "on_batch_end"]
    assert events == [
        "on_train_begin", "before", "on_epoch_begin", *batch, *batch, "on_epoch_end", "after", "on_train_end",
    ]  # fmt: skip


def test_skorchs_scheduler_steps_an_epoch() -> None:
    from torch.optim.lr_scheduler import StepLR

    model = fit_with(LRScheduler(StepLR, step_size=1, gamma=0.1), lr_schedule="constant", lr=0.01)
    assert model.net_.history[:, "lr"] == pytest.approx([0.01, 0.001, 0.0001])


def test_print_log_and_progress_bar_print(capsys: pytest.CaptureFixture[str]) -> None:
    fit_with(PrintLog())
    out = capsys.readouterr().out
    assert "train_loss" in out
    assert "valid_loss" in out
    fit_with(ProgressBar(detect_notebook=False))
    captured = capsys.readouterr()
    assert "it/s" in captured.out + captured.err


@pytest.mark.parametrize(("estimator", "calibrates"), [(NeuralClassifier, 1), (NeuralRegressor, 0)])
def test_held_out_rows_are_read_once_more_for_intervals_and_where_the_loss_learns_from_them(
    estimator: Any, calibrates: int
) -> None:
    passes: list[int] = []

    class Counts(MLP):
        def forward(self, *x: Any) -> Any:
            passes.append(len(x[0]) if not self.training else 0)
            return super().forward(*x)

    params: dict[str, Any] = {"module_params": {"hidden_sizes": (4,)}, "early_stopping": False, "gradient_health": None}
    model = estimator(Counts, max_epochs=3, random_state=0, **params)
    y = (Y[0] == Y).astype(float)
    model.fit(X, y, X_val=X[:77], y_val=y[:77])
    assert passes.count(77) == 3 + calibrates + 1


def test_keyboard_interrupt_raised_by_a_callback_ends_the_fit() -> None:
    class Stops(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

    assert fit_with(Stops()).n_iter_ == 1


def test_keyboard_interrupt_of_the_user_reaches_the_caller() -> None:
    import signal

    class SignalArrives(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            signal.raise_signal(signal.SIGINT)
            for _ in range(1000):  # the handler runs between two of these
                pass

    with pytest.raises(KeyboardInterrupt):
        fit_with(SignalArrives())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that is a millisecond further each time that it is read."""
    readings = itertools.count(1000)
    monkeypatch.setattr(time, "perf_counter", lambda: next(readings) / 1000)
    return time.perf_counter


def test_the_deadline_ends_training_with_the_schedule_at_its_end(clock: Any) -> None:
    now = clock()
    net = make_net(epochs=10**6, lr_schedule="cosine", started=now, deadline=now + 0.5)
    train(net, make_rows(n_rows=400))
    assert clock() - now < 0.51
    assert 1 <= len(net.history) < 500
    assert net.history[-1, "lr"] < 0.01 * 0.01  # the rate of the start was 0.01


def test_a_deadline_in_the_past_still_trains_one_batch() -> None:
    now = time.perf_counter()
    net = make_net(started=now - 2, deadline=now - 1)
    with pytest.warns(ConvergenceWarning, match="max_time ended training within its first epoch, after 1 of 5 steps"):
        train(net, make_rows(), make_rows(seed=1))
    assert len(net.history) == 1
    assert net.history[-1, "train_batch_count"] == 1
    assert math.isfinite(net.history[-1, "valid_loss"])


def test_max_time_ends_a_fit_in_time(clock: Any) -> None:
    model = NeuralClassifier(MLP, max_time=2.0, max_epochs=10**6, early_stopping=False, random_state=0).fit(X, Y)
    assert clock() < 3.1
    assert model.n_iter_ > 1
    assert model.score(X, Y) > 0.8


def test_after_epoch_may_end_training() -> None:
    net = make_net(after_epoch=lambda: True)
    train(net, make_rows())
    assert len(net.history) == 1
