// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import io.gnn4j.config.InvalidConfiguration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.neo4j.gds.NodeLabel;
import org.neo4j.gds.api.GraphStore;
import org.neo4j.gds.api.IdMap;

/**
 * The translation between GDS's dense ids and (node type, index). 9 bytes a node; a graph of one type whose dense ids
 * already ascend with the Neo4j ids needs none.
 */
final class NodeIndex {
    private static final int GUARD_EVERY = 1 << 16;
    private static final int MOST_TYPES = Byte.MAX_VALUE;

    private final IdMap ids;
    private final List<String> types;
    private final int[] counts;
    /** Type position by dense id, -1 for nodes left out; null when there is one type and every node has it. */
    private final byte[] typeOf;
    /** Index by dense id; null when both are the same. */
    private final int[] indexOf;
    /** Dense id by index, for each type; null when both are the same. */
    private final int[][] denseOf;
    private final boolean monotone;

    private NodeIndex(
            IdMap ids, List<String> types, int[] counts, byte[] typeOf, int[] indexOf, int[][] denseOf, boolean monotone) {
        this.ids = ids;
        this.types = types;
        this.counts = counts;
        this.typeOf = typeOf;
        this.indexOf = indexOf;
        this.denseOf = denseOf;
        this.monotone = monotone;
    }

    static NodeIndex of(GraphStore store, String graphName, List<String> types, List<String> priority, Runnable guard) {
        var ids = store.nodes();
        if (ids.nodeCount() > Integer.MAX_VALUE - 8) {
            throw new InvalidConfiguration(List.of("Graph `" + graphName + "` has " + ids.nodeCount() + " nodes; at most "
                + (Integer.MAX_VALUE - 8) + " can be numbered. Project a subset."));
        }
        if (types.size() > MOST_TYPES) {
            throw new InvalidConfiguration(List.of("Graph `" + graphName + "` has " + types.size()
                + " node labels; at most " + MOST_TYPES + " can be read at once. Name some in `nodeLabels`."));
        }
        int nodes = (int) ids.nodeCount();
        var labels = types.stream().map(NodeLabel::of).toArray(NodeLabel[]::new);
        boolean oneType = labels.length == 1 && ids.nodeCount(labels[0]) == nodes;
        if (oneType && ascends(ids, nodes, guard)) {
            return new NodeIndex(ids, types, new int[] {nodes}, null, null, null, true);
        }
        var counts = new int[labels.length];
        byte[] typeOf = oneType ? null : classify(ids, graphName, nodes, labels, priority, counts, guard);
        if (oneType) {
            counts[0] = nodes;
        }
        var denseOf = new int[labels.length][];
        for (int t = 0; t < labels.length; t++) {
            denseOf[t] = new int[counts[t]];
        }
        var filled = new int[labels.length];
        var last = new long[labels.length];
        Arrays.fill(last, -1);
        var ordered = new boolean[labels.length];
        Arrays.fill(ordered, true);
        for (int node = 0; node < nodes; node++) {
            int type = oneType ? 0 : typeOf[node];
            if (type < 0) {
                continue;
            }
            denseOf[type][filled[type]++] = node;
            long original = ids.toOriginalNodeId(node);
            ordered[type] &= original > last[type];
            last[type] = original;
        }
        var indexOf = new int[nodes];
        boolean monotone = true;
        for (int t = 0; t < labels.length; t++) {
            guard.run();
            if (!ordered[t]) {
                sortByOriginal(ids, denseOf[t]);
                monotone = false;
            }
            for (int index = 0; index < counts[t]; index++) {
                indexOf[denseOf[t][index]] = index;
            }
        }
        return new NodeIndex(ids, types, counts, typeOf, indexOf, denseOf, monotone);
    }

    private static boolean ascends(IdMap ids, int nodes, Runnable guard) {
        long last = -1;
        for (int node = 0; node < nodes; node++) {
            if (node % GUARD_EVERY == 0) {
                guard.run();
            }
            long original = ids.toOriginalNodeId(node);
            if (original <= last) {
                return false;
            }
            last = original;
        }
        return true;
    }

    private static void sortByOriginal(IdMap ids, int[] dense) {
        var originals = new long[dense.length];
        for (int i = 0; i < dense.length; i++) {
            originals[i] = ids.toOriginalNodeId(dense[i]);
        }
        Arrays.sort(originals);
        for (int i = 0; i < dense.length; i++) {
            dense[i] = (int) ids.toMappedNodeId(originals[i]);
        }
    }

    private static byte[] classify(
            IdMap ids, String graphName, int nodes, NodeLabel[] labels, List<String> priority, int[] counts, Runnable guard) {
        var ranks = new int[labels.length];
        for (int t = 0; t < labels.length; t++) {
            int rank = priority.indexOf(labels[t].name());
            ranks[t] = rank < 0 ? Integer.MAX_VALUE : rank;
        }
        var typeOf = new byte[nodes];
        long refused = 0;
        var examples = new ArrayList<String>();
        for (int node = 0; node < nodes; node++) {
            if (node % GUARD_EVERY == 0) {
                guard.run();
            }
            int type = -1;
            boolean undecided = false;
            for (int t = 0; t < labels.length; t++) {
                if (!ids.hasLabel(node, labels[t])) {
                    continue;
                }
                if (type < 0 || ranks[t] < ranks[type]) {
                    // A ranked label decides over all that came before it.
                    undecided &= ranks[t] == Integer.MAX_VALUE;
                    type = t;
                } else {
                    undecided |= ranks[type] == Integer.MAX_VALUE;
                }
            }
            if (undecided) {
                refused++;
                if (examples.size() < 3) {
                    examples.add(ids.toOriginalNodeId(node) + " (" + String.join(", ", carried(ids, node, labels)) + ")");
                }
            }
            typeOf[node] = (byte) type;
            if (type >= 0) {
                counts[type]++;
            }
        }
        if (refused > 0) {
            throw new InvalidConfiguration(List.of(refused + " nodes of graph `" + graphName + "` carry several of the labels, such as "
                + String.join("; ", examples) + ". A node has one type: name the deciding labels in `labelPriority`, first wins."));
        }
        return typeOf;
    }

    private static List<String> carried(IdMap ids, long node, NodeLabel[] labels) {
        return Arrays.stream(labels).filter(label -> ids.hasLabel(node, label)).map(NodeLabel::name).toList();
    }

    List<String> types() {
        return types;
    }

    /** Position of a type. */
    int type(String name) {
        int type = types.indexOf(name);
        if (type < 0) {
            throw new IllegalArgumentException("'" + name + "' is none of the node types " + String.join(", ", types) + ".");
        }
        return type;
    }

    int count(int type) {
        return counts[type];
    }

    /** Whether every node of the graph is of the one type. */
    boolean isWhole() {
        return typeOf == null;
    }

    /** Whether ascending dense ids are ascending indices within every type. */
    boolean isMonotone() {
        return monotone;
    }

    long dense(int type, int index) {
        return denseOf == null ? index : denseOf[type][index];
    }

    long nodeId(int type, int index) {
        return ids.toOriginalNodeId(dense(type, index));
    }

    int indexOf(int type, long nodeId) {
        long dense = nodeId < 0 ? -1 : ids.safeToMappedNodeId(nodeId);
        if (dense < 0 || typeOf != null && typeOf[(int) dense] != type) {
            return -1;
        }
        return indexOf == null ? (int) dense : indexOf[(int) dense];
    }

    /** Type positions by dense id, -1 for nodes left out; null when {@link #isWhole()}. */
    byte[] typeOf() {
        return typeOf;
    }

    /** Indices by dense id; null when they are the same. */
    int[] indices() {
        return indexOf;
    }
}
