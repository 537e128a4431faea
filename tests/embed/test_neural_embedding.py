"""The transformer around a network."""

from __future__ import annotations

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import sknn
from sknn import NeuralClassifier, NeuralEmbedding, NeuralRegressor
from sknn.exceptions import GradientHealthWarning
from sknn.modules import MLP
from tests.contract.kinds import KINDS, N_ROWS, NAMES

X, Y = load_iris(return_X_y=True, as_frame=True)
NUMBERS = X.to_numpy()
SMALL = {"module": MLP, "module_params": {"hidden_sizes": (8,)}, "max_epochs": 2, "random_state": 0}


@pytest.fixture(autouse=True)
def no_advice():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientHealthWarning)
        yield


def embedding(**params) -> NeuralEmbedding:
    return NeuralEmbedding(NeuralClassifier(**{**SMALL, **params}))


@parametrize_with_checks([
    NeuralEmbedding(NeuralClassifier(**{**SMALL, "random_state": None})),
    NeuralEmbedding(NeuralRegressor(**SMALL)),
    NeuralEmbedding(NeuralClassifier(max_epochs=2)),
])  # fmt: skip
def test_scikit_learn_check(estimator, check):
    check(clone(estimator))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_rows_of_every_kind_are_transformed_before_another_estimator(kind):
    network = NeuralClassifier(**{**kind.params, "max_epochs": 1, "random_state": 0})
    pipeline = make_pipeline(NeuralEmbedding(network), LogisticRegression()).fit(kind.X, NAMES)
    assert pipeline.predict(kind.X).shape == (N_ROWS,)
    transformer = pipeline[0]
    np.testing.assert_array_equal(transformer.transform(kind.X), network.fit(kind.X, NAMES).embed(kind.X))
    assert len(transformer.get_feature_names_out()) == transformer.transform(kind.X).shape[1]
    assert hasattr(transformer, "n_features_in_") == kind.has_columns


def test_frames_have_names():
    transformer = embedding().set_output(transform="pandas").fit(X, Y)
    frame = transformer.transform(X[:5])
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == [f"neuralembedding{i}" for i in range(8)]
    assert frame.index.equals(X.index[:5])
    assert transformer.n_features_in_ == 4
    assert transformer.feature_names_in_.tolist() == X.columns.tolist()
    with pytest.raises(ValueError, match="missing"):
        transformer.transform(X.iloc[:, :3])


def test_a_fitted_network_is_used_as_it_is():
    model = NeuralClassifier(**SMALL).fit(X, Y)
    transformer = NeuralEmbedding(FrozenEstimator(model)).fit(X)
    np.testing.assert_array_equal(transformer.transform(X), model.embed(X))
    assert transformer.n_features_in_ == 4
    np.testing.assert_array_equal(clone(transformer).fit(X[:3]).transform(X), model.embed(X))


def test_the_estimator_is_cloned():
    model = NeuralRegressor(**SMALL)
    transformer = NeuralEmbedding(model).fit(X, Y)
    assert not hasattr(model, "net_")
    assert hasattr(transformer.estimator_, "net_")
    seeded = NeuralEmbedding(model, random_state=1).fit(X, Y)
    assert seeded.estimator_.random_state == 1
    assert model.random_state == 0
    expected = NeuralRegressor(**{**SMALL, "random_state": 1}).fit(X, Y).embed(X)
    np.testing.assert_array_equal(seeded.transform(X), expected)


def test_parameters_of_the_network_are_searched():
    pipeline = make_pipeline(embedding(max_epochs=1), KNeighborsClassifier())
    search = GridSearchCV(pipeline, {"neuralembedding__estimator__module__hidden_sizes": [(4,), (8,)]}, cv=2)
    assert search.fit(NUMBERS, Y).best_estimator_[0].transform(NUMBERS).shape[1] in (4, 8)


def test_weights_and_groups_reach_the_network():
    weight = np.where(Y == 0, 1.0, 0.0)
    weight[:60] = 1.0
    weighted = embedding().fit(NUMBERS, Y, sample_weight=weight, groups=np.arange(150) // 2).transform(NUMBERS)
    assert not np.array_equal(weighted, embedding().fit(NUMBERS, Y).transform(NUMBERS))
    with sklearn.config_context(enable_metadata_routing=True):
        network = NeuralClassifier(**SMALL).set_fit_request(sample_weight=True, groups=True)
        pipeline = make_pipeline(NeuralEmbedding(network), KNeighborsClassifier())
        pipeline.fit(NUMBERS, Y, sample_weight=weight, groups=np.arange(150) // 2)
        np.testing.assert_array_equal(pipeline[0].transform(NUMBERS), weighted)
        with pytest.raises(TypeError, match="sample_weigth"):
            embedding().fit(NUMBERS, Y, sample_weigth=weight)


def test_it_is_written_to_files(tmp_path):
    transformer = embedding().fit(X, Y)
    expected = transformer.transform(X)
    joblib.dump(transformer, tmp_path / "model.joblib")
    sknn.save(make_pipeline(transformer, LogisticRegression().fit(expected, Y)), tmp_path / "model.sknn")
    pipeline = sknn.load(tmp_path / "model.sknn", max_memory=None, max_seconds=None)  # no trust is needed
    for loaded in (pickle.loads(pickle.dumps(transformer)), joblib.load(tmp_path / "model.joblib"), pipeline[0]):
        np.testing.assert_array_equal(loaded.transform(X), expected)
        assert loaded.get_feature_names_out().shape == (8,)


def test_what_has_no_hidden_layer_is_refused():
    with pytest.raises(TypeError, match=r"estimator=Ridge\(\) has no method embed; expected NeuralClassifier"):
        NeuralEmbedding(Ridge()).fit(X, Y)
    with pytest.raises(ValueError, match="target y is None.*NeuralEmbedding\\(FrozenEstimator.*sklearn.frozen"):
        embedding().fit(X)
    with pytest.raises(NotFittedError):
        embedding().transform(X)
    assert not hasattr(embedding(), "n_features_in_")


def test_a_fit_that_fails_leaves_the_transformer():
    transformer = embedding().fit(X, Y)
    before = transformer.transform(X)
    with pytest.raises(ValueError, match="inconsistent|rows|samples"):
        transformer.fit(X, Y[:-1])
    np.testing.assert_array_equal(transformer.transform(X), before)
