"""Parameter groups, flat buffers and learning rates."""

from __future__ import annotations

import io
import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, LRScheduler
from torch import nn
from torch.optim import lr_scheduler

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP
from sknn.optim import FlatParameters, LRSchedule, build_optimizer, parameter_groups

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(96, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def named_groups(module: nn.Module) -> tuple[set[str], set[str]]:
    names = {id(parameter): name for name, parameter in module.named_parameters(remove_duplicate=False)}
    decayed, undecayed = parameter_groups([module])
    return {names[id(p)] for p in decayed}, {names[id(p)] for p in undecayed}


# ------------------------------------------------------------------ groups


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(3), nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.InstanceNorm1d(3, affine=True), nn.RMSNorm(3)],
    ids=lambda norm: type(norm).__name__,
)  # fmt: skip
def test_norms_and_biases_do_not_decay(norm: nn.Module) -> None:
    decayed, undecayed = named_groups(nn.Sequential(nn.Linear(2, 3), norm))
    assert decayed == {"0.weight"}
    assert undecayed == {"0.bias"} | {f"1.{name}" for name, _ in norm.named_parameters()}


def test_every_kind_of_layer_has_its_weights_decayed_and_its_biases_not() -> None:
    module = nn.ModuleDict(
        {
            "conv": nn.Conv1d(2, 3, 2),
            "lstm": nn.LSTM(2, 3),
            "embedding": nn.Embedding(4, 2),
            "attention": nn.MultiheadAttention(4, 2),
            "bilinear": nn.Bilinear(2, 2, 2),
        }
    )
    decayed, undecayed = named_groups(module)
    assert all("bias" in name for name in undecayed)
    assert not any("bias" in name for name in decayed)
    assert {"conv.weight", "lstm.weight_hh_l0", "embedding.weight", "attention.in_proj_weight"} <= decayed
    assert {"conv.bias", "lstm.bias_ih_l0", "attention.in_proj_bias", "attention.out_proj.bias"} <= undecayed
    assert len(decayed) + len(undecayed) == len(list(module.parameters()))


def test_a_lone_number_does_not_decay() -> None:
    module = nn.Module()
    module.temperature = nn.Parameter(torch.tensor(1.0))
    module.table = nn.Parameter(torch.ones(2))
    assert named_groups(module) == ({"table"}, {"temperature"})


def test_shared_parameters_appear_once() -> None:
    module = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    module[1].weight = module[0].weight
    decayed, undecayed = parameter_groups([module, module])
    assert [id(p) for p in decayed] == [id(module[0].weight)]
    assert undecayed == []


def test_frozen_parameters_are_left_out() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    module[0].requires_grad_(False)
    assert named_groups(module) == ({"1.weight"}, {"1.bias"})


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.ASGD], ids=["flat", "not flat"])
def test_weight_decay_reaches_weights_only(optimizer: type) -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
    built, flat = build_optimizer(optimizer, {"weight_decay": 0.5}, 0.1, [module])
    assert [group["weight_decay"] for group in built.param_groups] == [0.5, 0.0]
    assert (flat is not None) == (optimizer is torch.optim.AdamW)


def test_a_network_of_biases_only_does_not_decay() -> None:
    built, _ = build_optimizer(torch.optim.SGD, {"weight_decay": 0.5}, 0.1, [nn.LayerNorm(3)])
    assert [group["weight_decay"] for group in built.param_groups] == [0.0]


def test_an_optimizer_without_weight_decay_gets_one_group() -> None:
    class Plain(torch.optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

    built, flat = build_optimizer(Plain, {}, 0.1, [nn.Linear(2, 3)])
    assert [len(group["params"]) for group in built.param_groups] == [2]
    assert flat is None


def test_nothing_to_train_is_an_error_with_the_modules_name() -> None:
    with pytest.raises(ValueError, match=r"Flatten has no parameters .*requires_grad=True"):
        build_optimizer(torch.optim.SGD, {}, 0.1, [nn.Flatten()])


@pytest.mark.parametrize("params", [{"momentum": -1.0}, {"nesterov": True}, {"speed": 3}])
def test_what_the_optimizer_refuses_is_named(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"SGD refuses lr=0\.1, optimizer_params=.*{next(iter(params))}"):
        build_optimizer(torch.optim.SGD, params, 0.1, [nn.Linear(2, 3)])


# ------------------------------------------------------------------ flat buffers


def make_flat() -> tuple[nn.Linear, FlatParameters]:
    torch.manual_seed(0)
    linear = nn.Linear(3, 2)
    return linear, FlatParameters([[linear.weight], [linear.bias]])


def test_parameters_and_gradients_are_views_of_the_buffer() -> None:
    linear, flat = make_flat()
    weights, biases = flat.groups
    torch.testing.assert_close(weights[:6], linear.weight.flatten(), rtol=0, atol=0)
    torch.testing.assert_close(biases[:2], linear.bias, rtol=0, atol=0)
    linear(torch.ones(4, 3)).square().sum().backward()
    torch.testing.assert_close(flat.gradient[:6], linear.weight.grad.flatten())
    torch.testing.assert_close(biases.grad[:2], linear.bias.grad)
    torch.testing.assert_close(flat.gradient.norm(), torch.cat([linear.weight.grad.flatten(), linear.bias.grad]).norm())
    with torch.no_grad():
        flat.data.fill_(7.0)
    assert (linear.weight == 7).all()
    assert (linear.bias == 7).all()
    assert (biases == 7).all()


def test_release_gives_own_memory_with_the_same_values() -> None:
    linear, flat = make_flat()
    before = linear.weight.detach().clone()
    flat.release()
    torch.testing.assert_close(linear.weight.detach(), before, rtol=0, atol=0)
    assert linear.weight.grad is None
    assert linear.weight.untyped_storage().nbytes() == 4 * linear.weight.numel()
    with torch.no_grad():
        flat.data.zero_()
    torch.testing.assert_close(linear.weight.detach(), before, rtol=0, atol=0)


def test_attach_takes_values_that_were_changed_meanwhile() -> None:
    linear, flat = make_flat()
    flat.release()
    with torch.no_grad():
        linear.bias.fill_(3.0)
    flat.attach()
    assert (linear.bias == 3).all()
    assert (flat.groups[1][:2] == 3).all()
    with torch.no_grad():
        flat.data.zero_()
    assert (linear.bias == 0).all()
    assert linear.bias.grad.data_ptr() == flat.groups[1].grad.data_ptr()


class ReplaceGradients(Callback):
    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        for _, parameter in named_parameters:
            parameter.grad = 0 * parameter.grad


class ForgetGradients(Callback):
    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        net.module_.zero_grad()


class BoundWeights(Callback):
    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        for parameter in net.module_.parameters():
            parameter.data = parameter.data.clamp(-0.1, 0.1)


class Recurrent(nn.Module):
    """Not a chain."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.recurrent, self.head = nn.RNN(in_features, 6, batch_first=True), nn.Linear(6, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrent(x.unsqueeze(1))[0][:, -1])


@pytest.mark.parametrize("module", [MLP, Recurrent])
def test_tensors_that_a_callback_replaces_count(module: type[nn.Module]) -> None:
    params: dict[str, Any] = {"max_epochs": 4, "batch_size": 16, "random_state": 0, "lr": 0.05}
    plain = NeuralClassifier(module, **params).fit(X, Y)
    still = NeuralClassifier(module, **params, optimizer=torch.optim.SGD, callbacks=[ReplaceGradients()]).fit(X, Y)
    assert len({round(loss, 5) for loss in still.loss_curve_}) == 1
    forgetful = NeuralClassifier(module, **params, callbacks=[ForgetGradients()]).fit(X, Y)
    np.testing.assert_array_equal(forgetful.predict_proba(X), plain.predict_proba(X))
    bounded = NeuralClassifier(module, **params, callbacks=[BoundWeights()]).fit(X, Y)
    assert max(p.abs().max().item() for p in bounded.module_.parameters()) < 0.1001
    assert max(p.abs().max().item() for p in plain.module_.parameters()) > 0.1001


@pytest.mark.parametrize("module", [MLP, Recurrent])
@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_a_layer_frozen_meanwhile_stays_in_spite_of_decay_and_momentum(module: Any, optimizer: type) -> None:
    class Freeze(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            if len(net.history) == 2:
                self.frozen = next(net.module_.parameters()).requires_grad_(False)
                self.before = self.frozen.detach().clone()
            elif len(net.history) > 2:
                torch.testing.assert_close(self.frozen.detach(), self.before, rtol=0, atol=0)

    params = {"weight_decay": 0.5, **({"momentum": 0.9} if optimizer is torch.optim.SGD else {})}
    model = NeuralClassifier(module, max_epochs=5, optimizer=optimizer, optimizer_params=params, callbacks=[Freeze()])
    assert model.fit(X, Y).n_iter_ == 5


@pytest.mark.parametrize("module", [MLP, Recurrent])
def test_gradients_that_the_optimizer_forgets_are_put_back(module: Any) -> None:
    class ForgetAll(Callback):
        def on_batch_end(self, net: Any, **kwargs: Any) -> None:
            net.optimizer_.zero_grad()

    params: dict[str, Any] = {"max_epochs": 3, "random_state": 0}
    fits = [NeuralClassifier(module, callbacks=cbs, **params).fit(X, Y) for cbs in ([], [ForgetAll()])]
    assert fits[0].loss_curve_ == fits[1].loss_curve_


@pytest.mark.parametrize("module", [MLP, Recurrent])
def test_a_callback_may_differentiate_what_it_adds_to_the_gradient(module: Any) -> None:
    class Penalty(Callback):
        def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
            sum(p.square().sum() for _, p in named_parameters).backward()

    params: dict[str, Any] = {"max_epochs": 5, "random_state": 0, "lr": 0.01}
    plain, small = [NeuralClassifier(module, callbacks=cbs, **params).fit(X, Y) for cbs in ([], [Penalty()])]
    assert sum(p.norm() for p in small.module_.parameters()) < sum(p.norm() for p in plain.module_.parameters())


def test_every_callback_sees_the_named_parameters() -> None:
    class Count(Callback):
        def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
            seen.append(len(list(named_parameters)))

    seen: list[int] = []
    NeuralClassifier(MLP, max_epochs=1, batch_size=200, callbacks=[Count(), ("again", Count())]).fit(X, Y)
    assert seen == [6, 6]


def test_a_group_added_meanwhile_is_zeroed_and_clipped() -> None:
    class Unfreeze(Callback):
        def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
            if len(net.history) == 2:
                layer = net.module_[0].requires_grad_(True)
                net.optimizer_.add_param_group({"params": list(layer.parameters())})

        def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
            if training and net.module_[0].weight.grad is not None:
                norms.append(net.module_[0].weight.grad.norm().item())

    norms: list[float] = []
    network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    network[0].requires_grad_(False)
    params: dict[str, Any] = {"lr": 1e-6, "max_epochs": 5, "lr_schedule": "constant", "random_state": 0}
    params |= {"optimizer": torch.optim.SGD, "batch_size": 200, "callbacks": [Unfreeze()]}
    NeuralClassifier(network, gradient_clipping=None, **params).fit(X, Y)
    assert norms[-1] == pytest.approx(norms[0], rel=0.01)
    first = norms[0]
    norms.clear()
    NeuralClassifier(network, gradient_clipping=first / 2, **params).fit(X, Y)
    assert max(norms) < first * 0.51


def test_momentum_may_begin_meanwhile() -> None:
    class Begin(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            net.optimizer_.param_groups[0]["momentum"] = 0.9

    model = NeuralClassifier(max_epochs=4, optimizer=torch.optim.SGD, callbacks=[Begin()]).fit(X, Y)
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")
def test_an_unhealthy_run_leaves_nothing_behind_for_a_warm_start() -> None:
    params: dict[str, Any] = {"max_epochs": 3, "optimizer": torch.optim.SGD, "preprocessing": False}
    model = NeuralRegressor(MLP, module_params={"hidden_sizes": (7, 7)}, warm_start=True, **params).fit(X, X[:, 0])
    spoilt = X.copy()
    spoilt[0] = 3e38
    assert model.fit(spoilt, X[:, 0]).health_.status == "unhealthy"
    assert model.fit(X, X[:, 0]).health_.findings == []


def test_a_frozen_layer_stays_as_it_is_while_the_rest_trains() -> None:
    network = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    network[0].requires_grad_(False)
    model = NeuralClassifier(network, max_epochs=3, lr=0.1, preprocessing=False, random_state=0).fit(X, Y)
    assert torch.equal(model.module_[0].weight, network[0].weight)
    assert not torch.equal(model.module_[2].weight, network[2].weight)


def test_shared_parameters_stay_shared_through_fit_and_pickle() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.second = nn.Linear(4, 4)
            self.second.weight = self.first.weight
            self.last = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.tanh(self.second(torch.tanh(self.first(x)))))

    model = NeuralClassifier(Tied(), max_epochs=2, preprocessing=False, random_state=0).fit(X, Y)
    assert model.module_.second.weight is model.module_.first.weight
    assert torch.isfinite(model.module_.first.weight).all()


def test_sparse_gradients_and_mixed_dtypes_are_not_flattened() -> None:
    modules = [nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()), nn.Embedding(4, 2, sparse=True)]
    for module in modules:
        _, flat = build_optimizer(torch.optim.SGD, {}, 0.1, [module])
        assert flat is None


def test_a_subclass_of_an_optimizer_is_not_flattened() -> None:
    class LayerWise(torch.optim.SGD):
        """May treat each parameter by its shape."""

    _, flat = build_optimizer(LayerWise, {}, 0.1, [nn.Linear(2, 3)])
    assert flat is None


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad])
def test_a_fitted_network_is_pickled_without_the_buffer(optimizer: type) -> None:
    model = NeuralClassifier(MLP, module_params={"hidden_sizes": (64, 64)}, optimizer=optimizer, max_epochs=2)
    model.fit(X, Y)
    n_bytes = sum(4 * p.numel() for p in model.module_.parameters())
    saved = io.BytesIO()
    torch.save(model.module_.state_dict(), saved)
    assert len(saved.getvalue()) < n_bytes + 10_000
    assert len(pickle.dumps(model.module_)) < n_bytes + 20_000


# ------------------------------------------------------------------ schedules


def make_schedule(schedule: Any, n_steps: int = 100, **params: Any) -> tuple[torch.optim.Optimizer, LRSchedule]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.5)
    return optimizer, LRSchedule(schedule, params, optimizer, n_steps)


def rates(schedule: str, progress: list[float], **params: Any) -> list[float]:
    optimizer, made = make_schedule(schedule, **params)
    seen = []
    for share in progress:
        made.before_step(share)
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


def test_constant_is_constant() -> None:
    assert rates("constant", [0.0, 0.5, 1.0]) == [0.5, 0.5, 0.5]


def test_cosine_warms_up_peaks_and_falls_to_final() -> None:
    seen = rates("cosine", [0.0, 0.1, 0.2, 0.6, 1.0, 1.5], warmup=0.2, final=0.1)
    np.testing.assert_allclose(seen, [0.0005, 0.25, 0.5, 0.275, 0.05, 0.05], rtol=1e-9)


def test_cosine_without_warmup_starts_at_the_full_rate() -> None:
    np.testing.assert_allclose(rates("cosine", [0.0, 0.5, 1.0], warmup=0.0), [0.5, 0.25, 0.0], atol=1e-12)


def test_one_cycle_rises_and_falls() -> None:
    seen = rates("one_cycle", [0.0, 0.15, 0.3, 0.65, 1.0])
    np.testing.assert_allclose(seen, [0.02, 0.26, 0.5, 0.5 * (1 + 1e-4) / 2, 5e-5], rtol=1e-6)


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_a_warmup_over_the_whole_training_is_finite(schedule: str) -> None:
    assert all(math.isfinite(rate) for rate in rates(schedule, [0.0, 0.5, 1.0], warmup=1.0))


def test_plateau_halves_the_rate_when_the_loss_stops_falling() -> None:
    optimizer, schedule = make_schedule("plateau", patience=1)
    seen = []
    for loss in (1.0, 0.5, 0.5, 0.5, 0.5):
        schedule.after_epoch(loss)
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == [0.5, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("schedule", "params", "message"),
    [
        ("cosine", {"warm_up": 0.1}, r"'warm_up' is unknown to 'cosine'\. Valid names: \['final', 'warmup'\]"),
        ("cosine", {"warmup": 1.5}, r"warmup=1\.5, expected a number in \[0, 1\]"),
        ("one_cycle", {"final": "low"}, r"final='low', expected a number"),
        ("constant", {"warmup": 0.1}, r"'warmup' is unknown to 'constant'"),
        ("plateau", {"warmup": 0.1}, r"'warmup' is unknown to ReduceLROnPlateau\. Valid names: .*'patience'"),
        ("plateau", {"factor": 2.0}, r"ReduceLROnPlateau refuses .*Factor should be < 1\.0"),
        (lr_scheduler.StepLR, {}, r"StepLR refuses .*step_size"),
        (lr_scheduler.StepLR, {"steps": 3}, r"'steps' is unknown to StepLR"),
    ],
)
def test_a_wrong_schedule_is_an_error_that_names_it(schedule: Any, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_schedule(schedule, **params)
    with pytest.raises(ValueError, match=message):
        NeuralClassifier(lr_schedule=schedule, lr_schedule_params=params, max_epochs=1).fit(X, Y)


def fitted_rates(lr_schedule: Any, estimator: Any = NeuralClassifier, **params: Any) -> list[float]:
    """Rate of the last step of every epoch: three steps an epoch, eight epochs. Of a rate that is too large, unwatched."""
    params["gradient_health"] = None
    model = estimator(lr=0.1, lr_schedule=lr_schedule, max_epochs=8, batch_size=32, random_state=0, **params)
    return model.fit(X, Y).net_.history[:, "lr"]


@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_step_lr_steps_an_epoch(estimator: Any) -> None:
    seen = fitted_rates(lr_scheduler.StepLR, estimator, lr_schedule_params={"step_size": 2, "gamma": 0.5})
    np.testing.assert_allclose(seen, [0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125])


def one_cycle_of_torch(n_steps: int, max_lr: float) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=max_lr)
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=max_lr, total_steps=n_steps)
    seen = []
    for step in range(n_steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < n_steps - 1:
            scheduler.step()
    return seen


@pytest.mark.parametrize("params", [{}, {"max_lr": 0.1}, {"epochs": 8, "steps_per_epoch": 3}], ids=str)
def test_one_cycle_lr_steps_a_batch_up_to_the_last(params: dict[str, Any]) -> None:
    seen = fitted_rates(lr_scheduler.OneCycleLR, lr_schedule_params=params)
    expected = one_cycle_of_torch(24, 0.1)
    # History has the rate after the epoch's last step, so that of the next.
    np.testing.assert_allclose(seen, [*expected[3::3], expected[-1]], rtol=1e-6)


def test_cyclic_lr_steps_a_batch() -> None:
    params = {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "cycle_momentum": False}
    seen = fitted_rates(lr_scheduler.CyclicLR, lr_schedule_params=params)
    np.testing.assert_allclose(seen, [0.1, 0.01] * 4, rtol=1e-6)


def test_reduce_on_plateau_watches_the_validation_loss() -> None:
    class Stuck(nn.Module):
        """Its loss never falls."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), 2) + 0 * self.weight

    for schedule in ("plateau", lr_scheduler.ReduceLROnPlateau):
        seen = fitted_rates(
            schedule, module=Stuck(), lr_schedule_params={"patience": 1, "factor": 0.5}, early_stopping=True
        )
        np.testing.assert_allclose(seen, [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125])


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "plateau", lr_scheduler.OneCycleLR,
                                      lr_scheduler.CosineAnnealingWarmRestarts], ids=str)  # fmt: skip
def test_every_schedule_learns_and_goes_on_with_warm_start(schedule: Any) -> None:
    params = {"T_0": 2} if schedule is lr_scheduler.CosineAnnealingWarmRestarts else None
    model = NeuralClassifier(
        lr_schedule=schedule, lr_schedule_params=params, lr=0.01, max_epochs=8, warm_start=True, random_state=0
    )
    assert model.fit(X, Y).score(X, Y) > 0.85
    first = model.net_.history[:, "lr"]
    model.fit(X, Y)
    assert model.n_iter_ == 16
    np.testing.assert_allclose(model.net_.history[8:, "lr"], first, rtol=1e-6)


def test_partial_fit_after_fit_learns_at_the_full_rate() -> None:
    model = NeuralClassifier(lr=0.01, max_epochs=3, random_state=0).fit(X, Y)  # cosine: the last rate is about zero
    model.partial_fit(X, Y)
    assert model.net_.history[:, "lr"][-1] == 0.01


def test_a_warm_start_goes_on_with_the_present_lr_and_batch_size() -> None:
    model = NeuralClassifier(lr=0.01, lr_schedule="constant", max_epochs=1, batch_size=16, warm_start=True)
    model.fit(X, Y)
    model.set_params(lr=0.001, batch_size=48).fit(X, Y)
    assert model.net_.history[:, "lr"] == [0.01, 0.001]
    assert model.net_.history[:, "train_batch_count"] == [6, 2]


def test_a_schedule_leaves_the_optimizer_as_it_was() -> None:
    optimizer = torch.optim.AdamW([nn.Parameter(torch.ones(1))], lr=0.5)
    before = {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
    for schedule in ("cosine", lr_scheduler.OneCycleLR, "plateau"):
        made = LRSchedule(schedule, {}, optimizer, 10)
        made.before_step(0.5)
        optimizer.step()
        made.after_step()
        made.undo()
        assert {name: value for name, value in optimizer.param_groups[0].items() if name != "params"} == before


def test_a_failed_fit_with_another_lr_leaves_the_rate() -> None:
    class Fails(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            raise RuntimeError("disk full")

    model = NeuralClassifier(lr=0.01, lr_schedule="constant", max_epochs=1, warm_start=True).fit(X, Y)
    with pytest.raises(RuntimeError, match="disk full"):
        model.set_params(lr=0.5, callbacks=[Fails()]).fit(X, Y)
    model.set_params(lr=0.01, callbacks=None).fit(X, Y)
    assert model.net_.history[:, "lr"] == [0.01, 0.01]


@pytest.mark.parametrize("pickled", [False, True])
def test_skorchs_scheduler_goes_on_in_a_warm_start(pickled: bool) -> None:
    model = NeuralClassifier(
        lr=0.01, lr_schedule="constant", max_epochs=3, warm_start=True,
        callbacks=[LRScheduler(lr_scheduler.ExponentialLR, gamma=0.5)],
    ).fit(X, Y)  # fmt: skip
    if pickled:
        model = pickle.loads(pickle.dumps(model))
    model.fit(X, Y)
    rates = model.net_.history[:, "lr"]
    np.testing.assert_allclose(rates[:3], [0.01, 0.005, 0.0025])
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[3:]))
    assert pickled or rates[3] < rates[2]


def test_skorchs_scheduler_sets_the_rate_of_the_first_step() -> None:
    model = NeuralClassifier(
        lr=0.01, lr_schedule="constant", max_epochs=2,
        callbacks=[LRScheduler(lr_scheduler.LambdaLR, lr_lambda=lambda epoch: 0.1 * (epoch + 1))],
    ).fit(X, Y)  # fmt: skip
    np.testing.assert_allclose(model.net_.history[:, "lr"], [0.001, 0.002])
