"""
==========
Quickstart
==========

This example loads a table with numbers, categories and missing values and fits
:class:`sknn.NeuralClassifier` or :class:`sknn.NeuralRegressor` on it as it is. Then it uses the network the
way any other scikit-learn estimator is used: in a pipeline, in a cross-validation beside other models, in a
grid search, and from a file.

To run it on a CSV or parquet file of your own::

    make demo DATA=table.parquet TARGET=column

Texts, images, sequences and sounds are fitted in the same way; each has an example of its own in the gallery.
"""

# %%
# A table
# -------
# Without ``--data`` the table is the passenger list of the Titanic, which ships with scikit-learn. It has numbers
# and categories, and one age in five is missing.

import argparse
import gzip
import io
import os
import subprocess
import sys
import time
import warnings
from importlib import resources
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.utils.multiclass import type_of_target

# Of a larger table a random sample is used, so that the example stays short.
MAX_ROWS = 5_000
MAX_VALUES = 120_000  # rows times columns
MAX_SEARCH_ROWS = 1_500  # rows of the grid search

started = time.perf_counter()
parser = argparse.ArgumentParser(description="The quickstart of sknn.")
parser.add_argument("--data", type=Path, help="CSV or parquet file (default: a table of scikit-learn's)")
parser.add_argument("--target", help="the column to predict")
parser.add_argument("--out", type=Path, default=Path(sys.argv[0]).parent / "output", help="folder to write to")
args = parser.parse_args()
args.out = Path(os.path.relpath(args.out))


def load_titanic() -> tuple[pd.DataFrame, str]:
    """The passenger list of the Titanic (OpenML 40945), from the data of scikit-learn's own tests."""
    packed = resources.files("sklearn.datasets.tests.data.openml.id_40945") / "data-v1-dl-16826755.arff.gz"
    header, _, rows = gzip.decompress(packed.read_bytes()).decode().partition("@data\n")
    names = [line.split("'")[1] for line in header.splitlines() if line.startswith("@attribute")]
    table = pd.read_csv(io.StringIO(rows), names=names, na_values="?", escapechar="\\")
    # `boat` and `body` give away who survived; the others are free text, left out to keep this short.
    table = table.drop(columns=["boat", "body", "name", "ticket", "cabin", "home.dest"])
    return table.assign(survived=table["survived"].map({0: "no", 1: "yes"})), "survived"


def load_cancer() -> tuple[pd.DataFrame, str]:
    """Breast cancer with artificial missing values and a category, used without the tests of scikit-learn."""
    table = load_breast_cancer(as_frame=True).frame
    table["size"] = pd.qcut(table.pop("mean area"), 3, labels=["small", "medium", "large"]).astype(str)
    table["mean texture"] = table["mean texture"].mask(np.random.default_rng(0).random(len(table)) < 0.2)
    return table.assign(target=table["target"].map({0: "malignant", 1: "benign"})), "target"


def load_table(path: Path, target: str | None) -> tuple[pd.DataFrame, str]:
    """A table from a file. A column `split` that says "train" or "test" is no feature and is left out."""
    table = pd.read_parquet(path) if path.suffix in {".parquet", ".pq"} else pd.read_csv(path)
    if target not in table.columns:
        names = ", ".join(map(str, table.columns))
        sys.exit(f"--target (make demo TARGET=...) is {target!r}, expected one of the columns: {names}")
    if target != "split" and "split" in table.columns and set(table["split"].dropna()) <= {"train", "test"}:
        table = table.drop(columns="split")
    return table.dropna(subset=target), target


def is_classification(y: pd.Series) -> bool:
    """Labels and booleans are classes, and whole numbers where there are at most 20 of them."""
    if pd.api.types.is_bool_dtype(y) or not pd.api.types.is_numeric_dtype(y):
        return True
    return type_of_target(y.to_numpy()) != "continuous" and y.nunique() <= 20


if args.data is not None:
    table, target = load_table(args.data, args.target)
    source = args.data.name
else:
    try:
        table, target = load_titanic()
        source = "Titanic"
    except (ModuleNotFoundError, FileNotFoundError):
        table, target = load_cancer()
        source = "breast cancer, with artificial missing values and a category"

n_rows = len(table)
n_used = min(n_rows, MAX_ROWS, max(1_000, MAX_VALUES // table.shape[1]))
if n_used < n_rows:
    table = table.sample(n_used, random_state=0)
table = table.reset_index(drop=True)
X, y = table.drop(columns=target), table[target]
classify = is_classification(y)

used = f" ({n_used} of them used)" if n_used < n_rows else ""
print(f"{source}: {n_rows} rows{used}, {X.shape[1]} columns; {'classify' if classify else 'predict'} {target!r}")
overview = pd.DataFrame({"dtype": X.dtypes, "gaps": X.isna().sum(), "distinct": X.nunique()})
print(overview.to_string(max_rows=20))

# %%
# Fit
# ---
# The whole table goes in: no scaler, no imputer, no encoder.

from sklearn.model_selection import train_test_split

from sknn import NeuralClassifier, NeuralRegressor

Neural = NeuralClassifier if classify else NeuralRegressor
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)

tick = time.perf_counter()
model = Neural(random_state=0).fit(X_train, y_train)
seconds = time.perf_counter() - tick

measure = "accuracy" if classify else "R2"
print(f"\n{Neural.__name__}() on {len(X_train)} rows: {seconds:.1f} s")
print(f"{model.n_iter_} epochs, weights of epoch {model.best_epoch_} kept")
print(f"{measure} on {len(X_test)} held-out rows: {model.score(X_test, y_test):.3f}")

# %%
# The learning curve
# ------------------

import matplotlib

if "sphinx_gallery" not in sys.modules:
    matplotlib.use("Agg")  # draw into a file, wherever this runs

args.out.mkdir(parents=True, exist_ok=True)
axes = model.plot_history()
axes.figure.savefig(args.out / "learning_curve.png", dpi=120)
print(f"learning curve: {args.out / 'learning_curve.png'}")

# %%
# A pipeline, cross-validated beside other models
# -----------------------------------------------
# :func:`sknn.baselines` makes simple models of scikit-learn, which take the same raw table: a constant, a linear model
# and gradient boosting with its defaults. scikit-learn's MLP gets what the linear model is given.

from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sknn import baselines


def count_gaps(X: pd.DataFrame) -> pd.DataFrame:
    """Add how many values each row lacks: a feature that stands for your own feature engineering."""
    return X.assign(n_gaps=X.isna().sum(axis=1))


def models(X: pd.DataFrame, y: pd.Series, classify: bool) -> dict[str, Pipeline]:
    """The network and its peers, each a pipeline that takes the raw table."""
    simple = baselines(count_gaps(X), y, task="classification" if classify else "regression", random_state=0)
    mlp = MLPClassifier(random_state=0) if classify else MLPRegressor(random_state=0)
    if not classify:
        mlp = TransformedTargetRegressor(mlp, transformer=StandardScaler())
    neural = (NeuralClassifier if classify else NeuralRegressor)(random_state=0)
    peers = {type(neural).__name__: neural, "scikit-learn's MLP": make_pipeline(simple["linear"][:-1], mlp)}
    peers |= {f"{name}: {type(model[-1]).__name__}": model for name, model in reversed(simple.items())}
    return {name: make_pipeline(FunctionTransformer(count_gaps), model) for name, model in peers.items()}


def compare(X: pd.DataFrame, y: pd.Series, classify: bool, n_splits: int = 3) -> pd.DataFrame:
    """Mean and standard deviation of the scores over the folds, and the seconds of one fit."""
    if classify:
        scoring = {"accuracy": "accuracy", "log-loss": "neg_log_loss"}
        cv = StratifiedKFold(n_splits, shuffle=True, random_state=0)
    else:
        scoring = {"R2": "r2", "RMSE": "neg_root_mean_squared_error"}
        cv = KFold(n_splits, shuffle=True, random_state=0)
    rows: dict[str, dict[str, str]] = {}
    for name, pipeline in models(X, y, classify).items():
        with warnings.catch_warnings():
            # scikit-learn's MLP warns that its default of 200 epochs is not enough.
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = cross_validate(pipeline, X, y, cv=cv, scoring=scoring, error_score="raise")
        rows[name] = {}
        for label, scorer in scoring.items():
            scores = result[f"test_{label}"]
            mean = -scores.mean() if scorer.startswith("neg_") else scores.mean()
            rows[name][label] = f"{mean:.4g} ± {scores.std():.2g}"
        rows[name]["fit, s"] = f"{result['fit_time'].mean():.2f}"
    return pd.DataFrame.from_dict(rows, orient="index")


print(f"\n3-fold cross-validation on {len(X)} rows")
print(compare(X, y, classify).to_string())

# %%
# A grid search
# -------------
# ``module__dropout`` is a parameter of the network, ``lr`` one of the optimizer. No declaration is needed.

from sklearn.model_selection import GridSearchCV

grid = {"module__dropout": [0.0, 0.3], "lr": [0.005, 0.01]}
search = GridSearchCV(Neural(random_state=0), grid, cv=3, scoring="neg_log_loss" if classify else "r2")
tick = time.perf_counter()
search.fit(X_train[:MAX_SEARCH_ROWS], y_train[:MAX_SEARCH_ROWS])
seconds = time.perf_counter() - tick

found = pd.DataFrame(search.cv_results_["params"])
found["score"] = search.cv_results_["mean_test_score"].round(4)
print(f"\n{len(found)} candidates, 3 folds, {min(len(X_train), MAX_SEARCH_ROWS)} rows: {seconds:.1f} s")
print(found.to_string(index=False))
print(f"best by {search.scoring}: {search.best_params_}")

# %%
# Saved, and loaded by another process
# ------------------------------------
# A new process, which has neither the table nor the training code, loads the file and predicts the same values.

READER = """
import sys
import joblib
model, rows = joblib.load(sys.argv[1]), joblib.load(sys.argv[2])
joblib.dump({name: getattr(model, name)(rows) for name in sys.argv[4:]}, sys.argv[3])
"""

files = [args.out / name for name in ("model.joblib", "rows.joblib", "answer.joblib")]
joblib.dump(model, files[0])
joblib.dump(X_test, files[1])
methods = ["predict", "predict_proba"] if classify else ["predict"]
subprocess.run([sys.executable, "-c", READER, *map(str, files), *methods], check=True)
for method, predicted in joblib.load(files[2]).items():
    np.testing.assert_array_equal(predicted, getattr(model, method)(X_test))
print(f"\nsaved: {files[0]}, {files[0].stat().st_size / 1e6:.1f} MB")
print(f"a new process loads it and returns the same {' and '.join(methods)} for {len(X_test)} rows")

# %%
# The same for numbers
# --------------------
# :class:`~sknn.NeuralRegressor` scales the target by itself. Here it predicts how far diabetes has progressed one
# year after ten measurements, one of which is a category.

if args.data is None:
    X, y = load_diabetes(as_frame=True, scaled=False, return_X_y=True)
    X["sex"] = X["sex"].map({1.0: "a", 2.0: "b"})
    print(f"\ndiabetes, 3-fold cross-validation on {len(X)} rows")
    print(compare(X, y, classify=False).to_string())

print("\nother kinds of data: docs/gallery/plot_texts.py, plot_images.py, plot_sequences.py, plot_audio.py")
print(f"all of it: {time.perf_counter() - started:.0f} s")
