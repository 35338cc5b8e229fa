import numpy as np
import pytest

from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Histories, Interactions


def test_parallel_events_are_reduced_to_the_largest_weight_and_the_latest_time():
    found = Interactions.from_events(
        users=["b", "a", "b", "b"], items=[7, 7, 7, 5], weights=[0.1, 1.0, 0.5, 0.2], times=[30, 5, 10, 20]
    )
    assert found.user_keys.tolist() == ["a", "b"]
    assert found.item_keys.tolist() == [5, 7]
    assert found.matrix.toarray() == pytest.approx(np.array([[0, 1.0], [0.2, 0.5]]))
    assert found.times.tolist() == [5, 20, 30]
    assert found.user_degrees.tolist() == [1, 2]
    assert found.item_degrees.tolist() == [1, 2]


def test_all_faults_of_the_input_come_at_once():
    with pytest.raises(InvalidInput) as caught:
        Interactions.from_indices(
            [0, 9], [0, -1], [1.0, float("nan")], [1.5, 2.5], user_keys=[1], item_keys=[1]
        )
    assert len(caught.value.faults) == 4
    with pytest.raises(InvalidInput, match="1 item keys are unknown, among them '3'"):
        Interactions.from_events([1, 1], [1, 3], item_keys=[1, 2])


def test_empty_interactions_have_empty_parts():
    found = Interactions.from_events([], [], user_keys=[1, 2], item_keys=[1])
    assert len(found) == 0
    assert found.user_degrees.tolist() == [0, 0]
    assert found.histories([0, 1]).scale.tolist() == [1.0, 1.0]


def test_a_history_keeps_the_newest_and_breaks_ties_by_the_smaller_index():
    items = np.arange(6)
    found = Interactions.from_indices(
        np.zeros(6), items, 1.0, [5, 9, 9, 9, 1, 9], user_keys=[0, 1], item_keys=items
    )
    cut = found.histories([1, 0, 0], limit=3)
    assert np.diff(cut.matrix.indptr).tolist() == [0, 3, 3]
    assert cut.matrix[[1]].indices.tolist() == [1, 2, 3]
    assert cut.degrees.tolist() == [0, 6, 6]
    assert cut.scale.tolist() == [1.0, 2.0, 2.0]
    assert found.histories([0], limit=6).matrix.nnz == 6


def test_a_history_without_times_keeps_the_smaller_indices():
    found = Interactions.from_indices(np.zeros(4), [3, 1, 2, 0], user_keys=[0], item_keys=np.arange(4))
    assert found.histories([0], limit=2).matrix.indices.tolist() == [0, 1]


def test_visitors_lists_count_a_repeated_item_once():
    found = Histories.of_items([[2, 0, 2], []], 3)
    assert found.matrix.toarray().tolist() == [[1, 0, 1], [0, 0, 0]]
    assert found.degrees.tolist() == [2, 0]
    with pytest.raises(InvalidInput, match="expected 0 to 2"):
        Histories.of_items([[3]], 3)


def test_keep_selects_pairs_over_the_same_nodes():
    found = Interactions.from_indices(
        [0, 0, 2], [0, 1, 1], 1.0, [1, 2, 3], user_keys=[0, 1, 2], item_keys=[0, 1]
    )
    part = found.keep(found.times > 1)
    assert part.matrix.toarray().tolist() == [[0, 1], [0, 0], [0, 1]]
    assert part.times.tolist() == [2, 3]
