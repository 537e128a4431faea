"""Objects of scikit-learn with estimators of sknn inside, at any depth."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, StackingClassifier, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer, matthews_corrcoef
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn.exceptions import DamagedFileError, UntrustedFileError
from sknn.modules import MLP, ResNet

X, Y = load_iris(return_X_y=True)
NUMBERS = X @ [1.0, -2.0, 0.5, 1.0]
SMALL = {"module_params": {"hidden_sizes": (8,)}, "max_epochs": 2, "random_state": 0}
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(word=np.where(X[:, 0] > 5.5, "long", "short"))
TEXTS = ["good film", "bad film", "good book", "bad play"] * 10


def classifier(**params):
    return NeuralClassifier(MLP, **{**SMALL, **params})


def regressor():
    return NeuralRegressor(MLP, **SMALL)


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
    np.testing.assert_array_equal(again.fit(table, y).predict(table), model.fit(table, y).predict(table))


def test_the_parts_of_a_search_are_there(tmp_path):
    search, *_ = fitted("search")
    sknn.save(search, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    assert repr(again.best_params_) == repr(search.best_params_)
    assert again.cv_results_["mean_test_score"].tolist() == search.cv_results_["mean_test_score"].tolist()
    assert again.cv_results_["param_neuralclassifier__module"].tolist() == [MLP, ResNet]
    assert not hasattr(again.estimator[-1], "net_")
    assert again.estimator[-1].module_params == SMALL["module_params"]


def test_one_estimator_in_two_places_stays_one(tmp_path):
    model = make_pipeline(StandardScaler(), classifier()).fit(X, Y)
    model.extra_ = [model[-1], {"same": model[-1]}]
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    assert again.extra_[0] is again[-1] is again.extra_[1]["same"]


def test_types_that_nobody_allowed(tmp_path):
    model = make_pipeline(OwnStep(), classifier()).fit(X, Y)
    with pytest.warns(UserWarning, match=r"trusted=\['.*OwnStep'\]"):
        sknn.save(model, tmp_path / "m")
    with pytest.raises(UntrustedFileError, match="OwnStep"):
        sknn.load(tmp_path / "m")
    for trusted in ([OwnStep], [f"{OwnStep.__module__}.OwnStep"]):
        np.testing.assert_array_equal(sknn.load(tmp_path / "m", trusted=trusted).predict(X), model.predict(X))


def test_trees_need_trust_since_damaged_ones_crash(tmp_path):
    model = StackingClassifier([("n", classifier()), ("f", RandomForestClassifier(3))], cv=2).fit(X, Y)
    with pytest.warns(UserWarning, match=r"trusted=\['sklearn\.tree\._tree\.Tree'\]"):
        sknn.save(model, tmp_path / "m")
    with pytest.raises(UntrustedFileError, match=r"sklearn\.tree\._tree\.Tree"):
        sknn.load(tmp_path / "m")
    again = sknn.load(tmp_path / "m", trusted=["sklearn.tree._tree.Tree"])
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_what_is_not_fitted_or_cannot_be_stored(tmp_path):
    with pytest.raises(NotFittedError, match="Pipeline is not fitted"):
        sknn.save(make_pipeline(StandardScaler(), classifier()), tmp_path / "m")
    model = make_pipeline(FunctionTransformer(lambda X: X + 1), classifier()).fit(X, Y)
    with pytest.raises(TypeError, match="Pipeline holds something that cannot be stored.*lambdas"):
        sknn.save(model, tmp_path / "m")
    model = make_pipeline(StandardScaler(), classifier(callbacks=[])).fit(X, Y)
    model[-1].scoring = [].append
    with pytest.raises(TypeError, match="scoring"):
        sknn.save(model, tmp_path / "m")
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------- hostile schemas

ARRAY = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": "0.npy"}


def number(value):
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
        "is_json": True,
    }


def node(loader, module, name, **more):
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


def listed(*items, **more):
    return node("ListNode", "builtins", "list", content=list(items), **more)


def mapping(**items):
    kinds = listed(*[node("TypeNode", "builtins", "str")] * len(items))
    return node("DictNode", "builtins", "dict", key_types=kinds, content=items)


def tupled(*items):
    return node("TupleNode", "builtins", "tuple", content=list(items))


def laughs(depth=40):
    """A list of a list of ... the same two lists, told by their numbers."""
    value = listed(number(1), __id__=depth)
    for i in reversed(range(depth)):
        short = (
            {**value, "content": []}
            if i % 2
            else {"__id__": value["__id__"], **node("ListNode", "builtins", "list", content=[])}
        )
        value = listed(value, short, __id__=i)
    return value


def cycle():
    return listed(listed(__id__=5), __id__=5)


HOSTILE = {
    "system": (node("FunctionNode", "os", "system"), UntrustedFileError),
    "eval": (node("TypeNode", "builtins", "eval"), UntrustedFileError),
    "reduced": (node("ConstructorFromReduceNode", "subprocess", "Popen", content=listed(number("true"))), UntrustedFileError),
    "object": (node("ObjectNode", "subprocess", "Popen"), UntrustedFileError),
    "layer by its state": (node("ObjectNode", "torch.nn.modules.linear", "Linear"), UntrustedFileError),
    "optimizer by its arguments": (
        node("ConstructorFromReduceNode", "torch.optim.adamw", "AdamW", content=listed()), UntrustedFileError),
    "partial": (node("PartialNode", "functools", "partial", content={}), DamagedFileError),
    "method": (node("MethodNode", "builtins", "str", content={"func": "join", "obj": number("")}), UntrustedFileError),
    "operator": (node("OperatorFuncNode", "operator", "methodcaller", attrs=listed()), UntrustedFileError),
    "cached": (node("CachedNode", "builtins", "list", __id__=3), UntrustedFileError),
    "unknown node": (node("NoNode", "builtins", "list"), UntrustedFileError),
    "no such part": (dict(ARRAY, file="9.npy"), DamagedFileError),
    "schema as an array": (dict(ARRAY, file="schema.json"), DamagedFileError),
    "no string": (dict(ARRAY, file=["0.npy"]), DamagedFileError),
    "laughs": (laughs(), DamagedFileError),
    "cycle": (cycle(), DamagedFileError),
    "placeholder out of range": (
        node("ObjectNode", "sknn._file.foreign.foreign", "Placeholder",
             content=node("DictNode", "builtins", "dict", key_types=listed(node("TypeNode", "builtins", "str")),
                          content={"index": number(7)})), UntrustedFileError),
    "place out of range": (
        node("ConstructorFromReduceNode", "sknn._file.foreign.foreign", "Placeholder",
             content=node("TupleNode", "builtins", "tuple", content=[number(7)])), DamagedFileError),
    "attribute of the class": (
        node("ObjectNode", "sklearn.preprocessing._data", "StandardScaler",
             content=node("DictNode", "builtins", "dict", key_types=listed(node("TypeNode", "builtins", "str")),
                          content={"__reduce_ex__": node("TypeNode", "builtins", "str")})), UntrustedFileError),
    "no place": (number(1), DamagedFileError),
    "function called": (
        node("ConstructorFromReduceNode", "sklearn.metrics.pairwise", "pairwise_distances", content=tupled(ARRAY)),
        UntrustedFileError),
    "function as an object": (node("ObjectNode", "sklearn.metrics.pairwise", "pairwise_distances"), UntrustedFileError),
    "function as a kind of keys": (
        node("DictNode", "builtins", "dict", content={"1": number(1)},
             key_types=listed(node("TypeNode", "sklearn.metrics._ranking", "auc"))), UntrustedFileError),
    "sparse by its arguments": (
        node("ConstructorFromReduceNode", "scipy.sparse._csr", "csr_matrix", content=tupled(number(2), number(2))),
        UntrustedFileError),
    "sparse by its state": (node("ObjectNode", "scipy.sparse._csr", "csr_matrix", content=mapping()), UntrustedFileError),
    "void": (dict(ARRAY, __class__="void"), UntrustedFileError),
    "bytes by their number": (
        node("ConstructorFromReduceNode", "numpy", "void", content=tupled(number(2**33))), UntrustedFileError),
    "scalar of an array": (dict(ARRAY, __class__="str_"), DamagedFileError),
    "default that is called": (
        node("DefaultDictNode", "collections", "defaultdict",
             content={"main": mapping(), "default_factory": node("FunctionNode", "sklearn.metrics._ranking", "auc")}),
        UntrustedFileError),
    "set of one hash": (
        node("SetNode", "builtins", "set", content=[number(i * (2**61 - 1)) for i in range(3000)]), UntrustedFileError),
    "set of one hash, in tuples": (
        node("SetNode", "builtins", "set", content=[tupled(number(i * (2**61 - 1))) for i in range(3000)]),
        UntrustedFileError),
    "keys of one hash": (
        node("DictNode", "builtins", "dict", content={str(i * (2**61 - 1)): number(1) for i in range(3000)},
             key_types=listed(*[node("TypeNode", "builtins", "int")] * 3000)), UntrustedFileError),
    "position of a random state": (
        node("RandomStateNode", "numpy.random.mtrand", "RandomState", content=mapping(
            bit_generator=number("MT19937"), state=mapping(key=ARRAY, pos=number(2**31 - 1)))), DamagedFileError),
    "threads": (
        node("ObjectNode", "sklearn.cluster._kmeans", "KMeans", content=mapping(_n_threads=number(-5))),
        UntrustedFileError),
    "jobs": (
        node("ObjectNode", "sklearn.pipeline", "FeatureUnion", content=mapping(n_jobs=number(10**6))), UntrustedFileError),
    "support vectors": (node("ObjectNode", "sklearn.svm._classes", "SVC", content=mapping()), UntrustedFileError),
    "distribution of nothing": (
        node("ConstructorFromReduceNode", "sknn._file.values.distributions", "Distribution",
             content=tupled(number("rv_histogram"), tupled(number(1)), mapping())), DamagedFileError),
    "pool": (
        node("RandomGeneratorNode", "numpy.random", "Generator",
             content={"bit_generator": mapping(), "seed_seq": mapping(pool_size=number(10**9))}),
        UntrustedFileError),
}  # fmt: skip


def save_with(tmp_path, change):
    """A file of a pipeline whose skops part was changed by `change(parts)`."""
    from sknn._file.archive import pack, unpack
    from sknn._file.json import read_json, write_json

    sknn.save(make_pipeline(StandardScaler(), classifier()).fit(X, Y), tmp_path / "m")
    parts = unpack((tmp_path / "m").read_bytes(), "m")
    inner = unpack(parts["sklearn.skops"], "m")
    change(inner)
    parts["sklearn.skops"] = pack(inner)
    manifest = read_json(parts["manifest.json"], "m")
    import hashlib

    for name, content in parts.items():
        if name in manifest["parts"]:
            manifest["parts"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    parts["manifest.json"] = write_json(manifest)
    (tmp_path / "m").write_bytes(pack(parts))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_schemas(name, tmp_path):
    schema, kind = HOSTILE[name]

    def change(parts):
        parts["schema.json"] = json.dumps({**schema, "protocol": 2}).encode()

    save_with(tmp_path, change)
    with pytest.raises(kind):
        sknn.load(tmp_path / "m")


def npy(header: str) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10**12,)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + b"cos\nsystem\n(S'true'\ntR.",
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
        b"\x80\x04\x95cos\nsystem\n",
        b"",
    ],
    ids=["code", "huge", "pickle", "negative", "bare pickle", "empty"],
)
def test_hostile_arrays(content, tmp_path):
    def change(parts):
        parts[next(name for name in parts if name.endswith(".npy"))] = content

    save_with(tmp_path, change)
    with pytest.raises(DamagedFileError, match=r"npy is damaged"):
        sknn.load(tmp_path / "m")


def test_sparse_matrices_with_indices_beyond_their_shape(tmp_path):
    from scipy import sparse

    from sknn._file.archive import pack
    from sknn._file.foreign.skops_parts import _check_part

    buffer = io.BytesIO()
    sparse.save_npz(buffer, sparse.csr_array(np.eye(3)), compressed=True)
    with zipfile.ZipFile(buffer) as archive:
        arrays = {name: archive.read(name) for name in archive.namelist()}
    _check_part("0.npz", pack(arrays), "m")
    indices = bytearray(arrays["indices.npy"])
    indices[-4:] = (1000).to_bytes(4, "little")
    with pytest.raises(DamagedFileError, match="npz is damaged"):
        _check_part("0.npz", pack({**arrays, "indices.npy": bytes(indices)}), "m")
    with pytest.raises(UntrustedFileError, match="compressed"):
        _check_part("0.npz", buffer.getvalue(), "m")


def test_no_caller_can_allow_a_function_to_be_called(tmp_path):
    def change(parts):
        call = node(
            "ConstructorFromReduceNode", "sklearn.metrics.pairwise", "pairwise_distances", content=tupled(ARRAY)
        )
        parts["schema.json"] = json.dumps({**call, "protocol": 2}).encode()

    save_with(tmp_path, change)
    with pytest.raises(UntrustedFileError, match="for other things only"):
        sknn.load(tmp_path / "m", trusted=["sklearn.metrics.pairwise.pairwise_distances"])
