// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

/**
 * Vectors of items that a model with finished vectors has not met: one hop over their users.
 *
 * <pre>
 * taste(u) = sum over the items i of u that have a vector of w(u, i) e(i) / sum of these w(u, i)
 * e(j) = sum over the users u of j that have a taste of w(u, j) taste(u) / sum of these w(u, j)
 * </pre>
 *
 * <p>Sums are float64 in ascending neighbour order, so the same graph gives the same vectors.
 */
public final class ColdItems {
    private ColdItems() {}

    /**
     * @param vectors [items][D] – e; where it is null and the item has users with a taste, it is filled in
     * @param users row per user, neighbours are items
     * @param items row per item, neighbours are users
     * @param guard called for each item that is filled in; throws to end the work
     * @return how many were filled in
     */
    public static int fill(float[][] vectors, ReducedGraph users, ReducedGraph items, int dimension, Runnable guard) {
        var tastes = new float[users.rows()][];
        var found = new float[vectors.length][];
        for (int item = 0; item < vectors.length; item++) {
            if (vectors[item] != null) {
                continue;
            }
            guard.run();
            for (int at = items.offsets()[item]; at < items.offsets()[item + 1]; at++) {
                var user = items.targets()[at];
                if (tastes[user] == null) {
                    tastes[user] = mean(users, user, vectors, dimension);
                }
            }
            found[item] = mean(items, item, tastes, dimension);
        }
        var filled = 0;
        for (int item = 0; item < vectors.length; item++) {
            if (found[item] != null) { // only now: an item that was filled in is part of nobody's taste
                vectors[item] = found[item];
                filled++;
            }
        }
        return filled;
    }

    /** Null where no neighbour has a vector. */
    private static float[] mean(ReducedGraph graph, int row, float[][] of, int dimension) {
        var sums = new double[dimension];
        var total = 0.0;
        for (int at = graph.offsets()[row]; at < graph.offsets()[row + 1]; at++) {
            var vector = of[graph.targets()[at]];
            if (vector != null) {
                total += graph.weights()[at];
                for (int d = 0; d < dimension; d++) {
                    sums[d] += graph.weights()[at] * (double) vector[d];
                }
            }
        }
        if (total == 0) {
            return null;
        }
        var mean = new float[dimension];
        for (int d = 0; d < dimension; d++) {
            mean[d] = (float) (sums[d] / total);
        }
        return mean;
    }
}
