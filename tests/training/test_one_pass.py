"""What a pass over rows records, and which batches callbacks see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

from .nets import N_ROWS, Network, make_net, make_rows, train


def test_validation_loss_is_that_of_the_whole_set_in_evaluation_mode() -> None:
    class Dropout(Network):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(nn.functional.dropout(x, 0.5, self.training))

    rows, valid = make_rows(), make_rows(weighted=True, n_rows=1500, seed=1)  # two validation batches
    scores: list[np.ndarray] = []
    net = make_net(epochs=1, validation_score=lambda values: scores.append(values) or 0.25)
    net.module_.__class__ = Dropout
    net.criterion_.temperature_scaling = False
    train(net, rows, valid)
    with torch.no_grad():
        raw = net.module_.eval()(valid.store.x)
        losses = nn.functional.cross_entropy(raw, valid.y, reduction="none")
    record = net.history[-1]
    assert record["valid_loss"] == pytest.approx(float((losses * valid.weight).mean()), rel=1e-5)
    assert record["valid_batch_count"] == 2
    assert record["valid_score"] == 0.25
    np.testing.assert_allclose(scores[0], raw.softmax(dim=1).numpy(), atol=1e-6)


def test_history_has_a_record_an_epoch_and_no_batches_unless_somebody_looks() -> None:
    net = make_net(epochs=3)
    train(net, make_rows(), make_rows(seed=1))
    assert len(net.history) == 3
    expected = {
        "batches", "epoch", "train_loss", "train_loss_best", "train_batch_count", "lr", "valid_loss",
        "valid_loss_best", "valid_batch_count", "dur",
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
    net = make_net(callbacks=[CountsBatches()], epochs=2)
    train(net, make_rows(), make_rows(seed=1))
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
        train(net, make_rows())
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
        net = make_net(callbacks=[CountsEpochs(), *others], epochs=2)
        train(net, make_rows())
        assert net.callbacks_[0][1].n_epochs == 2
