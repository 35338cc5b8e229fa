"""vectors.arrow: round trip, bytes, and every way a file can be wrong."""

from io import BytesIO

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from model_export import ArtefactError
from model_export.vectors import ROWS_PER_BATCH, decode, encode, of_one_type

KEYS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=20),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), unique=True, max_size=20),
)


@st.composite
def rows(draw):
    keys = draw(KEYS)
    width = draw(st.integers(1, 5))
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    vector = draw(npst.arrays(np.float32, (len(keys), width), elements=finite))
    context = draw(st.none() | npst.arrays(np.float32, (len(keys), width), elements=finite))
    as_array = np.array(keys, dtype=np.int64 if keys and isinstance(keys[0], int) else object)
    return as_array if keys else np.empty(0, np.int64), vector, context


@settings(deadline=None, max_examples=60)
@given(rows())
def test_what_is_written_is_read_back_in_key_order(data):
    keys, vector, context = data
    found = decode(encode(of_one_type("Item", keys, vector, context)), with_context=context is not None)
    order = np.argsort(keys, kind="stable")
    assert found.keys.tolist() == keys[order].tolist()
    assert set(found.types) <= {"Item"}
    assert found.vector.tobytes() == vector[order].tobytes()
    if context is not None:
        assert found.context.tobytes() == context[order].tobytes()


@settings(deadline=None, max_examples=30)
@given(rows(), st.randoms())
def test_the_bytes_do_not_depend_on_the_order_of_the_rows(data, random):
    keys, vector, _ = data
    order = list(range(len(keys)))
    random.shuffle(order)
    assert encode(of_one_type("A", keys, vector)) == encode(of_one_type("A", keys[order], vector[order]))


def test_a_batch_holds_at_most_65536_rows():
    count = ROWS_PER_BATCH + 1
    data = encode(of_one_type("Item", np.arange(count), np.zeros((count, 1))))
    assert [batch.num_rows for batch in pa.ipc.open_stream(data)] == [ROWS_PER_BATCH, 1]
    assert len(decode(data)) == count


@pytest.mark.parametrize(
    ("keys", "vector", "message"),
    [
        ([1, 1], [[1], [2]], "the key 1 stands twice"),
        ([1.5], [[1]], "keys must be integers or text, found float64"),
        ([1], [[np.nan]], "vector holds 1 values that are not finite"),
        ([1, 2], [[1]], r"vector has the shape \(1, 1\); \(2, D\) is expected"),
        ([1], np.zeros((1, 0)), r"vector has the shape \(1, 0\)"),
        ([2**63], [[1]], "64-bit"),
        (["a", 3], [[1], [2]], "keys must be integers or text"),
    ],
)
def test_bad_arrays_are_refused(keys, vector, message):
    keys = np.array(keys, dtype=object) if isinstance(keys[0], str) else np.array(keys)
    with pytest.raises(ArtefactError, match=message):
        of_one_type("Item", keys, np.array(vector))


def stream(table: pa.Table, rows_per_batch: int | None = None, **options) -> bytes:
    sink = BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, rows_per_batch)
    return sink.getvalue()


def table(**columns) -> pa.Table:
    return pa.table(
        {
            "type": pa.array(["Item", "Item"]),
            "key": pa.array([1, 2], pa.int64()),
            "vector": pa.array([[1, 2], [3, 4]], pa.list_(pa.float32(), 2)),
            **columns,
        }
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a readable Arrow stream"),
        (b"ARROW1\0\0 but not really", "not a readable Arrow stream"),
        (stream(table())[:-60], "not a readable Arrow stream"),
        (stream(table().select(["key", "type", "vector"])), "the columns are key, type, vector"),
        (stream(table(key=pa.array([1, 2], pa.int32()))), "column 'key' is int32"),
        (stream(table(key=pa.array([1, None], pa.int64()))), "column 'key' holds 1 nulls"),
        (stream(table(key=pa.array([1, 1], pa.int64()))), "1 rows repeat the type and key"),
        (stream(table(type=pa.array(["a", "b"]).dictionary_encode())), "column 'type' is dictionary"),
        (stream(table(vector=pa.array([[1.0], [2.0]]))), "a fixed-size list of float32 is expected"),
        (
            stream(table(vector=pa.array([[1] * 3] * 2, pa.list_(pa.float32(), 3)))),
            "has 3 dimensions, 2 are expected",
        ),
        (
            stream(table(vector=pa.array([[1, None]] * 2, pa.list_(pa.float32(), 2)))),
            "2 values that are not finite",
        ),
        (stream(table(vector=pa.array([[1, 2], None], pa.list_(pa.float32(), 2)))), "'vector' holds 1 nulls"),
        (stream(table(), compression="zstd"), "message 1 is compressed"),
        (stream(table(), compression="lz4"), "message 1 is compressed"),
        (stream(table(context=table()["vector"])), "the columns are type, key, vector, context"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(data, message):
    with pytest.raises(ArtefactError, match=message):
        decode(data, dimension=2, with_context=False)


def test_a_batch_of_too_many_rows_is_refused():
    count = ROWS_PER_BATCH + 1
    made = pa.table(
        {
            "type": pa.array(["Item"] * count),
            "key": pa.array(np.arange(count)),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(count, np.float32)), 1),
        }
    )
    with pytest.raises(ArtefactError, match="batch 0 holds 65537 rows"):
        decode(stream(made))


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_changed_bytes_never_raise_anything_but_a_refusal(data):
    changed = bytearray(stream(table()))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(changed), dimension=2, with_context=False)
    except ArtefactError:
        return
    assert found.vector.shape == (len(found), 2)


def test_a_file_is_read_like_its_bytes(tmp_path):
    made = of_one_type("Item", np.array(["b", "a"], object), np.eye(2))
    path = tmp_path / "vectors.arrow"
    path.write_bytes(encode(made))
    assert decode(path).keys.tolist() == ["a", "b"]
