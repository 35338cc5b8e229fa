// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import java.util.List;

/**
 * A projection whose nodes are counted per node type: the <b>index</b> of a node is its rank by ascending Neo4j id
 * among the nodes of its type, from 0.
 *
 * <p>Safe for several threads, except that each thread needs its own {@link NeighbourReader}. It holds on to the
 * projection: keep it no longer than a call, unless its bytes are counted.
 */
public interface TypedGraph {
    ProjectedGraph graph();

    /** In the order in which they were asked for. */
    List<String> types();

    int nodeCount(String type);

    /** @param index in [0, nodeCount(type)) */
    long nodeId(String type, int index);

    /** The index of a node within {@code type}, or -1 when it is not a node of that type. */
    int indexOf(String type, long nodeId);

    /** @throws io.gnn4j.config.InvalidConfiguration when nodes of that type have no such property */
    NodeColumn nodeProperty(String type, String property);

    /**
     * The relations with at least one relationship between nodes of {@link #types()}, by type, source and target in the
     * order of the given types and of {@link #types()}. Reads every adjacency list once; the degrees are kept.
     *
     * @param relationshipTypes empty means all
     * @throws io.gnn4j.config.InvalidConfiguration for unknown types
     */
    List<Relation> relations(List<String> relationshipTypes, Runnable guard);

    /** Number of relationships, parallel ones included; 0 for a relation that has none. */
    long relationshipCount(Relation relation, Runnable guard);

    /** Out-degree of every source by index, parallel relationships included. Not to be written to. */
    int[] degrees(Relation relation, Runnable guard);

    /** A reader for one thread. */
    NeighbourReader neighbours(Relation relation, List<String> properties);

    /** Bytes of {@link #csr} for a relation. */
    default long csrBytes(Relation relation, int properties, Runnable guard) {
        return 8L * (nodeCount(relation.source()) + 1L) + (4L + 8L * properties) * relationshipCount(relation, guard);
    }

    /**
     * The whole relation; {@link Csr#reversed} gives the other direction.
     *
     * @throws IllegalStateException when it has more than 2^31 - 9 relationships, the length of a Java array
     */
    default Csr csr(Relation relation, List<String> properties, Runnable guard) {
        return Csr.read(this, relation, properties, guard);
    }
}
