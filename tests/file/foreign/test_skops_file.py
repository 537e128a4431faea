"""Objects of scikit-learn with estimators of sknn inside, at any depth."""

from __future__ import annotations

import functools
import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, StackingClassifier, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer, matthews_corrcoef
from sklearn.model_selection import GridSearchCV, StratifiedKFold, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVC

import sknn
from sknn.exceptions import UntrustedFileError
from sknn.modules import MLP, ResNet

from ..subjects import NUMBERS, SMALL, X, Y, classifier, regressor

FRAME = pd.DataFrame(X, columns=list("abcd")).assign(word=np.where(X[:, 0] > 5.5, "long", "short"))


TEXTS = ["good film", "bad film", "good book", "bad play"] * 10


class OwnStep(TransformerMixin, BaseEstimator):
    """A user's step."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X + 1.0


CASES = {
    "pipeline": lambda: (make_pipeline(StandardScaler(), classifier()), X, Y),
    "text": lambda: (make_pipeline(TfidfVectorizer(), classifier()), TEXTS, [t.startswith("good") for t in TEXTS]),
    "columns": lambda: (
        make_pipeline(
            ColumnTransformer([("n", StandardScaler(), make_column_selector(dtype_include=float)),
                               ("c", OneHotEncoder(handle_unknown="ignore"), ["word"])], remainder="passthrough"),
            classifier()), FRAME, Y),
    "union": lambda: (make_pipeline(FeatureUnion([("a", StandardScaler()), ("b", FunctionTransformer(np.log1p))]), classifier()), X, Y),
    "search": lambda: (
        GridSearchCV(make_pipeline(StandardScaler(), classifier()),
                     {"neuralclassifier__module": [MLP, ResNet], "neuralclassifier__optimizer": [torch.optim.AdamW],
                      "neuralclassifier__module_params": [None], "neuralclassifier__class_weight": [{0: 1.0, 1: 2.0, 2: 1.0}]},
                     cv=StratifiedKFold(2), scoring=make_scorer(matthews_corrcoef)), X, Y),
    "search over estimators": lambda: (
        GridSearchCV(make_pipeline(StandardScaler(), classifier()),
                     {"neuralclassifier": [classifier(), LogisticRegression(), classifier(lr=0.1)]}, cv=2), X, Y),
    "stacking": lambda: (StackingClassifier([("n", classifier()), ("l", LogisticRegression(max_iter=1000))], classifier(), cv=2), X, Y),
    "voting": lambda: (VotingRegressor([("n", regressor()), ("r", Ridge())]), X, NUMBERS),
    "calibrated": lambda: (CalibratedClassifierCV(classifier(), cv=2), X, Y),
    "bagging": lambda: (BaggingClassifier(classifier(), n_estimators=2, random_state=0), X, Y),
    "one against rest": lambda: (OneVsRestClassifier(classifier()), X, Y),
    "several outputs": lambda: (MultiOutputRegressor(regressor()), X, np.stack([NUMBERS, -NUMBERS], axis=1)),
    "target": lambda: (TransformedTargetRegressor(regressor(), transformer=StandardScaler()), X, NUMBERS),
    "nothing of sknn": lambda: (make_pipeline(StandardScaler(), LogisticRegression()), X, Y),
}  # fmt: skip


REFITTED = ("pipeline", "columns", "voting", "target")


@functools.cache
def fitted(name):
    model, table, y = CASES[name]()
    return model.fit(table, y), table, y


@pytest.mark.parametrize("name", CASES)
def test_it_comes_back_as_it_was(name, tmp_path):
    model, table, y = fitted(name)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    assert type(again) is type(model)
    np.testing.assert_array_equal(again.predict(table), model.predict(table))
    assert again.score(table, y) == model.score(table, y)
    sknn.save(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()
    if name in REFITTED:
        np.testing.assert_array_equal(again.fit(table, y).predict(table), clone(model).fit(table, y).predict(table))


def test_the_parts_of_a_search_are_there(tmp_path):
    search, *_ = fitted("search")
    sknn.save(search, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    assert repr(again.best_params_) == repr(search.best_params_)
    assert again.cv_results_["mean_test_score"].tolist() == search.cv_results_["mean_test_score"].tolist()
    assert again.cv_results_["param_neuralclassifier__module"].tolist() == [MLP, ResNet]
    assert not hasattr(again.estimator[-1], "net_")
    assert again.estimator[-1].module_params == SMALL["module_params"]


def test_types_that_are_not_trusted(tmp_path):
    model = make_pipeline(OwnStep(), classifier()).fit(X, Y)
    with pytest.warns(UserWarning, match=r"trusted=\['.*OwnStep'\]"):
        sknn.save(model, tmp_path / "m")
    with pytest.raises(UntrustedFileError, match="OwnStep"):
        sknn.load(tmp_path / "m")
    for trusted in ([OwnStep], [f"{OwnStep.__module__}.OwnStep"]):
        np.testing.assert_array_equal(sknn.load(tmp_path / "m", trusted=trusted).predict(X), model.predict(X))


def test_trees_need_trust_since_damaged_ones_crash(tmp_path):
    model = StackingClassifier([("n", classifier()), ("f", RandomForestClassifier(3))], cv=2).fit(X, Y)
    with pytest.warns(UserWarning, match=r"sklearn\.tree\._tree\.Tree") as caught:
        sknn.save(model, tmp_path / "m")
    with pytest.raises(UntrustedFileError, match=r"sklearn\.tree"):
        sknn.load(tmp_path / "m")
    names = json.loads(str(caught[0].message).partition("trusted=")[2].rstrip(").").replace("'", '"'))
    again = sknn.load(tmp_path / "m", trusted=names)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_what_is_not_fitted_or_cannot_be_stored(tmp_path):
    with pytest.raises(NotFittedError, match="Pipeline is not fitted"):
        sknn.save(make_pipeline(StandardScaler(), classifier()), tmp_path / "m")
    model = make_pipeline(FunctionTransformer(lambda X: X + 1), classifier()).fit(X, Y)
    with pytest.raises(TypeError, match="Pipeline contains something that cannot be stored.*lambdas"):
        sknn.save(model, tmp_path / "m")
    model = make_pipeline(StandardScaler(), classifier(callbacks=[])).fit(X, Y)
    model[-1].scoring = [].append
    with pytest.raises(TypeError, match="scoring"):
        sknn.save(model, tmp_path / "m")
    assert not list(tmp_path.iterdir())


TRUSTED_STEPS = {
    "select": lambda: make_pipeline(SelectKBest(k=2), classifier()),
    "mutual": lambda: make_pipeline(SelectKBest(mutual_info_classif, k=2), classifier()),
    "function of numpy": lambda: make_pipeline(FunctionTransformer(np.nan_to_num), classifier()),
    "threshold": lambda: TunedThresholdClassifierCV(classifier(), cv=2),
    "perceptron": lambda: MLPClassifier((4,), tol=1.0, random_state=0),
}


@pytest.mark.parametrize("name", TRUSTED_STEPS)
def test_steps_that_need_no_trust(name, tmp_path):
    y = (Y > 0).astype(int)
    model = TRUSTED_STEPS[name]().fit(X, y)
    sknn.save(model, tmp_path / "m")
    np.testing.assert_array_equal(sknn.load(tmp_path / "m").predict(X), model.predict(X))


@pytest.mark.parametrize("step", [SplineTransformer(), SVC()], ids=["spline", "support vectors"])
def test_save_warns_of_what_load_needs(step, tmp_path):
    model = step.fit(X, Y)
    with pytest.warns(UserWarning, match=r"sknn\.load\(path, trusted=\['") as caught:
        sknn.save(model, tmp_path / "m")
    assert caught[0].filename == __file__
    with pytest.raises(UntrustedFileError, match=r"pass load\(path, trusted="):
        sknn.load(tmp_path / "m")
    names = json.loads(str(caught[0].message).partition("trusted=")[2].rstrip(").").replace("'", '"'))
    assert type(sknn.load(tmp_path / "m", trusted=names)) is type(model)


def test_save_names_all_that_load_needs(tmp_path):
    """Own steps, own code of the estimators, and estimators of scikit-learn that a damaged file could crash."""
    steps = [OwnStep(), SVC()]
    model = StackingClassifier(
        [("own", make_pipeline(steps[0], classifier(scoring=own_score))), ("svm", steps[1])], LogisticRegression(), cv=2
    ).fit(X, Y)
    with pytest.warns(UserWarning, match=r"trusted=\[") as caught:
        sknn.save(model, tmp_path / "m")
    names = json.loads(str(caught[0].message).partition("trusted=")[2].rstrip(").").replace("'", '"'))
    assert {name.rpartition(".")[2] for name in names} == {"OwnStep", "SVC", "own_score"}
    np.testing.assert_array_equal(sknn.load(tmp_path / "m", trusted=names).predict(X), model.predict(X))


def own_score(net, X, y):
    return 0.0


@pytest.mark.parametrize("kind", [np.number, np.integer, np.floating, np.float64, "number"], ids=str)
def test_selections_of_columns_by_type_need_no_trust(kind, tmp_path):
    selector = make_column_selector(dtype_include=kind)
    model = ColumnTransformer([("n", "passthrough", selector)], remainder="drop").fit(FRAME)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    assert again.transformers[0][2].dtype_include is kind or again.transformers[0][2].dtype_include == kind
    np.testing.assert_array_equal(again.transform(FRAME), model.transform(FRAME))


@pytest.mark.parametrize(
    "step", [KNeighborsRegressor(), KNeighborsRegressor(algorithm="brute"), KMeans(2, n_init=1)], ids=repr
)
def test_estimators_whose_compiled_code_reads_beyond_arrays_need_trust(step, tmp_path):
    model = step.fit(X, NUMBERS)
    with pytest.warns(UserWarning, match=type(step).__name__):
        sknn.save(model, tmp_path / "m")
    with pytest.raises(UntrustedFileError, match=type(step).__name__):
        sknn.load(tmp_path / "m")
