"""Text columns to typed ones, value by value, with the bad values marked instead of the load failing.

Every function takes a pyarrow array and gives `Converted`: an array of the same length whose nulls are the
missing values, and a mask of the values that could not be read. A bad value is null, too. Lengths of 0 are
allowed.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gds_pipelines.ingest.mapping import TimeUnit, ValueType

ARROW_TYPES: dict[ValueType, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
}
_TRUE, _FALSE = {"true", "t", "yes", "y", "1"}, {"false", "f", "no", "n", "0"}
_PER_MILLISECOND = {"s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
# The years 0001 to 9999, the range in which Neo4j, Java and Python agree about dates.
EARLIEST, LATEST = -62_135_596_800_000, 253_402_300_799_999


@dataclass(frozen=True)
class Converted:
    """`values`: N values, null where missing; `bad`: [N] True where there was text that could not be read."""

    values: pa.Array
    bad: NDArray[np.bool_]


def trimmed(column: pa.Array, missing: Collection[str]) -> pa.Array:
    """Strings without blanks at the ends, null where empty or one of `missing`."""
    text = pc.utf8_trim_whitespace(column)
    absent = pc.is_in(text, value_set=pa.array(sorted({"", *missing}), pa.string()))
    return pc.if_else(absent, pa.scalar(None, pa.string()), text)


def typed(column: pa.Array, kind: ValueType, missing: Collection[str] = ("",)) -> Converted:
    """A column of any scalar Arrow type as `kind`."""
    column = _flat(column)
    if not pa.types.is_string(column.type):
        return _from_typed(column, kind)
    text = trimmed(column, missing)
    match kind:
        case "string":
            return Converted(text, np.zeros(len(text), bool))
        case "integer":
            return _integers(text)
        case "float":
            return _floats(text)
        case "boolean":
            return _parsed(text, _boolean, pa.bool_())


def lists(column: pa.Array, kind: ValueType, separator: str, missing: Collection[str] = ("",)) -> Converted:
    """Lists, cut at `separator` or lists already; empty elements go, an empty list is missing."""
    column = _flat(column)
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        column = pc.split_pattern(trimmed(typed(column, "string").values, missing), separator)
    counts = np.diff(np.asarray(column.offsets))
    counts[np.asarray(column.is_null())] = 0
    owner = np.repeat(np.arange(len(column)), counts)
    flat = typed(column.flatten(), kind, missing)
    bad = np.zeros(len(column), bool)
    bad[owner[flat.bad]] = True
    kept = np.asarray(flat.values.is_valid())
    sizes = np.bincount(owner[kept], minlength=len(column))
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    values = pa.ListArray.from_arrays(pa.array(offsets), flat.values.filter(pa.array(kept)))
    usable = (sizes > 0) & ~bad
    return Converted(pc.if_else(pa.array(usable), values, pa.scalar(None, values.type)), bad)


def times(column: pa.Array, unit: TimeUnit, missing: Collection[str] = ("",)) -> Converted:
    """Points in time as int64 epoch milliseconds UTC, rounded down; text without a zone is UTC.

    `auto` takes the unit from the size of the median: seconds up to the year 5138, then milliseconds,
    microseconds and nanoseconds. Times outside the years 1 to 9999 are bad.
    """
    column = _flat(column)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = pc.cast(
            column, pa.timestamp("ns" if getattr(column.type, "unit", "") == "ns" else "us"), safe=False
        )
        unit, column = ("ns" if column.type.unit == "ns" else "us"), pc.cast(column, pa.int64())
    if unit == "iso":
        return _parsed(trimmed(typed(column, "string").values, missing), _iso, pa.int64())
    whole = typed(column, "integer", missing)
    if not whole.bad.any():
        numbers, bad = whole.values, whole.bad
    else:
        read = typed(column, "float", missing)
        numbers, bad = read.values, read.bad
    present = np.asarray(numbers.is_valid())
    raw = np.asarray(pc.fill_null(numbers, 0))
    if unit == "auto":
        middle = float(np.median(np.abs(raw[present]))) if present.any() else 0.0
        unit = next((name for name, end in (("s", 1e11), ("ms", 1e14), ("us", 1e17)) if middle < end), "ns")
    factor = _PER_MILLISECOND[unit]
    estimate = raw.astype(float) * factor
    inside = (estimate >= EARLIEST) & (estimate <= LATEST)
    if raw.dtype == np.int64:
        safe = np.where(inside, raw, 0)
        milliseconds = safe * int(factor) if factor >= 1 else safe // round(1 / factor)
    else:
        milliseconds = np.floor(np.where(inside, estimate, 0)).astype(np.int64)
    return Converted(pa.array(milliseconds, mask=~(present & inside)), bad | (present & ~inside))


def matched(column: pa.Array, pattern: str, missing: Collection[str] = ("",)) -> pa.Array:
    """The one group of `pattern` where it is found in the text, else missing."""
    search = re.compile(pattern).search
    text = typed(column, "string", missing).values
    return pa.array(
        [(found.group(1) if value and (found := search(value)) else None) for value in text.to_pylist()],
        pa.string(),
    )


def unlike_integers(
    column: pa.Array, missing: Collection[str] = ("",)
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which values would lose something as int64: other text, 007, numbers with a fraction.

    Returns:
        (odd, present): [N] True for a present value that is no int64 in the usual writing; [N] True where
        there is a value.
    """
    column = _flat(column)
    if not pa.types.is_string(column.type):
        present = np.asarray(column.is_valid())
        return present & (not pa.types.is_integer(column.type)), present
    text = trimmed(column, missing)
    present = np.asarray(text.is_valid())
    usual = pc.fill_null(pc.match_substring_regex(text, r"^(0|-?[1-9][0-9]{0,18})$"), True)
    return ~np.asarray(usual) | _integers(text).bad, present


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        # Older pyarrow gives a chunked array for 0 or several chunks.
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = pc.cast(column, pa.string())
    return column


def _from_typed(column: pa.Array, kind: ValueType) -> Converted:
    """Values that have a type (Parquet): a cast that must not lose anything; what it would lose is bad."""
    bad = np.zeros(len(column), bool)
    if pa.types.is_null(column.type):
        return Converted(pa.nulls(len(column), ARROW_TYPES[kind]), bad)
    if pa.types.is_floating(column.type):
        finite = pc.fill_null(pc.is_finite(column), False)
        # NaN is how many writers spell missing; infinity is not a value to store.
        bad = np.asarray(pc.fill_null(pc.is_inf(column), False)).copy()
        column = pc.if_else(finite, column, pa.scalar(None, column.type))
    try:
        return Converted(pc.cast(column, ARROW_TYPES[kind]), bad)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    if kind == "integer" and (pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)):
        return _parsed(column, _whole, pa.int64(), bad)
    present = np.asarray(column.is_valid())
    return Converted(pa.nulls(len(column), ARROW_TYPES[kind]), bad | present)


def _integers(text: pa.Array) -> Converted:
    shaped = pc.fill_null(pc.match_substring_regex(text, r"^[+-]?[0-9]{1,19}$"), True)
    kept = pc.if_else(shaped, text, pa.scalar(None, pa.string()))
    bad = ~np.asarray(shaped)
    try:
        return Converted(pc.cast(pc.replace_substring_regex(kept, r"^\+", ""), pa.int64()), bad)
    except pa.ArrowInvalid:  # Some value of 19 digits is beyond 2^63.
        rest = _parsed(kept, _integer, pa.int64())
        return Converted(rest.values, bad | rest.bad)


def _floats(text: pa.Array) -> Converted:
    shaped = pc.fill_null(
        pc.match_substring_regex(text, r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?$"), True
    )
    kept = pc.replace_substring_regex(pc.if_else(shaped, text, pa.scalar(None, pa.string())), r"^\+", "")
    values = pc.cast(kept, pa.float64())
    finite = pc.fill_null(pc.is_finite(values), True)
    return Converted(
        pc.if_else(finite, values, pa.scalar(None, pa.float64())), ~np.asarray(pc.and_(shaped, finite))
    )


def _parsed(
    column: pa.Array,
    parse: Callable[[Any], Any],
    kind: pa.DataType,
    bad_already: NDArray[np.bool_] | bool = False,
) -> Converted:
    """Slow and exact: `parse` gives None for what it cannot read."""
    raw = column.to_pylist()
    read = [None if value is None else parse(value) for value in raw]
    bad = np.fromiter((a is not None and b is None for a, b in zip(raw, read, strict=True)), bool, len(raw))
    return Converted(pa.array(read, kind), bad | bad_already)


def _whole(value: float | Decimal) -> int | None:
    return _in_range(int(value)) if value == int(value) else None


def _integer(value: str) -> int | None:
    return _in_range(int(value))


def _in_range(number: int) -> int | None:
    return number if -(2**63) <= number < 2**63 else None


def _boolean(value: str) -> bool | None:
    lower = value.lower()
    return True if lower in _TRUE else False if lower in _FALSE else None


def _iso(value: str) -> int | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    days = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (days.days * 86_400 + days.seconds) * 1000 + days.microseconds // 1000
