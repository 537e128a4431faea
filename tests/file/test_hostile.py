"""Files with right hashes that would hang, fill the memory or crash later; and what is not stored, or is said when saving."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_iris
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV, TunedThresholdClassifierCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer, StandardScaler
from sklearn.svm import SVC
from torch import nn

import sknn
from benchmarks.reliability import _file_faults_parts as of_parts
from benchmarks.reliability import _file_faults_work as of_work
from benchmarks.reliability._file_parts import Parts
from benchmarks.reliability.files import models
from sknn import NeuralClassifier
from sknn.exceptions import DamagedFileError, FileError, UntrustedFileError
from sknn.modules import MLP

X, Y = load_iris(return_X_y=True)
SMALL = {"module_params": {"hidden_sizes": (8,)}, "max_epochs": 1, "random_state": 0}


def classifier(**params):
    return NeuralClassifier(MLP, **{**SMALL, **params})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return models(tmp_path_factory.mktemp("files"), seed=0)


def check_refused(cases, folder):
    n = 0
    for name, data in cases:
        (folder / "case").write_bytes(data)
        with pytest.raises(FileError):
            pytest.fail(f"{name}: loaded as {sknn.load(folder / 'case')!r}")
        n += 1
    return n


def test_values_that_never_end_or_crash_later(files, tmp_path):
    assert check_refused(of_work.values(Parts(files["table"])), tmp_path) >= 20


def test_layers_that_take_hours(tmp_path):
    assert check_refused(of_work.layers(tmp_path), tmp_path) >= 6


def test_pooling_of_much_by_large_windows(tmp_path):
    network = nn.Sequential(
        nn.Unflatten(1, (1, 4)),
        nn.Upsample(8),
        nn.MaxPool1d(3, 1),
        nn.AdaptiveMaxPool1d(3),
        nn.Flatten(),
        nn.Linear(3, 3),
    )
    sknn.save(NeuralClassifier(network, preprocessing=False, n_networks=1, max_epochs=1).fit(X, Y), tmp_path / "m")

    def widen(value):
        layers = {child["class"]: child["arguments"] for _, child in value["parameters"]["module"]["children"]}
        layers["torch.nn.Upsample"]["size"] = 2**18
        layers["torch.nn.MaxPool1d"]["kernel_size"] = 2**16

    (tmp_path / "m").write_bytes(Parts((tmp_path / "m").read_bytes()).changed("estimators/0.json", widen))
    with pytest.raises(UntrustedFileError, match="in memory or work"):
        sknn.load(tmp_path / "m")


def test_objects_by_other_nodes_than_skops_writes(files, tmp_path):
    assert check_refused(of_parts.skops_objects(Parts(files["pipeline"])), tmp_path) >= 10


@pytest.mark.parametrize("kind", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_all_generators_come_back(kind, tmp_path):
    state = np.random.RandomState(getattr(np.random, kind)(3))
    state.random_sample(5)
    model = classifier(random_state=state).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    assert again.random_state.random_sample() == model.random_state.random_sample()


# ---------------------------------------------------------------------- what can be saved


@pytest.mark.parametrize(
    "params",
    [{"lr": np.float64(0.01)}, {"lr": np.float32(0.01)}, {"max_epochs": np.int64(1)}, {"batch_size": np.int32(16)}],
    ids=str,
)
def test_numbers_of_numpy(params, tmp_path):
    model = classifier(**params).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    np.testing.assert_array_equal(sknn.load(tmp_path / "m").predict_proba(X), model.predict_proba(X))


def test_searches_that_draw_from_distributions(tmp_path):
    distributions = {"lr": stats.loguniform(1e-3, 1e-1), "batch_size": stats.randint(low=8, high=64)}
    search = RandomizedSearchCV(classifier(), distributions, n_iter=2, cv=2, random_state=0).fit(X, Y)
    sknn.save(search, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    assert again.best_params_ == search.best_params_
    drawn = [s.param_distributions["lr"].rvs(3, random_state=1).tolist() for s in (search, again)]
    assert drawn[0] == drawn[1]
    sknn.save(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


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
def test_saving_says_what_loading_will_need(step, tmp_path):
    model = step.fit(X, Y)
    with pytest.warns(UserWarning, match=r"sknn\.load\(path, trusted=\['") as caught:
        sknn.save(model, tmp_path / "m")
    assert caught[0].filename == __file__
    with pytest.raises(UntrustedFileError, match=r"pass load\(path, trusted="):
        sknn.load(tmp_path / "m")
    names = json.loads(str(caught[0].message).partition("trusted=")[2].rstrip(").").replace("'", '"'))
    assert type(sknn.load(tmp_path / "m", trusted=names)) is type(model)


def test_a_folder_for_results_is_not_stored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    steps = [("s", StandardScaler()), ("l", LogisticRegression())]
    model = Pipeline([("p", Pipeline(steps, memory="cache"))], memory="cache").fit(X, Y)
    sknn.save(model, tmp_path / "m")
    assert model.memory == "cache"
    again = sknn.load(tmp_path / "m")
    assert again.memory is None
    assert again[0].memory is None

    def put_back(parts):
        null = '"memory":{"__class__":"str","__module__":"builtins","__loader__":"JsonNode","content":"null"'
        text = parts.parts["schema.json"].decode()
        assert null in text
        parts.parts["schema.json"] = text.replace(null, null.replace('"null"', '"\\"cache\\""')).encode()

    outer = Parts((tmp_path / "m").read_bytes())
    inner = Parts(outer.parts["sklearn.skops"])
    put_back(inner)
    (tmp_path / "m").write_bytes(outer.replaced("sklearn.skops", inner.packed()))
    assert sknn.load(tmp_path / "m").memory is None


# ---------------------------------------------------------------------- code of the user's, and versions

CALLS = []


def own_network(in_features, out_features):
    CALLS.append((in_features, out_features))
    return nn.Linear(in_features, out_features)


def test_a_function_of_the_user_is_called_once(tmp_path):
    sknn.save(NeuralClassifier(own_network, max_epochs=1, random_state=0, n_networks=1).fit(X, Y), tmp_path / "m")
    CALLS.clear()
    with pytest.raises(UntrustedFileError, match="own_network"):
        sknn.load(tmp_path / "m", trusted=["os.system"])
    assert not CALLS
    sknn.load(tmp_path / "m", trusted=[own_network])
    assert len(CALLS) == 1


@pytest.mark.parametrize(("package", "warns"), [("torch", True), ("sknn", True), ("numpy", False)])
def test_files_of_other_versions(package, warns, files, tmp_path):
    other = Parts(files["table"]).changed("manifest.json", lambda m: m["versions"].update({package: "0.0.1"}))
    (tmp_path / "m").write_bytes(other)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sknn.load(tmp_path / "m")
    assert [issubclass(w.category, InconsistentVersionWarning) for w in caught] == [True] * warns
    assert all(f"{package} 0.0.1, here" in str(w.message) and w.filename == __file__ for w in caught)


def test_fractions_have_two_whole_numbers():
    from sknn._file.values.scalars import read_scalar

    assert read_scalar({"$": "fraction", "parts": [1, 3]}, lambda part: part, "here") * 3 == 1
    for parts in (["1e9"], [1.5, 2], [True, 2], [1 << 50_000, 3]):
        with pytest.raises((TypeError, ValueError, DamagedFileError)):
            read_scalar({"$": "fraction", "parts": parts}, lambda part: part, "here")
