// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

/** One property of the nodes of one type, by index. Safe for several threads. */
public interface NodeColumn {
    PropertySpec spec();

    /** INTEGER minimum, NaN or a null list: what GDS keeps where a node lacks the property. */
    boolean isMissing(int index);

    /** Length of the list at {@code index}; 0 where it is missing. Only for arrays. */
    int length(int index);

    /** @throws UnsupportedOperationException when {@link #spec()} is another type; so for the others */
    long longAt(int index);

    /** The value of a LONG or DOUBLE. */
    double doubleAt(int index);

    /** Null where missing. Not to be written to. */
    float[] floatsAt(int index);

    /** Null where missing. Not to be written to. */
    double[] doublesAt(int index);

    /** Null where missing. Not to be written to. */
    long[] longsAt(int index);
}
