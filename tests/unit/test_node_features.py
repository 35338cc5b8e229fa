"""Columns of node properties: which encoder they get, and what they hold."""

import numpy as np
import pytest

from gds_pipelines.errors import InvalidInput
from gds_pipelines.node_features import NodeFeatures


def test_encoders_are_chosen_by_the_values():
    found = NodeFeatures.of_values(
        {
            "a": [1, 2.5, None],
            "b": [True, None, False],
            "c": ["x", None, "é"],
            "d": [["x"], [], ["y", "x", "x"]],
            "e": [[1, 2], None, [0.5, 1]],
        }
    )
    chosen = {feature.property: feature.encoder for feature in found.features}
    assert chosen == {"a": "number", "b": "bool", "c": "category", "d": "list", "e": "vector"}
    np.testing.assert_array_equal(
        found.x, np.array([[1, 1, 1, 2], [2.5, np.nan, np.nan, np.nan], [np.nan, 0, 0.5, 1]], np.float32)
    )
    assert found.code.tolist() == [[2, 2, -1, -1], [0, 0, -1, -1], [3, 3, 2, 2]]
    again = NodeFeatures.of_arrays(found.to_arrays())
    assert again.features == found.features
    with pytest.raises(InvalidInput) as caught:
        NodeFeatures.of_values({"a": [1, "x"], "b": [None], "c": [[1.0], [1.0, 2.0]], "d": ["fine"]})
    assert len(caught.value.faults) == 3
