"""A node of skops creates only what skops writes with it."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import sknn
from benchmarks.reliability import _file_faults_parts as of_parts
from benchmarks.reliability._file_parts import Parts
from sknn._file.foreign.placeholders import Distribution, Placeholder
from sknn.exceptions import DamagedFileError, UntrustedFileError

from ..subjects import check_refused


def test_objects_that_skops_must_not_create(files, tmp_path, canary):
    cases = list(of_parts.skops_parts(Parts(files["pipeline"])))
    check_refused(random.Random(0).sample(cases, 35), tmp_path, 35)


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
    """Nested lists, each of which refers twice to the next one by its number."""
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
    "attributes in another dict": (
        node("ObjectNode", "sklearn.pipeline", "Pipeline",
             content=node("DefaultDictNode", "collections", "defaultdict",
                          content={"main": mapping(verbose=number(False)), "default_factory": number(None)})),
        DamagedFileError),
    "names of files": (
        node("ObjectNode", "sklearn.feature_extraction.text", "CountVectorizer", content=mapping(input=number("filename"))),
        UntrustedFileError),
    "files": (
        node("ObjectNode", "sklearn.feature_extraction.text", "HashingVectorizer", content=mapping(input=number("file"))),
        UntrustedFileError),
    "array to write to": (
        node("ObjectNode", "sklearn.preprocessing._function_transformer", "FunctionTransformer",
             content=mapping(kw_args=mapping(out=ARRAY))), UntrustedFileError),
    "array to write to, in a partial": (
        node("PartialNode", "functools", "partial",
             content={"func": node("FunctionNode", "numpy", "clip"), "args": tupled(), "kwds": mapping(out=ARRAY),
                      "namespace": number(None)}), UntrustedFileError),
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
        node("ObjectNode", Placeholder.__module__, "Placeholder",
             content=node("DictNode", "builtins", "dict", key_types=listed(node("TypeNode", "builtins", "str")),
                          content={"index": number(7)})), UntrustedFileError),
    "place out of range": (
        node("ConstructorFromReduceNode", Placeholder.__module__, "Placeholder",
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
    "powers": (node("ObjectNode", "sklearn.preprocessing._polynomial", "PolynomialFeatures", content=mapping()), UntrustedFileError),
    "sets of labels": (node("ObjectNode", "sklearn.preprocessing._label", "MultiLabelBinarizer", content=mapping()), UntrustedFileError),
    "support vectors": (node("ObjectNode", "sklearn.svm._classes", "SVC", content=mapping()), UntrustedFileError),
    "distribution of nothing": (
        node("ConstructorFromReduceNode", Distribution.__module__, "Distribution",
             content=tupled(number("rv_histogram"), tupled(number(1)), mapping())), DamagedFileError),
    "pool": (
        node("RandomGeneratorNode", "numpy.random", "Generator",
             content={"bit_generator": mapping(), "seed_seq": mapping(pool_size=number(10**9))}),
        UntrustedFileError),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_schemas(name, files, tmp_path):
    schema, kind = HOSTILE[name]
    (tmp_path / "m").write_bytes(of_parts.with_skops(Parts(files["pipeline"]), {**schema, "protocol": 2}))
    with pytest.raises(kind):
        sknn.load(tmp_path / "m")


def test_a_scalar_has_the_type_of_its_array(tmp_path):
    scalars = [np.int32(3), np.float64(0.5), np.bool_(True), np.longlong(4),
               np.datetime64("2020-01-01")]  # fmt: skip
    for scalar in scalars:
        model = StandardScaler().fit([[1.0], [2.0]])
        model.note_ = scalar
        sknn.save(model, tmp_path / "m")
        assert sknn.load(tmp_path / "m").note_ == scalar
    outer = Parts((tmp_path / "m").read_bytes())
    inner = Parts(outer.parts["sklearn.skops"])
    inner.parts["schema.json"] = inner.parts["schema.json"].replace(b'"datetime64"', b'"bytes_"')
    (tmp_path / "m").write_bytes(outer.replaced("sklearn.skops", inner.packed()))
    with pytest.raises(DamagedFileError, match="a scalar of numpy .* of another type"):
        sknn.load(tmp_path / "m")


def test_texts_that_are_names_of_files_need_trust(tmp_path):
    (tmp_path / "text").write_text("some words")
    model = make_pipeline(
        FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 1}), CountVectorizer(input="filename")
    )
    model[-1].fit([str(tmp_path / "text")])
    with pytest.warns(UserWarning, match=r"trusted=\['sklearn.feature_extraction.text.CountVectorizer'\]"):
        sknn.save(model, tmp_path / "m")
    with pytest.raises(UntrustedFileError, match="CountVectorizer, which opens files"):
        sknn.load(tmp_path / "m")
    again = sknn.load(tmp_path / "m", trusted=["sklearn.feature_extraction.text.CountVectorizer"])
    assert again[-1].transform([str(tmp_path / "text")]).sum() == 2


def test_no_caller_can_allow_a_function_to_be_called(files, tmp_path):
    call = node("ConstructorFromReduceNode", "sklearn.metrics.pairwise", "pairwise_distances", content=tupled(ARRAY))
    (tmp_path / "m").write_bytes(of_parts.with_skops(Parts(files["pipeline"]), {**call, "protocol": 2}))
    with pytest.raises(UntrustedFileError, match="for other objects only"):
        sknn.load(tmp_path / "m", trusted=["sklearn.metrics.pairwise.pairwise_distances"])
