// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import io.gnn4j.graph.NodeColumn;
import io.gnn4j.graph.PropertySpec;
import java.lang.reflect.Array;
import org.neo4j.gds.api.properties.nodes.NodePropertyValues;

/** {@link NodeColumn} over GDS property values. */
record OpenGdsColumn(PropertySpec spec, NodePropertyValues values, NodeIndex nodes, int type) implements NodeColumn {
    @Override
    public boolean isMissing(int index) {
        long dense = nodes.dense(type, index);
        return switch (spec.type()) {
            case LONG -> values.longValue(dense) == Long.MIN_VALUE;
            case DOUBLE -> Double.isNaN(values.doubleValue(dense));
            default -> list(dense) == null;
        };
    }

    @Override
    public int length(int index) {
        var list = list(nodes.dense(type, index));
        return list == null ? 0 : Array.getLength(list);
    }

    private Object list(long dense) {
        return switch (spec.type()) {
            case FLOAT_ARRAY -> values.floatArrayValue(dense);
            case DOUBLE_ARRAY -> values.doubleArrayValue(dense);
            case LONG_ARRAY -> values.longArrayValue(dense);
            default -> throw new UnsupportedOperationException(spec.name() + " is " + spec.type());
        };
    }

    @Override
    public long longAt(int index) {
        return values.longValue(nodes.dense(type, index));
    }

    @Override
    public double doubleAt(int index) {
        return values.doubleValue(nodes.dense(type, index));
    }

    @Override
    public float[] floatsAt(int index) {
        return values.floatArrayValue(nodes.dense(type, index));
    }

    @Override
    public double[] doublesAt(int index) {
        return values.doubleArrayValue(nodes.dense(type, index));
    }

    @Override
    public long[] longsAt(int index) {
        return values.longArrayValue(nodes.dense(type, index));
    }
}
