// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import io.gnn4j.recommend.Parallel;
import java.util.Arrays;

/**
 * Symmetric propagation of item vectors over user-item pairs: e and c of {@code item-propagation/1}, docs/formats.md
 * section 3.
 *
 * <p>Vectors are float32; each row is summed in float64, in ascending neighbour order, by one thread. So the result does
 * not depend on the number of threads. Source of the rule: He et al. (2020), "LightGCN", with user base vectors 0.
 */
public final class ItemPropagation {
    private static final int ROWS_A_PIECE = 512;

    private final ReducedGraph items;
    private final ReducedGraph users;
    private final int dimension;
    private final Parallel threads;

    /**
     * @param embedding [items][D] – e
     * @param context [items][D] – c; 0 where an item has no neighbour
     */
    public record Result(float[][] embedding, float[][] context) {}

    /**
     * @param items row per item, neighbours are users
     * @param users the same pairs, row per user; the same object as {@code items} where items are recommended to items
     */
    public ItemPropagation(ReducedGraph items, ReducedGraph users, int dimension, Parallel threads) {
        this.items = items;
        this.users = users;
        this.dimension = dimension;
        this.threads = threads;
    }

    /**
     * @param base [items][D] – base vectors, zeros where an item has none; overwritten
     * @param layers L, at least 1
     */
    public Result run(float[][] base, int layers) {
        var sum = copy(base); // of layers 0 .. k-1 on the item side
        var bipartite = items != users;
        var current = base;
        var spare = zeros(users.rows());
        var onItems = true;
        for (int layer = 1; layer <= layers; layer++) {
            // Users start at zero, so in a bipartite graph each layer lives on one side only.
            var toItems = !bipartite || !onItems;
            var from = onItems ? items : users;
            step(toItems ? items : users, from, current, spare);
            var before = current;
            current = spare;
            spare = before;
            onItems = toItems;
            if (onItems && layer < layers) {
                add(sum, current);
            }
        }
        var last = current;
        var lastOnItems = onItems;
        var embedding = sum;
        var context = zeros(items.rows());
        var scale = 1.0 / (layers + 1);
        pieces(items.rows(), row -> {
            var degree = items.degree(row);
            var contextScale = degree == 0 ? 0 : scale / Math.sqrt(degree);
            for (int d = 0; d < dimension; d++) {
                var total = embedding[row][d];
                context[row][d] = (float) (total * contextScale);
                embedding[row][d] = (float) ((lastOnItems ? (double) total + last[row][d] : total) * scale);
            }
        });
        return new Result(embedding, context);
    }

    private void step(ReducedGraph rows, ReducedGraph columns, float[][] from, float[][] to) {
        threads.map((rows.rows() + ROWS_A_PIECE - 1) / ROWS_A_PIECE, () -> new double[dimension], (scratch, piece) -> {
            for (int row = piece * ROWS_A_PIECE; row < Math.min(rows.rows(), (piece + 1) * ROWS_A_PIECE); row++) {
                Arrays.fill(scratch, 0);
                for (int position = rows.offsets()[row]; position < rows.offsets()[row + 1]; position++) {
                    var neighbour = rows.targets()[position];
                    var weight = rows.weights()[position] / Math.sqrt((double) rows.degree(row) * columns.degree(neighbour));
                    var vector = from[neighbour];
                    for (int d = 0; d < dimension; d++) {
                        scratch[d] += weight * vector[d];
                    }
                }
                var result = to[row];
                for (int d = 0; d < dimension; d++) {
                    result[d] = (float) scratch[d];
                }
            }
        });
    }

    private void add(float[][] sum, float[][] more) {
        pieces(sum.length, row -> {
            for (int d = 0; d < dimension; d++) {
                sum[row][d] += more[row][d];
            }
        });
    }

    private void pieces(int rows, java.util.function.IntConsumer each) {
        threads.map((rows + ROWS_A_PIECE - 1) / ROWS_A_PIECE, () -> this, (state, piece) -> {
            for (int row = piece * ROWS_A_PIECE; row < Math.min(rows, (piece + 1) * ROWS_A_PIECE); row++) {
                each.accept(row);
            }
        });
    }

    private float[][] zeros(int rows) {
        return new float[rows][dimension];
    }

    private static float[][] copy(float[][] rows) {
        var copy = new float[rows.length][];
        for (int row = 0; row < rows.length; row++) {
            copy[row] = rows[row].clone();
        }
        return copy;
    }

    /** Bytes of the vectors at the peak of {@link #run}. */
    public static long bytes(long items, long users, int dimension) {
        return (3 * items + users) * (4L * dimension + 24);
    }
}
