"""Columns from fit to predict, pickles, files and exports: numbers as text, dates, idle columns."""

import functools
import importlib.util
import pickle
import warnings

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.inspection import partial_dependence, permutation_importance

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP, FTTransformer, ResNet, TabM

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(200, 2))
Y = X.sum(1) + GENERATOR.normal(size=200) > 0
QUICK = {"max_epochs": 2, "random_state": 0, "gradient_health": None}


def classifier(module=MLP, **params):
    return NeuralClassifier(module, **QUICK, **params)


def n_weights(model):
    return sum(parameter.numel() for parameter in model.module_.parameters())


@pytest.mark.parametrize("module", [MLP, ResNet, TabM, FTTransformer])
@pytest.mark.parametrize(
    "idle", [np.zeros((200, 30)), np.full((200, 30), np.nan), np.full((200, 30), 1e9)], ids=["0", "nan", "1e9"]
)
def test_idle_columns_cost_nothing_and_change_no_bit(module, idle):
    expected = classifier(module).fit(X, Y)
    found = classifier(module).fit(np.c_[idle, X], Y)
    assert n_weights(found) == n_weights(expected)
    assert found.n_features_in_ == 32
    np.testing.assert_array_equal(found.predict_proba(np.c_[idle, X]), expected.predict_proba(X))
    np.testing.assert_array_equal(found.predict_proba(np.c_[np.zeros((200, 30)), X]), expected.predict_proba(X))
    assert permutation_importance(found, np.c_[idle, X], Y, n_repeats=2).importances_mean[:30].tolist() == [0.0] * 30


def test_idle_columns_of_a_sparse_matrix_cost_nothing():
    S = np.where(np.abs(X) < 0.5, 0.0, X)
    wide = scipy.sparse.csr_array(np.c_[np.zeros((200, 500)), S])
    expected, found = classifier().fit(scipy.sparse.csr_array(S), Y), classifier().fit(wide, Y)
    assert n_weights(found) == n_weights(expected)
    np.testing.assert_array_equal(found.predict_proba(wide.toarray()), expected.predict_proba(S))


def test_a_table_of_idle_columns_only_gives_a_constant_prediction():
    for nothing in (
        np.ones((200, 50)),
        pd.DataFrame({"a": ["x"] * 200, "b": np.nan}),
        scipy.sparse.csr_array((200, 50)),
    ):
        model = classifier().fit(nothing, Y)
        proba = model.predict_proba(nothing)
        assert (proba == proba[0]).all()
        assert abs(proba[0, 1] - Y.mean()) < 0.2


class Fixed(torch.nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.in_features = in_features
        self.layer = torch.nn.Linear(in_features, out_features)

    def forward(self, x):
        return self.layer(x)


def test_modules_of_the_user_and_fixed_widths_get_all_columns():
    idle = np.c_[np.zeros(200), X]
    assert classifier(Fixed).fit(idle, Y).module_.in_features == 3
    classifier(MLP(3, 2)).fit(idle, Y).predict(idle)
    classifier(functools.partial(MLP, in_features=3)).fit(idle, Y)
    assert n_weights(classifier(type("Own", (MLP,), {})).fit(idle, Y)) > n_weights(classifier().fit(idle, Y))


def test_a_column_that_is_idle_in_the_first_rows_of_a_stream_is_kept():
    model = classifier().partial_fit(np.c_[np.zeros(200), X], Y, classes=[False, True])
    assert n_weights(model) == n_weights(classifier().fit(np.c_[X, X[:, 0]], Y))
    with pytest.warns(UserWarning, match="column 0: a median"):
        model.partial_fit(np.c_[X[:, 0], X], Y)
    warm = classifier(warm_start=True).fit(np.c_[np.zeros(200), X], Y)
    with pytest.warns(UserWarning, match="column 0: several values, where the first call had one or none"):
        warm.fit(np.c_[X[:, 0], X], Y)
    np.testing.assert_array_equal(warm.predict(np.c_[X[:, 0], X]), warm.predict(np.c_[np.zeros(200), X]))


def table(n=200):
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(n) % 97, unit="D")
    amount = pd.Series(np.round(GENERATOR.normal(size=n) * 1e3, 1))
    text = amount.map(lambda v: f"{v:,.1f} €".replace(",", "_").replace(".", ",").replace("_", "."))
    text[::9] = "?"
    columns = {
        "idle": 1.0,
        "amount": text,
        "day": days,
        "city": ["Rome", "Bonn"] * (n // 2),
        "empty": None,
        "same": "x",
    }
    return pd.DataFrame({**columns, "took": pd.to_timedelta(np.arange(n) % 13, unit="h")}), amount


TABLE, AMOUNT = table()


@pytest.fixture(scope="module")
def fitted():
    with pytest.warns(UserWarning, match=r"X: column 'amount' \(position 1\) is text that was read as numeric") as told:
        model = NeuralRegressor(MLP, **QUICK).fit(TABLE, AMOUNT, X_val=TABLE, y_val=AMOUNT)
    assert len(told) == 1
    return model, model.predict(TABLE)


def test_pickles_and_files_read_the_same(fitted, tmp_path):
    model, expected = fitted
    sknn.save(model, tmp_path / "model.sknn")
    for again in (pickle.loads(pickle.dumps(model)), sknn.load(tmp_path / "model.sknn")):
        assert again._inputs.reader.columns == model._inputs.reader.columns
        np.testing.assert_array_equal(again.predict(TABLE), expected)
        with pytest.raises(ValueError, match=r"'day' \(position 2\) holds numbers, but dates were expected"):
            again.predict(TABLE.assign(day=1))


def test_files_and_exports_of_sparse_matrices_know_the_columns_that_are_used(tmp_path):
    S = scipy.sparse.csr_array(np.c_[np.zeros((200, 3)), np.where(np.abs(X) < 0.5, 0.0, X)])
    model = classifier().fit(S, Y)
    expected = model.predict_proba(S)
    sknn.save(model, tmp_path / "model.sknn")
    np.testing.assert_array_equal(sknn.load(tmp_path / "model.sknn").predict_proba(S), expected)
    inputs = sknn.export_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    np.testing.assert_allclose(session.run(["probabilities"], inputs.feeds(S))[0], expected, atol=1e-5)


def test_exports_read_texts_refuse_other_quantities_and_ignore_idle_columns(fitted, tmp_path):
    model, expected = fitted
    path = sknn.export_numpy(model, tmp_path / "model.npz")
    spec = importlib.util.spec_from_file_location("exported_columns", path.with_suffix(".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    predictor = module.load(path)
    inputs = sknn.export_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    assert [spec.name for spec in inputs.inputs] == ["numeric", "city"]

    def by_onnx(given):
        return session.run(None, inputs.feeds(given))[0]

    scale = np.abs(expected).max()
    for given in (
        TABLE,
        TABLE.assign(idle="other", empty=3, same=None),
        TABLE.to_dict("list"),
        TABLE.to_dict("records"),
    ):
        for predict in (predictor.predict, by_onnx):
            np.testing.assert_allclose(predict(given), expected, atol=1e-5 * scale)
    for predict in (predictor.predict, by_onnx):
        np.testing.assert_allclose(
            predict(TABLE.assign(amount=AMOUNT)), model.predict(TABLE.assign(amount=AMOUNT)), atol=1e-5 * scale
        )
        with pytest.raises(ValueError, match="'day' contains numbers, but dates were expected"):
            predict(TABLE.assign(day=TABLE["day"].astype("int64")))
        with pytest.raises(ValueError, match="'day' contains durations, but dates were expected"):
            predict(TABLE.assign(day=TABLE["took"]))
        with pytest.raises(ValueError, match="'took' contains dates, but durations were expected"):
            predict(TABLE.assign(took=TABLE["day"].astype(object)))
        with pytest.warns(
            UserWarning, match="'amount' was read as numbers in fit, but holds text such as 'much'"
        ) as told:
            predict(TABLE.assign(amount="much"))
        assert told[0].filename == __file__
        day = pd.Timestamp("2024-01-01")
        amounts = [day, *TABLE["amount"][1:]]
        with pytest.raises(ValueError, match=r"'amount'.* Timestamp\(.*, but numbers were expected"):
            predict(TABLE.assign(amount=amounts))
        with pytest.raises(ValueError, match=r"'day'.* 'never', but dates were expected"):
            predict(TABLE.assign(day=["never", *TABLE["day"].astype(object)[1:]]))


def test_partial_dependence_of_dates_takes_custom_values(fitted):
    model, _ = fitted
    grid = pd.date_range("2024-01-01", periods=5).to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        found = partial_dependence(model, TABLE, ["day"], custom_values={"day": grid}, kind="average")
    one = [model.predict(TABLE.assign(day=day)).mean() for day in grid]
    np.testing.assert_allclose(found["average"][0], one, rtol=1e-5)


@pytest.mark.parametrize(
    "make", [lambda t: t.bfloat16(), lambda t: t.clone().requires_grad_(), lambda t: t.to_sparse()]
)
def test_tensors_of_every_kind_are_features_targets_and_weights(make):
    features, target = torch.arange(40.0).reshape(20, 2), torch.arange(20.0)
    plain = NeuralRegressor(MLP, **QUICK).fit(features.numpy(), target.numpy())
    model = NeuralRegressor(MLP, **QUICK).fit(features, make(target), sample_weight=torch.ones(20).requires_grad_())
    np.testing.assert_array_equal(model.predict(features), plain.predict(features.numpy()))
    assert model.score(features, make(target)) == plain.score(features.numpy(), target.numpy())
    NeuralRegressor(MLP, **QUICK).fit(make(features), target).predict(make(features))


def test_columns_in_another_order_are_told_so():
    frame = pd.DataFrame(X, columns=["a", "b"])
    model = classifier().fit(frame, Y)
    with pytest.raises(ValueError, match=r"same order as they were in fit\.\nPass X\[model\.feature_names_in_\]"):
        model.predict(frame[["b", "a"]])
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- c\nPass X\[model\.feature_names_in_\], which leaves"):
        model.predict(frame.assign(c=1))
    with pytest.raises(ValueError, match=r"now missing:\n- b\nPass a table with all columns of fit\."):
        model.predict(frame[["a"]])
    with pytest.raises(ValueError, match=r"^X_val: .*\n.*\nPass X\[model\.feature_names_in_\]"):
        classifier().fit(frame, Y, X_val=frame[["b", "a"]], y_val=Y)
