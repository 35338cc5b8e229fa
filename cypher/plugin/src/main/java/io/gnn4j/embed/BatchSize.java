// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import io.gnn4j.artefact.BlockSchema;
import java.util.function.IntUnaryOperator;

/**
 * How much a batch takes, at most, and how many seeds it should have.
 *
 * <p>A node draws once for each hop it stands at, however many receivers share it: the larger a batch, the more is shared. One
 * batch of all nodes is inference layer by layer. So a batch is made as large as its memory may be.
 */
final class BatchSize {
    /** Tensors of one batch and what the model makes of them, roughly. */
    static final long TARGET_BYTES = 192L << 20;
    private static final int LARGEST = 1 << 16;

    private final BlockSchema schema;
    private final int dimension;
    private final IntUnaryOperator nodes;

    /** @param nodes how many there are of each type, by its number */
    BatchSize(BlockSchema schema, int dimension, IntUnaryOperator nodes) {
        this.schema = schema;
        this.dimension = dimension;
        this.nodes = nodes;
    }

    /** An upper bound of the bytes of a batch: inputs, and one vector of {@code dimension} gathered for each neighbour. */
    long bytes(int seedType, int seeds) {
        var reached = new double[schema.types().size()];
        var rows = new double[reached.length];
        reached[seedType] = Math.min(seeds, nodes.applyAsInt(seedType));
        rows[seedType] = reached[seedType];
        var bytes = 0.0;
        for (int hop = 1; hop <= schema.layers(); hop++) {
            var next = new double[reached.length];
            for (var relation : schema.relations()) {
                int sender = schema.number(relation.source());
                double slots = reached[schema.number(relation.target())] * relation.fanOut().get(hop - 1);
                int width = Math.max(dimension, schema.types().get(sender).width());
                bytes += slots * (8 + 4.0 * width + 4.0 * relation.properties().size());
                next[sender] += slots;
            }
            for (int n = 0; n < next.length; n++) {
                next[n] = Math.min(next[n], nodes.applyAsInt(n));
                rows[n] = Math.min(rows[n] + next[n], nodes.applyAsInt(n));
            }
            reached = next;
        }
        for (int n = 0; n < rows.length; n++) {
            var type = schema.types().get(n);
            bytes += rows[n] * (4.0 * type.width() + 8.0 * type.codes() + 8.0 * (schema.layers() + 1) + 4.0 * dimension);
        }
        return (long) bytes;
    }

    /** The largest power of two whose batch stays within {@link #TARGET_BYTES}, at least 1. */
    int of(int seedType) {
        int size = 1;
        while (size < LARGEST && size < nodes.applyAsInt(seedType) && bytes(seedType, 2 * size) <= TARGET_BYTES) {
            size *= 2;
        }
        return size;
    }
}
