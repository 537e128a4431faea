"""The lean loop against a slow, obvious one; what callbacks see; how a training ends."""

from __future__ import annotations

import copy
import math
import time
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EpochScoring, GradientNormClipping, LRScheduler, PrintLog, ProgressBar
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._data.rows import Rows
from sknn._training.net import TrainingPlan, _Net
from sknn.callbacks import GradientClipping
from sknn.losses import LogLoss, SquaredError

CPU = torch.device("cpu")
N_ROWS, N_FEATURES, N_CLASSES, BATCH = 70, 4, 3, 16
EPOCHS = 4


class Network(nn.Module):
    """Weights and biases, a norm, and a lone scale: all kinds of parameter that weight decay tells apart."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(N_FEATURES, 8)
        self.norm = nn.LayerNorm(8)
        self.second = nn.Linear(8, N_CLASSES)
        self.scale = nn.Parameter(torch.tensor(1.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.norm(torch.tanh(self.first(x)))) * self.scale


def make_network(dtype: torch.dtype = torch.float32) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Network().to(dtype)


def make_rows(weighted: bool = False, n_rows: int = N_ROWS, seed: int = 0) -> Rows:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n_rows, N_FEATURES, generator=generator)
    y = (x[:, 0] + x[:, 1] > 0).long() + (x[:, 2] > 0.5).long()
    weight = torch.rand(n_rows, generator=generator) + 0.5 if weighted else None
    return Rows(x, None, y, None if weight is None else weight / weight.mean(), CPU)


def make_net(
    optimizer: type = torch.optim.SGD, params: dict[str, Any] | None = None, callbacks: Any = (), **plan: Any
) -> _Net:
    net = _Net(
        make_network(plan.pop("dtype", torch.float32)), LogLoss(), optimizer=optimizer, lr=plan.pop("lr", 0.01), batch_size=BATCH, train_split=None,
        callbacks=list(callbacks), verbose=0, device="cpu", max_epochs=EPOCHS,
    )  # fmt: skip
    net.n_classes = N_CLASSES
    return net.prepare(TrainingPlan(shuffle_seed=11, **plan), params or {}, "classes")


# ------------------------------------------------------------------ the reference


def reference_batches(n_rows: int, generator: torch.Generator) -> list[Tensor]:
    """Shuffled row numbers in batches; a last batch of one row joins its neighbour."""
    batches = list(torch.randperm(n_rows, generator=generator).split(BATCH))
    if len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def reference_training(
    rows: Rows,
    optimizer: type,
    params: dict[str, Any],
    *,
    lr: float = 0.01,
    clip: float | None = None,
    factor: Any = None,
    epochs: int = EPOCHS,
) -> tuple[Network, list[float]]:
    """Train as any tutorial does: one tensor per parameter, a cross-entropy of torch, a loop."""
    network = make_network(rows.x_num.dtype)
    exempt = [*network.norm.parameters(), network.first.bias, network.second.bias, network.scale]
    decayed = [network.first.weight, network.second.weight]
    if optimizer is torch.optim.LBFGS:
        stepper = optimizer(network.parameters(), lr=lr, **params)
    else:
        stepper = optimizer([{"params": decayed}, {"params": exempt, "weight_decay": 0.0}], lr=lr, **params)
    generator = torch.Generator().manual_seed(11)
    losses = []
    step, n_steps = 0, epochs * len(reference_batches(len(rows), torch.Generator()))
    for _ in range(epochs):
        total = 0.0
        for index in reference_batches(len(rows), generator):
            x, y = rows.x_num[index], rows.y[index]
            weight = torch.ones(len(index)) if rows.weight is None else rows.weight[index]
            if factor is not None:
                for group in stepper.param_groups:
                    group["lr"] = lr * factor(step / n_steps)
            evaluations: list[float] = []

            def closure(x=x, y=y, weight=weight, evaluations=evaluations) -> Tensor:
                stepper.zero_grad()
                loss = (nn.functional.cross_entropy(network(x), y, reduction="none") * weight).sum() / len(y)
                loss.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(network.parameters(), clip)
                evaluations.append(loss.item())
                return loss

            stepper.step(closure)
            total += evaluations[0] * len(index)
            step += 1
        losses.append(total / len(rows))
    return network, losses


def assert_same_weights(network: nn.Module, expected: nn.Module, rtol: float = 1e-4, atol: float = 2e-6) -> None:
    for (name, got), wanted in zip(network.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(got, wanted, rtol=rtol, atol=atol, msg=lambda text, name=name: f"{name}: {text}")
    assert not torch.equal(expected.first.weight, make_network(expected.scale.dtype).first.weight), (
        "the reference did not move"
    )


OPTIMIZERS: dict[str, tuple[type, dict[str, Any], float]] = {
    "sgd": (torch.optim.SGD, {"weight_decay": 0.1}, 0.1),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}, 0.05),
    "adam": (torch.optim.Adam, {"weight_decay": 0.05}, 0.01),
    "amsgrad": (torch.optim.Adam, {"amsgrad": True}, 0.01),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.2}, 0.01),
    "rmsprop": (torch.optim.RMSprop, {"momentum": 0.5, "centered": True, "weight_decay": 0.05}, 0.005),
    "nadam": (torch.optim.NAdam, {"weight_decay": 0.05}, 0.01),
    "radam": (torch.optim.RAdam, {"weight_decay": 0.05}, 0.01),
    "adamax": (torch.optim.Adamax, {"weight_decay": 0.05}, 0.01),
    "adadelta": (torch.optim.Adadelta, {"weight_decay": 0.05}, 0.5),
    "adagrad": (torch.optim.Adagrad, {"weight_decay": 0.05}, 0.05),
    "asgd": (torch.optim.ASGD, {"weight_decay": 0.05}, 0.05),
    "lbfgs": (torch.optim.LBFGS, {"max_iter": 3}, 0.01),
}


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("clip", [None, 0.3], ids=["unclipped", "clipped"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_equals_the_reference(name: str, clip: float | None, weighted: bool) -> None:
    optimizer, params, lr = OPTIMIZERS[name]
    rows = make_rows(weighted)
    # LBFGS divides by small differences between gradients, so that float32 rounding soon fills all digits.
    dtype = torch.float64 if name == "lbfgs" else torch.float32
    rows.x_num = rows.x_num.to(dtype)
    net = make_net(optimizer, params, [] if clip is None else [GradientClipping(clip)], lr=lr, dtype=dtype)
    assert bool(net.flat_parameters) == (name not in ("asgd", "lbfgs"))
    net.train(rows, None, EPOCHS)
    expected, losses = reference_training(rows, optimizer, params, lr=lr, clip=clip)
    assert_same_weights(net.module_, expected)
    np.testing.assert_allclose([record["train_loss"] for record in net.history], losses, rtol=1e-5)


def test_clipping_and_weights_and_decay_each_change_the_reference() -> None:
    """Else the comparisons above would prove less than they say."""
    rows, optimizer = make_rows(), torch.optim.SGD
    plain, _ = reference_training(rows, optimizer, {}, lr=0.1)
    others = [
        reference_training(rows, optimizer, {}, lr=0.1, clip=0.3)[0],
        reference_training(make_rows(weighted=True), optimizer, {}, lr=0.1)[0],
        reference_training(rows, optimizer, {"weight_decay": 0.1}, lr=0.1)[0],
    ]
    for other in others:
        assert (other.first.weight - plain.first.weight).abs().max() > 1e-3


SCHEDULES: dict[str, Any] = {
    "constant": lambda progress: 1.0,
    "cosine": lambda p: max(p / 0.05, 1e-3) if p < 0.05 else 0.5 * (1 + math.cos(math.pi * (p - 0.05) / 0.95)),
    "one_cycle": lambda p: (
        1.0 + (0.04 - 1.0) * 0.5 * (1 + math.cos(math.pi * p / 0.3))
        if p < 0.3
        else 1e-4 + (1 - 1e-4) * 0.5 * (1 + math.cos(math.pi * (p - 0.3) / 0.7))
    ),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_equal_their_formula_at_every_step(schedule: str) -> None:
    rows = make_rows()
    net = make_net(torch.optim.AdamW, {"weight_decay": 0.1}, lr_schedule=schedule)
    net.train(rows, None, EPOCHS)
    expected, losses = reference_training(rows, torch.optim.AdamW, {"weight_decay": 0.1}, factor=SCHEDULES[schedule])
    assert_same_weights(net.module_, expected)
    np.testing.assert_allclose([record["train_loss"] for record in net.history], losses, rtol=1e-5)


def test_the_last_single_row_joins_the_batch_before() -> None:
    rows = make_rows(n_rows=4 * BATCH + 1)
    net = make_net(lr=0.1)
    net.train(rows, None, 2)
    expected, _ = reference_training(rows, torch.optim.SGD, {}, lr=0.1, epochs=2)
    assert_same_weights(net.module_, expected)
    assert net.history[-1, "train_batch_count"] == 4


@pytest.mark.parametrize("name", ["nesterov", "adamw", "asgd"])
def test_training_on_after_release_equals_training_in_one_go(name: str) -> None:
    """Moments survive between two calls of partial_fit, whose shuffles have seeds of their own."""
    optimizer, params, lr = OPTIMIZERS[name]
    rows = make_rows(n_rows=BATCH)  # one batch: no shuffle
    once = make_net(optimizer, params, lr=lr)
    once.train(rows, None, 6)
    twice = make_net(optimizer, params, lr=lr)
    twice.train(rows, None, 3)
    twice.release()
    twice.attach(TrainingPlan(lr=lr, batch_size=BATCH))
    twice.train(rows, None, 3)
    for got, wanted in zip(twice.module_.parameters(), once.module_.parameters(), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=0)
    assert len(twice.history) == 6


def test_a_failure_while_training_on_puts_weights_moments_and_history_back() -> None:
    class Fails(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            raise RuntimeError("disk full")

    rows = make_rows()
    net = make_net(torch.optim.AdamW)
    net.train(rows, None, 2)
    net.release()
    weights = copy.deepcopy(net.module_.state_dict())
    moments = copy.deepcopy(net.optimizer_.state_dict()["state"])
    net.attach(TrainingPlan(callbacks=[Fails()], lr=0.01, batch_size=BATCH))
    with pytest.raises(RuntimeError, match="disk full"), net.unchanged_on_failure():
        net.train(rows, None, 2)
    assert len(net.history) == 2
    for name, value in net.module_.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0)
    for index, state in net.optimizer_.state_dict()["state"].items():
        for name, value in state.items():
            torch.testing.assert_close(value, moments[index][name], rtol=0, atol=0)


# ------------------------------------------------------------------ validation


def test_validation_loss_is_that_of_the_whole_set_in_evaluation_mode() -> None:
    class Dropout(Network):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(nn.functional.dropout(x, 0.5, self.training))

    rows, valid = make_rows(), make_rows(weighted=True, n_rows=1500, seed=1)  # two validation batches
    scores: list[np.ndarray] = []
    net = make_net(validation_score=lambda values: scores.append(values) or 0.25)
    net.module_.__class__ = Dropout
    net.criterion_.temperature_scaling = False
    net.train(rows, valid, 1)
    with torch.no_grad():
        raw = net.module_.eval()(valid.x_num)
        losses = nn.functional.cross_entropy(raw, valid.y, reduction="none")
    record = net.history[-1]
    assert record["valid_loss"] == pytest.approx(float((losses * valid.weight).mean()), rel=1e-5)
    assert record["valid_batch_count"] == 2
    assert record["valid_score"] == 0.25
    np.testing.assert_allclose(scores[0], raw.softmax(dim=1).numpy(), atol=1e-6)


# ------------------------------------------------------------------ history


def test_history_has_a_record_an_epoch_and_no_batches_unless_somebody_looks() -> None:
    net = make_net()
    net.train(make_rows(), make_rows(seed=1), 3)
    assert len(net.history) == 3
    expected = {
        "batches", "epoch", "train_loss", "train_batch_count", "lr", "valid_loss", "valid_batch_count", "dur",
    }  # fmt: skip
    assert set(net.history[0]) == expected
    assert net.history[:, "epoch"] == [1, 2, 3]
    assert all(record["batches"] == [] for record in net.history)
    assert all(type(record["train_loss"]) is float and record["dur"] > 0 for record in net.history)


class CountsBatches(Callback):
    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.seen: list[tuple[bool, float, int]] = []

    def on_batch_end(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        self.seen.append((training, kwargs["loss"].item(), len(batch[1])))


def test_a_batch_callback_sees_every_batch_and_the_history_keeps_them() -> None:
    net = make_net(callbacks=[CountsBatches()])
    net.train(make_rows(), make_rows(seed=1), 2)
    seen = net.callbacks_[0][1].seen
    assert len(seen) == 2 * (5 + 1)
    assert sum(size for training, _, size in seen if training) == 2 * N_ROWS
    assert net.history[0, "batches", :5, "train_loss"] == pytest.approx([loss for _, loss, _ in seen[:5]])
    assert net.history[0, "batches", :5, "train_batch_size"] == [16, 16, 16, 16, 6]
    weighted = sum(loss * size for training, loss, size in seen[:5])
    assert net.history[0, "train_loss"] == pytest.approx(weighted / N_ROWS, rel=1e-5)


def test_looking_at_batches_changes_nothing() -> None:
    alone, watched = make_net(), make_net(callbacks=[CountsBatches()])
    for net in (alone, watched):
        net.train(make_rows(), None, 2)
    torch.testing.assert_close(watched.module_.first.weight, alone.module_.first.weight, rtol=0, atol=0)


def test_batch_events_that_nobody_overrides_are_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: Any, *args: Any, **kwargs: Any) -> None:
        raise AssertionError("called for nobody")

    for event in ("on_batch_begin", "on_batch_end", "on_grad_computed"):
        monkeypatch.setattr(Callback, event, forbidden)

    class CountsEpochs(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            self.n_epochs = getattr(self, "n_epochs", 0) + 1

    for others in ([], [CountsBatches()]):  # where one callback listens, the others are still left alone
        net = make_net(callbacks=[CountsEpochs(), *others])
        net.train(make_rows(), None, 2)
        assert net.callbacks_[0][1].n_epochs == 2


def test_events_come_in_order() -> None:
    events: list[str] = []

    class Listens(Callback):
        pass

    for event in ("on_train_begin", "on_epoch_begin", "on_batch_begin", "on_grad_computed", "on_batch_end",
                  "on_epoch_end", "on_train_end"):  # fmt: skip
        setattr(Listens, event, lambda self, net, event=event, **kwargs: events.append(event))
    net = make_net(callbacks=[Listens()], before_epoch=lambda: events.append("before"),
                   after_epoch=lambda: bool(events.append("after")))  # fmt: skip
    net.train(make_rows(n_rows=20), None, 1)
    batch = ["on_batch_begin", "on_grad_computed", "on_batch_end"]
    assert events == [
        "on_train_begin", "before", "on_epoch_begin", *batch, *batch, "on_epoch_end", "after", "on_train_end",
    ]  # fmt: skip


# ------------------------------------------------------------------ skorch's callbacks, in the estimators

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(240, 4)).astype(np.float32)
Y = np.array(["blue", "green", "red"])[np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])]
TRAIN, VALID = slice(160), slice(160, None)


def fit_with(callback: Any, **params: Any) -> NeuralClassifier:
    model = NeuralClassifier(callbacks=[callback], max_epochs=3, early_stopping=False, random_state=0, **params)
    return model.fit(X[TRAIN], Y[TRAIN], X_val=X[VALID], y_val=Y[VALID])


def accuracy(net: Any, X: Any, y: Any = None) -> float:
    """A skorch scorer as users write them; y are the class codes."""
    return float((net.predict(X) == np.asarray(y)).mean())


@pytest.mark.parametrize("use_caching", [True, False], ids=["cached", "uncached"])
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", accuracy], ids=["accuracy", "log loss", "function"])
def test_epoch_scoring_on_validation_rows(scoring: Any, use_caching: bool) -> None:
    from sklearn.metrics import log_loss

    # The temperature is fitted after the last epoch.
    params = {"criterion_params": {"temperature_scaling": False}}
    model = fit_with(EpochScoring(scoring, name="watched", lower_is_better=False, use_caching=use_caching), **params)
    expected = (
        -log_loss(Y[VALID], model.predict_proba(X[VALID]))
        if scoring == "neg_log_loss"
        else model.score(X[VALID], Y[VALID])
    )
    assert len(model.net_.history[:, "watched"]) == 3
    assert model.net_.history[-1, "watched"] == pytest.approx(expected, rel=1e-5)
    assert "watched_best" in model.net_.history[-1]


@pytest.mark.parametrize("use_caching", [True, False], ids=["cached", "uncached"])
@pytest.mark.parametrize("scoring", ["accuracy", accuracy], ids=["accuracy", "function"])
def test_epoch_scoring_on_rows_that_a_committee_holds_out(scoring: Any, use_caching: bool) -> None:
    watched = EpochScoring(scoring, name="watched", lower_is_better=False, use_caching=use_caching)
    model = NeuralClassifier(callbacks=[watched], scoring="accuracy", max_epochs=3, random_state=0).fit(X, Y)
    assert len(model.module_.networks) > 1
    assert model.net_.history[:, "watched"] == pytest.approx(model.validation_scores_)


@pytest.mark.parametrize("use_caching", [True, False], ids=["cached", "uncached"])
def test_epoch_scoring_on_training_rows(use_caching: bool) -> None:
    model = fit_with(EpochScoring("accuracy", on_train=True, name="watched", use_caching=use_caching))
    watched = model.net_.history[-1, "watched"]
    # Cached outputs are those of the steps, before the weights of the epoch's end.
    assert watched == pytest.approx(model.score(X[TRAIN], Y[TRAIN]), abs=0.1 if use_caching else 1e-9)


@pytest.mark.parametrize("use_caching", [True, False], ids=["cached", "uncached"])
def test_epoch_scoring_of_a_regressor(use_caching: bool) -> None:
    scoring = EpochScoring("r2", name="watched", lower_is_better=False, use_caching=use_caching)
    y = 5 * X[:, 0] + 100
    model = NeuralRegressor(callbacks=[scoring], max_epochs=3, early_stopping=False, random_state=0)
    model.fit(X[TRAIN], y[TRAIN], X_val=X[VALID], y_val=y[VALID])
    # R^2 is the same in the standardised unit, in which the net works.
    assert model.net_.history[-1, "watched"] == pytest.approx(model.score(X[VALID], y[VALID]), abs=1e-4)


def test_skorchs_scheduler_steps_an_epoch() -> None:
    from torch.optim.lr_scheduler import StepLR

    model = fit_with(LRScheduler(StepLR, step_size=1, gamma=0.1), lr_schedule="constant", lr=0.01)
    assert model.net_.history[:, "lr"] == pytest.approx([0.01, 0.001, 0.0001])


def test_skorchs_gradient_clipping_equals_ours() -> None:
    def weights(**params: Any) -> Tensor:
        model = NeuralClassifier(max_epochs=2, random_state=0, optimizer=torch.optim.SGD, lr=0.1, **params)
        return next(model.fit(X, Y).module_.parameters())

    ours = weights(gradient_clipping=0.05)
    skorchs = weights(gradient_clipping=None, callbacks=[GradientNormClipping(0.05)])
    torch.testing.assert_close(skorchs, ours, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(weights(gradient_clipping=None), ours, atol=1e-4)


def test_print_log_and_progress_bar_print(capsys: pytest.CaptureFixture[str]) -> None:
    fit_with(PrintLog())
    out = capsys.readouterr().out
    assert "train_loss" in out
    assert "valid_loss" in out
    fit_with(ProgressBar(detect_notebook=False))
    captured = capsys.readouterr()
    assert "it/s" in captured.out + captured.err


def test_a_named_callback_keeps_its_name() -> None:
    model = fit_with(("mine", CountsBatches()))
    assert "mine" in dict(model.net_.callbacks_)


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


# ------------------------------------------------------------------ deadline and stop


def test_the_deadline_ends_training_with_the_schedule_at_its_end() -> None:
    now = time.perf_counter()
    net = make_net(lr_schedule="cosine", started=now, deadline=now + 0.5)
    net.train(make_rows(n_rows=400), None, 10**6)
    assert time.perf_counter() - now < 1.0
    assert 1 <= len(net.history) < 10**6
    assert net.history[-1, "lr"] < 0.01 * 0.01  # the rate of the start was 0.01


def test_a_deadline_in_the_past_still_trains_one_batch() -> None:
    now = time.perf_counter()
    net = make_net(started=now - 2, deadline=now - 1)
    net.train(make_rows(), make_rows(seed=1), 5)
    assert len(net.history) == 1
    assert net.history[-1, "train_batch_count"] == 1
    assert math.isfinite(net.history[-1, "valid_loss"])


def test_max_time_ends_a_fit_in_time() -> None:
    started = time.perf_counter()
    model = NeuralClassifier(max_time=2.0, max_epochs=10**6, early_stopping=False, random_state=0).fit(X, Y)
    assert time.perf_counter() - started < 60  # of weeks, however busy the machine
    assert model.n_iter_ > 1
    assert model.score(X, Y) > 0.8


def test_after_epoch_may_end_training() -> None:
    net = make_net(after_epoch=lambda: True)
    net.train(make_rows(), None, 5)
    assert len(net.history) == 1


# ------------------------------------------------------------------ outputs


def test_a_network_may_return_a_vector_or_several_outputs() -> None:
    class Vector(nn.Module):
        def __init__(self, in_features: int) -> None:
            super().__init__()
            self.linear = nn.Linear(in_features, 1)

        def forward(self, x: Tensor) -> Any:
            return self.linear(x)[:, 0]

    class Several(Vector):
        def forward(self, x: Tensor) -> Any:
            return self.linear(x), x

    predictions = [
        NeuralRegressor(module, max_epochs=3, random_state=0).fit(X, X[:, 0]).predict(X) for module in (Vector, Several)
    ]
    assert predictions[0].shape == (len(X),)
    np.testing.assert_array_equal(*predictions)


def test_the_criterion_trains_too_where_it_has_parameters() -> None:
    class Scaled(SquaredError):
        def __init__(self) -> None:
            super().__init__()
            self.log_scale = nn.Parameter(torch.tensor(0.7))

        def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
            return super().pointwise(raw_prediction, y) * torch.exp(-self.log_scale) + self.log_scale

    model = NeuralRegressor(criterion=Scaled, max_epochs=2, random_state=0).fit(X, X[:, 0])
    assert model.net_.criterion_.log_scale.item() != pytest.approx(0.7, abs=1e-6)
