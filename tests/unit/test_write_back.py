"""What is sent back, before it meets a server."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.write_back import _Journal, _pieces, _stream, _table


def test_rows_are_sorted_by_id_with_all_their_values():
    table = _table(
        np.array([7, 3, 5]),
        {"vector": torch.tensor([[7.0, 70.0], [3.0, 30.0], [5.0, 50.0]]), "name": ["g", "c", "e"]},
        "id",
        np.array([700, 300, 500]),
    )
    assert table.to_pydict() == {
        "nodeId": [3, 5, 7],
        "key": [300, 500, 700],
        "vector": [[3, 30], [5, 50], [7, 70]],
        "name": ["c", "e", "g"],
    }
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 2)


def test_all_faults_are_told_at_once():
    with pytest.raises(InvalidInput) as caught:
        _table(np.array([1, 1]), {"a": np.zeros(3), "b": np.zeros((2, 2, 2)), "key": [1, 2]}, "id", None)
    assert caught.value.faults == [
        "node_ids has a node more than once.",
        "key and keys go together: the property and its values.",
        "'a' has 3 rows, but there are 2 node_ids.",
        "'b': has shape (2, 2, 2); one value or one list a node is wanted.",
        "'key' and 'nodeId' name columns of their own; no property can be sent under them.",
    ]
    with pytest.raises(InvalidInput, match="name at least one property"):
        _table(np.array([1]), {}, None, None)


def test_pieces_keep_every_row_and_are_whole_streams():
    table = _table(np.arange(1000), {"vector": np.ones((1000, 16), np.float32)}, None, None)
    pieces = list(_pieces(table, pieces_of=10_000))
    assert len(pieces) > 5
    read = [pa.ipc.open_stream(_stream(piece)).read_all() for piece in pieces]
    assert pa.concat_tables(read).equals(table)
    assert all(len(_stream(piece)) < 12_000 for piece in pieces)
    nobody = _table(np.empty(0, np.int64), {"x": np.empty(0)}, None, None)
    assert [piece.num_rows for piece in _pieces(nobody)] == [0]


def test_a_journal_goes_on_with_the_same_data_only(tmp_path):
    def journal(value):
        table = _table(np.arange(3), {"x": np.full(3, value)}, None, None)
        return _Journal(tmp_path / "journal", "User", {}, table)

    first = journal(1.0)
    first.wrote()
    first.wrote()
    assert journal(1.0).pieces == 2
    with pytest.raises(PipelineError, match="other data"):
        journal(2.0)
    first.delete()
    assert journal(2.0).pieces == 0
