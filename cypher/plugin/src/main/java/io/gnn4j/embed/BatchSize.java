// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import io.gnn4j.artefact.BlockSchema;
import java.util.function.IntUnaryOperator;

/**
 * How much a batch takes and costs, and how many seeds it should have.
 *
 * <p>A node draws once for each hop it stands at, however many receivers share it: the larger a batch, the more is shared. One
 * batch of all nodes is inference layer by layer: every node goes through every layer once for each hop. So the size is the one
 * that costs least, of those whose batches side by side stay within the memory for them.
 */
final class BatchSize {
    private static final long LEAST_BYTES = 192L << 20;
    private static final long MOST_BYTES = 1L << 30;

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

    /**
     * Neighbours gathered and vectors computed by a batch, on average over graphs whose neighbours are drawn evenly: what is
     * drawn more often than evenly is shared more.
     */
    double cost(int seedType, int seeds) {
        var reached = new double[schema.types().size()];
        reached[seedType] = seeds;
        var cost = 0.0;
        for (int hop = 1; hop <= schema.layers(); hop++) {
            var drawn = new double[reached.length];
            for (var relation : schema.relations()) {
                double slots = reached[schema.number(relation.target())] * relation.fanOut().get(hop - 1);
                drawn[schema.number(relation.source())] += slots;
                cost += slots;
            }
            for (int n = 0; n < drawn.length; n++) {
                double all = nodes.applyAsInt(n);
                cost += reached[n];
                reached[n] = all == 0 ? 0 : all * -Math.expm1(-drawn[n] / all); // distinct of so many draws
            }
        }
        return cost;
    }

    /**
     * Seeds of a batch, at least 1: the nodes cut into 1, 2, 4, … equal parts, whichever takes the threads the shortest; of
     * equal ones the smallest.
     *
     * @param most bytes of the batches that are made side by side; one seed a batch where not even that fits
     */
    int of(int seedType, int threads, long most) {
        int count = Math.max(1, nodes.applyAsInt(seedType));
        int best = 1;
        var least = Double.POSITIVE_INFINITY;
        for (long parts = 1; parts < 2L * count; parts *= 2) {
            int size = (int) Math.ceilDiv((long) count, Math.min(parts, count));
            var time = Math.ceilDiv(Math.ceilDiv(count, size), threads) * cost(seedType, size);
            if (time <= least && size <= EmbedConfig.MAX_BATCH && bytes(seedType, size) * atOnce(count, size, threads) <= most) {
                least = time;
                best = size;
            }
        }
        return best;
    }

    /** Batches that are made side by side. */
    static int atOnce(int nodes, int size, int threads) {
        return Math.clamp(Math.ceilDiv(nodes, size), 1, threads);
    }

    /** As much native memory as this server has heap, within bounds. */
    static long most() {
        return Math.clamp(Runtime.getRuntime().maxMemory(), LEAST_BYTES, MOST_BYTES);
    }
}
