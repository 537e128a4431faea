"""`explain`: attributions of the columns of a table, in the unit that the user knows."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP, FTTransformer, ResNet, TabM

RANDOM = np.random.default_rng(0)
N = 240
FAST = {"max_epochs": 4, "random_state": 0}


def table(n=N) -> pd.DataFrame:
    """Every kind of column: numbers with and without gaps, categories few and many, dates, prose, recurring numbers."""
    x = RANDOM.normal(size=(n, 3))
    with_gaps = x[:, 1].copy()
    with_gaps[::7] = np.nan
    words = np.array(["red fox", "green tree", "old house", "fast car", "long road", "cold water"])
    prose = [" ".join(RANDOM.choice(words, 4)) + f" number {i}" for i in range(n)]
    return pd.DataFrame({
        "number": x[:, 0],
        "gaps": with_gaps,
        "colour": RANDOM.choice(["red", "green", None], n),
        "town": RANDOM.choice([f"town {i}" for i in range(25)], n),
        "code": RANDOM.choice([str(i) for i in range(100, 130)], n),
        "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(RANDOM.integers(0, 900, n), "D"),
        "prose": prose,
        "is_new": RANDOM.random(n) < 0.5,
        "idle": 1.0,
    })  # fmt: skip


TABLE = table()
NUMBERS = RANDOM.normal(size=(N, 4))
SIGNAL = 3 * NUMBERS[:, 0] - NUMBERS[:, 1] * NUMBERS[:, 2]


def log_odds(p):
    return np.log(p) - np.log1p(-p)


def centred(p):
    return np.log(p) - np.log(p).mean(axis=1, keepdims=True)


def check_sums(model, X, score, **options):
    """Attributions and the score of the baseline sum to the score, within 1e-3 of its spread."""
    found = model._explained(X, **{"method": "auto", "background": None, "max_evals": 100, **options})
    expected = score.reshape(len(score), -1)
    sums = found.base_values + found.values.sum(axis=1)
    assert np.abs(sums - expected).max() <= 1e-3 * expected.std()
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", [{}, {"background": 3}, {"method": "permutation"}], ids=str)
@pytest.mark.parametrize("module", ["auto", MLP, FTTransformer])
def test_attributions_sum_to_the_prediction_for_every_kind_of_column(module, options):
    y = 100 + 5 * TABLE["number"].to_numpy()
    model = NeuralRegressor(module, **FAST).fit(TABLE, y)
    X = TABLE[:30]
    options = {**options, **({"background": TABLE[30:33]} if "background" in options else {})}
    found = check_sums(model, X, model.predict(X), **options)
    assert found.values.shape == (30, TABLE.shape[1], 1)
    assert (found.values[:, list(TABLE).index("idle")] == 0).all()
    used = [i for i, name in enumerate(TABLE) if name != "idle"]
    assert (np.abs(found.values[:, used]).max(axis=(0, 2)) > 0).all()


TARGETS = {
    "regression": (NeuralRegressor, {}, 1e5 + 10 * SIGNAL, lambda m, X: m.predict(X)),
    "several outputs": (
        NeuralRegressor, {}, np.column_stack([SIGNAL, -100 * SIGNAL]), lambda m, X: m.predict(X),
    ),
    "one column of outputs": (NeuralRegressor, {}, SIGNAL[:, None], lambda m, X: m.predict(X)),
    "a constant output": (
        NeuralRegressor, {}, np.column_stack([SIGNAL, np.full(N, 7.0)]), lambda m, X: m.predict(X),
    ),
    "counts": (
        NeuralRegressor, {"criterion": "poisson"}, RANDOM.poisson(5 * np.exp(SIGNAL / 5)),
        lambda m, X: np.log(m.predict(X)),
    ),
    "quantiles": (
        NeuralRegressor, {"criterion": "quantile", "criterion_params": {"quantile": [0.1, 0.9]}}, SIGNAL,
        lambda m, X: m.predict(X),
    ),
    "two classes": (
        NeuralClassifier, {}, np.where(SIGNAL > 0, "b", "a"), lambda m, X: log_odds(m.predict_proba(X)[:, 1]),
    ),
    "three classes": (NeuralClassifier, {}, np.digitize(SIGNAL, [-1, 1]), lambda m, X: centred(m.predict_proba(X))),
    "labels": (
        NeuralClassifier, {}, np.column_stack([SIGNAL > 0, SIGNAL > 1]).astype(int),
        lambda m, X: log_odds(m.predict_proba(X)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", ["gradients", "permutation"])
@pytest.mark.parametrize("module", ["auto", MLP])
@pytest.mark.parametrize("target", TARGETS)
def test_attributions_sum_to_the_score_of_every_kind_of_target(target, module, method):
    kind, params, y, score = TARGETS[target]
    model = kind(module, **params, **FAST).fit(NUMBERS, y)
    X = NUMBERS[:40]
    check_sums(model, X, score(model, X), method=method)
    attributions = model.explain(X, method=method)
    n_outputs = {"several outputs": 2, "one column of outputs": 1, "a constant output": 2, "quantiles": 2, "labels": 2,
                 "three classes": 3}.get(target)  # fmt: skip
    assert attributions.shape == ((40, 4) if n_outputs is None else (40, 4, n_outputs))
    assert attributions.dtype == np.float64


def test_the_baseline_is_a_row_of_medians_without_attributions():
    X = np.vstack([NUMBERS[:-1], np.median(NUMBERS[:-1], axis=0)])
    model = NeuralRegressor(preprocessing=True, **FAST).fit(X, SIGNAL)
    row = model._inputs.encoder.center.numpy()[None]
    np.testing.assert_allclose(model.explain(row), 0, atol=1e-6)
    found = model._explained(X, method="auto", background=None, max_evals=1)
    np.testing.assert_allclose(found.base_values, model.predict(row), rtol=1e-5)


def test_a_background_is_what_attributions_start_from():
    model = NeuralRegressor(**FAST).fit(NUMBERS, SIGNAL)
    background = NUMBERS[50:60]
    sums = model.explain(NUMBERS[:20], background=background).sum(axis=1)
    expected = model.predict(NUMBERS[:20]) - model.predict(background).mean()
    assert np.abs(sums - expected).max() <= 1e-3 * expected.std()
    one_by_one = [model.explain(NUMBERS[:20], background=background[i : i + 1]) for i in range(10)]
    both = model.explain(NUMBERS[:20], background=background)
    assert np.abs(np.mean(one_by_one, axis=0) - both).sum() <= 0.03 * np.abs(both).sum()


@pytest.mark.parametrize("method", ["gradients", "permutation"])
@pytest.mark.parametrize("module", [TabM, MLP, ResNet])
def test_columns_without_effect_get_little_and_the_others_their_share(module, method):
    X = np.random.default_rng(1).normal(size=(1500, 4))
    y = 2 * X[:, 0] + X[:, 1] ** 2
    model = NeuralRegressor(module, random_state=0, max_time=20).fit(X, y)
    rows = X[:200]
    attributions = model.explain(rows, method=method, background=X[:20])
    expected = np.zeros((200, 4))
    expected[:, 0], expected[:, 1] = 2 * (rows[:, 0] - X[:20, 0].mean()), rows[:, 1] ** 2 - (X[:20, 1] ** 2).mean()
    assert np.abs(attributions - expected).mean() < 0.15


class Linear(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.layer = nn.Linear(in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


@pytest.mark.parametrize("method", ["gradients", "permutation"])
def test_a_linear_module_gets_weight_times_distance(method):
    model = NeuralRegressor(Linear, preprocessing=False, gradient_health=None, **FAST).fit(NUMBERS, SIGNAL)
    weight = model.module_.layer.weight.detach().numpy()[0]
    np.testing.assert_allclose(model.explain(NUMBERS, method=method), NUMBERS * weight, rtol=1e-3, atol=1e-5)
    background = NUMBERS[:5]
    expected = (NUMBERS - background.mean(axis=0)) * weight
    np.testing.assert_allclose(
        model.explain(NUMBERS, method=method, background=background), expected, rtol=1e-3, atol=1e-5
    )


class Symmetric(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, out_features))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x[:, :1] * x[:, 1:2] + x[:, :1] + x[:, 1:2])


@pytest.mark.parametrize("method", ["gradients", "permutation"])
def test_columns_of_the_same_effect_and_value_get_the_same_and_others_nothing(method):
    model = NeuralRegressor(Symmetric, preprocessing=False, **FAST).fit(NUMBERS, SIGNAL)
    X = NUMBERS[:20].copy()
    X[:, 1] = X[:, 0]
    attributions = model.explain(X, method=method, max_evals=2000)
    np.testing.assert_allclose(attributions[:, 0], attributions[:, 1], rtol=0.02, atol=1e-4)
    assert (attributions[:, 2:] == 0).all()


class OwnEmbeddings(nn.Module):
    """An embedding of each column, in a width of its own."""

    def __init__(self, in_features: int, out_features: int, cat_cardinalities: list[int]) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(n, 2 + i) for i, n in enumerate(cat_cardinalities))
        width = in_features + sum(2 + i for i in range(len(cat_cardinalities)))
        self.layers = nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, out_features))

    def embedded(self, x_cat: Tensor) -> list[Tensor]:
        return [embedding(x_cat[:, i]) for i, embedding in enumerate(self.embeddings)]

    def forward(self, x: Tensor, x_cat: Tensor) -> Tensor:
        return self.layers(torch.cat([x, *self.embedded(x_cat)], dim=1))


class Indexed(OwnEmbeddings):
    """The same by indexing, in which nothing lies between two codes."""

    def embedded(self, x_cat: Tensor) -> list[Tensor]:
        return [embedding.weight[x_cat[:, i]] for i, embedding in enumerate(self.embeddings)]


class Locked(Linear):
    """A module that cannot be copied."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.lock = threading.Lock()


class StepsFirst(OwnEmbeddings):
    """The same with the rows on the second axis of the codes."""

    def embedded(self, x_cat: Tensor) -> list[Tensor]:
        return [embedding(x_cat[:, i][None])[0] for i, embedding in enumerate(self.embeddings)]


class Threshold(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer((x > 0).to(x.dtype)) + 0 * x[:, :1]


class Detached(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.detach())


SMALL = pd.DataFrame({"x": NUMBERS[:, 0], "town": TABLE["town"], "colour": TABLE["colour"]})


def test_embeddings_of_a_users_module_are_explained_by_gradients():
    model = NeuralRegressor(OwnEmbeddings, **FAST).fit(SMALL, SIGNAL)
    X = SMALL[:30]
    found = check_sums(model, X, model.predict(X), method="gradients")
    exact = model.explain(X, method="permutation", max_evals=400)
    assert np.abs(found.values[..., 0] - exact).sum() < 0.35 * np.abs(exact).sum()
    check_sums(model, X, model.predict(X), method="gradients", background=SMALL[30:34])


@pytest.mark.parametrize(
    "module", [Indexed, StepsFirst, Threshold, Detached, Locked], ids=lambda module: module.__name__
)
def test_modules_without_gradients_are_explained_by_permutations(module):
    X = SMALL if issubclass(module, OwnEmbeddings) else SMALL[["x"]]
    model = NeuralRegressor(module, gradient_health=None, **FAST).fit(X, SIGNAL)
    X = X[:20]
    check_sums(model, X, model.predict(X))
    np.testing.assert_array_equal(model.explain(X), model.explain(X, method="permutation"))
    with pytest.raises(ValueError, match="gradients cannot explain .*. Use method='permutation'"):
        model.explain(X, method="gradients")


class Squeezed(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).squeeze()


@pytest.mark.parametrize("method", ["gradients", "permutation"])
def test_a_module_that_squeezes_its_output_is_explained_for_one_row(method):
    model = NeuralRegressor(Squeezed, preprocessing=False, gradient_health=None, **FAST).fit(NUMBERS, SIGNAL)
    found = model.explain(NUMBERS[:1], method=method)
    np.testing.assert_allclose(found, NUMBERS[:1] * model.module_.layer.weight.detach().numpy(), rtol=1e-3, atol=1e-5)


class InPlace(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.mul_(2))


@pytest.mark.parametrize("method", ["gradients", "permutation"])
def test_a_module_that_changes_its_input_is_explained(method):
    model = NeuralRegressor(InPlace, preprocessing=False, gradient_health=None, **FAST).fit(NUMBERS, SIGNAL)
    weight = model.module_.layer.weight.detach().numpy()[0]
    expected = (NUMBERS - NUMBERS[:1]) * 2 * weight
    found = model.explain(NUMBERS, method=method, background=NUMBERS[:1])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_several_dimensions_are_explained_in_their_shape():
    class Flat(nn.Module):
        def __init__(self, in_shape: tuple[int, ...], out_features: int) -> None:
            super().__init__()
            self.layer = nn.Linear(in_shape[0] * in_shape[1], out_features)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.flatten(1))

    X = RANDOM.normal(size=(60, 3, 4))
    model = NeuralRegressor(Flat, gradient_health=None, **FAST).fit(X, X[:, 0, 0])
    attributions = model.explain(X[:10])
    weight = model.module_.layer.weight.detach().numpy().reshape(3, 4)
    np.testing.assert_allclose(attributions, X[:10] * weight * np.std(X[:, 0, 0]), rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match="no columns to permute"):
        model.explain(X[:10], method="permutation")


def test_sparse_matrices_are_explained_as_they_are_predicted():
    X = scipy.sparse.random_array((N, 30), density=0.2, rng=np.random.default_rng(0), format="csr")
    y = np.asarray(X[:, [0]].todense()).ravel() + RANDOM.normal(size=N) / 100
    model = NeuralRegressor(**FAST).fit(X, y)
    check_sums(model, X[:30], model.predict(X[:30]))
    attributions = model.explain(X[:30])
    assert (attributions[X[:30].toarray() == 0] == 0).all()
    check_sums(model, X[:10], model.predict(X[:10]), background=X[40:43])


def test_wide_tables_with_curves_of_some_columns():
    X = RANDOM.normal(size=(N, 90))
    model = NeuralRegressor(**FAST).fit(X, X[:, 0])
    check_sums(model, X[:20], model.predict(X[:20]))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.SiLU, nn.Tanh, nn.Softplus])
def test_all_activations_of_tabm(activation):
    model = NeuralRegressor(TabM, module_params={"activation": activation, "n_members": 2}, **FAST).fit(NUMBERS, SIGNAL)
    check_sums(model, NUMBERS[:20], model.predict(NUMBERS[:20]))


@pytest.mark.filterwarnings("ignore")
def test_a_row_has_the_same_attributions_in_any_batch():
    model = NeuralRegressor(**FAST).fit(TABLE, SIGNAL)
    for options in ({}, {"method": "permutation"}, {"background": TABLE[:3]}):
        all_rows = model.explain(TABLE[:33], **options)
        np.testing.assert_allclose(model.explain(TABLE[5:6], **options), all_rows[5:6], atol=1e-5 * SIGNAL.std())
        np.testing.assert_array_equal(model.explain(TABLE[:33], **options), all_rows)


def test_libraries_of_tables_give_the_same():
    X = TABLE[["number", "gaps", "town"]]
    model = NeuralRegressor(**FAST).fit(X, SIGNAL)
    np.testing.assert_array_equal(model.explain(pl.from_pandas(X), background=pl.from_pandas(X[:4])),
                                  model.explain(X, background=X[:4]))  # fmt: skip


def test_after_pickle_and_load(tmp_path):
    X = TABLE[["number", "gaps", "town", "date"]]
    model = NeuralClassifier(**FAST).fit(X, SIGNAL > 0)
    expected = model.explain(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).explain(X), expected)
    sknn.save(model, tmp_path / "model.sknn")
    np.testing.assert_array_equal(sknn.load(tmp_path / "model.sknn").explain(X), expected)


def test_predictions_and_weights_are_unchanged_also_in_inference_mode():
    for module in (TabM, MLP):
        model = NeuralRegressor(module, **FAST).fit(NUMBERS, SIGNAL)
        before, weights = model.predict(NUMBERS), pickle.dumps(model.module_.state_dict())
        expected = model.explain(NUMBERS)
        with torch.inference_mode():
            np.testing.assert_array_equal(model.explain(NUMBERS), expected)
        np.testing.assert_array_equal(model.predict(NUMBERS), before)
        assert pickle.dumps(model.module_.state_dict()) == weights
        assert all(parameter.grad is None for parameter in model.module_.parameters())
        assert not any(part._forward_hooks for part in model.module_.modules())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "shap"}, r"method='shap' is unknown; expected one of \['auto', 'gradients', 'permutation'\]"),
        ({"method": None}, "method=None is unknown"),
        ({"max_evals": 0}, "max_evals=0 is out of range"),
        ({"background": NUMBERS[:5, :2]}, "background.*2 features"),
        ({"background": NUMBERS[:0]}, r"background: Found array with 0 sample\(s\)"),
        ({"background": NUMBERS[0]}, "background"),
    ],
)
def test_bad_options_are_refused(options, message):
    model = NeuralRegressor(**FAST).fit(NUMBERS, SIGNAL)
    with pytest.raises(ValueError, match=message):
        model.explain(NUMBERS, **options)


def test_bad_tables_are_refused():
    model = NeuralRegressor(**FAST)
    with pytest.raises(NotFittedError):
        model.explain(NUMBERS)
    model.fit(TABLE[["number", "town"]], SIGNAL)
    with pytest.raises(ValueError, match="Found array with 0 sample"):
        model.explain(TABLE[["number", "town"]][:0])
    with pytest.raises(ValueError, match="yet now missing"):
        model.explain(TABLE[["number"]])
    with pytest.raises(ValueError, match="background.*yet now missing|yet now missing"):
        model.explain(TABLE[["number", "town"]], background=TABLE[["number"]])
