"""A file names no place that a later fit of its objects would write to."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import sknn
from benchmarks.reliability import _file_faults_parts as of_parts
from benchmarks.reliability._file_parts import Parts
from sknn.exceptions import FileError

from ..subjects import X, Y, classifier
from .test_skops_nodes import ARRAY, listed, mapping, node, number, tupled

PATHS = listed(number("/somewhere"))
GRID = mapping(checkpoint=PATHS)


def searching(grid, *, attribute="param_grid", name="GridSearchCV"):
    return node("ObjectNode", "sklearn.model_selection._search", name, content=mapping(**{attribute: grid}))


def ensemble(**attributes):
    return node("ObjectNode", "sklearn.ensemble._weight_boosting", "AdaBoostClassifier", content=mapping(**attributes))


def default_dict(main):
    return node("DefaultDictNode", "collections", "defaultdict",
                content={"main": main, "default_factory": number(None)})  # fmt: skip


HOSTILE = {
    "grid": searching(GRID),
    "step": searching(mapping(clf__checkpoint=PATHS)),
    "step named as a column of results": searching(mapping(param_clf__checkpoint=PATHS)),
    "folder": searching(mapping(pipeline__memory=PATHS)),
    "distributions": searching(GRID, attribute="param_distributions", name="RandomizedSearchCV"),
    "one of several grids": searching(listed(mapping(lr=listed(number(0.1))), GRID)),
    "grids in a tuple": searching(tupled(GRID)),
    "grids in an array": searching(
        node("NdArrayNode", "numpy", "ndarray", type="json", content=[GRID], shape=tupled(number(1)))),
    "grid with a default": searching(default_dict(GRID)),
    "grid of parameters": searching(searching(listed(GRID), name="ParameterGrid")),
    "grids that another object iterates over": searching(ensemble(estimators_=listed(GRID))),
    "search in a pipeline": node("ObjectNode", "sklearn.pipeline", "Pipeline",
                                 content=mapping(steps=listed(tupled(number("s"), searching(GRID))))),
    "grid as JSON": searching(number({"checkpoint": ["/somewhere"]})),
    "attributes as JSON": node("ObjectNode", "sklearn.model_selection._search", "GridSearchCV",
                               content=number({"param_grid": {"checkpoint": ["/somewhere"]}})),
    "attributes with a default, of a class that needs trust": node(
        "ObjectNode", "sklearn.model_selection._search_successive_halving", "HalvingGridSearchCV",
        content=default_dict(mapping(param_grid=GRID))),
    "attributes with a default": node("ObjectNode", "sklearn.pipeline", "Pipeline",
                                      content=default_dict(mapping(memory=number("/somewhere")))),
    "array that claims to be None": searching(mapping(checkpoint=dict(ARRAY, content="null"))),
    "parameters of an ensemble": ensemble(estimator_params=tupled(number("checkpoint")), checkpoint=number("/somewhere")),
    "parameters of an ensemble in an array": ensemble(estimator_params=ARRAY, checkpoint=number("/somewhere")),
    "parameters of an ensemble in a dict": ensemble(
        estimator_params=mapping(checkpoint=number(1)), checkpoint=number("/somewhere")),
    "parameters of steps of an ensemble": ensemble(
        estimator_params=listed(number("clf__checkpoint")), clf__checkpoint=number("/somewhere")),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_places_to_write_to_are_refused(name, files, tmp_path):
    (tmp_path / "m").write_bytes(of_parts.with_skops(Parts(files["pipeline"]), {**HOSTILE[name], "protocol": 2}))
    with pytest.raises(FileError, match=r"would read or write where the file says|in a form that skops does not write"):
        sknn.load(tmp_path / "m", trusted=["sklearn.model_selection._search_successive_halving.HalvingGridSearchCV"])


@pytest.mark.parametrize("name", ["s__memory", "memory", "clf__checkpoint", "param_clf__checkpoint"])
def test_a_search_over_paths_is_not_saved(name, tmp_path):
    step = "param_clf" if name.startswith("param_clf") else "clf"
    model = Pipeline([("s", make_pipeline(StandardScaler())), (step, classifier())])
    search = GridSearchCV(model, {name: [None]}, cv=2).fit(X, Y)
    sknn.save(search, tmp_path / "m")
    search.param_grid = {name: [str(tmp_path / "here")]}
    with pytest.raises(TypeError, match=f"a parameter '{name}' is set"):
        sknn.save(search, tmp_path / "m")


WORDS = ["memory of a checkpoint", "no memory", "a checkpoint", "nothing"] * 5
HONEST = {
    "words": (make_pipeline(CountVectorizer(), LogisticRegression()), WORDS),
    "words given": (CountVectorizer(vocabulary={"memory": 0, "checkpoint": 1}), WORDS),
    "words in a grid": (
        GridSearchCV(make_pipeline(CountVectorizer(), LogisticRegression()),
                     {"countvectorizer__vocabulary": [{"memory": 0, "checkpoint": 1}]}, cv=2), WORDS),
    "features": (make_pipeline(DictVectorizer(), LogisticRegression()), [{"memory": i % 3, "checkpoint": 1} for i in range(20)]),
    "name of a transformer": (FeatureUnion([("memory", StandardScaler()), ("checkpoint", StandardScaler())]), X[:20]),
    "name of columns": (ColumnTransformer([("memory", StandardScaler(), [0]), ("checkpoint", "drop", [1])]), X[:20]),
    "grid without one": (
        GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()),
                     [{"memory": [None]}, {"standardscaler__with_mean": [True]}], cv=2), X[:20]),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_the_same_words_elsewhere_are_data(name, tmp_path):
    model, table = HONEST[name]
    model.fit(table, [0, 1] * 10)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    method = "predict" if hasattr(model, "predict") else "transform"
    found, expected = (getattr(m, method)(table) for m in (again, model))
    if method == "transform" and not isinstance(expected, np.ndarray):
        found, expected = found.toarray(), expected.toarray()
    np.testing.assert_array_equal(found, expected)
