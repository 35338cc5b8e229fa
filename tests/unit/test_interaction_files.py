import gzip

import pyarrow as pa
import pyarrow.parquet
import pytest

from gds_pipelines.errors import InvalidInput
from gds_pipelines.interaction_files import read_events, read_parts


def test_lists_and_tables_give_the_same_interactions(tmp_path):
    (tmp_path / "train.txt").write_text("0 5 7\n\n2 7\n")
    with gzip.open(tmp_path / "test.txt.gz", "wt") as file:
        file.write("2 5\n9 7 8\n3\n")
    train, test = read_parts(tmp_path / "train.txt", tmp_path / "test.txt.gz")
    assert train.user_keys.tolist() == [0, 2, 9]
    assert train.item_keys.tolist() == [5, 7, 8]
    assert train.matrix.toarray().tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert test.matrix.toarray().tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 1]]
    (tmp_path / "train.csv").write_text("user,item\n0,5\n0,7\n2,7\n")
    pyarrow.parquet.write_table(pa.table({"user": [2, 9, 9], "item": [5, 7, 8]}), tmp_path / "test.parquet")
    again, _ = read_parts(tmp_path / "train.csv", tmp_path / "test.parquet")
    assert (again.matrix != train.matrix).nnz == 0


def test_weights_times_and_text_keys_are_read(tmp_path):
    (tmp_path / "a.csv").write_text("time,weight,item,user\n5,0.5,x,bo\n9,0.1,x,bo\n")
    (tmp_path / "b.txt").write_text("1 2\n")
    train, test = read_parts(tmp_path / "a.csv", tmp_path / "b.txt")
    assert train.user_keys.tolist() == ["1", "bo"]
    assert train.matrix.data.tolist() == pytest.approx([0.5])
    assert train.times.tolist() == [9]
    assert test.times is None
    (tmp_path / "c.csv").write_text("user,item,time\n1,2,1970-01-02\n")
    assert read_events(tmp_path / "c.csv").times.tolist() == [86_400_000]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "0 1\n1 x\n", "line 2 holds something that is no whole number: '1 x'"),
        ("a.txt", "\n", "holds no interaction"),
        ("a.csv", "user,product\n1,2\n", "column 'item' is missing; found user, product"),
        ("a.csv", "user,item\n1,\n", "column 'item' has 1 missing values"),
        ("a.csv", "user,item,weight,time\n1,2,abc,1.5\n", "'weight' holds string values"),
        ("a.csv", "user,item,weight,time\n1,2,abc,1.5\n", "'time' holds double values"),
        ("a.parquet", "nonsense", "cannot be read"),
    ],
)
def test_broken_files_are_named_with_what_is_wrong(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput, match=message):
        read_events(tmp_path / name)


def test_faults_of_both_files_come_at_once(tmp_path):
    with pytest.raises(InvalidInput) as caught:
        read_parts(tmp_path / "none.txt", tmp_path / "nothing.txt")
    assert len(caught.value.faults) == 2
