// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.inference.PairNetwork;
import io.gnn4j.recommend.SourceEncoder.Source;
import java.util.Arrays;

/**
 * {@code pair/1}: the source's vector beside that of each candidate. A source without a vector of its own, and a visitor, is
 * the mean of its newest items; the context is the mean of the items looked at now, zeros where there are none.
 */
public final class PairScorer implements Reranker.Scorer {
    private final PairNetwork network;
    private final VectorRows items;
    private final VectorRows sources;
    private final int history;

    /**
     * @param items vectors of the recommended label
     * @param sources vectors of those who are recommended to
     * @param history how many of the newest items stand in for a missing vector
     */
    public PairScorer(PairNetwork network, VectorRows items, VectorRows sources, int history) {
        this.network = network;
        this.items = items;
        this.sources = sources;
        this.history = history;
    }

    @Override
    public double[] score(Source source, long[] context, long[] asked) {
        var own = source.node() == null ? null : sources.get(new long[] {source.node()})[0];
        if (own == null) {
            var read = source.history().newest(history);
            own = mean(read.ids(), read.weights());
        }
        if (own == null) {
            return null;
        }
        var dimension = network.dimension();
        var weights = new double[context.length];
        Arrays.fill(weights, 1);
        var looked = mean(context, weights);
        var scores = new double[asked.length];
        for (int start = 0; start < asked.length; start += network.maxCandidates()) {
            var part = Arrays.copyOfRange(asked, start, Math.min(asked.length, start + network.maxCandidates()));
            var vectors = items.get(part);
            var candidates = new float[part.length * dimension];
            for (int i = 0; i < part.length; i++) {
                if (vectors[i] != null) {
                    System.arraycopy(vectors[i], 0, candidates, i * dimension, dimension);
                }
            }
            var found = network.score(1, part.length, own, candidates, looked == null ? new float[dimension] : looked);
            for (int i = 0; i < part.length; i++) {
                scores[start + i] = vectors[i] == null ? Double.NaN : found[i];
            }
        }
        return scores;
    }

    /** Null where no item has a vector. */
    private float[] mean(long[] ids, double[] weights) {
        var vectors = items.get(ids);
        var sums = new double[network.dimension()];
        var total = 0.0;
        for (int i = 0; i < ids.length; i++) {
            if (vectors[i] != null) {
                total += weights[i];
                for (int d = 0; d < sums.length; d++) {
                    sums[d] += weights[i] * vectors[i][d];
                }
            }
        }
        if (total == 0) {
            return null;
        }
        var mean = new float[sums.length];
        for (int d = 0; d < mean.length; d++) {
            mean[d] = (float) (sums[d] / total);
        }
        return mean;
    }
}
