// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

/**
 * Where neighbours are read: the cached lists of a projection, or the live store. Nodes go by <b>numbers</b> that the
 * source gives them, per node type; only {@link #nodeId} tells what they mean. Types and relations go by their positions in
 * the plan the source was made for.
 */
public interface NeighbourSource {
    /** The number of a node; -1 where it is no node of that type. */
    int number(int type, long nodeId);

    /** The Neo4j id of a numbered node. */
    long nodeId(int type, int number);

    /** Numbers are in [0, count); it may grow while neighbours are read. */
    int count(int type);

    /** Whether numbers ascend with Neo4j ids, being then the indices of the nodes. */
    boolean isOrdered();

    /** A reader of the lists of a relation, for one thread. */
    NeighbourList neighbours(int relation);

    /** Receivers whose list was cut short because they have more relationships than may be read, so far. */
    default long truncated() {
        return 0;
    }
}
