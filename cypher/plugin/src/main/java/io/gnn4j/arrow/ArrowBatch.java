// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.arrow;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** One record batch that was read. Columns by position; rows from 0. Safe for several threads. */
public final class ArrowBatch {
    /** Where a column lies in the body; -1 where it has no such buffer. */
    record Part(ArrowField field, boolean wideOffsets, int validity, int offsets, int data) {}

    private final int rows;
    private final byte[] body;
    private final List<Part> parts;

    ArrowBatch(int rows, byte[] body, List<Part> parts) {
        this.rows = rows;
        this.body = body;
        this.parts = parts;
    }

    public int rows() {
        return rows;
    }

    public boolean isNull(int column, int row) {
        int validity = parts.get(column).validity();
        return validity >= 0 && (body[validity + (row >> 3)] >> (row & 7) & 1) == 0;
    }

    /** A scalar int32 or int64. */
    public long longAt(int column, int row) {
        return wholeNumber(parts.get(column), row);
    }

    /** Any scalar number. */
    public double doubleAt(int column, int row) {
        return number(parts.get(column), row);
    }

    public String textAt(int column, int row) {
        var part = parts.get(column);
        int start = offset(part, row);
        return new String(body, part.data() + start, offset(part, row + 1) - start, StandardCharsets.UTF_8);
    }

    /** Number of values of a list. */
    public int length(int column, int row) {
        var part = parts.get(column);
        return part.field().isFixedSizeList() ? part.field().width() : offset(part, row + 1) - offset(part, row);
    }

    /** Copies a list of numbers; float64 is rounded. */
    public void copyFloats(int column, int row, float[] into, int at) {
        var part = parts.get(column);
        int start = start(part, row);
        int length = length(column, row);
        if (part.field().element() == Element.FLOAT32) {
            ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN).position(part.data() + 4 * start).asFloatBuffer()
                .get(into, at, length);
            return;
        }
        for (int i = 0; i < length; i++) {
            into[at + i] = (float) number(part, start + i);
        }
    }

    public float[] floatsAt(int column, int row) {
        var values = new float[length(column, row)];
        copyFloats(column, row, values, 0);
        return values;
    }

    public double[] doublesAt(int column, int row) {
        var part = parts.get(column);
        int start = start(part, row);
        var values = new double[length(column, row)];
        for (int i = 0; i < values.length; i++) {
            values[i] = number(part, start + i);
        }
        return values;
    }

    /** A list of int32 or int64. */
    public long[] longsAt(int column, int row) {
        var part = parts.get(column);
        int start = start(part, row);
        var values = new long[length(column, row)];
        for (int i = 0; i < values.length; i++) {
            values[i] = wholeNumber(part, start + i);
        }
        return values;
    }

    /** Position of the first value of a list among the values of its column. */
    int start(int column, int row) {
        return start(parts.get(column), row);
    }

    private int start(Part part, int row) {
        return part.field().isFixedSizeList() ? row * part.field().width() : offset(part, row);
    }

    private int offset(Part part, int row) {
        return part.wideOffsets()
            ? (int) (long) ArrowStreamWriter.LONG.get(body, part.offsets() + 8 * row)
            : (int) ArrowStreamWriter.INT.get(body, part.offsets() + 4 * row);
    }

    private long wholeNumber(Part part, int at) {
        return switch (part.field().element()) {
            case INT32 -> (int) ArrowStreamWriter.INT.get(body, part.data() + 4 * at);
            case INT64 -> (long) ArrowStreamWriter.LONG.get(body, part.data() + 8 * at);
            default -> throw new UnsupportedOperationException(part.field().name() + " is " + part.field().typeName());
        };
    }

    private double number(Part part, int at) {
        return switch (part.field().element()) {
            case FLOAT32 -> (float) ArrowStreamWriter.FLOAT.get(body, part.data() + 4 * at);
            case FLOAT64 -> (double) ArrowStreamWriter.DOUBLE.get(body, part.data() + 8 * at);
            default -> wholeNumber(part, at);
        };
    }
}
