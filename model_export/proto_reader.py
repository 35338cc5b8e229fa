"""Reads protobuf as wire format: fields by number, nothing built, nothing trusted."""

from collections.abc import Iterator

VARINT, I64, LEN, I32 = 0, 1, 2, 5
"""Wire types: a number, eight bytes, bytes with their length before them, four bytes."""


class Malformed(Exception):
    """The bytes are not protobuf; nothing after this place can be judged."""


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number at a position, in [0, 2^64), and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise Malformed("it ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise Malformed("a number is longer than ten bytes")


def signed(value: int) -> int:
    """A number as its two's complement."""
    return value - (1 << 64) if value >= 1 << 63 else value


def fields_of(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """(number, wire type, value) of every field of a message, in the order they stand.

    Raises:
        Malformed: where the bytes stop being a message.
    """
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if not 1 <= number < 1 << 29:
            raise Malformed(f"field number {number} is impossible")
        if wire == VARINT:
            value, at = varint(data, at)
            yield number, wire, value
            continue
        if wire == LEN:
            size, at = varint(data, at)
        elif wire in (I32, I64):
            size = 4 if wire == I32 else 8
        else:
            raise Malformed(f"wire type {wire} is not used by ONNX")
        if size > len(data) - at:
            raise Malformed("a field is longer than its message")
        yield number, wire, data[at : at + size]
        at += size


def packed_varints(data: memoryview) -> list[int]:
    """Signed numbers that stand one after another."""
    values, at = [], 0
    while at < len(data):
        value, at = varint(data, at)
        values.append(signed(value))
    return values


def text_of(data: memoryview) -> str:
    """A name; Malformed where it is not UTF-8."""
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise Malformed("a name is not UTF-8") from None
