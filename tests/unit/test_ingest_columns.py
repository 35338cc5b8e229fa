"""Values: what is read, what is missing, what is bad; against Python's own conversions and dates by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gds_pipelines.ingest import columns
from gds_pipelines.ingest.columns import lists, matched, times, typed, unlike_integers

INT64 = st.integers(-(2**63), 2**63 - 1)


def read(converted: columns.Converted) -> tuple[list, list[bool]]:
    return converted.values.to_pylist(), converted.bad.tolist()


@settings(deadline=None)
@given(st.lists(INT64 | st.none()))
def test_integers_as_python_reads_them(values):
    text = pa.array([None if v is None else f" {v:+d} " for v in values], pa.string())
    assert read(typed(text, "integer")) == (values, [False] * len(values))


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("0123456789+-. eEx_"), max_size=22)))
def test_a_text_that_python_cannot_read_as_int64_is_bad_and_no_other(texts):
    def expected(text: str) -> int | None:
        try:
            number = int(text) if "_" not in text else None
        except ValueError:
            return None
        return (
            number
            if number is not None and -(2**63) <= number < 2**63 and len(text.strip(" +-")) <= 19
            else None
        )

    wanted = [expected(text) for text in texts]
    bad = [one is None and text.strip() != "" for one, text in zip(wanted, texts, strict=True)]
    assert read(typed(pa.array(texts, pa.string()), "integer")) == (wanted, bad)


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none()))
def test_floats_keep_every_bit(values):
    text = pa.array([None if v is None else repr(v) for v in values], pa.string())
    assert read(typed(text, "float")) == (values, [False] * len(values))


@pytest.mark.parametrize(
    ("kind", "text", "value", "bad"),
    [
        ("float", "nan", None, True),
        ("float", "inf", None, True),
        ("float", "1e999", None, True),
        ("float", "1,5", None, True),
        ("float", ".5", 0.5, False),
        ("boolean", "Yes", True, False),
        ("boolean", "0", False, False),
        ("boolean", "maybe", None, True),
        ("integer", "9223372036854775808", None, True),
        ("integer", "3.0", None, True),
        ("string", "  two words ", "two words", False),
        ("string", "   ", None, False),
    ],
)
def test_single_values(kind, text, value, bad):
    assert read(typed(pa.array([text]), kind)) == ([value], [bad])


def test_missing_is_what_the_mapping_says():
    assert read(typed(pa.array(["NULL", "7", ""]), "integer", ["", "NULL"])) == ([None, 7, None], [False] * 3)


@pytest.mark.parametrize(
    ("values", "kind", "wanted", "bad"),
    [
        (
            pa.array([1.0, 2.5, None, float("nan")]),
            "integer",
            [1, None, None, None],
            [False, True, False, False],
        ),
        (pa.array([1.5, float("inf")]), "float", [1.5, None], [False, True]),
        (pa.array([Decimal("2.00"), Decimal("2.50")]), "integer", [2, None], [False, True]),
        (pa.array([1, 0]), "boolean", [True, False], [False, False]),
        (pa.array([12, None]), "string", ["12", None], [False, False]),
        (pa.array(["a", "a"]).dictionary_encode(), "string", ["a", "a"], [False, False]),
        (pa.array([2**63], pa.uint64()), "integer", [None], [True]),
        (pa.array([None, None], pa.null()), "float", [None, None], [False, False]),
    ],
)
def test_values_that_have_a_type_already_lose_nothing(values, kind, wanted, bad):
    assert read(typed(values, kind)) == (wanted, bad)


# 978300760 s is 2000-12-31T22:12:40Z, the first rating of MovieLens 1M.
@pytest.mark.parametrize(
    ("text", "unit", "wanted"),
    [
        ("978300760", "s", 978_300_760_000),
        ("978300760.25", "s", 978_300_760_250),
        ("978300760000", "ms", 978_300_760_000),
        ("978300760000999", "us", 978_300_760_000),
        ("978300760000999999", "ns", 978_300_760_000),
        ("-1", "ms", -1),
        ("-1", "us", -1),
        ("2000-12-31T22:12:40Z", "iso", 978_300_760_000),
        ("2000-12-31T23:12:40.5+01:00", "iso", 978_300_760_500),
        ("2000-12-31", "iso", 978_220_800_000),
        ("978300760", "auto", 978_300_760_000),
        ("978300760000", "auto", 978_300_760_000),
        ("978300760000000", "auto", 978_300_760_000),
    ],
)
def test_times_become_epoch_milliseconds(text, unit, wanted):
    assert read(times(pa.array([text]), unit)) == ([wanted], [False])


@settings(deadline=None)
@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_iso_times_agree_with_python(moment):
    wanted = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000 // 1
    assert read(times(pa.array([moment.isoformat()]), "iso"))[0][0] == pytest.approx(wanted, abs=1)


def test_missing_times_stay_missing_and_impossible_ones_are_bad():
    text = pa.array(["", "99999999999999999", "soon", "5"])
    assert read(times(text, "s")) == ([None, None, None, 5000], [False, True, True, False])


def test_arrow_times_keep_their_moment():
    moment = datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC)
    assert read(times(pa.array([moment], pa.timestamp("us", "Europe/Berlin")), "s"))[0] == [978_300_760_000]
    assert read(times(pa.array([date(2000, 12, 31)]), "s"))[0] == [978_220_800_000]


def test_lists_leave_out_empty_elements_and_name_bad_ones():
    text = pa.array(["a|b", "", "|", None, "c"])
    assert read(lists(text, "string", "|")) == ([["a", "b"], None, None, None, ["c"]], [False] * 5)
    assert read(lists(pa.array(["1 2", "1 x"]), "integer", " ")) == ([[1, 2], None], [False, True])
    assert read(lists(pa.array([["a"], None, []]), "string", "|"))[0] == [["a"], None, None]


def test_a_pattern_keeps_its_group():
    titles = pa.array(["Toy Story (1995)", "No year", None])
    assert matched(titles, r"\((\d{4})\)\s*$").to_pylist() == ["1995", None, None]


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        (["1", "-2", "0"], [False] * 3),
        (["1", "007", None], [False, True, False]),
        (["1.0", "2"], [True, False]),
        (["+1"], [True]),
        ([str(2**63), str(2**63 - 1)], [True, False]),
        ([], []),
    ],
)
def test_only_the_usual_writing_makes_a_key_a_number(values, odd):
    found, present = unlike_integers(pa.array(values, pa.string()))
    assert found.tolist() == odd
    assert present.tolist() == [value is not None for value in values]
