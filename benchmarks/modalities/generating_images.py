"""NeuralGenerator's defaults on images: are samples what they should be, and are they copies?

    python -m benchmarks.modalities.generating_images --data ../shared/data_modalities [--seeds 3] [--pictures FOLDER]

Tasks: digits of 8 x 8 pixels (0 to 16), clothes of 28 x 28 pixels (the set "fashion_6k" of the folder), and coloured
ones of 32 x 32 pixels made of these. A support vector machine that was trained on the real training images names the
samples of each class; near copies are samples nearer to a training image than the median test image is. The report is
printed in Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from benchmarks._timing import machine, print_table
from sknn import NeuralGenerator
from sknn.inspection import compare

__all__ = ["BARS", "ImageTask", "coloured", "digits", "main", "measured"]

# Share of samples that are named as what they should be, at least, and share of near copies, at most.
BARS = {"digits": (0.95, 0.6), "fashion_6k": (0.8, 0.6)}
_N_SAMPLES = 1000


class ImageTask(NamedTuple):
    """Images and their classes, split."""

    name: str
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def digits(seed: int) -> ImageTask:
    """The digits of scikit-learn, uint8 from 0 to 16."""
    bunch = load_digits()
    X, y = bunch.images.astype(np.uint8), bunch.target
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=seed)
    return ImageTask("digits", X[train], y[train], X[test], y[test])


def _from_folder(folder: Path) -> ImageTask:
    with np.load(folder / "fashion_6k.npz") as arrays:
        X, y, test = arrays["X"], arrays["y"].astype(np.int64), arrays["test"]
    return ImageTask("fashion_6k", X[~test], y[~test], X[test], y[test])


def coloured(task: ImageTask, seed: int) -> ImageTask:
    """Each image in a random colour before a random, shaded background, 32 x 32 pixels of three channels."""
    rng = np.random.default_rng(seed)

    def colour(X: np.ndarray) -> np.ndarray:
        shape = np.pad(X, ((0, 0), (2, 2), (2, 2)))[..., None] / 255.0
        front, back = rng.uniform(0.2, 1, (len(X), 1, 1, 3)), rng.uniform(0, 0.5, (len(X), 1, 1, 3))
        shade = np.linspace(0.5, 1, shape.shape[1])[None, :, None, None]
        return np.round(255 * (shape * front + (1 - shape) * back * shade)).astype(np.uint8)

    return ImageTask("coloured", colour(task.X), task.y, colour(task.X_test), task.y_test)


class Figures(NamedTuple):
    """What is measured of a task with a seed."""

    named: float
    named_real: float
    near_copies: float
    auc: float
    epochs: float
    fit_s: float
    fit_cpu_s: float
    sample_s: float


def measured(task: ImageTask, seed: int, picture: Path | None = None) -> Figures:
    """Fit, sample and measure."""
    started, cpu = time.perf_counter(), time.process_time()
    generator = NeuralGenerator(random_state=seed).fit(task.X, task.y)
    fit_s, fit_cpu_s = time.perf_counter() - started, time.process_time() - cpu
    wanted = np.resize(generator.classes_, _N_SAMPLES)
    started = time.perf_counter()
    made = generator.sample(y=wanted, random_state=seed)
    sample_s = time.perf_counter() - started
    classifier = SVC(C=5).fit(_flat(task.X), task.y)
    report = compare(task.X_test, made, train=task.X, random_state=seed)
    if picture is not None:
        draw(made[:100], picture)
    return Figures(
        float((classifier.predict(_flat(made)) == wanted).mean()),
        float((classifier.predict(_flat(task.X_test)) == task.y_test).mean()),
        report.near_copies, report.auc, generator.best_epoch_, fit_s, fit_cpu_s, sample_s,
    )  # fmt: skip


def _flat(X: np.ndarray) -> np.ndarray:
    return X.reshape(len(X), -1) / float(X.max())


def draw(images: np.ndarray, path: Path) -> None:
    """Write a picture of images in rows of ten."""
    from matplotlib import pyplot as plt

    rows = [np.concatenate(list(images[i : i + 10]), axis=1) for i in range(0, len(images), 10)]
    plt.imsave(path, np.concatenate(rows), cmap="gray")


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with fashion_6k.npz; without it, the digits only")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tasks", default="digits,fashion_6k,coloured", help="comma-separated")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the samples of the first seed")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    rows, names = [], args.tasks.split(",")
    for name in names:
        if name != "digits" and args.data is None:
            continue
        found = []
        for seed in range(args.seeds):
            task = digits(seed) if name == "digits" else _from_folder(args.data)
            task = coloured(task, seed) if name == "coloured" else task
            picture = args.pictures / f"{name}.png" if args.pictures is not None and seed == 0 else None
            with threadpool_limits(args.threads):
                found.append(measured(task, seed, picture))
            print(name, seed, found[-1], file=sys.stderr, flush=True)
        medians = [statistics.median(values) for values in zip(*found, strict=True)]
        least, most = BARS.get(name, (float("nan"), float("nan")))
        met = "" if name not in BARS else "met" if medians[0] >= least and medians[2] <= most else "missed"
        rows.append([name, *(f"{value:.3g}" for value in medians), met])
    print(machine())
    heads = ["named right", "real images", "near copies", "AUC", "best epoch", "fit s", "fit CPU s", "1,000 samples s"]
    print_table(["task", *heads, "bars"], rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
