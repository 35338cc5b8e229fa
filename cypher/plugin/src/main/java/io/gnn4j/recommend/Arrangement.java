// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.Candidates.Candidate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.function.LongFunction;
import java.util.function.LongPredicate;

/**
 * Puts the best of a list into another order: with noise, so that other items are tried too, and apart from each other.
 *
 * <pre>
 * relevance(i) = (score(i) - least) / (best - least) over the pool, 1 where all are equal
 * exploration(i) = temperature * -log(-log(u)), u in (0, 1) from (seed, source, i)
 * next item = argmax (1 - diversity) * (relevance + exploration) - diversity * largest cosine to an item given before, 0 at least
 * </pre>
 *
 * <p>The score of a row is what it was chosen by; from row to row it never rises. With noise alone this draws without
 * replacement from the softmax of relevance / temperature. Ties go to the smaller id. An item without a vector is like no other.
 *
 * <p>Source: Carbonell and Goldstein (1998), "The use of MMR, diversity-based reranking for reordering documents and
 * producing summaries"; Kool, van Hoof and Welling (2019), "Stochastic beams and where to find them" (Gumbel top-k).
 *
 * @param diversity in [0, 1]
 * @param temperature of the noise, at least 0
 * @param seed of the noise
 * @param pool how many of the best are put into order
 */
public record Arrangement(double diversity, double temperature, long seed, int pool) {
    static final int MAX_POOL = 2_000;

    boolean isNone() {
        return diversity == 0 && temperature == 0;
    }

    /**
     * @param pool best first
     * @param source null for a visitor
     * @param vectors of items, null where there is none; not asked without diversity
     * @param accepts asked once for each item when its turn comes; one that is refused is left out
     */
    List<Candidate> arrange(List<Candidate> pool, Long source, int k, LongFunction<float[]> vectors, LongPredicate accepts) {
        var count = pool.size();
        var relevance = relevance(pool);
        var noise = new double[count];
        var merit = new double[count];
        var likest = new double[count];
        var unit = new double[count][];
        for (int i = 0; i < count; i++) {
            var id = pool.get(i).id();
            noise[i] = temperature == 0 ? 0 : temperature * -Math.log(-Math.log(uniform(seed, source == null ? -1 : source, id)));
            merit[i] = (1 - diversity) * (relevance[i] + noise[i]);
            unit[i] = diversity == 0 ? null : unit(vectors.apply(id));
        }
        var left = new boolean[count];
        Arrays.fill(left, true);
        var given = new ArrayList<Candidate>();
        for (int tried = 0; tried < count && given.size() < k; tried++) {
            var best = -1;
            for (int i = 0; i < count; i++) {
                if (left[i] && (best < 0 || better(i, best, pool, merit, likest))) {
                    best = i;
                }
            }
            left[best] = false;
            if (!accepts.test(pool.get(best).id())) {
                continue;
            }
            given.add(row(pool.get(best), merit[best], noise[best], likest[best]));
            if (diversity > 0) {
                for (int i = 0; i < count; i++) {
                    if (left[i]) {
                        likest[i] = Math.max(likest[i], cosine(unit[i], unit[best]));
                    }
                }
            }
        }
        return given;
    }

    private boolean better(int i, int other, List<Candidate> pool, double[] merit, double[] likest) {
        var one = merit[i] - diversity * likest[i];
        var two = merit[other] - diversity * likest[other];
        return one > two || (one == two && pool.get(i).id() < pool.get(other).id());
    }

    private Candidate row(Candidate candidate, double merit, double noise, double likest) {
        var scores = new HashMap<>(candidate.scores());
        scores.put("relevance", merit - (1 - diversity) * noise);
        if (temperature > 0) {
            scores.put("exploration", (1 - diversity) * noise);
        }
        if (diversity > 0) {
            scores.put("diversity", -diversity * likest);
        }
        return new Candidate(candidate.id(), merit - diversity * likest, scores, candidate.origin());
    }

    private static double[] relevance(List<Candidate> pool) {
        var least = pool.stream().mapToDouble(Candidate::score).min().orElse(0);
        var range = pool.stream().mapToDouble(Candidate::score).max().orElse(0) - least;
        return pool.stream().mapToDouble(one -> range == 0 ? 1 : (one.score() - least) / range).toArray();
    }

    /** In (0, 1), the same for the same three numbers everywhere: splitmix64 over seed, source and item. */
    static double uniform(long seed, long source, long item) {
        return ((mix(mix(mix(seed) + source) + item) >>> 11) + 0.5) * 0x1.0p-53;
    }

    private static long mix(long value) {
        var z = value + 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    private static double[] unit(float[] vector) {
        if (vector == null) {
            return null;
        }
        var square = 0.0;
        for (var value : vector) {
            square += (double) value * value;
        }
        var length = Math.sqrt(square);
        var unit = new double[vector.length];
        for (int d = 0; d < unit.length; d++) {
            unit[d] = length == 0 ? 0 : vector[d] / length;
        }
        return unit;
    }

    private static double cosine(double[] one, double[] other) {
        if (one == null || other == null) {
            return 0;
        }
        var dot = 0.0;
        for (int d = 0; d < one.length; d++) {
            dot += one[d] * other[d];
        }
        return (float) dot; // what is alike is so to the last digit, and ties go to the smaller id
    }
}
