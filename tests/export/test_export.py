"""Exported models predict what the estimator predicts, from any table, without torch or without sknn at all."""

from __future__ import annotations

import copy
import datetime
import importlib.util
import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor, export_numpy, export_onnx
from sknn._export.numpy import export as _to_numpy
from sknn._export.onnx import export as _to_onnx
from sknn.modules import MLP, FTTransformer, PeriodicEmbeddings, PiecewiseLinearEmbeddings, ResNet, TabM

TOLERANCE = 1e-5
QUICK = {"max_epochs": 2, "random_state": 0, "gradient_health": None}
SMALL = {
    TabM: {"n_blocks": 1, "width": 8, "n_bins": 4},
    MLP: {"hidden_sizes": (8,)},
    ResNet: {"n_blocks": 1, "width": 8},
    FTTransformer: {"n_blocks": 1, "token_size": 8, "n_heads": 2},
}
N_ROWS = 60
RANDOM = np.random.default_rng(0)


def raw_table(n: int = N_ROWS) -> pd.DataFrame:
    random = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "amount": random.normal(size=n) * 1e3 + 1.7e9,
            "gaps": np.where(random.random(n) < 0.2, np.nan, random.normal(size=n)),
            "nothing": np.full(n, np.nan),
            "constant": np.ones(n),
            "when": pd.Timestamp("2024-02-29") + pd.to_timedelta(random.integers(0, 9999, n), unit="min"),
            "label": random.choice(["é", "日本", "plain", ""], n),  # the name of an output, and unicode
            "with gaps": random.choice(np.array(["a", "b", None], dtype=object), n),
            "flag": random.random(n) < 0.5,
            "code": random.choice([7, 11, 13], n),
            "many": [f"k{i % 14}" for i in range(n)],
        }
    )
    return table.astype({"many": "category"})


def labels(table: pd.DataFrame, n_classes: int = 2) -> np.ndarray:
    return (np.arange(len(table)) + table["flag"].to_numpy()) % n_classes


def load_predictor(path):
    spec = importlib.util.spec_from_file_location("exported_predictor", path.with_suffix(".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(path)


class Exported:
    """Both exports of one estimator."""

    def __init__(self, estimator, folder):
        model = _to_numpy.exported_model(estimator, "test")
        with pytest.MonkeyPatch.context() as patch:  # recorded once, since that takes longest
            for module in (_to_numpy, _to_onnx):
                patch.setattr(module, "exported_model", lambda estimator, asked_by: model)
            self.numpy = load_predictor(export_numpy(estimator, folder / "model.npz"))
            self.inputs = export_onnx(estimator, folder / "model.onnx")
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])

    def onnx(self, X):
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(None, self.inputs.feeds(X)), strict=True))


def assert_same(estimator, X, folder, scale=1.0):
    exported = Exported(estimator, folder)
    answers = {"predict": estimator.predict(X)}
    if hasattr(estimator, "predict_proba"):
        answers["predict_proba"] = estimator.predict_proba(X)
    from_onnx = exported.onnx(X)
    for method, expected in answers.items():
        by_numpy = getattr(exported.numpy, method)(X)
        name = "probabilities" if method == "predict_proba" else "label" if "label" in from_onnx else "prediction"
        for found in (by_numpy, from_onnx[name]):
            assert found.shape == expected.shape
            if expected.dtype.kind == "f":
                assert found.dtype == expected.dtype
                assert np.abs(found - expected).max() <= TOLERANCE * scale
            else:
                assert (found == expected).all()
    return exported


# ------------------------------------------------------------------ every built-in module


@pytest.mark.parametrize("module", SMALL, ids=lambda module: module.__name__)
def test_every_module_on_a_raw_table(module, tmp_path):
    table = raw_table()
    clf = NeuralClassifier(module, module_params=SMALL[module], categorical_features=["code"], n_networks=2, **QUICK)
    clf.fit(table, labels(table, 3))
    exported = assert_same(clf, table, tmp_path)
    new = raw_table(1000).sample(frac=1, random_state=0)
    new["label"] = new["label"].replace("plain", "never seen")
    new.loc[new.index[:9], ["label", "with gaps"]] = None
    new["code"] = new["code"].replace(13, 17)
    for n in (1, 2, 7, 1000):
        rows, expected = new[:n], clf.predict_proba(new[:n])
        assert np.abs(exported.numpy.predict_proba(rows) - expected).max() <= TOLERANCE
        assert np.abs(exported.onnx(rows)["probabilities"] - expected).max() <= TOLERANCE


@pytest.mark.parametrize("embeddings", [PeriodicEmbeddings, PiecewiseLinearEmbeddings])
def test_embeddings_of_numbers_in_a_committee(embeddings, tmp_path):
    def network(in_features, out_features):
        front = embeddings(in_features, 4)
        return nn.Sequential(front, nn.Linear(front.out_features, out_features))

    X = RANDOM.normal(size=(N_ROWS, 3))
    clf = NeuralClassifier(network, n_networks=2, **QUICK).fit(X, X[:, 0] > 0)
    assert_same(clf, X, tmp_path)


# ------------------------------------------------------------------ every target


def numbers(n_columns: int = 4) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(N_ROWS, n_columns))


TARGETS = {
    "multilabel": (NeuralClassifier, lambda r: np.stack([r > 0, r > 1], 1).astype(int), {}),
    "strings": (NeuralClassifier, lambda r: np.where(r > 0, "ja", "né"), {"n_networks": 2}),
    "one score": (NeuralClassifier, lambda r: r > 0, {"criterion": nn.BCEWithLogitsLoss}),
    "outputs": (NeuralRegressor, lambda r: np.stack([r, r * 2], 1), {}),
    "quantiles": (
        NeuralRegressor,
        lambda r: r,
        {"criterion": "quantile", "criterion_params": {"quantile": [0.9, 0.1]}},
    ),
    "poisson": (NeuralRegressor, lambda r: np.exp(r).round(), {"criterion": "poisson", "n_networks": 2}),
    "huge mean": (NeuralRegressor, lambda r: r + 1e9, {}),
    "untouched": (NeuralRegressor, lambda r: r, {"preprocessing": False}),
}


@pytest.mark.parametrize("case", TARGETS)
def test_every_kind_of_target(case, tmp_path):
    kind, target, params = TARGETS[case]
    X = numbers()
    y = target(X[:, 0] + X[:, 1] * X[:, 2])
    estimator = kind(MLP, module_params=SMALL[MLP], **params, **QUICK).fit(X, y)
    assert_same(estimator, X, tmp_path, scale=np.std(y) if kind is NeuralRegressor else 1.0)


def test_temperature_is_part_of_the_probabilities(tmp_path):
    X = numbers()
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(X, X[:, 0] > 0)
    clf.net_.criterion_.temperature.fill_(3.0)
    assert_same(clf, X, tmp_path)


# ------------------------------------------------------------------ modules of users


class Own(nn.Module):
    """len() of the batch, assignment in place, selection, sorting, conditions: what modules do."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.first, self.last = nn.Linear(in_features, 8), nn.Linear(8, out_features)
        self.rows = nn.Embedding(3, 8)

    def forward(self, x):
        n = len(x)
        z = self.first(x)
        z[:, 2:4] = z[:, 2:4].sigmoid()
        z[:, 0] = 0.5
        z = z + self.rows(torch.arange(n) % 1) + torch.zeros(n, 8)
        largest, at = z.max(dim=1)
        z = z + nn.functional.one_hot(at, 8) * largest[:, None]
        z = torch.where(z > 0, z, z.abs().sqrt()) + z.sort(dim=1, descending=True)[0].flip(1)
        z = z + torch.bmm(z[:, None, :], z[:, :, None]).squeeze(-1).tanh() + z.std(1, keepdim=True)
        left, right = z.chunk(2, dim=1)
        return self.last(torch.stack([left, right], 1).transpose(1, 2).reshape(n, 8))


class Attention(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(in_features, 2, 8, batch_first=True)
        self.recurrent = nn.GRU(in_features, 4, batch_first=True)
        self.head = nn.Linear(4, out_features)

    def forward(self, x):
        return self.head(self.recurrent(self.layer(x))[0][:, -1])


def images(out_features):
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.GroupNorm(2, 4),
        nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(36, out_features),
    )  # fmt: skip


def decoder(out_features):
    return nn.Sequential(
        nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1, dilation=2, groups=2), nn.ReLU(),
        nn.ConvTranspose2d(4, 1, (2, 3), padding=(2, 3)), nn.Upsample(scale_factor=1.5), nn.Upsample(size=(7, 5)),
        nn.Upsample(scale_factor=1.5, mode="bilinear"), nn.Upsample(size=(4, 3), mode="bilinear", align_corners=True),
        nn.Flatten(), nn.Linear(12, out_features),
    )  # fmt: skip


def activations(in_features, out_features):
    layers = [nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.SELU(), nn.Softplus(), nn.Hardswish(), nn.PReLU(),
              nn.LeakyReLU(), nn.Softsign(), nn.LogSigmoid(), nn.BatchNorm1d(8), nn.RMSNorm(8), nn.Softmax(1)]  # fmt: skip
    return nn.Sequential(nn.Linear(in_features, 8), *layers, nn.Linear(8, out_features))


@pytest.mark.parametrize(
    ("module", "shape"),
    [(Own, (4,)), (activations, (4,)), (Attention, (5, 4)), (images, (2, 8, 8)), (decoder, (2, 5, 4))],
    ids=["own", "activations", "sequences", "images", "decoder"],
)
def test_modules_of_users(module, shape, tmp_path):
    X = np.random.default_rng(3).normal(size=(N_ROWS, *shape)).astype(np.float32)
    y = X.reshape(N_ROWS, -1)[:, 0] > 0
    assert_same(NeuralClassifier(module, **QUICK).fit(X, y), X, tmp_path)


class DecidesByValues(nn.Linear):
    def forward(self, x):
        return super().forward(x if x.sum() > 0 else -x)


class RandomAtPredict(nn.Linear):
    def forward(self, x):
        return super().forward(x) + torch.rand(1)


class MeanOfRows(nn.Linear):
    def forward(self, x):
        return super().forward(x) / float(len(x))


class HalvesTheRows(nn.Linear):
    def forward(self, x):
        half = len(x) // 2
        return torch.cat([super().forward(x[:half]), super().forward(x[half:])])


class DecidesByRows(nn.Linear):
    def forward(self, x):
        return super().forward(-x if len(x) == 7 else x)


class CentersTheRows(nn.Linear):
    def forward(self, x):
        h = super().forward(x)
        return h - h.mean(0)


class ScalesByTheLargest(nn.Linear):
    def forward(self, x):
        return super().forward(x / x.abs().amax().clamp(min=1))


def attention_along_the_rows(in_features, out_features):
    return nn.Sequential(
        nn.TransformerEncoderLayer(in_features, 2, 8, batch_first=True), nn.Linear(in_features, out_features)
    )


def norm_of_the_batch(in_features, out_features):
    return nn.Sequential(nn.BatchNorm1d(in_features, track_running_stats=False), nn.Linear(in_features, out_features))


@pytest.mark.parametrize("export", [export_numpy, export_onnx])
@pytest.mark.parametrize(
    ("module", "message"),
    [
        (DecidesByValues, "DecidesByValues cannot be exported.*torch.where"),
        (RandomAtPredict, "RandomAtPredict uses the operation 'rand.default'.*Replace it"),
        (MeanOfRows, "MeanOfRows uses the number 6.0 for 6 rows"),
        (HalvesTheRows, "HalvesTheRows uses a size of 3 for 6 rows and of 5 for 11"),
        (DecidesByRows, "predicts something else"),
        (CentersTheRows, "CentersTheRows predicts a row by the rows beside it.*rows one by one"),
        (ScalesByTheLargest, "ScalesByTheLargest predicts a row by the rows beside it"),
        (attention_along_the_rows, "predicts a row by the rows beside it"),
        (norm_of_the_batch, "predicts a row by the rows beside it.*running statistics"),
    ],
)
def test_modules_that_cannot_be_exported_say_why(export, module, message, tmp_path, capfd):
    X = numbers()
    clf = NeuralClassifier(module, **QUICK).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match=message):
        export(clf, tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


# ------------------------------------------------------------------ tables


def test_other_kinds_of_tables_mean_the_same(tmp_path):
    table = raw_table().drop(columns="many")
    table["when"] = table["when"].dt.floor("us")
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(table, labels(table))
    model = load_predictor(export_numpy(clf, tmp_path / "model"))
    expected = clf.predict_proba(table)
    columns = {name: table[name].tolist() for name in table}
    shuffled = {name: columns[name] for name in reversed(columns)}
    rows = table.astype(object).to_numpy()
    records = [dict(zip(columns, row, strict=True)) for row in rows.tolist()]
    frames = [pl.DataFrame(table), pl.DataFrame(table).to_arrow(), table.convert_dtypes()]
    for given in (columns, shuffled, rows, rows.tolist(), records, *frames):
        assert np.abs(model.predict_proba(given) - expected).max() <= TOLERANCE
    with pytest.raises(ValueError, match="'amount'.*missing"):
        model.predict(table.drop(columns="amount"))
    with pytest.raises(ValueError, match="'amount'.*infinity"):
        model.predict(table.assign(amount=np.inf))
    with pytest.raises(ValueError, match="'amount'.*'many'"):
        model.predict(table.assign(amount="many"))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A small table with its estimator and both exports."""
    table = pd.DataFrame(
        {"age": np.arange(N_ROWS) * 1.0, "city": np.array(["Lyon", "Oslo", None])[np.arange(N_ROWS) % 3]}
    )
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(table, np.arange(N_ROWS) % 2)
    return Exported(clf, tmp_path_factory.mktemp("people")), table, clf


MISTAKES = {
    "a record": ({"age": 51, "city": "Oslo"}, TypeError, r"'age' is 51; expected a list of rows.*\[record\]"),
    "a record of text": ({"city": "Oslo", "age": [51]}, TypeError, r"'city' is 'Oslo'.*\[record\]"),
    "to_dict of pandas": ({"age": {0: 51}, "city": {0: "Oslo"}}, TypeError, r"'age' is \{0: 51\}; expected a list"),
    "a key less": ([{"age": 51, "city": "Oslo"}, {"age": 23}], ValueError, r"row 1 lacks the columns \['city'\].*None"),
    "the first has less": ([{"age": 51}, {"age": 23, "city": "Oslo"}], ValueError, r"row 0 lacks .*'city'"),
    "all have less": ([{"age": 51}, {"age": 23}], ValueError, r"'city'\] are missing"),
    "no record": ([{"age": 51, "city": "Oslo"}, 3], TypeError, "row 1 is 3, and row 0 is a dict"),
    "no rows": ({"age": [], "city": []}, ValueError, "at least one row"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_tables_that_are_none_say_what_is_expected(case, people):
    exported, _, _ = people
    given, error, message = MISTAKES[case]
    for read in (exported.numpy.predict, exported.inputs.feeds):
        with pytest.raises(error, match=message):
            read(given)


def test_untouched_numbers_are_found_by_the_names_of_their_columns(tmp_path):
    X = pd.DataFrame(numbers(), columns=["a", "b", "c", "d"])
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], preprocessing=False, **QUICK).fit(X, X["a"] > 0)
    exported, expected = Exported(clf, tmp_path), clf.predict_proba(X)
    shuffled = X[["d", "b", "a", "c"]]
    for given in (shuffled, shuffled.to_dict("list"), shuffled.to_dict("records")):
        assert np.abs(exported.numpy.predict_proba(given) - expected).max() <= TOLERANCE
        assert np.abs(exported.onnx(given)["probabilities"] - expected).max() <= TOLERANCE
    with pytest.raises(ValueError, match=r"expected \(n_rows, 4\)"):
        exported.inputs.feeds(numbers(3))


def test_other_spellings_dates_and_numbers_as_categories(tmp_path):
    days = [datetime.datetime(2024, 1, 1 + i % 3) for i in range(N_ROWS)]
    mixed = np.array([1, "x", 2.5, None], dtype=object)[np.arange(N_ROWS) % 4]
    table = pd.DataFrame(
        {"day": days, "id": np.arange(N_ROWS) % 5, "mixed": mixed, "big": 2**60 + np.arange(N_ROWS) % 2}
    )
    y = np.arange(N_ROWS) % 2
    forced = ["day", "id", "mixed", "big"]
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], categorical_features=forced, **QUICK).fit(table, y)
    exported = assert_same(clf, table, tmp_path)
    spelled = table.assign(id=table["id"].astype(str), mixed=table["mixed"].map(str, na_action="ignore"))
    expected = clf.predict_proba(spelled)
    assert np.abs(exported.numpy.predict_proba(spelled) - expected).max() <= TOLERANCE
    assert np.abs(exported.onnx(spelled)["probabilities"] - expected).max() <= TOLERANCE


def test_only_categories_one_column_and_a_sparse_matrix(tmp_path):
    table = pd.DataFrame({"": np.array(["a", "b", "c"])[np.arange(N_ROWS) % 3]})
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(table, np.arange(N_ROWS) % 2)
    assert_same(clf, table, tmp_path)
    X = sparse.random(N_ROWS, 9, 0.3, format="csr", random_state=0)
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(X, np.arange(N_ROWS) % 2)
    exported = assert_same(clf, X, tmp_path)
    assert np.abs(exported.numpy.predict_proba(X.toarray()) - clf.predict_proba(X)).max() <= TOLERANCE


def test_numbers_scaled_by_a_repair(tmp_path):
    X = numbers() * 1e4 + 1e5
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], preprocessing=False, **QUICK).fit(X, X[:, 0] > 1e5)
    clf._inputs.rescaling = (torch.full((4,), 1e5), torch.full((4,), 1e4))
    assert_same(clf, X, tmp_path)


# ------------------------------------------------------------------ files


def test_the_predictor_needs_numpy_alone(tmp_path):
    table = raw_table()
    clf = NeuralClassifier(FTTransformer, module_params=SMALL[FTTransformer], **QUICK).fit(table, labels(table))
    path = export_numpy(clf, tmp_path / "model.npz")
    np.save(tmp_path / "expected.npy", clf.predict_proba(table))
    table.astype(object).to_pickle(tmp_path / "table.pkl")
    code = """
import sys
for name in ("torch", "sknn", "sklearn", "scipy", "skorch", "narwhals"):
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
import pickle, numpy as np
from model import load
before = set(sys.modules)
model = load(sys.argv[1] + "/model.npz")
assert not any(name.partition(".")[0] in ("pandas", "onnx") for name in before)
import pandas as pd
expected, table = np.load(sys.argv[1] + "/expected.npy"), pd.read_pickle(sys.argv[1] + "/table.pkl")
assert np.abs(model.predict_proba(table) - expected).max() <= 1e-5
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(path.parent)], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr


def test_files_hold_no_rows_and_are_as_large_as_the_weights(tmp_path):
    table = raw_table(400)
    secret = 987654321.25
    table.loc[7, "amount"] = secret
    clf = NeuralClassifier(MLP, **QUICK).fit(table, labels(table))
    path = export_numpy(clf, tmp_path / "model.npz")
    export_onnx(clf, tmp_path / "model.onnx")
    weights = sum(p.numel() for p in clf.module_.parameters()) * 4
    for file in (path, tmp_path / "model.onnx"):
        content = file.read_bytes()
        assert np.float64(secret).tobytes() not in content
        assert b"987654321" not in content
        assert len(content) < weights + 40_000


def test_the_graph_is_checked_and_describes_its_inputs(tmp_path):
    table = raw_table()
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(table, labels(table))
    inputs = export_onnx(clf, tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    by_name = {spec.name: spec for spec in inputs.inputs}
    assert by_name["numeric"].columns == ["amount", "gaps", "nothing", "constant", "when", "code"]
    assert by_name["label_"].type == "string"  # "label" is an output
    assert by_name["label_"].missing == "<missing>"  # "" is a category
    assert by_name["with gaps"].missing == ""
    assert by_name["flag"].type == "double"
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert '"with gaps"' in properties["sknn.inputs"]
    assert [output.name for output in model.graph.output] == ["probabilities", "label"]


def test_exporting_twice_gives_the_same_bytes(tmp_path):
    X = numbers()
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(X, X[:, 0] > 0)
    contents = []
    for _ in range(2):
        path = export_numpy(clf, tmp_path / "model.npz")
        export_onnx(clf, tmp_path / "model.onnx")
        contents.append((path.read_bytes(), (tmp_path / "model.onnx").read_bytes()))
    assert contents[0] == contents[1]


# ------------------------------------------------------------------ damaged and hostile files


def entries_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_entries(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_header(shape, descr="<f4"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.fixture
def weights(people, tmp_path):
    """A file, what is in it, and what loads it."""
    path = export_numpy(people[2], tmp_path / "model.npz")
    spec = importlib.util.spec_from_file_location("exported_predictor", path.with_suffix(".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return path, entries_of(path), module.load


def described(entries, **changes):
    description = json.loads(np.load(io.BytesIO(entries["model.npy"])).tobytes())
    description = {**description, **changes}
    for name in [name for name, value in changes.items() if value is None]:
        del description[name]
    return {**entries, "model.npy": npy(np.frombuffer(json.dumps(description).encode(), dtype=np.uint8))}


ARRAYS = {
    "compressed": (None, "compressed"),
    "of a huge shape": (npy_header((2**40,)), rf"shape \({2**40},\).* 0 bytes"),
    "of a shape beyond integers": (npy_header((2**62, 2**62)), "0 bytes"),
    "of a negative shape": (npy_header((-1, -4)) + bytes(16), "expected numbers"),
    "of objects": (npy_header((1,), "|O") + bytes(8), "expected numbers"),
    "of text": (npy_header((1,), "<U4") + bytes(16), "expected numbers"),
    "of nothing": (b"", "damaged"),
    "without an end": (npy_header((4,))[:40], "damaged"),
    "of something else": (b"\x93NUMPY\x01\x00\x08\x00{'a': ((", "damaged"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_an_array_that_is_not_what_it_says_is_damage(case, weights):
    path, entries, load = weights
    data, message = ARRAYS[case]
    name = next(name for name in entries if name != "model.npy")
    if data is None:
        write_entries(path, {**entries, name: npy(np.zeros(10**6))}, zipfile.ZIP_DEFLATED)
    else:
        write_entries(path, {**entries, name: data})
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert "model.npz is damaged, or was not written by sknn.export_numpy" in str(caught.value)


def test_entries_that_lie_over_each_other_are_damage(weights):
    path, entries, load = weights
    largest = max(entries, key=lambda name: len(entries[name]))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        for i in range(50):
            again = copy.copy(archive.getinfo(largest))
            again.filename = f"{i}.npy"
            archive.filelist.append(again)
    with pytest.raises(ValueError, match="longer than the file"):
        load(path)


@pytest.mark.parametrize("cut", [0, 10, 1000, -1])
def test_a_file_that_ends_early_is_damage(cut, weights):
    path, _, load = weights
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"model.npz is damaged"):
        load(path)


DESCRIPTIONS = {
    "format": None, "columns": None, "feature_names": ["age"], "row_shape": 3, "target": {"kind": "binary"},
    "widest": "many", "nodes": [{"op": "relu"}], "output": "nothing",
}  # fmt: skip


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_description_that_lacks_something_is_damage(name, weights):
    path, entries, load = weights
    write_entries(path, described(entries, **{name: DESCRIPTIONS[name]}))
    with pytest.raises(ValueError, match=r"model.npz is damaged"):
        load(path)


X_NAME, HUGE = {"value": "numeric"}, 2**40
NODES = {
    "full": {"size": [HUGE], "fill_value": 0},
    "expand": {"x": {"value": "scalar"}, "size": [HUGE, 4]},
    "repeat": {"x": X_NAME, "repeats": [HUGE, 1]},
    "arange": {"start": 0, "end": HUGE},
    "constant_pad_nd": {"x": X_NAME, "pad": [0, HUGE]},
    "mul": {"x": {"value": "wide"}, "other": {"value": "tall"}},
}


@pytest.mark.parametrize("op", NODES)
def test_a_network_that_asks_for_huge_values_is_stopped(op, weights, monkeypatch):
    path, entries, load = weights
    if op == "mul":  # known to be large only when it is there
        monkeypatch.setitem(load.__globals__, "_MOST_NUMBERS", 2**20)
    wide, tall = np.zeros((1, 2**11), dtype=np.int8), np.zeros((2**10, 1), dtype=np.int8)
    entries |= {"scalar.npy": npy(np.zeros(())), "wide.npy": npy(wide), "tall.npy": npy(tall)}
    node = {"op": op, "args": NODES[op], "out": "y", "dtype": "int8"}
    model = load(write_entries(path, described(entries, nodes=[node], output="y")))
    with pytest.raises(ValueError, match=rf"a value of \d+ numbers by '{op}'; the file may be damaged"):
        model.predict([{"age": 51, "city": "Oslo"}])


def test_a_file_is_read_from_memory_and_takes_its_own_size(weights, people):
    path, entries, load = weights
    _, table, clf = people
    with open(path, "rb") as file:
        found = load(file).predict_proba(table)
    assert np.abs(found - clf.predict_proba(table)).max() <= TOLERANCE
    assert sum(map(len, entries.values())) <= path.stat().st_size


# ------------------------------------------------------------------ mistakes


@pytest.mark.parametrize("export", [export_numpy, export_onnx])
def test_what_is_no_fitted_estimator_is_refused(export, tmp_path):
    X = numbers()
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK)
    with pytest.raises(NotFittedError):
        export(clf, tmp_path / "model.npz")
    with pytest.raises(TypeError, match=r"Pipeline.*pipeline\[-1\].*skl2onnx"):
        export(make_pipeline(StandardScaler(), clf).fit(X, X[:, 0] > 0), tmp_path / "model.npz")
    with pytest.raises(TypeError, match=r"search.best_estimator_"):
        export(GridSearchCV(clf, {"lr": [0.01]}, cv=2).fit(X, X[:, 0] > 0), tmp_path / "model.npz")
    with pytest.raises(TypeError, match="StandardScaler; expected a fitted"):
        export(StandardScaler(), tmp_path / "model.npz")


def test_a_predictor_replaces_no_module_of_the_users(tmp_path):
    X = numbers()
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(X, X[:, 0] > 0)
    (tmp_path / "mine.py").write_text("x = 1\n")
    with pytest.raises(FileExistsError, match=r"mine.py.*another name"):
        export_numpy(clf, tmp_path / "mine.npz")
    with pytest.raises(ValueError, match="json.py would hide"):
        export_numpy(clf, tmp_path / "json.npz")
    assert (tmp_path / "mine.py").read_text() == "x = 1\n"


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("my model.npz", "my_model"),
        ("x-1", "x_1"),
        ("1x.npz", "model_1x"),
        ("x.bin.npz", "x_bin"),
        ("class", "model_class"),
    ],
)
def test_a_predictor_that_import_cannot_name_is_refused(name, valid, tmp_path):
    X = numbers()
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match=rf"could not be imported.*such as {valid}\.npz"):
        export_numpy(clf, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("export", [export_numpy, export_onnx])
def test_a_folder_that_is_not_there_is_said_before_anything_is_recorded(export, tmp_path):
    X = numbers()
    clf = NeuralClassifier(DecidesByValues, **QUICK).fit(X, X[:, 0] > 0)
    with pytest.raises(FileNotFoundError, match=r"nowhere is not there\. Make it first"):
        export(clf, tmp_path / "nowhere" / "model.npz")
    (tmp_path / "model.npz").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        export(clf, tmp_path / "model.npz")


def test_export_onnx_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    X = numbers()
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(X, X[:, 0] > 0)
    with pytest.raises(ImportError, match=r"sknn\[onnx\]"):
        export_onnx(clf, tmp_path / "model.onnx")
