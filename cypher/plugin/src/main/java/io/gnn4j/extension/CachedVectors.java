// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import io.gnn4j.graph.LiveGraph;
import io.gnn4j.recommend.Vectors;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;
import org.neo4j.graphdb.event.TransactionData;

/** One vector property of the nodes with one label. */
final class CachedVectors<T extends Vectors> extends Cached<T, Map<Long, float[]>> {
    private static final int CHUNK = 4096;

    private final Label label;
    private final String property;
    private final LongUnaryOperator bytes;
    private final T vectors;

    /** @param bytes what so many rows take */
    CachedVectors(
            String label, String property, int dimension, BiFunction<String, Integer, T> empty, LongUnaryOperator bytes,
            Consumer<Cached<?, ?>> drop) {
        super(drop);
        this.label = Label.label(label);
        this.property = property;
        this.bytes = bytes;
        vectors = empty.apply(property, dimension);
    }

    @Override
    String kind() {
        return "vectors";
    }

    @Override
    String name() {
        return property + " of :" + label.name();
    }

    @Override
    T value() {
        return vectors;
    }

    @Override
    long bytes() {
        return vectors.bytes();
    }

    @Override
    long estimate(Transaction committed) {
        try (var graph = new LiveGraph(committed)) {
            return bytes.applyAsLong(graph.count(label.name()));
        }
    }

    @Override
    void load(Transaction committed, Runnable guard) {
        var chunk = new HashMap<Long, float[]>();
        try (var graph = new LiveGraph(committed); var nodes = committed.findNodes(label)) {
            while (nodes.hasNext()) {
                var id = LiveGraph.id(nodes.next());
                var value = graph.property(id, property);
                if (value != null) {
                    chunk.put(id, vector(value));
                }
                if (chunk.size() == CHUNK) {
                    guard.run();
                    vectors.apply(chunk);
                    chunk.clear();
                }
            }
        }
        vectors.apply(chunk);
    }

    @Override
    Map<Long, float[]> read(TransactionData data) {
        var changes = new HashMap<Long, float[]>();
        for (var node : data.deletedNodes()) {
            changes.put(LiveGraph.id(node), null);
        }
        for (var removed : data.removedLabels()) {
            if (removed.label().name().equals(label.name())) {
                changes.put(LiveGraph.id(removed.node()), null);
            }
        }
        for (var removed : data.removedNodeProperties()) {
            if (removed.key().equals(property)) {
                changes.put(LiveGraph.id(removed.entity()), null);
            }
        }
        for (var assigned : data.assignedNodeProperties()) {
            if (assigned.key().equals(property) && assigned.entity().hasLabel(label)) {
                changes.put(LiveGraph.id(assigned.entity()), vector(assigned.value()));
            }
        }
        for (var assigned : data.assignedLabels()) {
            if (assigned.label().name().equals(label.name())) {
                put(changes, assigned.node());
            }
        }
        return changes.isEmpty() ? null : changes;
    }

    private void put(Map<Long, float[]> changes, Node node) {
        var value = node.getProperty(property, null);
        if (value != null) {
            changes.put(LiveGraph.id(node), vector(value));
        }
    }

    @Override
    void apply(Map<Long, float[]> changes) {
        vectors.apply(changes);
    }

    /** A stored value as a vector; what is no list of numbers becomes an empty one, which is then a fault. */
    private static float[] vector(Object value) {
        return switch (value) {
            case float[] floats -> floats.clone();
            case double[] doubles -> {
                var floats = new float[doubles.length];
                for (int i = 0; i < floats.length; i++) {
                    floats[i] = (float) doubles[i];
                }
                yield floats;
            }
            case long[] longs -> {
                var floats = new float[longs.length];
                for (int i = 0; i < floats.length; i++) {
                    floats[i] = longs[i];
                }
                yield floats;
            }
            default -> new float[0];
        };
    }
}
