"""Features of the nodes of one type in memory, as columns a model reads.

Shapes: N = nodes in index order, W, C = columns. Imports no database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput
from model_export.block_schema import MAX_LENGTH, Feature, NodeType
from model_export.errors import ArtefactError
from model_export.feature_encoders import encode_type, vocabulary

LIST_LENGTH = 16


@dataclass(frozen=True)
class NodeFeatures:
    """Encoded features.

    Args:
        features: in column order.
        x: [N, W] float32, NaN = missing.
        code: [N, C] int64.
    """

    features: tuple[Feature, ...]
    x: NDArray[np.float32]
    code: NDArray[np.int64]

    @classmethod
    def of_values(cls, columns: Mapping[str, Sequence[Any]], what: str = "nodes") -> NodeFeatures:
        """Choose the encoder of every property from its values, and encode them.

        BOOLEAN gives bool, numbers give number, texts category, lists of texts list (as long as the longest,
        16 at most), lists of numbers vector. Vocabularies are those of the values.

        Args:
            columns: values by property, None = absent; all of one length.
        Raises:
            InvalidInput: properties without a value, of mixed types, vectors of unequal width; all at once.
        """
        features, faults = [], []
        for name, values in columns.items():
            there = [value for value in values if value is not None]
            try:
                features.append(_feature(name, there))
            except ValueError as error:
                faults.append(f"'{name}' of {what}: {error}")
        if faults:
            raise InvalidInput("Features", faults)
        count = len(next(iter(columns.values()))) if columns else 0
        try:
            x, code = encode_type(NodeType(what, "key", tuple(features)), columns, count)
        except ArtefactError as error:
            raise InvalidInput("Features", error.faults) from error
        return cls(tuple(features), x, code)

    def with_category(self, name: str, values: Sequence[Any]) -> NodeFeatures:
        """These and one more category, whose vocabulary is its values (whole numbers by their digits)."""
        texts = [str(value) for value in values]
        feature = Feature(name, "category", **vocabulary(texts))
        extra = encode_type(NodeType("", "key", (feature,)), {name: texts}, len(texts))[1]
        return NodeFeatures((*self.features, feature), self.x, np.hstack([self.code, extra]))

    @classmethod
    def none(cls, count: int) -> NodeFeatures:
        """No columns for ``count`` nodes."""
        return cls((), np.zeros((count, 0), np.float32), np.zeros((count, 0), np.int64))

    def to_arrays(self) -> dict[str, NDArray]:
        """For ``numpy.savez``; ``of_arrays`` reads them back."""
        described = json.dumps([feature.to_mapping() for feature in self.features])
        return {"features": np.array(described), "x": self.x, "code": self.code}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray]) -> NodeFeatures:
        features = []
        for entry in json.loads(str(arrays["features"])):
            if "vocabulary" in entry:
                entry["vocabulary"] = tuple(entry["vocabulary"])
            features.append(Feature(**entry))
        return cls(tuple(features), arrays["x"], arrays["code"])


def _feature(name: str, there: Sequence[Any]) -> Feature:
    if not there:
        raise ValueError("no node has it")
    kinds = {_kind(value) for value in there}
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if len(kinds) > 1 or None in kinds:
        shown = ", ".join(sorted({type(value).__name__ for value in there}))
        raise ValueError(f"a feature is one type: numbers, texts, truth values or lists; found {shown}")
    kind = kinds.pop()
    if kind in ("integer", "number"):
        return Feature(name, "number")
    if kind == "bool":
        return Feature(name, "bool")
    if kind == "category":
        return Feature(name, "category", **vocabulary(there))
    if kind == "list":
        length = min(LIST_LENGTH, MAX_LENGTH, max(len(value) for value in there))
        return Feature(name, "list", length=max(1, length), **vocabulary(there))
    widths = {len(value) for value in there}
    if len(widths) > 1:
        raise ValueError(f"vectors of unequal width: {', '.join(map(str, sorted(widths)[:5]))}")
    return Feature(name, "vector", width=widths.pop())


def _kind(value: Any) -> str | None:
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, int | np.integer):
        return "integer"
    if isinstance(value, float | np.floating):
        return "number"
    if isinstance(value, str):
        return "category"
    if isinstance(value, list | tuple | np.ndarray):
        inner = {_kind(one) for one in value if one is not None}
        if inner <= {"integer", "number"} and len(value):
            return "vector"
        if inner <= {"category"}:
            return "list"
    return None
