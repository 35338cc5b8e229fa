// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Walks the fields of one protobuf message, building nothing; a field is looked at between two calls of {@link #next}. */
final class ProtoReader {
    static final int VARINT = 0;
    static final int FIXED64 = 1;
    static final int BYTES = 2;
    static final int FIXED32 = 5;

    /** The bytes are not protobuf: nothing behind this place can be judged. */
    static final class Malformed extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Malformed(String what) {
            super(what, null, false, false);
        }
    }

    private final byte[] bytes;
    private final int end;
    private int at;

    private int field;
    private int wire;
    private long number;
    private int from;
    private int to;

    ProtoReader(byte[] bytes, int start, int end) {
        this.bytes = bytes;
        this.at = start;
        this.end = end;
    }

    /** @return false at the end of the message */
    boolean next() {
        if (at == end) {
            return false;
        }
        var tag = varint();
        var name = tag >>> 3;
        if (name == 0 || name >= 1 << 29) {
            throw new Malformed("field number " + name + " is impossible");
        }
        field = (int) name;
        wire = (int) (tag & 7);
        switch (wire) {
            case VARINT -> number = varint();
            case FIXED64 -> skip(8);
            case FIXED32 -> skip(4);
            case BYTES -> skip(varint());
            default -> throw new Malformed("wire type " + wire + " is not used by ONNX");
        }
        return true;
    }

    private void skip(long length) {
        if (length < 0 || length > end - at) { // a length of 2^63 and more reads as negative
            throw new Malformed("a field is longer than its message");
        }
        from = at;
        at += (int) length;
        to = at;
    }

    private long varint() {
        var value = 0L;
        for (int shift = 0; shift < 70; shift += 7) {
            if (at == end) {
                throw new Malformed("it ends inside a number");
            }
            var next = bytes[at++];
            value |= (long) (next & 0x7f) << shift;
            if (next >= 0) {
                return value;
            }
        }
        throw new Malformed("a number is longer than ten bytes");
    }

    int field() {
        return field;
    }

    int wire() {
        return wire;
    }

    long number() {
        return number;
    }

    /** Bytes of the current field. */
    int size() {
        return to - from;
    }

    String text() {
        try {
            return StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
                .decode(ByteBuffer.wrap(bytes, from, to - from)).toString();
        } catch (CharacterCodingException broken) {
            throw new Malformed("a name is not UTF-8");
        }
    }

    byte[] raw() {
        return Arrays.copyOfRange(bytes, from, to);
    }

    ProtoReader message() {
        return new ProtoReader(bytes, from, to);
    }

    /** The integers of a repeated field: one, or a packed run of them. */
    long[] numbers() {
        if (wire == VARINT) {
            return new long[] {number};
        }
        var packed = message();
        var values = new long[Math.min(to - from, 16)];
        var count = 0;
        while (packed.at < packed.end) {
            if (count == values.length) {
                values = Arrays.copyOf(values, 2 * count);
            }
            values[count++] = packed.varint();
        }
        return Arrays.copyOf(values, count);
    }

    /** The bytes of the current field as little-endian int64 values. */
    long[] rawLongs() {
        var buffer = ByteBuffer.wrap(bytes, from, to - from).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer();
        var values = new long[buffer.remaining()];
        buffer.get(values);
        return values;
    }
}
