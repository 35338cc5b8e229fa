// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.graph.NodeColumn;
import io.gnn4j.graph.TypedGraph;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import java.util.function.IntFunction;

/** The node properties of a projection that are sent along, by node type. Safe for several threads. */
record NodeFeatures(List<List<NodeColumn>> columns) {
    /** Values of some nodes: {@code long[]}, {@code double[]} or {@code float[]}; lengths of lists, null for scalars. */
    record Values(Object values, int[] lengths) {}

    static NodeFeatures none(int types) {
        return new NodeFeatures(Collections.nCopies(types, List.of()));
    }

    /**
     * @param names null means all
     * @throws InvalidConfiguration for a property that no node type has
     */
    static NodeFeatures of(TypedGraph graph, List<String> types, List<String> names) {
        var known = new TreeSet<String>();
        var columns = new ArrayList<List<NodeColumn>>();
        for (var type : types) {
            var found = new ArrayList<NodeColumn>();
            for (var spec : graph.graph().nodeProperties(type)) {
                known.add(spec.name());
                if (names == null || names.contains(spec.name())) {
                    found.add(graph.nodeProperty(type, spec.name()));
                }
            }
            columns.add(found);
        }
        var unknown = names == null ? List.<String>of() : names.stream().filter(name -> !known.contains(name)).toList();
        if (!unknown.isEmpty()) {
            throw new InvalidConfiguration(unknown.stream().map(name -> "Unknown node property '" + name + "' in graph `"
                + graph.graph().name() + "`." + Suggestion.sentence(name, known) + " Known: "
                + (known.isEmpty() ? "none" : String.join(", ", known)) + ".").toList());
        }
        return new NodeFeatures(columns);
    }

    static Values gather(NodeColumn column, int[] indices) {
        return switch (column.spec().type()) {
            case LONG -> {
                var values = new long[indices.length];
                for (int i = 0; i < values.length; i++) {
                    values[i] = column.longAt(indices[i]);
                }
                yield new Values(values, null);
            }
            case DOUBLE -> {
                var values = new double[indices.length];
                for (int i = 0; i < values.length; i++) {
                    values[i] = column.doubleAt(indices[i]);
                }
                yield new Values(values, null);
            }
            case FLOAT_ARRAY -> lists(column, indices, float[]::new, column::floatsAt);
            case DOUBLE_ARRAY -> lists(column, indices, double[]::new, column::doublesAt);
            case LONG_ARRAY -> lists(column, indices, long[]::new, column::longsAt);
        };
    }

    private static Values lists(
            NodeColumn column, int[] indices, IntFunction<Object> array, IntFunction<Object> at) {
        var lengths = new int[indices.length];
        long total = 0;
        for (int i = 0; i < lengths.length; i++) {
            lengths[i] = column.isMissing(indices[i]) ? -1 : column.length(indices[i]);
            total += Math.max(0, lengths[i]);
        }
        if (total > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException("The lists of `" + column.spec().name() + "` hold " + total
                + " values in one batch. Use a smaller `batchSize`.");
        }
        var values = array.apply((int) total);
        int end = 0;
        for (int i = 0; i < lengths.length; i++) {
            if (lengths[i] > 0) {
                System.arraycopy(at.apply(indices[i]), 0, values, end, lengths[i]);
                end += lengths[i];
            }
        }
        return new Values(values, lengths);
    }
}
