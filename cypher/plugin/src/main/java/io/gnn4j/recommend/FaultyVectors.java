// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.TreeMap;

/** Stored vectors cannot be used: a list made without them would be wrong in silence. */
public final class FaultyVectors extends IllegalStateException {
    private static final long serialVersionUID = 1L;
    /** No embedding holds such a number, and below it no float32 sum overflows. */
    private static final float LARGEST = 1e15f;

    private final int count;

    FaultyVectors(TreeMap<Long, String> faults) {
        super("the vector of node " + faults.firstKey() + " " + faults.firstEntry().getValue());
        count = faults.size();
    }

    /** How many there are; the message is about the one with the smallest id. */
    public int count() {
        return count;
    }

    /** What is wrong with a vector, or null. */
    static String fault(float[] vector, int dimension) {
        if (vector.length != dimension) {
            return "has " + vector.length + " numbers, the model needs " + dimension;
        }
        for (var value : vector) {
            if (!(Math.abs(value) <= LARGEST)) {
                return "holds " + value + ", which is no coordinate of an embedding";
            }
        }
        return null;
    }
}
