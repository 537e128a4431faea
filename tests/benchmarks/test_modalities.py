"""The benchmark of kinds of data splits its tasks, keeps its fits, and judges the bars."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

# A bare `pytest`, unlike `python -m pytest`, does not look for modules here.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.modalities import __main__ as command
from benchmarks.modalities.bars import Score, bars, task_bar
from benchmarks.modalities.tasks import all_tasks

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    """A tiny task of every kind, as the folder of real ones holds them."""
    about = {
        "texts": {"modality": "text"},
        "pictures": {"modality": "images"},
        "series": {"modality": "sequences"},
        "sounds": {"modality": "audio", "rate": 8000},
        "robot": {"modality": "sensors", "window": 4},
        "rankings": {"modality": "ranking"},
    }
    (tmp_path / "tasks.json").write_text(json.dumps(about))
    split = ["train"] * 6 + ["test"] * 3
    frame = pd.DataFrame({"text": list("abcabcabc"), "target": list("xyzxyzxyz"), "split": split})
    frame.to_parquet(tmp_path / "texts.parquet")
    test, y = np.arange(30) % 3 == 2, np.repeat([0, 1], 15)
    np.savez(tmp_path / "pictures.npz", X=RNG.integers(0, 255, (30, 5, 5), np.uint8), y=y, test=test)
    np.savez(tmp_path / "series.npz", values=RNG.normal(size=(300, 2)), offsets=np.arange(0, 301, 10), y=y, test=test)
    lengths = RNG.integers(900, 1500, 30)
    offsets, values = np.append(0, lengths.cumsum()), RNG.integers(-99, 99, lengths.sum(), np.int16)
    np.savez(tmp_path / "sounds.npz", values=values, offsets=offsets, y=y, test=test, rate=8000)
    is_test = np.repeat([False, True, False], 20)
    np.savez(tmp_path / "robot.npz", sensors=RNG.normal(size=(60, 3)), actions=RNG.normal(size=(60, 2)), test=is_test)
    peers = [{"task": "series", "peer": "minirocket", "metric": "accuracy", "score": 0.9, "wall_fit_s": 1.5}]
    (tmp_path / "peers.jsonl").write_text("\n".join(map(json.dumps, peers)))
    return tmp_path


def test_tasks_are_split_as_their_files_say(folder):
    tasks = {name: load for name, load in all_tasks(folder)}
    assert "rankings" not in tasks
    assert tasks["texts"]().X_test == ["a", "b", "c"]
    assert tasks["pictures"]().X_train.shape == (20, 5, 5)
    assert tasks["series"]().X_train.shape == (20, 2, 10)  # (n, channels, time)
    sounds = tasks["sounds"]()
    assert sounds.sampling_rate == 8000
    assert (len(sounds.X_train), len(sounds.X_test)) == (20, 10)
    assert len(tasks["load_digits"]().X_train) == 1257


def test_speakers_are_held_out_one_by_one(folder):
    tasks = {name: load for name, load in all_tasks(folder)}
    heard = [tasks[f"unseen_speaker_{i}"]() for i in range(3)]
    assert [len(task.X_test) for task in heard] == [10, 10, 10]
    tested = [id_of for task in heard for id_of in map(bytes, task.X_test)]
    assert len(set(tested)) == 30  # each recording once
    assert all(sorted(task.y_test) == [0] * 5 + [1] * 5 for task in heard)


def test_windows_of_sensors_end_at_their_action_and_cross_no_border(folder):
    task = dict(all_tasks(folder))["robot"]()
    assert task.X_train.shape == (34, 3, 4)  # twice 20 rows of training, 17 windows each
    assert task.X_test.shape == (17, 3, 4)
    with np.load(folder / "robot.npz") as file:
        np.testing.assert_allclose(task.y_test[0], file["actions"][23])
        np.testing.assert_allclose(task.X_test[0], file["sensors"][20:24].T.astype(np.float32))
    assert task.flattened().X_test.shape == (17, 12)


def test_a_run_prints_its_fits_and_repeats_none(folder, tmp_path, capsys):
    out = tmp_path / "fits.jsonl"
    arguments = ["--data", str(folder), "--only", "sounds,series,robot", "--seeds", "1", "--threads", "1"]
    arguments += ["--models", "mfcc_svc,pixels_rf", "--out", str(out)]
    assert command.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "| sounds | mfcc_svc | " in printed
    assert "| series | minirocket | 0.9000 | 1.5 | recorded |" in printed
    first = out.read_text()
    assert command.main(arguments) == 0
    assert out.read_text() == first


def test_unknown_names_are_refused(folder, capsys):
    with pytest.raises(SystemExit):
        command.main(["--data", str(folder), "--only", "nothing"])
    assert "nothing unknown; expected some of texts" in capsys.readouterr().err


def test_a_folder_without_tasks_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        command.main(["--data", str(tmp_path)])
    assert "has no file tasks.json; expected the folder of the tasks" in capsys.readouterr().err


def test_bars_on_single_tasks():
    models = {"sknn": Score(0.95), "minirocket": Score(0.94), "multirocket_hydra": Score(0.97)}
    bar = task_bar("arrow_head", models)
    assert (bar.bar, bar.verdict) == (">= 0.9600 (multirocket_hydra - 0.01)", "missed")
    assert task_bar("fsdd_dev", {"sknn": Score(0.99)}).verdict == "met"
    sensors = {"sknn": Score(0.8), "hgb": Score(0.7), "sknn_flat": Score(0.805)}
    assert task_bar("linaker1v", sensors).verdict == "met"
    assert task_bar("fsdd_dev", {}) is None


def test_bars_on_averages_need_all_tasks():
    text = {"sknn": Score(0.95, fit_s=21.0), "nbsvm": Score(0.9), "fasttext": Score(0.94), "wordllama_lr": Score(1.0)}
    by_name = {bar.name: bar for bar in bars({"sms_spam": text, "trec_questions": text})}
    texts = next(bar for name, bar in by_name.items() if name.startswith("texts"))
    assert (texts.figure, texts.bar, texts.verdict) == ("0.9500", ">= 0.9450", "met")
    assert next(bar for name, bar in by_name.items() if name.startswith("sequences")).verdict == "open"
    assert by_name["seconds of a fit"].verdict == "missed"


def test_unseen_speakers_are_compared_with_the_best_single_peer():
    scores = {
        f"unseen_speaker_{i}": {"sknn": Score(0.8), "mfcc_svc": Score(svc), "mfcc_rf": Score(rf)}
        for i, (svc, rf) in enumerate([(0.9, 0.7), (0.5, 0.7), (0.5, 0.7)])
    }
    bar = next(bar for bar in bars(scores) if bar.name.startswith("unseen"))
    assert (bar.bar, bar.verdict) == (">= 0.7500", "met")
