"""Canonical JSON and golden samples as codecs."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from model_export import ArtefactError, golden
from model_export.canonical_json import canonical_json, parse_canonical

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_canonical_json_is_read_back_and_has_one_spelling(value):
    data = canonical_json(value)
    assert parse_canonical(data) == value
    assert canonical_json(dict(reversed(value.items()))) == data


def test_canonical_json_is_spelt_as_the_page_says():
    value = {"b": 'é\n"\\/\x7f\x01', "a": [1, 1.5, 1e-5, True, None], "\U0001f600": 1, "\uffff": 2}
    expected = '{"a":[1,1.5,1e-05,true,null],"b":"é\\n\\"\\\\/\x7f\\u0001","\uffff":2,"\U0001f600":1}'
    assert canonical_json(value) == expected.encode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [float("nan")]}, r"\$\.a\[0\] is nan; JSON has finite numbers only"),
        ({"a": float("inf")}, r"\$\.a is inf"),
        ({1: 2}, r"\$ has the key 1, which is not text"),
        ({"a": 2**63}, "outside the 64-bit integers"),
        ({"a": "\ud800"}, "half a surrogate pair"),
        ({"a": object()}, r"\$\.a is of type object"),
    ],
)
def test_what_json_cannot_say_is_refused(value, message):
    with pytest.raises(ArtefactError, match=message):
        canonical_json(value)


FINITE32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
SHAPES = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
TENSORS = st.one_of(
    npst.arrays(np.float32, SHAPES, elements=FINITE32),
    npst.arrays(np.int64, SHAPES),
    npst.arrays(np.bool_, SHAPES),
)


@given(TENSORS)
def test_a_tensor_comes_back_to_the_bit_through_json_text(array):
    text = json.dumps(golden.tensor_to_json(array))
    found = golden.tensor_from_json(json.loads(text))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


def test_the_tolerance_is_absolute_below_one_and_relative_above():
    sample = golden.sample({}, {"y": np.array([0.0, 100.0], np.float32)}, tolerance=1e-3)
    assert golden.differences(sample, {"y": np.array([0.0009, 100.09], np.float32)}) == []
    assert golden.differences(sample, {"y": np.array([0.0011, 100.0], np.float32)}) == [
        "output 'y' differs in 1 of 2 values; first at [0]: expected 0.0, found 0.0010999999940395355"
    ]


def test_a_sample_names_missing_shapes_and_values_that_are_not_finite():
    sample = golden.sample({}, {"y": np.zeros(2, np.float32), "z": np.zeros(1, np.int64)})
    found = {"y": np.array([np.nan, 0], np.float32)}
    assert [fault.split(";")[0] for fault in golden.differences(sample, found)] == [
        "output 'y' differs in 1 of 2 values",
        "output 'z' is missing",
    ]
    wrong = {"y": np.zeros(3, np.float32), "z": np.ones(1, np.int64)}
    assert golden.differences(sample, wrong) == [
        "output 'y' is float32[3], expected float32[2]",
        "output 'z' differs in 1 of 1 values",
    ]


def test_a_sample_is_small_and_of_known_types():
    with pytest.raises(ValueError, match="a golden sample of 10001 values is too large"):
        golden.sample({"x": np.zeros(10_001, np.float32)}, {})
    with pytest.raises(ValueError, match="the type float64 is not one of float32, int64, bool"):
        golden.sample({"x": np.zeros(1)}, {})
