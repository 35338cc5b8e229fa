// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.TreeMap;

/** Stored vectors cannot be used: a list made without them would be wrong in silence. */
public final class FaultyVectors extends IllegalStateException {
    private static final long serialVersionUID = 1L;
    /** No embedding holds such a number, and below it no float32 sum overflows. */
    private static final float LARGEST = 1e15f;

    FaultyVectors(String property, int dimension, TreeMap<Long, String> faults) {
        super("`" + property + "` of node " + faults.firstKey() + " " + faults.firstEntry().getValue()
            + ", where a vector of " + dimension + " finite numbers is needed"
            + (faults.size() > 1 ? "; so for " + faults.size() + " nodes" : "")
            + ". Write the vectors again with `CALL gnn.embed.propagate` or `gnn4j deploy`, or remove the property there.");
    }

    /** What is wrong with a vector, or null. */
    static String fault(float[] vector, int dimension) {
        if (vector.length != dimension) {
            return vector.length == 0 ? "is no vector" : "has " + vector.length + " numbers";
        }
        for (var value : vector) {
            if (!(Math.abs(value) <= LARGEST)) {
                return "holds " + value;
            }
        }
        return null;
    }
}
