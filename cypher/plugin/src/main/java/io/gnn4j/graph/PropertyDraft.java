// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

/** A node property of a projection that nobody sees until it is published. For one thread. */
public interface PropertyDraft {
    /** What to do about a property of that name: refuse, put the new one in its place, keep values that are not set. */
    enum IfExists { FAIL, REPLACE, MERGE }

    /**
     * @param value Long, Double, float[], double[] or long[] as the type says; null makes it missing
     * @return false when the node is not in the projection or carries none of the labels
     */
    boolean set(long nodeId, Object value);

    /** Adds it; nodes without a value have INTEGER minimum, NaN or no list. */
    void publish();
}
