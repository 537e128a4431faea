"""The comparison with peers measures, resumes, sums up and draws what it says."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor

# A bare `pytest`, unlike `python -m pytest`, does not look for modules here.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.quality import __main__ as command
from benchmarks.quality.bars import bars
from benchmarks.quality.columns import NativeCategories, TextCategories
from benchmarks.quality.fitting import Job, run_isolated, run_job
from benchmarks.quality.measures import calibration_error, clip_probabilities, constant_loss, log_loss, ranks
from benchmarks.quality.models import MODELS, check_installed, expand_names
from benchmarks.quality.plot import pareto_front, plot_pareto
from benchmarks.quality.report import report
from benchmarks.quality.results import Cell, Records, collect
from benchmarks.quality.running import Plan, run_tables
from benchmarks.quality.summary import summarize, table_ranks
from benchmarks.quality.tables import Table, cut_tables, openml_tables, suite_tables, toy_table

RNG = np.random.default_rng(0)


def probabilities(n_samples: int, n_classes: int) -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.ones(n_classes), n_samples)


# Measures


def test_log_loss_is_sklearns_of_clipped_probabilities() -> None:
    p, y = probabilities(200, 3), RNG.integers(3, size=200)
    assert log_loss(clip_probabilities(p), y) == pytest.approx(metrics.log_loss(y, p), rel=1e-6)
    certain_and_wrong = clip_probabilities(np.array([[1.0, 0.0]]))
    assert log_loss(certain_and_wrong, np.array([1])) == pytest.approx(-np.log(1e-7 / (1 + 1e-7)))


def test_constant_loss_is_that_of_dummies() -> None:
    y_train, y_test = RNG.integers(3, size=100), RNG.integers(3, size=60)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((100, 1)), y_train)
    expected = metrics.log_loss(y_test, dummy.predict_proba(np.zeros((60, 1))))
    assert constant_loss("classification", y_train, y_test) == pytest.approx(expected)
    numbers, others = RNG.normal(size=50), RNG.normal(size=30)
    dummy = DummyRegressor().fit(np.zeros((50, 1)), numbers)
    expected = metrics.mean_squared_error(others, dummy.predict(np.zeros((30, 1))))
    assert constant_loss("regression", numbers, others) == pytest.approx(expected)


def test_calibration_error_is_that_of_a_loop_over_bins() -> None:
    p = probabilities(500, 4)
    y = np.array([RNG.choice(4, p=row) for row in p])  # some bins too confident, some too little
    confidence, correct = p.max(axis=1), p.argmax(axis=1) == y
    expected = 0.0
    for low in np.arange(15) / 15:
        here = (confidence >= low) & (confidence < low + 1 / 15)
        if here.any():
            expected += here.mean() * abs(correct[here].mean() - confidence[here].mean())
    assert calibration_error(p, y) == pytest.approx(expected)
    assert calibration_error(np.array([[1.0, 0.0]] * 4), np.zeros(4, int)) == 0.0


def test_equal_losses_share_the_mean_of_their_ranks() -> None:
    assert ranks({"a": 0.2, "b": 0.1, "c": 0.2, "d": 0.9}) == {"a": 2.5, "b": 1.0, "c": 2.5, "d": 4.0}


# Summaries


def cell(loss: float, fit_s: float = 1.0, **others: Any) -> Cell:
    return Cell(loss=loss, skill=1 - loss, fit_s=fit_s, predict_s=0.01, **others)


def example() -> dict[str, dict[str, Cell]]:
    """sknn is best on one table and far off on the other, where TabM is missing."""
    return {
        "one": {
            "sknn": cell(0.20, 1.0, ece=0.01, memory_mib=500.0, memory_increase_mib=20.0),
            "sknn_quarter": cell(0.22, 0.2, ece=0.02),
            "catboost": cell(0.25, 5.0, ece=0.03),
            "lightgbm": cell(0.30, 0.1, ece=0.04),
            "histgb": cell(0.30, 0.2, ece=0.04),
            "tabm": cell(0.21, 9.0, recorded=True),
        },
        "two": {
            "sknn": cell(0.50, 2.0, memory_mib=700.0, memory_increase_mib=30.0),
            "sknn_quarter": cell(0.52, 0.5),
            "catboost": cell(0.40, 7.0),
            "lightgbm": cell(0.45, 0.1),
            "histgb": cell(0.46, 0.2),
        },
    }


def test_a_variant_is_ranked_in_sknns_place() -> None:
    ranked = table_ranks(example())
    assert ranked["one"] == {
        "sknn": 1.0, "sknn_quarter": 2.0, "tabm": 2.0, "catboost": 3.0, "lightgbm": 4.5, "histgb": 4.5,
    }  # fmt: skip
    assert ranked["two"]["sknn"] == ranked["two"]["sknn_quarter"] == 4.0


def test_figures_are_over_the_tables_that_a_model_has() -> None:
    summaries = summarize(example())
    own, tabm = summaries["sknn"], summaries["tabm"]
    assert (own.mean_rank, own.won, own.fit_s) == (2.5, 1, 3.0)
    assert own.mean_skill == pytest.approx(0.65)
    assert (own.worst_ratio, own.worst_table) == (0.50 / 0.40, "two")
    assert (own.ece, own.memory_mib, own.memory_increase_mib) == (0.01, 700.0, 30.0)
    assert (tabm.tables, tabm.mean_rank, tabm.recorded, tabm.ece) == (["one"], 2.0, True, None)
    assert [summary.mean_rank for summary in summaries.values()] == sorted(s.mean_rank for s in summaries.values())


def test_bars_are_met_missed_or_open() -> None:
    results = example()
    verdicts = {bar.name.split(",")[0]: (bar.figure, bar.bar, bar.verdict) for bar in bars(results)}
    assert verdicts["mean rank"] == ("2.50", "< 2.00 (catboost)", "missed")
    assert verdicts["mean skill"] == ("0.6500", ">= 0.6950", "missed")
    assert verdicts["fit seconds in total"] == ("3.0", "<= 7.2", "met")
    assert verdicts["loss / best of linear and boosting"] == ("1.250 (two)", "<= 1.05", "missed")
    assert verdicts["expected calibration error"] == ("0.0100", "<= 0.0300", "met")
    assert verdicts["mean skill in a quarter of the time"] == ("0.6300", ">= 0.6750", "missed")
    assert verdicts["peak memory of the process"] == ("700 MiB", "< 1 GB (954 MiB)", "met")


def test_recorded_seconds_hold_no_bar() -> None:
    results = {"one": {"sknn": cell(0.2), "catboost": cell(0.3, 5.0, recorded=True)}}
    seconds = next(bar for bar in bars(results) if bar.name.startswith("fit seconds"))
    assert (seconds.bar, seconds.verdict) == ("<= 3.0 (recorded)", "open")


def test_report_has_every_table_and_compares_partial_models_on_their_own() -> None:
    text = report(example())
    assert "## Models, 2 tables" in text
    assert "| tabm (recorded), 1 tables | 2.00 | 0.7900 | 0 | 9.0 | 0.010 |  | 0.840 | one |" in text
    assert "Mean skill on the 1 tables of tabm: tabm 0.7900, mean rank 2.00, 9.0 s; sknn 0.8000" in text
    assert "| fit seconds in total, 0.6 x CatBoost's | 3.0 | <= 7.2 | met |" in text
    loss, skill, seconds = (
        text.split(f"## {name}\n\n")[1].split("\n\n")[0] for name in ("Loss", "Skill", "Fit seconds")
    )
    assert "**0.2**" in loss
    assert "**0.8000**" in skill
    assert "**" not in seconds
    assert [line.split(" | ")[0] for line in loss.splitlines()[2:]] == ["| one", "| two"]


def test_run_results_win_over_recorded_ones_and_are_medians_over_seeds() -> None:
    def record(model: str, seed: int, loss: float) -> dict[str, Any]:
        return {"model": model, "data": "t", "seed": seed, "loss": loss, "skill": 1 - loss, "fit_s": 1, "predict_s": 1}

    run = [record("linear", seed, loss) for seed, loss in enumerate((0.5, 0.1, 0.3))]
    results = collect(["t"], run, [record("linear", 0, 0.9), record("mlp", 0, 0.8)])
    assert (results["t"]["linear"].loss, results["t"]["linear"].recorded) == (0.3, False)
    assert (results["t"]["mlp"].loss, results["t"]["mlp"].recorded) == (0.8, True)


# Plot


def test_front_has_the_models_that_no_other_beats() -> None:
    assert [summary.model for summary in pareto_front(summarize(example()).values())][:2] == [
        "lightgbm",
        "sknn_quarter",
    ]


def test_plot_is_written_without_the_partial_models(tmp_path: Path) -> None:
    plot_pareto(summarize(example()), tmp_path / "new" / "pareto.svg")
    drawn = (tmp_path / "new" / "pareto.svg").read_text()  # the text of a label is there as a comment
    for text in ("sknn_quarter", "catboost", "Pareto front", "Skill and price, 2 tables (not on all: tabm)"):
        assert f"<!-- {text} -->" in drawn
    assert "<!-- tabm -->" not in drawn


# Tables and columns


def test_cut_tables_have_other_training_rows_in_each_draw(folder: Path) -> None:
    tables = list(cut_tables(suite_tables(folder), 30, 2))
    assert [table.name for table in tables] == ["classes-30-0", "classes-30-1", "numbers-30-0", "numbers-30-1"]
    assert [len(table.y_train) for table in tables] == [30] * 4
    assert not np.array_equal(tables[2].y_train, tables[3].y_train)
    assert np.array_equal(tables[2].y_test, tables[3].y_test)
    assert [len(table.y_train) for table in cut_tables(suite_tables(folder), 1000, 1)] == [60, 60]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A suite of two tables with gaps and categories, and a recorded peer."""
    n = 80
    x = RNG.normal(size=n)
    frame = pd.DataFrame({"a[1]": x, "b": np.where(x > 0.5, None, "u"), "split": ["train"] * 60 + ["test"] * 20})
    frame.loc[::9, "a[1]"] = np.nan
    frame.assign(target=np.where(x > 0, "yes", "no")).to_parquet(tmp_path / "classes.parquet")
    frame.assign(target=x * 2).to_parquet(tmp_path / "numbers.parquet")
    suite = [{"name": "classes", "task": "classification"}, {"name": "numbers", "task": "regression"}]
    (tmp_path / "suite.json").write_text(json.dumps(suite))
    peer = {"model": "catboost", "data": "classes", "loss": 0.1, "skill": 0.8, "fit_s": 4.0, "predict_s": 0.1}
    (tmp_path / "peers.jsonl").write_text(json.dumps(peer) + "\n")
    return tmp_path


def test_suite_reads_the_split_and_the_names_asked_for(folder: Path) -> None:
    classes, numbers = suite_tables(folder)
    assert (classes.name, numbers.name) == ("classes", "numbers")
    assert (len(classes.X_train), len(classes.y_test), list(classes.X_test)) == (60, 20, ["a[1]", "b"])
    assert (set(classes.y_train), numbers.y_train.dtype, classes.categorical) == ({0, 1}, np.float64, ["b"])
    assert [table.name for table in suite_tables(folder, ["numbers"])] == ["numbers"]
    with pytest.raises(ValueError, match="nowhere not in the suite; it has classes, numbers"):
        list(suite_tables(folder, ["nowhere"]))


def test_columns_keep_gaps_as_categories_and_know_only_trained_values() -> None:
    train = pd.DataFrame({"x{": [1.0, None, 3.0], "c": pd.Series(["a", "b", None], dtype="string")})
    test = pd.DataFrame({"x{": [None], "c": pd.Series(["z"], dtype="string")})
    text = TextCategories(["c"], impute=True).fit(train)
    assert text.transform(train).to_numpy().tolist() == [[1.0, "a"], [2.0, "b"], [3.0, "missing"]]
    assert TextCategories(["c"]).fit_transform(train)["x{"].isna().tolist() == [False, True, False]
    native = NativeCategories(["c"]).fit(train)
    assert list(native.transform(train)) == ["f0", "f1"]
    assert native.transform(train)["f1"].cat.codes.tolist() == [0, 1, -1]
    assert native.transform(test)["f1"].cat.codes.tolist() == [-1]


def fake_fetch(target: pd.Series, X: pd.DataFrame) -> Any:
    def fetch(*, data_id: int, as_frame: bool) -> SimpleNamespace:
        assert as_frame
        return SimpleNamespace(data=X, target=target, details={"name": "fake"})

    return fetch


def test_openml_splits_by_class_and_leaves_out_what_cannot_be_split() -> None:
    n = 200
    y = pd.Series(np.where(np.arange(n) % 4 == 0, "b", "a"), dtype="category").cat.add_categories("single")
    y[0], y[1] = "single", None
    X = pd.DataFrame({"x": np.arange(n), "c": pd.Categorical(np.where(np.arange(n) % 2, "u", "v"))})
    (table,) = openml_tables([7], fake_fetch(y, X))
    assert (table.name, table.task, table.categorical) == ("fake-7", "classification", ["c"])
    assert (len(table.y_train), len(table.y_test)) == (139, 59)
    assert abs(table.y_train.mean() - table.y_test.mean()) < 0.02
    assert not set(table.X_train["x"]) & set(table.X_test["x"])
    assert not {0, 1} & (set(table.X_train["x"]) | set(table.X_test["x"]))


def test_openml_trains_on_ten_thousand_rows_at_most() -> None:
    y = pd.Series(np.arange(16_000.0))
    (table,) = openml_tables([8], fake_fetch(y, pd.DataFrame({"x": y})))
    assert (table.task, len(table.y_train), len(table.y_test)) == ("regression", 10_000, 4_800)
    np.testing.assert_array_equal(table.X_train["x"], table.y_train)
    classes = pd.Series(["a"] * 15_995 + ["b"] * 3 + ["c"] * 2)
    (table,) = openml_tables([9], fake_fetch(classes, pd.DataFrame({"x": y})))
    assert (len(table.y_train), set(table.y_test) <= set(table.y_train)) == (10_000, True)


# Models


def test_names_of_the_command_line_expand() -> None:
    assert expand_names(["mlp", "skorch", "mlp_256x256"]) == ["mlp", "mlp_256x256", "skorch_256x256"]
    with pytest.raises(ValueError, match="models: foo not known; expected some of sknn, catboost"):
        expand_names(["foo"])


def test_a_missing_package_is_said_with_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'catboost needs catboost: pip install "sknn\[bench\]"'):
        check_installed(["linear", "catboost"])


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("model", ["linear", "mlp", "mlp_256x256", "histgb", "skorch_256x256"])
def test_peers_that_need_nothing_more_fit_and_are_measured(model: str, task: str) -> None:
    record = run_job(Job(model, model, toy_table(task), seed=0, threads=1))
    assert (record["model"], record["data"], record["seed"], record["threads"]) == (model, "toy", 0, 1)
    assert record["fit_s"] > 0
    assert ("accuracy" in record, "ece" in record) == (task == "classification",) * 2
    if model == "linear":
        assert record["skill"] > 0.6


def test_same_seed_same_loss() -> None:
    job = Job("skorch_256x256", "skorch_256x256", toy_table("regression"), seed=3, threads=1)
    assert run_job(job)["loss"] == run_job(job)["loss"]


def test_a_loss_that_is_not_finite_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = SimpleNamespace(fit=lambda X, y: None, predict=lambda X: np.full(len(X), np.nan))
    monkeypatch.setitem(MODELS, "linear", SimpleNamespace(build=lambda setting: nothing))
    with pytest.raises(ValueError, match="linear on toy: the loss is nan"):
        run_job(Job("linear", "linear", toy_table("regression"), seed=0, threads=1))


def test_a_process_of_its_own_gives_the_same_loss_and_its_memory() -> None:
    job = Job("linear", "linear", toy_table("regression"), seed=0, threads=1)
    record = run_isolated(job)
    assert record["loss"] == pytest.approx(run_job(job)["loss"])
    assert 20 < record["memory_mib"] < 2000
    assert 0 <= record["memory_increase_mib"] < record["memory_mib"]


# Running


class Runs:
    """Stands in for fits and counts them."""

    def __init__(self, fit_s: float = 4.0) -> None:
        self.jobs: list[Job] = []
        self.fit_s = fit_s

    def __call__(self, job: Job) -> dict[str, Any]:
        self.jobs.append(job)
        if job.model == "mlp":
            raise RuntimeError("no")
        limit = {} if job.max_time is None else {"max_time": job.max_time}
        record = {"model": job.name, "data": job.table.name, "seed": job.seed, "threads": job.threads, **limit}
        return {**record, "loss": 0.5, "skill": 0.5, "fit_s": self.fit_s + job.seed, "predict_s": 0.1}

    @property
    def names(self) -> list[tuple[str, int]]:
        return [(job.name, job.seed) for job in self.jobs]


def run(out: Path, models: list[str], fresh: Any = (), fit_s: float = 4.0, **options: Any) -> Runs:
    runs = Runs(fit_s)
    plan = Plan(models, **{"seeds": 2, "threads": 1, **options}, say=lambda line: None, run=runs)
    run_tables(plan, [toy_table("regression")], Records(out, fresh))
    return runs


def test_models_take_turns_and_one_that_is_deterministic_runs_once(tmp_path: Path) -> None:
    runs = run(tmp_path / "new" / "out.jsonl", ["sknn", "linear"], max_time_ratio=0.25)
    assert runs.names == [("sknn", 0), ("linear", 0), ("sknn", 1), ("sknn_quarter", 0), ("sknn_quarter", 1)]
    assert [job.max_time for job in runs.jobs] == [None] * 3 + [0.25 * 4.5] * 2


def test_a_second_run_fits_only_what_is_new(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(out, ["sknn", "linear"], max_time_ratio=0.25)
    assert run(out, ["sknn", "linear"], max_time_ratio=0.25).names == []
    assert run(out, ["sknn", "histgb"]).names == [("histgb", 0)]
    assert run(out, ["linear"], threads=2).names == [("linear", 0)]  # seconds of another kind
    assert run(out, ["sknn"], seeds=3).names == [("sknn", 2)]
    assert run(out, ["sknn", "linear"], fresh=["linear"]).names == [("linear", 0)]


def test_new_seconds_of_sknn_repeat_its_variant(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(out, ["sknn"], max_time_ratio=0.25)
    runs = run(out, ["sknn"], fresh=["sknn"], fit_s=8.0, max_time_ratio=0.25)
    assert runs.names == [("sknn", 0), ("sknn", 1), ("sknn_quarter", 0), ("sknn_quarter", 1)]
    assert runs.jobs[-1].max_time == 0.25 * 8.5


def test_memory_that_was_not_measured_is_a_reason_to_fit_again(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(out, ["linear"])
    assert run(out, ["linear"], memory=True).names == [("linear", 0)]


def test_an_unfinished_line_is_no_result_and_swallows_none(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(out, ["linear"])
    out.write_text(out.read_text() + '{"model": "histgb", "da')
    run(out, ["histgb"])
    assert run(out, ["linear", "histgb"]).names == []


def test_a_failed_fit_is_said_and_ends_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    plan = Plan(["mlp", "linear"], seeds=1, threads=1, say=said.append, run=Runs())
    names, done, n_failed = run_tables(plan, [toy_table("regression")], Records(tmp_path / "out.jsonl"))
    assert (names, [record["model"] for record in done], n_failed) == (["toy"], ["linear"], 1)
    assert said[0] == "toy mlp seed 0 FAILED: RuntimeError: no"


# Command line


def test_command_fits_reports_draws_and_resumes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, plot = folder / "out.jsonl", folder / "plot.png"
    argv = [
        "--data",
        str(folder),
        "--models",
        "linear,histgb",
        "--threads",
        "1",
        "--out",
        str(out),
        "--plot",
        str(plot),
    ]
    assert command.main(argv) == 0
    printed = capsys.readouterr()
    assert "| catboost (recorded), 1 tables |" in printed.out
    assert "classes linear seed 0: loss" in printed.err
    assert len(out.read_text().splitlines()) == 4
    assert plot.read_bytes()[1:4] == b"PNG"
    assert command.main([*argv, "--recorded", "", "--tables", "numbers"]) == 0
    printed = capsys.readouterr()
    assert "catboost" not in printed.out.replace("CatBoost", "")
    assert "| numbers |" in printed.out
    assert "classes" not in printed.out
    assert printed.err == ""
    assert command.main([*argv[:4], "--out", str(out), "--threads", "1", "--fresh", "linear"]) == 0
    assert len(out.read_text().splitlines()) == 6


def test_command_takes_tables_of_openml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def tables(ids: list[int]) -> list[Table]:
        asked.extend(ids)
        return [toy_table("classification")]

    monkeypatch.setattr(command, "openml_tables", tables)
    argv = ["--openml", "31, 44", "--models", "linear", "--threads", "1", "--out", str(tmp_path / "out.jsonl")]
    assert command.main(argv) == 0
    assert asked == [31, 44]
    assert "| toy |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--models", "linear"], "nothing to run on: give --data FOLDER, --openml ID,... or both"),
        (["--openml", "1", "--models", "foo"], "models: foo not known"),
        (["--openml", "1", "--models", "linear", "--max-time-ratio", "0.25"], "add it to --models"),
    ],
)
def test_command_refuses_what_it_cannot_run(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(argv)
    assert message in capsys.readouterr().err
