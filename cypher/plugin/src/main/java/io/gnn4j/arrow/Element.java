// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.arrow;

/** The value types that travel. */
public enum Element {
    INT32("int32", 4),
    INT64("int64", 8),
    FLOAT32("float32", 4),
    FLOAT64("float64", 8),
    UTF8("utf8", 0);

    private final String text;
    private final int bytes;

    Element(String text, int bytes) {
        this.text = text;
        this.bytes = bytes;
    }

    /** Bytes of one value; 0 for text, whose values differ. */
    public int bytes() {
        return bytes;
    }

    @Override
    public String toString() {
        return text;
    }
}
