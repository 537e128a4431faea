"""TabM against a slow reference, committees, and how losses combine and calibrate what members say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_iris, load_wine
from torch import nn
from torch.nn import functional as F

from sknn import NeuralClassifier, NeuralRegressor
from sknn._data.split import validation_splits
from sknn.losses import AbsoluteError, LogLoss, ModuleLoss, MultilabelLogLoss, Poisson, SquaredError
from sknn.modules import MLP, Committee, TabM
from sknn.modules.numeric_embeddings import quantile_knots
from sknn.optim import WeightAverage


def member_by_hand(tabm: TabM, i: int, x_num: torch.Tensor, x_cat: torch.Tensor | None) -> torch.Tensor:
    """What member `i` says, a column, a piece and a row at a time."""
    size = tabm.curves.shape[2] // tabm.n_members if tabm.curves is not None else 0
    rows = []
    for row in range(len(x_num)):
        shared = x_num[row]
        if tabm.embeddings is not None:
            shared = torch.cat([shared, tabm.embeddings(x_cat[row : row + 1])[0]])
        first = tabm.first_weight.view(-1, tabm.n_members, tabm.width)[:, i]
        hidden = (shared * (1 + 12 * tabm.gain)) @ first + tabm.first_bias[i, 0]
        own = []
        for column in range(tabm.in_features if size else 0):
            knots, value = tabm.knots[column], x_num[row, column]
            shares = [float(((value - a) / (b - a)).clamp(0, 1)) if b > a else 0.0 for a, b in pairwise(knots)]
            gain = 4 * (1 + 12 * tabm.curve_gain[column, 0, 0])
            own.append(gain * torch.tensor(shares) @ tabm.curves[column, :, i * size : (i + 1) * size])
        if own:
            hidden = hidden + torch.cat(own) @ tabm.curve_weight[i]
        hidden = hidden.relu()
        for block in tabm.blocks:
            hidden = hidden + (block.weight @ hidden + block.bias[i, 0]).relu()
        rows.append(hidden @ tabm.head_weight[i] + tabm.head_bias[i, 0])
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("in_features", "cardinalities", "n_bins"), [(3, (), 5), (2, (4, 30), 4), (0, (5,), 4), (3, (), 0)]
)
def test_every_member_is_a_residual_network_of_its_own(in_features, cardinalities, n_bins):
    torch.manual_seed(0)
    tabm = TabM(in_features, 2, n_members=3, n_blocks=2, width=8, n_bins=n_bins, cat_cardinalities=cardinalities)
    x_num = torch.randn(6, in_features)
    x_cat = torch.stack([torch.randint(0, c, (6,)) for c in cardinalities], 1) if cardinalities else None
    if in_features:
        tabm.fit_knots(torch.randn(50, in_features))
    for parameter in (tabm.gain, tabm.curve_gain, *(block.bias for block in tabm.blocks)):
        if parameter is not None:
            nn.init.normal_(parameter)
    out = tabm.eval()(x_num, x_cat)
    assert out.shape == (6, 3, 2)
    for i in range(3):
        torch.testing.assert_close(out[:, i], member_by_hand(tabm, i, x_num, x_cat))


def test_dropout_acts_in_training_only_and_keeps_the_mean():
    torch.manual_seed(0)
    tabm = TabM(3, 1, width=256, n_blocks=0, dropout=0.5)
    x = torch.ones(6, 400, 256)
    dropped = tabm._drop(x)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert abs(float(dropped.mean()) - 1) < 0.02
    assert tabm.eval()._drop(x) is x


def test_knots_of_a_spike_leave_pieces_for_the_other_values():
    column = torch.cat([torch.zeros(900), torch.arange(1.0, 101.0)])
    knots = quantile_knots(column.unsqueeze(1), 10)[0]
    assert knots[0] == 0
    assert (knots > 0).sum() >= 8  # plain quantiles would give one
    assert knots[-1] == 100


def test_knots_are_all_values_where_these_are_few():
    knots = quantile_knots(torch.tensor([[3.0], [1.0], [1.0], [2.0]]), 5)[0]
    assert knots.tolist() == [1.0, 2.0, 3.0, 3.0, 3.0, 3.0]


def test_a_weight_counts_as_rows_for_knots():
    generator = torch.Generator().manual_seed(0)
    x_num, weight = torch.randn(300, 2, generator=generator), torch.randint(1, 6, (300,), generator=generator)
    weighted = quantile_knots(x_num, 10, weight / weight.float().mean())
    torch.testing.assert_close(weighted, quantile_knots(x_num.repeat_interleave(weight, 0), 10), rtol=0, atol=0)
    assert not torch.equal(weighted, quantile_knots(x_num, 10))


@pytest.mark.parametrize(
    "loss",
    [
        *(LogLoss(), MultilabelLogLoss(), Poisson(), SquaredError(), AbsoluteError()),
        *(ModuleLoss(nn.CrossEntropyLoss(), "classes"), ModuleLoss(nn.NLLLoss(), "classes")),
        *(ModuleLoss(nn.BCEWithLogitsLoss(), "multilabel"), ModuleLoss(nn.PoissonNLLLoss(), "real")),
    ],
    ids=lambda loss: loss.name + type(loss).__name__,
)
def test_combined_prediction_is_the_mean_of_the_members(loss):
    torch.manual_seed(0)
    raw = torch.randn(5, 4, 3)
    if loss.name == "NLLLoss":
        raw = raw.log_softmax(2)
    mean = torch.stack([loss.inverse_link(raw[:, i]) for i in range(4)]).mean(0)
    torch.testing.assert_close(loss.inverse_link(loss.combine(raw)), mean)


def test_combined_score_of_two_classes_is_the_mean_probability():
    raw = torch.tensor([[[3.0], [-1.0]]])
    expected = raw.sigmoid().mean(1)
    torch.testing.assert_close(LogLoss().inverse_link(LogLoss().combine(raw))[:, 1:], expected)


def test_temperature_finds_how_overconfident_scores_are():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5000, 3, generator=generator)
    y = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    loss = LogLoss()
    loss.calibrate(3 * logits, y)
    assert 2.7 < float(loss.temperature) < 3.3
    off = LogLoss(temperature_scaling=False)
    off.calibrate(3 * logits, y)
    assert float(off.temperature) == 1


def test_temperature_obeys_weights_and_hardly_moves_on_few_rows():
    logits, y = torch.tensor([[4.0, 0.0], [4.0, 0.0]]), torch.tensor([0, 1])
    right, wrong, few = LogLoss(), LogLoss(), LogLoss()
    right.calibrate(logits.repeat(50, 1), y.repeat(50), torch.tensor([1.0, 0.0]).repeat(50))
    wrong.calibrate(logits.repeat(50, 1), y.repeat(50), torch.tensor([0.0, 1.0]).repeat(50))
    few.calibrate(logits[1:], y[1:])
    assert float(right.temperature) < 1 < float(few.temperature) < float(wrong.temperature)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("n_scores", [1, 2, 3])
@pytest.mark.parametrize("factor", [0.02, 0.2, 5.0, 100.0])
def test_held_out_rows_are_judged_at_the_temperature_that_will_be_fitted(n_scores, factor, label_smoothing):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(3000, n_scores, generator=generator)
    loss = LogLoss(label_smoothing=label_smoothing)
    y = torch.multinomial(loss.inverse_link(logits), 1, generator=generator)[:, 0]
    weight = torch.rand(3000, generator=generator)
    judged = float(loss.validation_loss(factor * logits, y, weight))
    assert judged < float(loss(factor * logits, y, weight)) - 0.01
    loss.calibrate(factor * logits, y, weight)
    assert judged == pytest.approx(float(loss(factor * logits / loss.temperature, y, weight)), rel=1e-3)
    off = LogLoss(temperature_scaling=False)
    assert off.validation_loss(factor * logits, y) == off(factor * logits, y)


def test_few_held_out_rows_hardly_move_the_temperature_that_they_are_judged_at():
    raw, y = torch.tensor([[4.0, 0.0], [0.0, 4.0]]), torch.tensor([0, 1])
    assert 0 < float(LogLoss().validation_loss(raw, y)) < float(LogLoss()(raw, y))
    assert float(LogLoss().validation_loss(100 * raw, y)) == 0
    assert torch.isfinite(LogLoss().validation_loss(1e20 * raw, 1 - y))
    assert torch.isfinite(LogLoss().validation_loss(raw.double(), y))


def test_temperature_does_not_enter_the_training_loss():
    loss, raw, y = LogLoss(), torch.tensor([[2.0, 0.0]]), torch.tensor([1])
    before = loss(raw, y)
    loss.temperature.fill_(5.0)
    assert loss(raw, y) == before
    assert loss.inverse_link(raw)[0, 1] > raw.softmax(1)[0, 1]


def test_committee_gives_every_network_its_part_of_the_batch():
    torch.manual_seed(0)
    networks = [nn.Linear(3, 2), nn.Linear(3, 2)]
    committee, x = Committee(networks), torch.randn(8, 3)
    both = committee(x)
    torch.testing.assert_close(both, torch.stack([network(x) for network in networks], 1))
    with committee.own_rows():
        own = committee(x)
        with pytest.raises(ValueError, match="9 rows cannot be divided among 2 networks"):
            committee(torch.randn(9, 3))
    torch.testing.assert_close(own[:, 0], torch.cat([networks[0](x[:4]), networks[1](x[4:])]))


def test_committee_refuses_no_network():
    with pytest.raises(ValueError, match="networks is empty"):
        Committee([])


@pytest.mark.parametrize("labels", [None, np.arange(100) % 3])
def test_no_row_is_held_out_twice_and_every_network_trains_on_the_rest(labels):
    train, valid = validation_splits(3, 100, fraction=0.2, seed=0, labels=labels)
    assert valid.shape == (3, 20)
    assert len(np.unique(valid)) == 60
    for inside, outside in zip(train, valid, strict=True):
        assert np.array_equal(np.sort(np.concatenate([inside, outside])), np.arange(100))


def test_groups_stay_on_one_side_of_every_split():
    groups = np.repeat(np.arange(20), np.arange(1, 21))
    train, valid = validation_splits(2, len(groups), fraction=0.2, seed=0, groups=groups)
    assert not set(groups[valid[0]]) & set(groups[valid[1]])
    for inside, outside in zip(train, valid, strict=True):
        assert not set(groups[inside]) & set(groups[outside])


def test_networks_share_held_out_rows_where_there_are_too_few():
    train, valid = validation_splits(2, 2, fraction=0.15, seed=0)
    assert valid.tolist() == [valid[0].tolist()] * 2
    assert sorted([*train[0], *valid[0]]) == [0, 1]
    assert validation_splits(4, 10, fraction=0.3, seed=0)[1].shape == (4, 3)


def test_weight_average_forgets_where_it_began():
    live = [torch.zeros(1)]
    average = WeightAverage(live, decay=0.75)
    expected = None
    for t, value in enumerate([1.0, 3.0, 5.0, 7.0, 1.0, 2.0] * 3, start=1):
        live[0].fill_(value)
        average.update()
        expected = value if t == 1 else expected + max(3 / (t + 2), 0.25) * (value - expected)
    average.show()
    assert float(live[0]) == pytest.approx(expected)
    average.hide()
    assert float(live[0]) == 2.0


class TestEstimators:
    def test_networks_hold_out_different_rows(self):
        X, y = load_wine(return_X_y=True)
        clf = NeuralClassifier(early_stopping=True, max_epochs=3, random_state=0).fit(X, y)
        assert isinstance(clf.module_, Committee)
        assert len(clf.module_.networks) == 4
        first, *others = clf.module_.networks
        different = [
            not torch.equal(a, b)
            for other in others
            for a, b in zip(first.parameters(), other.parameters(), strict=True)
        ]
        assert any(different)

    def test_prediction_is_the_mean_of_all_members(self):
        X, y = load_iris(return_X_y=True)
        clf = NeuralClassifier(max_epochs=5, criterion_params={"temperature_scaling": False}, random_state=0).fit(X, y)
        x_num = clf._inputs.encode(X[:7])[0]
        with torch.no_grad():
            members = clf.module_(x_num).softmax(-1)
        assert members.shape == (7, 16, 3)
        np.testing.assert_allclose(clf.predict_proba(X[:7]), members.mean(1), atol=1e-5)

    def test_any_module_can_be_a_committee(self):
        X, y = load_diabetes(return_X_y=True)

        class Linear(nn.Module):
            def __init__(self, in_features, out_features):
                super().__init__()
                self.linear = nn.Linear(in_features, out_features)

            def forward(self, x):
                return self.linear(x)

        reg = NeuralRegressor(Linear, n_networks=3, lr=0.01, random_state=0).fit(X, y)
        assert len(reg.module_.networks) == 3
        assert reg.score(X, y) > 0.4

    def test_scorers_see_the_rows_that_their_predictions_are_of(self):
        X, y = load_wine(return_X_y=True)
        by_score = NeuralClassifier(
            early_stopping=True, scoring="neg_log_loss", max_epochs=30, n_iter_no_change=30, random_state=0
        ).fit(X, y)
        assert max(by_score.validation_scores_) > -0.2  # of rows in another order it would be about -1.1

    def test_validation_rows_of_the_user_serve_all_networks(self):
        X, y = load_iris(return_X_y=True)
        clf = NeuralClassifier(max_epochs=3, random_state=0).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
        assert len(clf.validation_scores_) == 3

    def test_temperature_is_kept_with_the_model(self):
        X, y = load_wine(return_X_y=True)
        clf = NeuralClassifier(early_stopping=True, max_epochs=4, random_state=0).fit(X, y)
        temperature = float(clf.net_.criterion_.temperature)
        assert temperature != 1
        raw = torch.from_numpy(clf.decision_function(X))
        np.testing.assert_allclose(clf.predict_proba(X), F.softmax(raw / temperature, 1), atol=1e-6)

    def test_average_of_the_weights_is_what_is_kept(self):
        X, y = load_iris(return_X_y=True)
        kept = {}
        for decay in (None, 0.9):
            clf = NeuralClassifier(ema_decay=decay, max_epochs=3, random_state=0).fit(X, y)
            kept[decay] = [p.detach().clone() for p in clf.module_.parameters()]
        assert any(not torch.equal(*pair) for pair in zip(kept[None], kept[0.9], strict=True))

    def test_weights_and_copies_of_rows_mean_the_same(self):
        X, y = load_iris(return_X_y=True)
        X, y = X[::6], y[::6]
        weight = np.where(np.arange(len(y)) % 2, 1.0, 2.0)
        copies = np.repeat(np.arange(len(y)), weight.astype(int))
        weighted = NeuralClassifier(max_epochs=5, random_state=0).fit(X, y, sample_weight=weight)
        copied = NeuralClassifier(max_epochs=5, random_state=0).fit(X[copies], y[copies])
        np.testing.assert_allclose(weighted.predict_proba(X), copied.predict_proba(X), atol=1e-6)


class TestRecipe:
    PARAMS = {"module_params": {"width": 8, "n_members": 2, "n_bins": 4}, "max_epochs": 1, "random_state": 0}

    @staticmethod
    def table(n_rows):
        X = np.random.default_rng(0).normal(size=(n_rows, 3))
        return X, X[:, 0]

    def test_more_networks_for_few_rows(self):
        for n_rows, n_networks in ((5000, 4), (5001, 2)):
            reg = NeuralRegressor(**self.PARAMS).fit(*self.table(n_rows))
            assert len(reg.module_.networks) == n_networks

    def test_a_fit_that_goes_on_keeps_its_networks(self):
        X, y = self.table(5100)
        reg = NeuralRegressor(warm_start=True, **self.PARAMS).fit(X, y)
        reg.fit(X[:200], y[:200])
        assert len(reg.module_.networks) == 2
        stream = NeuralRegressor(**self.PARAMS).partial_fit(X[:100], y[:100])
        assert len(stream.module_.networks) == 2

    def test_decay_follows_the_steps_of_an_epoch(self):
        X, y = self.table(1000)  # 850 to learn from, 7 batches of 128
        reg = NeuralRegressor(lr=0.02, **self.PARAMS).fit(X, y)
        decayed, exempt = reg.net_.optimizer_.param_groups
        assert decayed["weight_decay"] == pytest.approx(1 / (0.02 * 12 * 7))
        assert exempt["weight_decay"] == 0

    def test_a_decay_of_the_user_stays(self):
        X, y = self.table(300)
        reg = NeuralRegressor(optimizer_params={"weight_decay": 0.5}, **self.PARAMS).fit(X, y)
        assert reg.net_.optimizer_.param_groups[0]["weight_decay"] == 0.5
        reg = NeuralRegressor(optimizer=torch.optim.SGD, **self.PARAMS).fit(X, y)
        assert reg.net_.optimizer_.param_groups[0]["weight_decay"] == 0
        reg = NeuralRegressor(MLP, max_epochs=1).fit(X, y)
        assert reg.net_.optimizer_.param_groups[0]["weight_decay"] == 0.01  # torch's
