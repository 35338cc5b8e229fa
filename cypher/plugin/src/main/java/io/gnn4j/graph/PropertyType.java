// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

/** The value types GDS projects. */
public enum PropertyType {
    LONG("long"),
    DOUBLE("double"),
    FLOAT_ARRAY("float[]"),
    DOUBLE_ARRAY("double[]"),
    LONG_ARRAY("long[]");

    private final String text;

    PropertyType(String text) {
        this.text = text;
    }

    public boolean isArray() {
        return ordinal() >= FLOAT_ARRAY.ordinal();
    }

    /** The name used in files and messages. */
    @Override
    public String toString() {
        return text;
    }
}
