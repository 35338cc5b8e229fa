// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import io.gnn4j.graph.NeighbourOrder;
import io.gnn4j.graph.NeighbourReader;
import org.neo4j.gds.api.CompositeRelationshipIterator;
import org.neo4j.gds.api.Graph;

/** Reads adjacency lists of one relation and renumbers them. */
final class OpenGdsNeighbours implements NeighbourReader {
    private final Graph adjacency;
    private final CompositeRelationshipIterator composite;
    private final NodeIndex nodes;
    private final int sourceType;
    private final int targetType;
    private final byte[] typeOf;
    private final int[] indexOf;
    private final NeighbourOrder order = new NeighbourOrder();
    private int[] targets = new int[64];
    private double[][] properties;
    private int count;
    private int current = -1;

    /** @param composite null with fewer than two properties */
    OpenGdsNeighbours(
            Graph adjacency, CompositeRelationshipIterator composite, int propertyCount, NodeIndex nodes, int sourceType,
            int targetType) {
        this.adjacency = adjacency;
        this.composite = composite;
        this.nodes = nodes;
        this.sourceType = sourceType;
        this.targetType = targetType;
        this.typeOf = nodes.typeOf();
        this.indexOf = nodes.indices();
        this.properties = new double[propertyCount][targets.length];
    }

    @Override
    public int read(int source) {
        if (source == current) {
            return count;
        }
        current = source;
        long dense = nodes.dense(sourceType, source);
        grow(adjacency.degree(dense));
        count = 0;
        switch (properties.length) {
            case 0 -> adjacency.forEachRelationship(dense, this::add);
            case 1 -> adjacency.forEachRelationship(dense, Double.NaN, this::addWithOne);
            default -> composite.forEachRelationship(dense, this::addWithSeveral);
        }
        order.sort(targets, properties, count, nodes.isMonotone());
        return count;
    }

    private boolean add(long from, long to) {
        int dense = (int) to;
        if (typeOf == null || typeOf[dense] == targetType) {
            targets[count++] = indexOf == null ? dense : indexOf[dense];
        }
        return true;
    }

    private boolean addWithOne(long from, long to, double value) {
        int before = count;
        add(from, to);
        if (count > before) {
            properties[0][before] = value;
        }
        return true;
    }

    private boolean addWithSeveral(long from, long to, double[] values) {
        int before = count;
        add(from, to);
        if (count > before) {
            for (int p = 0; p < values.length; p++) {
                properties[p][before] = values[p];
            }
        }
        return true;
    }

    private void grow(int degree) {
        if (targets.length < degree) {
            int capacity = (int) Math.min(Integer.MAX_VALUE - 8, Math.max(degree, targets.length * 2L));
            targets = new int[capacity];
            properties = new double[properties.length][capacity];
        }
    }

    @Override
    public int[] targets() {
        return targets;
    }

    @Override
    public double[] property(int position) {
        return properties[position];
    }
}
