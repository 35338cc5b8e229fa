"""Feature encoders against values worked out elsewhere; the plugin's tests read the same file."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from model_export import ArtefactError
from model_export.block_schema import Feature
from model_export.feature_encoders import FeatureEncoder, vocabulary, xxh64

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "feature_encoders.json").read_text(encoding="utf-8")
)


def feature(entry):
    entry = dict(entry)
    if "vocabulary" in entry:
        entry["vocabulary"] = tuple(entry["vocabulary"])
    return Feature(**entry)


def value(found):
    """JSON has no NaN: it is written {"float": "NaN"}."""
    if isinstance(found, list):
        return [value(one) for one in found]
    return float(found["float"]) if isinstance(found, dict) else found


def columns(rows):
    return [[math.nan if one is None else one for one in row] for row in rows]


# The first four stand in the documentation of xxHash; the others are what its library gives.
@pytest.mark.parametrize("entry", GOLDEN["xxh64"], ids=lambda entry: entry["text"][:8] or "empty")
def test_the_hash_is_xxh64(entry):
    assert f"{xxh64(entry['text'].encode()):016x}" == entry["hash"]


@pytest.mark.parametrize("case", GOLDEN["encoded"], ids=lambda case: case["why"])
def test_values_of_nodes_become_the_golden_columns(case):
    found = FeatureEncoder(feature(case["feature"])).encode(value(case["values"]))
    np.testing.assert_array_equal(found, np.array(columns(case["columns"]), found.dtype))


@pytest.mark.parametrize("case", GOLDEN["projected"], ids=lambda case: case["why"])
def test_projected_values_become_the_golden_columns(case):
    one = feature(case["feature"])
    assert one.projected == case["projected"]
    found = FeatureEncoder(one).encode_projected(value(case["values"]))
    np.testing.assert_array_equal(found, np.array(columns(case["columns"]), found.dtype))


@pytest.mark.parametrize("case", GOLDEN["refused"], ids=lambda case: str(case["value"]))
def test_values_of_another_kind_are_refused(case):
    with pytest.raises(ArtefactError, match=f"value 0 of '{case['feature']['property']}': .* found"):
        FeatureEncoder(feature(case["feature"])).encode([value(case["value"])])


@pytest.mark.parametrize("case", GOLDEN["refusedProjected"], ids=lambda case: str(case["value"]))
def test_codes_a_feature_does_not_have_are_refused(case):
    with pytest.raises(ArtefactError, match=f"value 0 of '{case['feature']['property']}': .* found"):
        FeatureEncoder(feature(case["feature"])).encode_projected([value(case["value"])])


def test_a_vocabulary_is_sorted_by_bytes_and_turns_into_buckets_when_it_is_full():
    values = ["b", None, ["e\u0301", "\U0001f600"], "\uffff", "é", "a"]
    assert vocabulary(values) == {"vocabulary": ("a", "b", "é", "\uffff", "\U0001f600")}
    assert vocabulary(values, limit=4) == {"buckets": 2**20}
