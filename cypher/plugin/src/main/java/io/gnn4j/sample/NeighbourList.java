// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

/**
 * The list of one receiver after another, as the draw rule wants it: reduced, ascending by Neo4j id, or by descending time
 * and then id. What stands in the arrays from {@link #from} to {@link #to} is valid until the next {@link #read}; nothing
 * of it may be written to.
 */
public abstract class NeighbourList {
    /** Numbers of the senders. */
    protected int[] senders;
    /** Null in an untimed relation. A missing time is {@link Long#MIN_VALUE}. */
    protected long[] times;
    /** Null where draws are uniform. Finite and above 0. */
    protected double[] weights;
    /** One array for each edge property of the plan; null for one that the relation does not have, which is known before any read. */
    protected double[][] properties;
    protected int from;
    protected int to;

    /** Whether the relation has the edge property at that position of the plan. */
    final boolean has(int property) {
        return properties != null && properties[property] != null;
    }

    /** Moves on to the list of a receiver. */
    protected abstract void read(int receiver);
}
