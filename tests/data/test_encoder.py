"""``Encoder``: its statistics against slow references, its torch twin, its copies."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse
import torch

from sknn._data.encoder import Encoder

NAN = np.nan


def slow_quantile(values, q):
    """Median-like quantile of copies: the mean of both neighbours where the step function is level."""
    values = sorted(v for v in values if not np.isnan(v))
    rank = q * len(values)
    if rank == int(rank):
        return values[int(rank) - 1] / 2 + values[int(rank)] / 2
    return values[int(np.ceil(rank)) - 1]


def slow_statistics(values):
    """Center and scale of one column, from the definition."""
    present = [v for v in values if not np.isnan(v)]
    if not present:
        return 0.0, 0.0
    spread = slow_quantile(present, 0.75) - slow_quantile(present, 0.25)
    center = slow_quantile(present, 0.5)
    off_the_spike = [abs(v - center) for v in present if v != center]
    if spread == 0 and off_the_spike:
        spread = slow_quantile(off_the_spike, 0.5)
    return center, 0.0 if spread == 0 else 1 / spread


def slow_encode(numeric, center, scale, gap_columns):
    z = (numeric - center) * scale
    clipped = z / np.sqrt(1 + (z / 3) ** 2)
    return np.hstack([np.where(np.isnan(clipped), 0, clipped), np.isnan(numeric[:, gap_columns])])


def table(n=61, seed=0):
    """Columns: normal; with gaps; ties; mostly zero; constant; constant with gaps; all missing."""
    rng = np.random.default_rng(seed)
    numeric = rng.normal(size=(n, 7))
    numeric[rng.random(n) < 0.3, 1] = NAN
    numeric[:, 2] = rng.integers(0, 4, size=n)
    numeric[:, 3] = np.where(np.arange(n) % 6 == 0, rng.lognormal(3.0, 2.0, size=n), 0.0)
    numeric[:, 4] = 7.0
    numeric[:, 5] = np.where(np.arange(n) % 3 == 0, NAN, 7.0)
    numeric[:, 6] = NAN
    return numeric


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 61, 64])
def test_statistics_match_the_definition(n):
    numeric = table(n, seed=n)
    encoder = Encoder().fit(numeric)
    expected = np.array([slow_statistics(column) for column in numeric.T]).T
    np.testing.assert_array_equal(encoder.center, expected[0])
    np.testing.assert_allclose(encoder.scale, expected[1], rtol=1e-15)
    np.testing.assert_array_equal(encoder.gap_columns, np.flatnonzero(np.isnan(numeric).any(axis=0)))


@pytest.mark.parametrize("seed", range(20))
def test_weight_of_k_is_k_copies_bit_for_bit(seed):
    rng = np.random.default_rng(seed)
    numeric = table(int(rng.integers(1, 40)), seed)
    count = rng.integers(0, 4, size=len(numeric))
    count[0] = 1
    weighted = Encoder().fit(numeric, count.astype(np.float64))
    copied = Encoder().fit(np.repeat(numeric, count, axis=0))
    for name in ("center", "scale", "gap_columns"):
        assert torch.equal(getattr(weighted, name), getattr(copied, name)), name


def test_statistics_do_not_depend_on_the_unit_of_the_weights():
    numeric = table(40)
    plain, weighted = Encoder().fit(numeric), Encoder().fit(numeric, np.full(40, 0.1))
    assert torch.equal(plain.center, weighted.center)
    assert torch.equal(plain.scale, weighted.scale)


def test_rows_of_weight_zero_do_not_count_anywhere():
    numeric = np.array([[1.0], [2.0], [4.0], [NAN], [1e9]])
    encoder = Encoder().fit(numeric, np.array([1.0, 1, 1, 0, 0]))
    assert encoder.center.tolist() == [2.0]
    assert encoder.scale.tolist() == [1 / 3]
    assert encoder.gap_columns.tolist() == []


def test_order_of_rows_does_not_matter():
    numeric = table()
    order = np.random.default_rng(1).permutation(len(numeric))
    assert torch.equal(Encoder().fit(numeric).scale, Encoder().fit(numeric[order]).scale)


def test_encode_matches_the_formula_and_does_not_touch_its_input():
    numeric = table()
    before = numeric.copy()
    encoder = Encoder().fit(numeric)
    encoded = encoder.encode(numeric)
    assert encoded.dtype == np.float32
    assert encoder.out_features == encoded.shape[1] == 7 + 3
    expected = slow_encode(numeric, encoder.center.numpy(), encoder.scale.numpy(), [1, 5, 6])
    np.testing.assert_allclose(encoded, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(numeric, before)


def test_constant_columns_are_zero_even_for_new_values():
    encoder = Encoder().fit(np.full((5, 1), 3.0))
    assert encoder.encode(np.array([[3.0], [1e6], [-1e308]])).tolist() == [[0.0], [0.0], [0.0]]


def test_missing_where_training_had_none_is_zero_without_an_indicator():
    encoder = Encoder().fit(np.array([[1.0], [2.0], [3.0]]))
    assert encoder.encode(np.array([[NAN]])).tolist() == [[0.0]]


def test_out_is_filled_in_place():
    numeric = table()
    encoder = Encoder().fit(numeric)
    out = np.full((70, encoder.out_features), 9.0, dtype=np.float32)
    result = encoder.encode(numeric, out=out[3:64])
    assert np.shares_memory(result, out)
    np.testing.assert_array_equal(out[3:64], encoder.encode(numeric))
    assert (out[:3] == 9).all()
    assert (out[64:] == 9).all()


def test_large_offsets_keep_their_small_differences():
    seconds = 1.7e9 + 60.0 * np.arange(9)[:, None]
    shifted = Encoder().fit(seconds).encode(seconds)
    np.testing.assert_array_equal(shifted, Encoder().fit(seconds - 1.7e9).encode(seconds - 1.7e9))
    assert len(np.unique(shifted)) == 9


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("magnitude", [1e-290, 1e-30, 1e200, 1e300, 1.7e308])
def test_extreme_magnitudes_give_what_ordinary_ones_give(magnitude):
    unit = np.array([[-1.0, 0.0], [-0.5, 0.0], [0.0, 0.0], [0.5, 0.0], [0.25, 1.0]])
    expected = Encoder().fit(unit).encode(unit)
    for weight in (None, np.ones(5)):
        encoder = Encoder().fit(unit * magnitude, weight)
        assert torch.isfinite(encoder.scale).all()
        np.testing.assert_allclose(encoder.encode(unit * magnitude), expected, rtol=1e-6)


@pytest.mark.filterwarnings("error")
def test_far_outliers_are_clipped_without_overflow():
    encoder = Encoder().fit(np.array([[-1.0], [0.0], [1.0]]))
    numeric = np.array([[1e200], [-1.7e308], [1e5], [2.0]])
    encoded = encoder.encode(numeric).ravel()
    np.testing.assert_allclose(encoded, [3, -3, 3, 1 / np.sqrt(1 + 1 / 9)], rtol=1e-6)
    np.testing.assert_array_equal(encoder(torch.tensor(numeric)).ravel(), encoded)


def test_opposite_extremes_stay_finite():
    numeric = np.array([[1.7e308], [-1.7e308], [NAN], [1.0]])
    encoder = Encoder().fit(numeric)
    assert encoder.gap_columns.tolist() == [0]
    assert np.isfinite(encoder.encode(numeric)).all()


def test_quartiles_further_apart_than_the_largest_float():
    numeric = np.array([[-1.7e308], [-1.6e308], [1.6e308], [1.7e308]])
    encoder = Encoder().fit(numeric)
    expected = Encoder().fit(numeric / 1e300).encode(numeric / 1e300)
    np.testing.assert_allclose(encoder.encode(numeric), expected, rtol=1e-6)


def test_overflowing_sum_is_not_taken_for_a_gap():
    # numpy adds in eight interleaved parts: four of them reach infinity, the others minus infinity.
    numeric = np.where(np.arange(64) % 8 < 4, 1e308, -1e308)[:, None]
    assert Encoder().fit(numeric).gap_columns.tolist() == []


def test_no_columns_at_all():
    encoder = Encoder().fit(np.empty((4, 0)))
    assert encoder.encode(np.empty((2, 0))).shape == (2, 0)
    assert encoder(torch.empty(2, 0)).shape == (2, 0)
    assert encoder.fit(np.empty((4, 0)), np.ones(4)).out_features == 0


# --- torch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_forward_equals_encode(dtype):
    encoder = Encoder().fit(table())
    numeric = torch.tensor(table(seed=3), dtype=dtype)
    encoded = encoder(numeric)
    assert encoded.dtype == torch.float32
    np.testing.assert_allclose(encoded, encoder.encode(numeric.numpy()), atol=1e-6)


def test_forward_takes_leading_dimensions():
    encoder = Encoder().fit(table())
    numeric = torch.tensor(table(60))
    assert torch.equal(encoder(numeric.reshape(3, 20, 7)).reshape(60, -1), encoder(numeric))


def test_encoder_has_buffers_and_no_parameters():
    encoder = Encoder().fit(table())
    assert list(encoder.parameters()) == []
    assert {name: buffer.dtype for name, buffer in encoder.named_buffers()} == {
        "center": torch.float64,
        "scale": torch.float64,
        "gap_columns": torch.int64,
        "date_columns": torch.int64,
        "date_features": torch.int64,
    }


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda encoder: pickle.loads(pickle.dumps(encoder))])
def test_copies_encode_the_same_and_are_independent(duplicate):
    numeric = table()
    encoder = Encoder().fit(numeric)
    expected = encoder.encode(numeric)  # fills the cache
    twin = duplicate(encoder)
    np.testing.assert_array_equal(twin.encode(numeric), expected)
    twin.fit(numeric * 2 + 1)
    assert not np.array_equal(twin.encode(numeric), expected)
    np.testing.assert_array_equal(encoder.encode(numeric), expected)


def test_fitting_again_is_noticed_by_encode():
    numeric = table()
    encoder = Encoder().fit(numeric + 100)
    encoder.encode(numeric)
    np.testing.assert_array_equal(encoder.fit(numeric).encode(numeric), Encoder().fit(numeric).encode(numeric))


def test_pickle_does_not_carry_the_cache():
    encoder = Encoder().fit(table())
    size = len(pickle.dumps(encoder))
    encoder.encode(table())
    assert len(pickle.dumps(encoder)) == size


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_moving_to_a_device_and_back_keeps_the_encoding():
    numeric = table()
    encoder = Encoder().fit(numeric)
    expected = encoder.encode(numeric)
    encoder.to("cuda")
    np.testing.assert_array_equal(encoder.encode(numeric), expected)
    np.testing.assert_allclose(encoder(torch.tensor(numeric, device="cuda")).cpu(), expected, atol=1e-6)
    np.testing.assert_array_equal(encoder.cpu().encode(numeric), expected)


# --- sparse ---------------------------------------------------------------------------------------


def sparse_table():
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((30, 4)) < 0.3, rng.normal(size=(30, 4)) * [1, 1e-20, 1e15, 0], 0)
    return dense.astype(np.float32)


@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_scale_is_one_over_the_root_mean_square_off_zero(weighted):
    dense = sparse_table()
    count = np.random.default_rng(1).integers(0, 4, size=30) if weighted else np.ones(30, dtype=int)
    encoder = Encoder.from_sparse(scipy.sparse.csr_array(dense), count.astype(float) if weighted else None)
    copies = np.repeat(dense, count, axis=0).astype(np.float64)
    copies[copies == 0] = np.nan
    root_mean_square = np.sqrt(np.nanmean(copies[:, :3] ** 2, axis=0))
    np.testing.assert_allclose(encoder.scale[:3], 1 / root_mean_square, rtol=1e-12)
    assert encoder.scale[3] == 0
    assert encoder.center.tolist() == [0.0] * 4
    assert encoder.out_features == 4


def test_sparse_encoding_scales_keeps_zeros_and_leaves_the_input():
    X = scipy.sparse.csr_array(sparse_table())
    before = X.copy()
    encoder = Encoder.from_sparse(X)
    encoded = encoder.encode_sparse(X)
    assert isinstance(encoded, scipy.sparse.csr_array)
    assert encoded.dtype == np.float32
    z = X.toarray() * encoder.scale.numpy()
    np.testing.assert_allclose(encoded.toarray(), z / np.sqrt(1 + z**2 / 9), rtol=1e-6)
    np.testing.assert_array_equal(X.toarray(), before.toarray())


def test_sparse_nan_is_ignored_in_fit_and_zero_when_encoded():
    X = scipy.sparse.csr_array(
        (np.array([3.0, NAN, 4.0, NAN], dtype=np.float32), np.array([0, 0, 0, 1]), np.array([0, 1, 2, 4])),
        shape=(3, 2),
    )
    encoder = Encoder.from_sparse(X)
    np.testing.assert_allclose(encoder.scale, [1 / np.sqrt((9 + 16) / 2), 0])
    encoded = encoder.encode_sparse(X).toarray()
    z = np.array([3, 0, 4]) / np.sqrt(12.5)
    np.testing.assert_allclose(encoded[:, 0], z / np.sqrt(1 + z**2 / 9), rtol=1e-6)
    assert (encoded[:, 1] == 0).all()


def test_dense_and_torch_encoding_of_sparse_rows_agree():
    dense = sparse_table()
    encoder = Encoder.from_sparse(scipy.sparse.csr_array(dense))
    expected = encoder.encode_sparse(scipy.sparse.csr_array(dense)).toarray()
    np.testing.assert_allclose(encoder.encode(dense), expected, rtol=1e-6)
    np.testing.assert_allclose(encoder(torch.tensor(dense)), expected, rtol=1e-6)


def test_rare_value_of_a_sparse_column_is_no_outlier():
    rare = scipy.sparse.csr_array(([2.0], ([500], [0])), shape=(1000, 1), dtype=np.float32)
    np.testing.assert_allclose(Encoder.from_sparse(rare).encode_sparse(rare).data, [1 / np.sqrt(1 + 1 / 9)])
