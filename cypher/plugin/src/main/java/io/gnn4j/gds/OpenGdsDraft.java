// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import io.gnn4j.graph.PropertyDraft;
import io.gnn4j.graph.PropertyType;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.neo4j.gds.NodeLabel;
import org.neo4j.gds.api.GraphStore;
import org.neo4j.gds.api.IdMap;
import org.neo4j.gds.api.properties.nodes.DoubleArrayNodePropertyValues;
import org.neo4j.gds.api.properties.nodes.DoubleNodePropertyValues;
import org.neo4j.gds.api.properties.nodes.FloatArrayNodePropertyValues;
import org.neo4j.gds.api.properties.nodes.LongArrayNodePropertyValues;
import org.neo4j.gds.api.properties.nodes.LongNodePropertyValues;
import org.neo4j.gds.api.properties.nodes.NodePropertyValues;

/** Values by dense id, handed to GDS as they are. */
final class OpenGdsDraft implements PropertyDraft {
    private final GraphStore store;
    private final IdMap ids;
    private final NodeLabel[] labels;
    private final boolean everyNode;
    private final String property;
    private final PropertyType type;
    private final boolean exists;
    private final long[] longs;
    private final double[] doubles;
    private final Object[] lists;

    /** @param old the values to keep where none is set, or null */
    OpenGdsDraft(GraphStore store, List<String> labels, boolean everyNode, String property, PropertyType type, NodePropertyValues old) {
        this.store = store;
        this.ids = store.nodes();
        this.labels = labels.stream().map(NodeLabel::of).toArray(NodeLabel[]::new);
        this.everyNode = everyNode;
        this.property = property;
        this.type = type;
        this.exists = store.hasNodeProperty(property);
        int nodes = Math.toIntExact(ids.nodeCount());
        longs = type == PropertyType.LONG ? new long[nodes] : null;
        doubles = type == PropertyType.DOUBLE ? new double[nodes] : null;
        lists = type.isArray() ? new Object[nodes] : null;
        if (type == PropertyType.LONG) {
            Arrays.setAll(longs, node -> old == null ? Long.MIN_VALUE : old.longValue(node));
        } else if (type == PropertyType.DOUBLE) {
            Arrays.setAll(doubles, node -> old == null ? Double.NaN : old.doubleValue(node));
        } else if (old != null) {
            Arrays.setAll(lists, node -> switch (type) {
                case FLOAT_ARRAY -> old.floatArrayValue(node);
                case DOUBLE_ARRAY -> old.doubleArrayValue(node);
                default -> old.longArrayValue(node);
            });
        }
    }

    @Override
    public boolean set(long nodeId, Object value) {
        long dense = nodeId < 0 ? -1 : ids.safeToMappedNodeId(nodeId);
        if (dense < 0 || !everyNode && !carriesOne(dense)) {
            return false;
        }
        int node = (int) dense;
        switch (type) {
            case LONG -> longs[node] = value == null ? Long.MIN_VALUE : (Long) value;
            case DOUBLE -> doubles[node] = value == null ? Double.NaN : (Double) value;
            default -> lists[node] = value;
        }
        return true;
    }

    private boolean carriesOne(long dense) {
        for (var label : labels) {
            if (ids.hasLabel(dense, label)) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void publish() {
        Set<NodeLabel> under = Arrays.stream(labels).collect(Collectors.toSet());
        synchronized (store) {
            if (exists) {
                store.removeNodeProperty(property);
            }
            store.addNodeProperty(under, property, values());
        }
    }

    private NodePropertyValues values() {
        return switch (type) {
            case LONG -> new Longs(longs);
            case DOUBLE -> new Doubles(doubles);
            case FLOAT_ARRAY -> new FloatLists(lists);
            case DOUBLE_ARRAY -> new DoubleLists(lists);
            case LONG_ARRAY -> new LongLists(lists);
        };
    }

    /** The length of the first list: what GDS's algorithms take for that of all. */
    private static Optional<Integer> width(Object[] lists) {
        for (var list : lists) {
            if (list != null) {
                return Optional.of(java.lang.reflect.Array.getLength(list));
            }
        }
        return Optional.empty();
    }

    private record Longs(long[] values) implements LongNodePropertyValues {
        @Override
        public long longValue(long node) {
            return values[(int) node];
        }

        @Override
        public long nodeCount() {
            return values.length;
        }

        @Override
        public boolean hasValue(long node) {
            return values[(int) node] != Long.MIN_VALUE;
        }
    }

    private record Doubles(double[] values) implements DoubleNodePropertyValues {
        @Override
        public double doubleValue(long node) {
            return values[(int) node];
        }

        @Override
        public long nodeCount() {
            return values.length;
        }

        @Override
        public boolean hasValue(long node) {
            return !Double.isNaN(values[(int) node]);
        }
    }

    private record FloatLists(Object[] values) implements FloatArrayNodePropertyValues {
        @Override
        public float[] floatArrayValue(long node) {
            return (float[]) values[(int) node];
        }

        @Override
        public long nodeCount() {
            return values.length;
        }

        @Override
        public Optional<Integer> dimension() {
            return width(values);
        }

        @Override
        public boolean hasValue(long node) {
            return values[(int) node] != null;
        }
    }

    private record DoubleLists(Object[] values) implements DoubleArrayNodePropertyValues {
        @Override
        public double[] doubleArrayValue(long node) {
            return (double[]) values[(int) node];
        }

        @Override
        public long nodeCount() {
            return values.length;
        }

        @Override
        public Optional<Integer> dimension() {
            return width(values);
        }

        @Override
        public boolean hasValue(long node) {
            return values[(int) node] != null;
        }
    }

    private record LongLists(Object[] values) implements LongArrayNodePropertyValues {
        @Override
        public long[] longArrayValue(long node) {
            return (long[]) values[(int) node];
        }

        @Override
        public long nodeCount() {
            return values.length;
        }

        @Override
        public Optional<Integer> dimension() {
            return width(values);
        }

        @Override
        public boolean hasValue(long node) {
            return values[(int) node] != null;
        }
    }
}
