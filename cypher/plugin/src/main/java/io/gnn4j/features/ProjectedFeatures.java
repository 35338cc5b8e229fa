// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.features;

import io.gnn4j.artefact.BlockSchema;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.graph.NodeColumn;
import io.gnn4j.graph.TypedGraph;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The features of all nodes of a projection, encoded once. A feature that the projection does not hold (GDS takes numbers
 * only) is read from the stored nodes, so texts need no codes beside them. Safe for several threads.
 */
public final class ProjectedFeatures implements FeatureRows {
    private static final int GUARD_EVERY = 1 << 12;
    private static final int MOST_FAULTS = 10;

    private final int[] widths;
    private final int[] codeWidths;
    private final float[][] x;
    private final int[][] codes;

    private ProjectedFeatures(int types) {
        widths = new int[types];
        codeWidths = new int[types];
        x = new float[types][];
        codes = new int[types][];
    }

    /** What the columns of all types take. */
    public static long bytes(BlockSchema schema, TypedGraph graph) {
        return schema.types().stream()
            .mapToLong(type -> 4L * graph.nodeCount(type.label()) * (type.width() + type.codes())).sum();
    }

    /**
     * @param graph with the labels of the schema as its types
     * @param properties of stored nodes, as the caller may see them
     * @throws InvalidConfiguration with the first faults of all types
     */
    public static ProjectedFeatures read(BlockSchema schema, TypedGraph graph, PropertyReader properties, Runnable guard) {
        var found = new ProjectedFeatures(schema.types().size());
        var faults = new ArrayList<String>();
        for (int n = 0; n < schema.types().size(); n++) {
            found.read(n, schema.types().get(n), graph, properties, guard, faults);
        }
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
        return found;
    }

    private void read(
            int n, BlockSchema.NodeType type, TypedGraph graph, PropertyReader properties, Runnable guard, List<String> faults) {
        var encoder = new TypeEncoder(type);
        int count = graph.nodeCount(type.label());
        widths[n] = encoder.width();
        codeWidths[n] = encoder.codes();
        x[n] = new float[length(count, widths[n], type.label())];
        codes[n] = new int[length(count, codeWidths[n], type.label())];
        var held = graph.graph().nodeProperties(type.label());
        for (int f = 0; f < type.features().size(); f++) {
            var feature = type.features().get(f);
            NodeColumn column = held.stream().anyMatch(spec -> spec.name().equals(feature.projected()))
                ? graph.nodeProperty(type.label(), feature.projected()) : null;
            int width = feature.encoder().isCoded() ? codeWidths[n] : widths[n];
            for (int i = 0; i < count; i++) {
                if (i % GUARD_EVERY == 0) {
                    guard.run();
                }
                int at = i * width + encoder.start(f);
                try {
                    if (column != null) {
                        encoder.encoders().get(f).encodeProjected(column, i, x[n], codes[n], at);
                    } else {
                        encoder.encoders().get(f).encode(
                            properties.property(graph.nodeId(type.label(), i), feature.property()), x[n], codes[n], at);
                    }
                } catch (FeatureFault fault) {
                    if (faults.size() >= MOST_FAULTS) {
                        return;
                    }
                    var name = column == null ? feature.property() : feature.projected();
                    faults.add(encoder.fault(f, name, graph.nodeId(type.label(), i), fault));
                }
            }
        }
    }

    private static int length(int count, int width, String label) {
        if ((long) count * width > Integer.MAX_VALUE - 8) {
            throw new IllegalStateException("The features of " + count + " nodes of :" + label + " in " + width
                + " columns do not fit an array of Java. Project a part of the nodes.");
        }
        return count * width;
    }

    @Override
    public void x(int type, long[] nodeIds, int[] indices, FloatBuffer into) {
        int width = widths[type];
        for (int index : indices) {
            into.put(x[type], index * width, width);
        }
    }

    @Override
    public void codes(int type, long[] nodeIds, int[] indices, LongBuffer into) {
        int width = codeWidths[type];
        for (int index : indices) {
            for (int at = index * width; at < (index + 1) * width; at++) {
                into.put(codes[type][at]);
            }
        }
    }
}
