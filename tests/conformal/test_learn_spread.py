"""The spread of errors is learned where it depends on something, and constant elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sknn._conformal.learn_spread import learn_spread
from sknn._conformal.spread import LearnedSpread, Spread


def case(n=1500, seed=0):
    random = np.random.default_rng(seed)
    x = torch.tensor(random.normal(size=(n, 4)), dtype=torch.float32)
    codes = torch.tensor(random.integers(0, 5, (n, 2)))
    raw = torch.tensor(random.normal(size=(n, 1)), dtype=torch.float32)
    noise = torch.tensor(random.normal(size=(n, 1)), dtype=torch.float32).abs()
    return x, codes, raw, noise, torch.ones(n), torch.arange(n) % 5


def correlation(found, true):
    return float(np.corrcoef(found.ravel().numpy(), true.ravel().numpy())[0, 1])


@pytest.mark.parametrize(
    "log_scale",
    [
        lambda x, codes, raw: x[:, :1],
        lambda x, codes, raw: 0.7 * x[:, 1:2] ** 2,
        lambda x, codes, raw: 1.5 * (codes[:, 1:] == 3).float(),
        lambda x, codes, raw: 0.8 * raw,
    ],
    ids=["a number", "its square", "a category", "the prediction"],
)
def test_what_the_spread_depends_on_is_found(log_scale):
    x, codes, raw, noise, weight, fold = case()
    true = log_scale(x, codes, raw)
    learned, by_others = learn_spread(x, codes, [5, 5], raw, noise * true.exp(), weight, fold)
    assert correlation(by_others, true) > 0.9
    found = Spread(learned, [5, 5])(x, codes, raw)
    assert correlation(found, true) > 0.9
    # The mean of the absolute normal distribution.
    assert (found - true).median().exp().item() == pytest.approx(0.8, rel=0.1)


def test_it_is_constant_where_nothing_is_to_be_learned():
    x, codes, raw, noise, weight, fold = case()
    learned, by_others = learn_spread(x, codes, [5, 5], raw, noise, weight, fold)
    assert len(learned.linear) == len(learned.categories) == 0
    assert (by_others == by_others[0]).all()
    assert by_others[0].exp().item() == pytest.approx(noise.mean().item(), rel=0.01)


@pytest.mark.parametrize("n", [1, 2, 30])
def test_few_rows_have_one_spread(n):
    x, codes, raw, noise, weight, fold = (values[:n] for values in case())
    learned, by_others = learn_spread(x, codes, [5, 5], raw, noise * x[:, :1].exp(), weight, fold)
    assert len(learned.linear) == 0
    assert (by_others == by_others[0]).all()


def test_rows_are_judged_by_other_folds():
    x, codes, raw, noise, weight, _ = case(200)
    fold = torch.arange(200) // 100
    errors = noise * x[:, :1].exp()
    _, before = learn_spread(x, None, [], raw, errors, weight, fold)
    _, after = learn_spread(x, None, [], raw, torch.where(fold[:, None] == 1, 2 * errors, errors), weight, fold)
    changed = (before != after)[:, 0]
    assert changed[:100].all()
    # Of the changed fold only the penalty may follow the change.
    assert torch.allclose(before[100:], after[100:])


def test_a_wild_error_decides_nothing():
    x, codes, raw, noise, weight, fold = case()
    errors = noise * x[:, :1].exp()
    _, before = learn_spread(x, codes, [5, 5], raw, errors, weight, fold)
    errors[7] = 1e4
    _, after = learn_spread(x, codes, [5, 5], raw, errors, weight, fold)
    assert correlation(after, before) > 0.98


def test_it_stays_within_the_range_that_was_seen():
    x, codes, raw, noise, weight, fold = case()
    learned, _ = learn_spread(x, None, [], raw, noise * (0.8 * raw).exp(), weight, fold)
    spread = Spread(learned, [])
    far = spread(x[:2], None, torch.tensor([[1e6], [-1e6]]))
    assert torch.equal(far, spread(x[:2], None, torch.stack([raw.max(dim=0).values, raw.min(dim=0).values])))
    assert far[0] > far[1]


def test_outputs_have_their_own():
    x, codes, raw, noise, weight, fold = case()
    errors = torch.cat([noise * x[:, :1].exp(), 5 * noise], dim=1)
    learned, by_others = learn_spread(x, None, [], raw.expand(-1, 2), errors, weight, fold)
    assert correlation(by_others[:, 0], x[:, 0]) > 0.9
    assert (by_others[:, 1] == by_others[0, 1]).all()
    assert Spread(learned, [])(x, None, raw.expand(-1, 2)).shape == (1500, 2)


def test_errors_of_zero_are_finite():
    x, codes, raw, noise, weight, fold = case(100)
    learned, by_others = learn_spread(x, codes, [5, 5], raw, 0 * noise, weight, fold)
    assert torch.isfinite(by_others).all()
    assert torch.isfinite(Spread(learned, [5, 5])(x, codes, raw)).all()


def test_weights_count_as_copies():
    x, codes, raw, noise, _, _ = case(300)
    errors, fold = noise * x[:, :1].exp(), torch.arange(300) % 5
    twice = torch.cat([torch.arange(300), torch.arange(100)])
    weight = torch.where(torch.arange(300) < 100, 2.0, 1.0)
    _, weighted = learn_spread(x, None, [], raw, errors, weight, fold)
    _, copied = learn_spread(x[twice], None, [], raw[twice], errors[twice], torch.ones(400), fold[twice])
    assert correlation(weighted, copied[:300]) > 0.99


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limits", np.zeros((2, 2), np.float32)),
        ("constant", np.full((1, 1), np.nan, np.float32)),
        ("of_raw", np.zeros((2, 1))),
        ("raw_range", np.zeros((4, 1), np.float32)),
        ("square", np.zeros((3, 1), np.float32)),
    ],
)
def test_weights_that_do_not_fit_together_are_refused(name, value):
    x, codes, raw, noise, weight, fold = case(100)
    learned, _ = learn_spread(x, codes, [5, 5], raw, noise, weight, fold)
    with pytest.raises(ValueError, match="must be|has the shape"):
        LearnedSpread(**{**vars(learned), name: value})


def test_each_of_many_outputs_has_one_spread():
    x, codes, raw, noise, weight, fold = case(200)
    errors = noise * torch.arange(1.0, 31.0)
    learned, by_others = learn_spread(x, codes, [5, 5], raw.expand(-1, 30), errors, weight, fold)
    assert learned.constant.shape == (1, 30)
    assert torch.equal(Spread(learned, [5, 5])(x, codes, raw.expand(-1, 30)), by_others)
    assert (by_others[0, 9] - by_others[0, 0]).exp().item() == pytest.approx(10, rel=1e-3)
