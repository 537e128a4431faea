"""Which columns tell of the target, and the factors that they start with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from torch import Tensor

from sknn import NeuralClassifier
from sknn.modules._column_statistics import Effects, effects, log_p_values, midranks, relevance


class FewRows:
    """`StartRows` of tensors."""

    def __init__(self, x: Tensor, y: Tensor, weight: Tensor | None = None, target: str = "real") -> None:
        self.x, self.y, self.weight, self.target = x, y, weight, target
        self.link: str | None = None

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, at_most: int | None = None) -> Iterator[tuple[tuple[Tensor, ...], Tensor, Tensor | None]]:
        step = 1 if at_most is None else -(-len(self) // at_most)
        for part in torch.arange(0, len(self), step).split(100):
            yield (self.x[part],), self.y[part], None if self.weight is None else self.weight[part]


def rows_of(n_rows: int, n_columns: int) -> tuple[Tensor, Tensor]:
    """Numbers of which the first three tell of the target: by a line, a threshold, and in both directions."""
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((n_rows, n_columns))).float()
    return x, (x[:, 0] + x[:, 1].sign() + x[:, 2].abs()).unsqueeze(1)


def found_in(x: Tensor, y: Tensor) -> Tensor:
    return relevance(log_p_values(midranks(x), y, torch.ones(len(x))))


def effects_of(x: Tensor, y: Tensor, weight: Tensor | None = None) -> Effects:
    found = effects(FewRows(x, y, weight))
    assert found is not None
    return found


def test_equal_values_share_their_mean_rank():
    x = torch.tensor([[3.0, 1.0], [1.0, 1.0], [3.0, 1.0], [-2.0, 1.0]])
    torch.testing.assert_close(midranks(x).numpy(), ((rankdata(x, axis=0) - 0.5) / 4).astype(np.float32))


def test_columns_with_effects_of_any_shape_are_found_and_others_are_not():
    x, y = rows_of(800, 60)
    found = found_in(x, midranks(y))
    assert found[:3].min() > 0.99
    assert found[3:].median() < 0.01


def test_labels_may_be_several():
    x, _ = rows_of(600, 40)
    y = torch.nn.functional.one_hot((x[:, 0] > 0).long() + (x[:, 1] > 1)).float()
    found = found_in(x, y)
    assert found[:2].min() > 0.99
    assert found[2:].median() < 0.01


def test_nothing_is_found_in_equal_values_of_sorted_rows():
    y = torch.linspace(0, 1, 300).unsqueeze(1)
    x = torch.zeros(300, 20)
    x[::2, 10:] = 1.0
    assert found_in(x, y).max() < 0.05


def test_extreme_values_find_nothing():
    x, y = rows_of(200, 30)
    x[7, 3:] = 1e6
    y[7] = 1e9
    found = found_in(x, midranks(y))
    assert found[:3].min() > 0.9
    assert found[3:].median() < 0.05


def test_a_row_of_weight_zero_counts_as_none():
    x, y = rows_of(200, 40)
    weight = torch.rand(200, generator=torch.Generator().manual_seed(0))
    weight[::3] = 0
    kept = weight > 0
    expected = effects_of(x[kept], y[kept], weight[kept])
    torch.testing.assert_close(effects_of(x, y, weight).scales, expected.scales)


def test_rows_of_weight_zero_alone_say_nothing():
    assert effects(FewRows(*rows_of(50, 20), torch.zeros(50)), must_rank=True) is None


@pytest.mark.parametrize(("n_rows", "n_columns"), [(100, 1), (2500, 10), (20, 1)])
def test_few_columns_keep_their_scale(n_rows, n_columns):
    assert effects(FewRows(rows_of(n_rows, 10)[0][:, :n_columns], rows_of(n_rows, 10)[1])) is None


def test_scales_of_columns_without_effects_are_the_smaller_the_more_columns_there_are():
    scales = [effects_of(*rows_of(800, n_columns)).scales for n_columns in (23, 203)]
    assert all(scale[:3].min() > 0.95 for scale in scales)
    assert [float(scale.median()) for scale in scales] == pytest.approx([0.083, 0.00083], rel=0.2)


def test_sparse_columns_keep_their_scale():
    x, y = rows_of(500, 60)
    sparse = (torch.rand(500, 60, generator=torch.Generator().manual_seed(0)) < 0.05).float()
    scales = effects_of(torch.cat([x, sparse, 1 - sparse], 1), y).scales
    assert scales[60:].min() == 1
    assert scales[3:60].median() < 0.02


def test_the_largest_scale_is_one_where_nothing_is_found():
    x = torch.randn(100, 500, generator=torch.Generator().manual_seed(3))
    assert effects_of(x, torch.arange(100.0).unsqueeze(1) % 7).scales.max() == 1


def test_columns_of_a_table_too_large_to_be_read_are_ranked_only():
    x, y = rows_of(8000, 4)
    found = effects(FewRows(torch.cat([torch.zeros(8000, 5000), x], 1), y), must_rank=True)
    assert found is not None
    assert found.strongest[:3].min() >= 5000
    assert found.scales.min() == 1


def test_few_useful_columns_are_found_among_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((700, 600))
    y = X[:, 0] + X[:, 1] - X[:, 2] + 0.5 * rng.standard_normal(700) > 0
    fitted = NeuralClassifier(random_state=0, max_epochs=20).fit(X[:200], y[:200])
    assert roc_auc_score(y[200:], fitted.predict_proba(X[200:])[:, 1]) > 0.88
