import numpy as np
import pytest
import scipy.sparse as sp

from gds_pipelines.models.kernels import exact_dot, keep_largest
from gds_pipelines.ranking import Sums, above_in_sums, reorder, top_k, top_k_of_sums


@pytest.mark.parametrize("k", [1, 5, 40])
def test_top_k_equals_a_full_sort_with_many_ties(k):
    rng = np.random.default_rng(3)
    scores = rng.integers(-3, 4, (30, 40)).astype(np.float32)
    scores[0] = np.nan
    exclude = sp.csr_array(rng.random((30, 40)) < 0.3)
    items, values = top_k(scores, k, exclude)
    for row in range(30):
        free = [j for j in range(40) if not exclude[row, j] and not np.isnan(scores[row, j])]
        expected = sorted(free, key=lambda j, row=row: (-scores[row, j], j))[:k]
        assert items[row].tolist() == expected + [-1] * (k - len(expected))
        assert values[row, : len(expected)].tolist() == [scores[row, j] for j in expected]


def test_top_k_leaves_out_what_is_not_above_the_floor():
    items, values = top_k(np.array([[0.0, 2.0, -1.0, 1.0]]), 3, floor=0.0)
    assert items.tolist() == [[1, 3, -1]]
    assert values.tolist() == [[2.0, 1.0, -np.inf]]


def test_top_k_of_sums_equals_top_k_of_each_sum():
    rng = np.random.default_rng(4)
    first, second = rng.standard_normal((2, 12, 50)).astype(np.float32)
    factors, third = rng.random((3, 50)).astype(np.float32), rng.standard_normal(50).astype(np.float32)
    factor_of = np.array([0, 2, 1, 1])
    weights = np.array([(0, 0), (1.5, 0), (0.5, -2), (0, 1)], np.float32)
    left_out = rng.random((12, 50)) < 0.8
    left_out[3] = True
    exclude = sp.csr_array(left_out)
    found = top_k_of_sums(Sums(first, factors, second, third, factor_of, weights), 7, exclude)
    for at, (factor, (near, popular)) in enumerate(zip(factor_of, weights, strict=True)):
        expected, _ = top_k(first * factors[factor] + near * second + popular * third, 7, exclude)
        assert found[at].tolist() == expected.tolist()
    assert (found[:, 3] == -1).all()


def test_above_in_sums_counts_what_is_ranked_before_each_wanted_item():
    rng = np.random.default_rng(5)
    first, second = rng.integers(-2, 3, (2, 9, 30)).astype(np.float32)  # with ties
    factors, third = rng.random((2, 30)).astype(np.float32), rng.standard_normal(30).astype(np.float32)
    factor_of = np.array([1, 0, 1])
    weights = np.array([(0, 0), (1.5, 0), (0.5, -2)], np.float32)
    cells = rng.random((9, 30))
    exclude, wanted = sp.csr_array(cells < 0.4), sp.csr_array(cells > 0.9)
    found = above_in_sums(Sums(first, factors, second, third, factor_of, weights), wanted, exclude)
    rows, columns = wanted.nonzero()
    assert found.shape == (3, len(rows))
    assert len(rows) > 5
    for at, (factor, (near, popular)) in enumerate(zip(factor_of, weights, strict=True)):
        score = first * factors[factor] + near * second + popular * third
        for place, (row, column) in enumerate(zip(rows, columns, strict=True)):
            free = [score[row, j] for j in range(30) if not exclude[row, j]]
            assert found[at, place] == sum(one > score[row, column] for one in free)


def test_reorder_puts_ties_by_smaller_index_and_gaps_last():
    items, scores = reorder(np.array([[9, 4, -1, 7]]), np.array([[1.0, 1.0, 5.0, 2.0]]), 4)
    assert items.tolist() == [[7, 4, 9, -1]]
    assert scores[0, :3].tolist() == [2.0, 1.0, 1.0]


def test_exact_dot_sums_in_double_precision():
    queries = np.array([[1e8, 1.0, -1e8]], np.float32)
    vectors = np.ones((2, 3), np.float32)
    assert exact_dot(queries, vectors, np.array([[1, -1]])).tolist() == [[1.0, -np.inf]]


def test_keep_largest_keeps_ties_of_the_smaller_column():
    matrix = sp.csr_array(np.array([[1, 3, 1, 1, 2], [0, 0, 5, 0, 0], [0, 0, 0, 0, 0]], np.float32))
    assert keep_largest(matrix, 3).toarray().tolist() == [[1, 3, 0, 0, 2], [0, 0, 5, 0, 0], [0, 0, 0, 0, 0]]
