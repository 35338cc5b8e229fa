// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import io.gnn4j.artefact.BlockSchema;
import io.gnn4j.artefact.TensorSpec;
import io.gnn4j.features.FeatureRows;
import io.gnn4j.features.LiveFeatures;
import io.gnn4j.inference.InputTensor;
import io.gnn4j.sample.PaddedBlocks;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.List;
import java.util.function.Consumer;

/**
 * The tensors of {@code padded-blocks/1} from a sample and features; docs/formats.md section 7. No tensor has an empty first
 * axis: what a batch does not reach is one row that nothing points at.
 */
final class BlockTensors {
    private static final long[] NO_NODE = {-1};

    private final BlockSchema schema;
    private final List<BlockSchema.Tensor> wanted;
    private final FeatureRows features;
    private final FeatureRows absent;
    private final List<String> edgeProperties;

    /** @param inputs of the model, some of the schema's tensors; @param edgeProperties of the sampling plan, in its order */
    BlockTensors(BlockSchema schema, List<TensorSpec> inputs, FeatureRows features, List<String> edgeProperties) {
        this.schema = schema;
        var known = schema.tensors();
        wanted = inputs.stream().map(input -> known.get(input.name())).toList();
        this.features = features;
        this.edgeProperties = edgeProperties;
        absent = new LiveFeatures(schema, (node, property) -> null);
    }

    List<InputTensor> of(PaddedBlocks blocks) {
        return wanted.stream().map(tensor -> tensor(tensor, blocks)).toList();
    }

    private InputTensor tensor(BlockSchema.Tensor tensor, PaddedBlocks blocks) {
        int number = tensor.number();
        int hop = tensor.hop();
        return switch (tensor.role()) {
            case "features" -> floats(tensor, into -> x(blocks, number, into), rows(blocks.nodeIds(number).length),
                schema.types().get(number).width());
            case "codes" -> longs(tensor, into -> codes(blocks, number, into), rows(blocks.nodeIds(number).length),
                schema.types().get(number).codes());
            case "hop" -> longs(tensor, into -> put(blocks.hop(number, hop), 0, 0, into), rows(blocks.hop(number, hop).length));
            case "neighbours" -> longs(tensor, into -> neighbours(blocks, number, hop, into), receivers(blocks, number, hop),
                blocks.fanOut(number, hop));
            case "edgeFeatures" -> floats(tensor, into -> edges(blocks, number, hop, into), receivers(blocks, number, hop),
                blocks.fanOut(number, hop), schema.relations().get(number).properties().size());
            case "degrees" -> floats(tensor, into -> degrees(blocks, number, hop, into), receivers(blocks, number, hop));
            default -> longs(tensor, into -> put(blocks.seeds(), before(blocks.seedType()), 0, into), blocks.seeds().length);
        };
    }

    private static InputTensor floats(BlockSchema.Tensor tensor, Consumer<FloatBuffer> writer, long... shape) {
        return new InputTensor(tensor.spec().name(), true, shape, (ByteBuffer buffer) -> writer.accept(buffer.asFloatBuffer()));
    }

    private static InputTensor longs(BlockSchema.Tensor tensor, Consumer<LongBuffer> writer, long... shape) {
        return new InputTensor(tensor.spec().name(), false, shape, (ByteBuffer buffer) -> writer.accept(buffer.asLongBuffer()));
    }

    private static int rows(int count) {
        return Math.max(1, count);
    }

    private int receivers(PaddedBlocks blocks, int relation, int hop) {
        return rows(blocks.hop(schema.number(schema.relations().get(relation).target()), hop - 1).length);
    }

    /** Rows of hop 0 that stand before those of a seed type: one of padding for each other type. */
    private int before(int seedType) {
        return schema.seeds().indexOf(schema.types().get(seedType).label());
    }

    private void x(PaddedBlocks blocks, int type, FloatBuffer into) {
        if (blocks.nodeIds(type).length == 0) {
            absent.x(type, NO_NODE, null, into);
        } else {
            features.x(type, blocks.nodeIds(type), blocks.indices(type), into);
        }
    }

    private void codes(PaddedBlocks blocks, int type, LongBuffer into) {
        if (blocks.nodeIds(type).length == 0) {
            absent.codes(type, NO_NODE, null, into);
        } else {
            features.codes(type, blocks.nodeIds(type), blocks.indices(type), into);
        }
    }

    /** @param padding what stands alone where there is nothing */
    private static void put(int[] values, int offset, int padding, LongBuffer into) {
        for (int value : values) {
            into.put(value + offset);
        }
        if (values.length == 0) {
            into.put(padding);
        }
    }

    private static void neighbours(PaddedBlocks blocks, int relation, int hop, LongBuffer into) {
        int[] found = blocks.neighbours(relation, hop);
        for (int position : found) {
            into.put(position);
        }
        if (found.length == 0) {
            for (int k = 0; k < blocks.fanOut(relation, hop); k++) {
                into.put(-1);
            }
        }
    }

    private static void degrees(PaddedBlocks blocks, int relation, int hop, FloatBuffer into) {
        int[] found = blocks.degrees(relation, hop);
        for (int degree : found) {
            into.put(degree);
        }
        if (found.length == 0) {
            into.put(0);
        }
    }

    private void edges(PaddedBlocks blocks, int relation, int hop, FloatBuffer into) {
        var properties = schema.relations().get(relation).properties();
        int[] neighbours = blocks.neighbours(relation, hop);
        var columns = properties.stream().map(name -> blocks.edge(relation, hop, edgeProperties.indexOf(name))).toList();
        for (int i = 0; i < neighbours.length; i++) {
            for (int p = 0; p < columns.size(); p++) {
                double[] column = columns.get(p);
                double value = neighbours[i] < 0 ? 0 : column == null ? Double.NaN : column[i];
                float narrow = (float) value;
                if (Float.isInfinite(narrow)) {
                    throw new IllegalArgumentException("Property `" + properties.get(p) + "` of a "
                        + schema.relations().get(relation).type() + " relationship is " + value + ", which float32 cannot hold.");
                }
                into.put(narrow);
            }
        }
        if (neighbours.length == 0) {
            for (int i = 0; i < blocks.fanOut(relation, hop) * columns.size(); i++) {
                into.put(0);
            }
        }
    }
}
