"""What is sent back, before it meets a server."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.write_back import _Journal, _pieces, _stream, _table


def test_rows_are_sorted_by_id_with_all_their_values():
    table = _table(
        {"nodeId": np.array([7, 3, 5])},
        {"key": ("id", np.array([700, 300, 500]))},
        {"vector": torch.tensor([[7.0, 70.0], [3.0, 30.0], [5.0, 50.0]]), "name": ["g", "c", "e"]},
    )
    assert table.to_pydict() == {
        "nodeId": [3, 5, 7],
        "key": [300, 500, 700],
        "vector": [[3, 30], [5, 50], [7, 70]],
        "name": ["c", "e", "g"],
    }
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 2)


def test_pairs_are_sorted_by_source_then_target():
    ids = {"sourceId": np.array([2, 1, 2]), "targetId": np.array([5, 9, 4])}
    assert _table(ids, {}, {"rank": [1, 2, 3]}).to_pydict() == {
        "sourceId": [1, 2, 2],
        "targetId": [9, 4, 5],
        "rank": [2, 3, 1],
    }
    with pytest.raises(InvalidInput, match="sourceId and targetId come more than once"):
        _table({name: np.append(column, column[0]) for name, column in ids.items()}, {}, {})
    with pytest.raises(InvalidInput, match="differ in length"):
        _table(ids | {"targetId": np.array([1])}, {}, {})


def test_all_faults_are_told_at_once():
    values = {"a": np.zeros(3), "b": np.zeros((2, 2, 2)), "key": [1, 2]}
    with pytest.raises(InvalidInput) as caught:
        _table({"nodeId": np.array([1, 1])}, {"key": ("id", None)}, values, ["values"])
    assert caught.value.faults == [
        "values is empty: name at least one property.",
        "nodeId come more than once.",
        "'key' names a column of its own; no property can be sent under it.",
        "key: the property and its values go together.",
        "'a' has 3 rows, but there are 2 ids.",
        "'b': has shape (2, 2, 2); one value or one list a node is wanted.",
    ]


def test_pieces_keep_every_row_and_are_whole_streams():
    table = _table({"nodeId": np.arange(1000)}, {}, {"vector": np.ones((1000, 16), np.float32)})
    pieces = list(_pieces(table, pieces_of=10_000))
    assert len(pieces) > 5
    read = [pa.ipc.open_stream(_stream(piece)).read_all() for piece in pieces]
    assert pa.concat_tables(read).equals(table)
    assert all(len(_stream(piece)) < 12_000 for piece in pieces)
    nobody = _table({"nodeId": np.empty(0, np.int64)}, {}, {"x": np.empty(0)})
    assert [piece.num_rows for piece in _pieces(nobody)] == [0]


def test_a_journal_goes_on_with_the_same_data_only(tmp_path):
    def journal(value):
        table = _table({"nodeId": np.arange(3)}, {}, {"x": np.full(3, value)})
        return _Journal(tmp_path / "journal", "User", {}, table)

    first = journal(1.0)
    first.wrote()
    first.wrote()
    assert journal(1.0).pieces == 2
    with pytest.raises(PipelineError, match="other data"):
        journal(2.0)
    first.delete()
    assert journal(2.0).pieces == 0
