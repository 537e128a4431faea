"""`compare` measures what it says, and refuses what cannot be compared."""

from __future__ import annotations

import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import ks_2samp, spearmanr

from sknn.inspection import compare

mpl.use("agg")
from matplotlib import pyplot as plt


def table(seed: int, n: int = 400, slope: float = 1.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    a, noise = random.normal(size=(2, n))
    return pd.DataFrame({
        "a": a,
        "b": slope * a + noise,
        "sign": np.where(random.random(n) < 0.1, None, np.where(noise > 0, "plus", "minus")),
        "kind": pd.Categorical(random.choice(["x", "y", "z"], n)),
        "gaps": np.where(random.random(n) < 0.2, np.nan, random.exponential(size=n)),
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, n), "D"),
    })  # fmt: skip


def images(seed: int, n: int = 120, shape: tuple[int, ...] = (6, 7)) -> np.ndarray:
    random = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, shape[1])[None, None, :, *[None] * (len(shape) - 2)]
    return (random.random((n, 1, *[1] * (len(shape) - 1))) * ramp + random.integers(0, 40, (n, *shape))).astype(
        np.uint8
    )


@pytest.fixture(scope="module")
def differing():
    return compare(table(0), table(1, slope=0.2), train=table(2), random_state=0)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


class TestTables:
    def test_rows_of_the_same_distribution_cannot_be_told(self):
        report = compare(table(0), table(1), train=table(2), random_state=0)
        assert abs(report.auc - 0.5) < 0.08
        assert abs(report.near_copies - 0.5) < 0.1
        assert report.near_copies_real == 0.5
        assert np.mean([column.distance for column in report.columns]) < 0.07

    def test_another_dependence_is_found_by_classifier_and_pairs(self, differing):
        assert differing.auc > 0.65
        pair = differing.pairs[0]
        assert {pair.first, pair.second} == {"a", "b"}
        assert pair.real == pytest.approx(spearmanr(table(0)["a"], table(0)["b"])[0])
        assert pair.made == pytest.approx(spearmanr(table(1, slope=0.2)["a"], table(1, slope=0.2)["b"])[0])
        assert len(differing.pairs) == 15
        assert 0 < differing.pairs_by_chance < pair.difference

    def test_numbers_have_the_distance_of_kolmogorov_and_smirnov(self, differing):
        found = {column.name: column for column in differing.columns}
        expected = ks_2samp(table(0)["b"], table(1, slope=0.2)["b"]).statistic
        assert found["b"].distance == pytest.approx(expected)
        assert found["a"].kind == found["day"].kind == "number"

    def test_categories_and_gaps_have_the_total_variation_distance(self, differing):
        found = {column.name: column for column in differing.columns}
        shares = [frame["sign"].value_counts(normalize=True, dropna=False) for frame in (table(0), table(1, slope=0.2))]
        assert found["sign"].distance == pytest.approx(shares[0].sub(shares[1], fill_value=0).abs().sum() / 2)
        assert found["sign"].kind == found["kind"].kind == "category"
        assert found["gaps"].gaps_real == table(0)["gaps"].isna().mean()
        assert found["gaps"].gaps_made == table(1)["gaps"].isna().mean()

    def test_columns_come_in_descending_distance(self, differing):
        distances = [column.distance for column in differing.columns]
        assert distances == sorted(distances, reverse=True)

    def test_copies_of_training_rows_are_counted(self):
        train = table(2)
        made = pd.concat([train.iloc[:100], table(3).iloc[:300]])
        report = compare(table(0), made, train=train, random_state=0)
        assert report.exact_copies == 0.25
        assert report.exact_copies_real == 0.0
        assert report.near_copies == pytest.approx(0.25 + 0.75 * 0.5, abs=0.08)

    def test_without_train_real_rows_are_compared_with_the_others(self):
        real = table(0)
        copied = compare(real, real.iloc[:100], random_state=0)
        assert (copied.exact_copies, copied.near_copies, copied.exact_copies_real) == (1.0, 1.0, 0.0)
        assert abs(compare(real, table(1), random_state=0).near_copies - 0.5) < 0.1

    def test_ties_of_distances_count_by_half(self):
        cells = np.tile(np.arange(3.0), 100)[:, None]
        report = compare(cells, cells[:90], random_state=0)
        assert (report.near_copies, report.near_copies_real) == (0.5, 0.5)

    def test_the_order_of_columns_does_not_matter(self, differing):
        again = compare(
            table(0), table(1, slope=0.2)[[*"ba", "day", "gaps", "kind", "sign"]], train=table(2), random_state=0
        )
        assert str(again) == str(differing)

    @pytest.mark.parametrize("convert", [pl.from_pandas, lambda frame: frame], ids=["polars", "pandas"])
    def test_containers_may_differ(self, differing, convert):
        again = compare(convert(table(0)), convert(table(1, slope=0.2)), train=table(2), random_state=0)
        assert again.auc == differing.auc
        assert again.near_copies == differing.near_copies

    def test_a_column_without_values_is_compared_with_categories(self):
        real, made = table(0), table(1)
        made["sign"] = None
        found = {column.name: column for column in compare(real, made, random_state=0).columns}
        assert found["sign"].gaps_made == 1.0
        assert found["sign"].distance == pytest.approx(1 - found["sign"].gaps_real)

    def test_constant_columns_and_one_column_are_compared(self):
        report = compare(np.ones((30, 1)), np.ones((20, 1)), random_state=0)
        assert (report.auc, report.pairs, report.exact_copies) == (0.5, [], 1.0)
        assert "pairs" not in str(report)

    def test_columns_of_1000_categories_are_compared(self):
        random = np.random.default_rng(0)
        real, made = ([[f"c{i}"] for i in random.integers(0, 1000, 2000)] for _ in range(2))
        assert abs(compare(real, made, random_state=0).auc - 0.5) < 0.06

    def test_the_seed_decides_the_report(self):
        several = [table(i, 60) for i in range(2)]
        assert str(compare(*several, random_state=1)) == str(compare(*several, random_state=1))
        assert str(compare(*several, random_state=1)) != str(compare(*several, random_state=2))

    def test_5000_of_many_rows_are_compared(self):
        report = compare(np.arange(5200.0)[:, None], np.arange(20.0)[:, None], random_state=0)
        assert (len(report.distances_real), len(report.distances_made), report.n_real) == (5000, 20, 5200)


class TestImages:
    @pytest.mark.parametrize("shape", [(6, 7), (6, 7, 3), (3, 6, 7)])
    def test_images_are_described_as_a_whole(self, shape):
        report = compare(images(0, shape=shape), images(1, shape=shape), random_state=0)
        names = {column.name for column in report.columns}
        assert names >= {"contrast", "roughness"}
        assert len(names) == (3 if len(shape) == 2 else 5)
        assert abs(report.auc - 0.5) < 0.15
        assert "120 made images" in str(report)

    def test_smooth_images_are_told_from_rough_ones(self):
        smooth = (images(1) // 40 * 40).astype(np.uint8)
        report = compare(images(0), smooth, random_state=0)
        assert report.auc > 0.9

    def test_copied_images_are_counted(self):
        assert compare(images(0), images(0)[:50], random_state=0).exact_copies == 1.0


class TestForms:
    def test_text_says_all_figures(self, differing):
        text = str(differing)
        for expected in (f"two-sample AUC {differing.auc:.3f}", "near copies", "mean distance", "'a' and 'b'", "400"):
            assert expected in text
        assert (
            repr(differing) == f"<GenerationReport: AUC {differing.auc:.3f}, near copies {differing.near_copies:.2f}>"
        )

    def test_frame_has_a_row_for_each_column(self, differing):
        frame = differing.to_frame()
        assert list(frame.columns) == ["kind", "distance", "by_chance", "gaps_real", "gaps_made"]
        assert sorted(frame.index) == sorted(table(0).columns)

    def test_html_escapes_names(self):
        report = compare(table(0).rename(columns={"a": "<a>"}), table(1).rename(columns={"a": "<a>"}), random_state=0)
        assert "&lt;a&gt;" in report._repr_html_()
        assert "<a>" not in report._repr_html_()

    def test_plot_draws_columns_pairs_and_distances(self, differing):
        axes = differing.plot()
        assert len(axes[0].patches) == 6
        assert len(axes[1].lines[1].get_xdata()) == 15
        assert [line.get_label() for line in axes[2].lines[:2]] == ["real", "made"]
        axes[0].figure.canvas.draw()
        own = plt.subplots(1, 3)[1]
        assert differing.plot(own)[0] is own[0]
        with pytest.raises(ValueError, match="axes holds 1 Axes; expected three"):
            differing.plot(own[0])

    def test_missing_packages_are_named(self, differing, monkeypatch):
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(ImportError, match="GenerationReport.to_frame needs pandas"):
            differing.to_frame()


@pytest.mark.parametrize(
    ("real", "made", "train", "error", "message"),
    [
        (table(0), table(1).drop(columns="a"), None, ValueError, r"made has 5 columns.*lacks \['a'\]"),
        (table(0), table(1).assign(z=1), None, ValueError, r"made has 7 columns.*has \['z'\] beside them"),
        (table(0), table(1), table(2)[["a"]], ValueError, "train has 1 columns"),
        (table(0), images(0), None, TypeError, "real is read as table, but made as image"),
        (table(0).assign(a=np.inf), table(1), None, ValueError, "column 'a'.*infinity"),
        (table(0).assign(a="x"), table(1), None, ValueError, "column 'a'.*categories in real, but numbers in made"),
        (table(0), table(1)[:9], None, ValueError, "made has 9 rows; expected at least 10"),
        (images(0), images(0)[:3], None, ValueError, "made has 3 images"),
        (images(0), images(0, shape=(6, 6)), None, ValueError, r"made holds images of \(6, 6\) pixels.*real of \(6, 7\)"),
        ([images(0)[0], images(0, shape=(5, 5))[0]], images(0), None, ValueError, "real holds images of several sizes"),
        (["some words", "and others"] * 20, ["text of several words"] * 40, None, TypeError, "tables and images"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(real, made, train, error, message):
    with pytest.raises(error, match=message):
        compare(real, made, train=train)
