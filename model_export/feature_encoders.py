"""From property values to the columns ``x`` and ``code`` of ``padded-blocks/1``.

Source: ``docs/formats.md`` section 7, "Features"; ``tests/golden/feature_encoders.json`` holds values
that the plugin reproduces. N = nodes, W, C = columns of a type. Imports numpy only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.block_schema import FIRST_ENTRY, MAX_BUCKETS, MAX_ENTRIES, Feature, NodeType
from model_export.errors import ArtefactError

MISSING, UNKNOWN, PADDING = 0, 1, -1
INTEGER_MINIMUM = -(2**63)
_FLOAT32_LIMIT = 2.0**128 - 2.0**103  # from here on a float64 rounds to an infinite float32
_MASK = 2**64 - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def xxh64(data: bytes, seed: int = 0) -> int:
    """The 64-bit xxHash of some bytes, in [0, 2^64).

    Source: the xxHash specification, version 0.1.1 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
    """
    size, at = len(data), 0
    if size >= 32:
        lanes = [seed + _P1 + _P2, seed + _P2, seed, seed - _P1]
        while at + 32 <= size:
            for lane in range(4):
                word = int.from_bytes(data[at + 8 * lane : at + 8 * lane + 8], "little")
                lanes[lane] = _round(lanes[lane] & _MASK, word)
            at += 32
        found = sum(
            _rotated(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)
        )  # the mask follows
        for lane in lanes:
            found = ((found & _MASK) ^ _round(0, lane)) * _P1 + _P4
    else:
        found = seed + _P5
    found = (found + size) & _MASK
    while at + 8 <= size:
        found ^= _round(0, int.from_bytes(data[at : at + 8], "little"))
        found = (_rotated(found, 27) * _P1 + _P4) & _MASK
        at += 8
    if at + 4 <= size:
        found ^= (int.from_bytes(data[at : at + 4], "little") * _P1) & _MASK
        found = (_rotated(found, 23) * _P2 + _P3) & _MASK
        at += 4
    for byte in data[at:]:
        found ^= (byte * _P5) & _MASK
        found = (_rotated(found, 11) * _P1) & _MASK
    found ^= found >> 33
    found = (found * _P2) & _MASK
    found ^= found >> 29
    found = (found * _P3) & _MASK
    return found ^ (found >> 32)


def _rotated(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & _MASK


def _round(lane: int, word: int) -> int:
    return (_rotated((lane + word * _P2) & _MASK, 31) * _P1) & _MASK


class FeatureEncoder:
    """One feature's columns from its values.

    ``encode`` takes what a node holds (None = absent), ``encode_projected`` what GDS projects. Both give
    [N, columns]: int64 for category and list, float32 with NaN for the missing else.
    """

    def __init__(self, feature: Feature) -> None:
        self.feature = feature
        self._codes = {text: at for at, text in enumerate(feature.vocabulary or (), start=FIRST_ENTRY)}

    def code(self, text: str | None) -> int:
        """The code of one text; 0 for None."""
        if text is None:
            return MISSING
        text = unicodedata.normalize("NFC", text)
        if self.feature.vocabulary is not None:
            return self._codes.get(text, UNKNOWN)
        return FIRST_ENTRY + xxh64(text.encode("utf-8")) % self.feature.buckets

    def encode(self, values: Sequence[Any]) -> NDArray:
        """Columns of the values as they stand on the nodes.

        Raises:
            ArtefactError: values of another type, vectors of another width, numbers beyond float32.
        """
        read = {
            "number": self._number,
            "bool": self._bool,
            "category": self._category,
            "list": self._list,
            "vector": self._vector,
        }[self.feature.encoder]
        return self._all(values, read)

    def encode_projected(self, values: Sequence[Any] | NDArray) -> NDArray:
        """Columns of the values under ``feature.projected``: numbers, codes or lists of codes.

        Raises:
            ArtefactError: as ``encode``; and codes the feature does not have.
        """
        read = {
            "number": self._number,
            "bool": self._bool_code,
            "category": self._one_code,
            "list": self._list_of_codes,
            "vector": self._vector,
        }[self.feature.encoder]
        if isinstance(values, np.ndarray):
            values = values.tolist()
        return self._all(values, read)

    def _all(self, values: Sequence[Any], read: Any) -> NDArray:
        dtype = np.int64 if self.feature.coded else np.float32
        found = np.empty((len(values), self.feature.columns), dtype)
        faults: list[str] = []
        for row, value in enumerate(values):
            try:
                found[row] = read(value)
            except _Wrong as wrong:
                faults.append(f"value {row} of '{self.feature.property}': {wrong}")
        if faults:
            more = [f"and {len(faults) - 10} more values"] if len(faults) > 10 else []
            raise ArtefactError(f"'{self.feature.property}' cannot be encoded", faults[:10] + more)
        return found

    def _number(self, value: Any) -> float:
        if value is None or (value == INTEGER_MINIMUM and isinstance(value, int)):
            return np.nan
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise _Wrong(f"a number is expected, found {_shown(value)}")
        return _narrow(value)

    def _bool(self, value: Any) -> float:
        if value is None:
            return np.nan
        if not isinstance(value, bool | np.bool_):
            raise _Wrong(f"true or false is expected, found {_shown(value)}")
        return float(value)

    def _category(self, value: Any) -> int:
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            value = str(int(value))
        if value is not None and not isinstance(value, str):
            raise _Wrong(f"a text or an integer is expected, found {_shown(value)}")
        return self.code(value)

    def _list(self, value: Any) -> list[int]:
        if value is not None and (
            not isinstance(value, list | tuple)
            or not all(one is None or isinstance(one, str) for one in value)
        ):
            raise _Wrong(f"a list of texts is expected, found {_shown(value)}")
        return self._padded([self.code(text) for text in (value or ())[: self.feature.length]])

    def _padded(self, codes: list[int]) -> list[int]:
        codes = codes or [MISSING]
        return codes + [PADDING] * (self.feature.length - len(codes))

    def _vector(self, value: Any) -> NDArray | float:
        if value is None:
            return np.nan
        if not isinstance(value, list | tuple | np.ndarray) or not all(
            isinstance(one, int | float | np.number) and not isinstance(one, bool) for one in value
        ):
            raise _Wrong(f"a list of numbers is expected, found {_shown(value)}")
        if len(value) != self.feature.width:
            raise _Wrong(f"{self.feature.width} numbers are expected, found {len(value)}")
        return np.array([_narrow(one) for one in value], np.float32)

    def _bool_code(self, value: Any) -> float:
        found = self._number(value)
        if not (np.isnan(found) or found in (0.0, 1.0)):
            raise _Wrong(f"0 or 1 is expected, found {_shown(value)}")
        return found

    def _one_code(self, value: Any) -> int:
        if value is None or value == INTEGER_MINIMUM or value != value:
            return MISSING
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 <= value < self.feature.codes or value != int(value):
            raise _Wrong(
                f"a code from 0 to {self.feature.codes - 1} is expected, found {_shown(value)}; "
                f"write the codes anew with the vocabulary of the model"
            )
        return int(value)

    def _list_of_codes(self, value: Any) -> list[int]:
        if value is None:
            return self._padded([])
        if not isinstance(value, list | tuple | np.ndarray):
            raise _Wrong(f"a list of codes is expected, found {_shown(value)}")
        return self._padded([self._one_code(code) for code in value[: self.feature.length]])


class _Wrong(Exception):
    """One value that cannot be encoded; gathered by ``_all``."""


def _narrow(value: Any) -> float:
    """A number through float64 to float32, as Java casts it; NaN stays."""
    wide = float(value)
    if abs(wide) >= _FLOAT32_LIMIT:
        raise _Wrong(f"a float32 is expected, found {_shown(value)}")
    return wide


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def encode_type(
    node: NodeType, columns: Mapping[str, Sequence[Any]], count: int, *, projected: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """``x`` [N, W] and ``code`` [N, C] of all features of a type.

    Args:
        columns: values by property (by projected property with ``projected``), each of length ``count``;
            an absent property is missing everywhere.
    Raises:
        ArtefactError: with the faults of all features.
    """
    x, code, faults = [np.zeros((count, 0), np.float32)], [np.zeros((count, 0), np.int64)], []
    for feature in node.features:
        encoder = FeatureEncoder(feature)
        values = columns.get(feature.projected if projected else feature.property, [None] * count)
        try:
            found = encoder.encode_projected(values) if projected else encoder.encode(values)
            (code if feature.coded else x).append(found)
        except ArtefactError as error:
            faults += error.faults
    if faults:
        raise ArtefactError(f"The features of {node.label} cannot be encoded", faults)
    return np.hstack(x), np.hstack(code)


def vocabulary(values: Sequence[Any], limit: int = MAX_ENTRIES) -> dict[str, Any]:
    """``{"vocabulary": ...}`` of the texts met, or ``{"buckets": 2^20}`` where there are more than ``limit``.

    Args:
        values: texts, lists of texts and None.
    """
    met: set[str] = set()
    for value in values:
        for text in value if isinstance(value, list | tuple) else (value,):
            if text is not None:
                met.add(unicodedata.normalize("NFC", text))
    if len(met) > limit:
        return {"buckets": MAX_BUCKETS}
    return {"vocabulary": tuple(sorted(met, key=lambda text: text.encode("utf-8")))}
