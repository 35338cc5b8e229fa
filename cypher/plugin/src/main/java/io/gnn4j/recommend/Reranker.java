// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.Candidates.Candidate;
import io.gnn4j.recommend.SourceEncoder.Source;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;

/**
 * The second stage: a model that is too slow for all items, or sees more than a product of two vectors, orders the best of a
 * list anew.
 *
 * @param scorer the model
 * @param topN how many it sees
 */
public record Reranker(Scorer scorer, int topN) {
    static final String ORIGIN = "rerank";
    /** The most that a model is given: a list nobody reads to its end. */
    static final int MAX_TOP_N = 5_000;

    /** Scores items for one source. */
    public interface Scorer {
        /**
         * @param context items looked at now
         * @return in the order of the items; NaN where the model has no vector for one; null where it knows nothing of the source
         */
        double[] score(Source source, long[] context, long[] items);
    }

    /**
     * By the model's score, then smaller id; items the model does not know follow in the order they had.
     *
     * @param pool best first
     * @return the same rows; the pool itself where the model knows nothing of the source
     */
    List<Candidate> rerank(List<Candidate> pool, Source source, long[] context) {
        var scores = pool.isEmpty() ? null : scorer.score(source, context, pool.stream().mapToLong(Candidate::id).toArray());
        if (scores == null) {
            return pool;
        }
        var scored = new ArrayList<Candidate>();
        var unknown = new ArrayList<Candidate>();
        for (int i = 0; i < scores.length; i++) {
            var candidate = pool.get(i);
            if (Double.isNaN(scores[i])) {
                unknown.add(candidate);
                continue;
            }
            var partial = new HashMap<>(candidate.scores());
            partial.put(ORIGIN, scores[i]);
            scored.add(new Candidate(candidate.id(), scores[i], partial, ORIGIN));
        }
        scored.sort(Comparator.comparingDouble(Candidate::score).reversed().thenComparingLong(Candidate::id));
        scored.addAll(unknown);
        return scored;
    }
}
