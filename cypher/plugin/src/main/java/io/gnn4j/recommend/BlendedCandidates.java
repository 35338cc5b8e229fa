// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.Blend.Boost;
import io.gnn4j.recommend.Blend.Scale;
import io.gnn4j.recommend.Blend.Source;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.function.LongSupplier;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/**
 * Items by the sum of what several sources say; the order is that of adding up all scores of all items.
 *
 * <p>The lists of the sources are read in turn, each item met is scored by all of them, and an item is given once no
 * item that was not met can come before it: what such an item can have is bounded by the last score read of each list. Items
 * that no source with a weight above 0 has are not given.
 *
 * <p>Source: Fagin, Lotem and Naor (2003), "Optimal aggregation algorithms for middleware", the threshold algorithm.
 */
final class BlendedCandidates implements Candidates {
    private static final Comparator<Candidate> ORDER =
        Comparator.comparingDouble(Candidate::score).reversed().thenComparingLong(Candidate::id);

    private final Blend blend;
    private final LiveStore store;
    private final LongSupplier clock;
    private final List<Term> terms = new ArrayList<>();
    private final PriorityQueue<Candidate> met = new PriorityQueue<>(ORDER);
    private final LongHashSet known = new LongHashSet();
    private boolean ended;

    /**
     * @param sources by name; one that is missing has nothing to say, as vectors of a user without history
     * @param allowed ids that may come back, none of them excluded; null: what the lists hold
     * @param clock now, in epoch milliseconds
     */
    BlendedCandidates(Blend blend, Map<String, RankedSource> sources, long[] allowed, LiveStore store, LongSupplier clock) {
        this.blend = blend;
        this.store = store;
        this.clock = clock;
        for (var source : blend.sources()) {
            if (sources.containsKey(source.name())) {
                terms.add(new Term(source, sources.get(source.name()), allowed == null));
            }
        }
        if (allowed != null) {
            ended = true;
            for (var id : allowed) {
                if (known.add(id) && terms.stream().anyMatch(term -> term.has(id))) {
                    met.add(scored(id));
                }
            }
        }
    }

    @Override
    public Candidate next() {
        while (!ended && (met.isEmpty() || !(met.peek().score() > threshold()))) {
            ended = true;
            for (var term : terms) {
                var next = term.next();
                if (next != null) {
                    ended = false;
                    if (known.add(next.id())) {
                        met.add(scored(next.id()));
                    }
                }
            }
        }
        return met.poll();
    }

    /** No item that was not met scores more. The sum runs as that of a score does, so that rounding cannot turn it round. */
    private double threshold() {
        var sum = 0.0;
        for (var term : terms) {
            sum += term.most();
        }
        if (blend.recency() != null) {
            sum += Math.max(0, blend.recency().weight());
        }
        for (var boost : blend.boosts()) {
            sum += Math.max(0, boost.weight());
        }
        return sum;
    }

    private Candidate scored(long id) {
        var scores = new LinkedHashMap<String, Object>();
        var sum = 0.0;
        for (var term : terms) {
            var part = term.of(id);
            scores.put(term.source.name(), part);
            sum += part;
        }
        if (blend.recency() != null) {
            var part = recency(id, blend.recency());
            scores.put(Blend.RECENCY, part);
            sum += part;
        }
        for (Boost boost : blend.boosts()) {
            var part = boost.filter().holds(store, id) ? boost.weight() : 0.0;
            scores.put(boost.name(), part);
            sum += part;
        }
        return new Candidate(id, sum, scores, "blend");
    }

    private double recency(long id, Blend.Recency recency) {
        var at = store.property(id, recency.property());
        if (at == null) {
            return 0;
        }
        if (!(at instanceof Long millis)) {
            throw new IllegalArgumentException("`" + recency.property() + "` of node " + id + " is no INTEGER, but `blend.recency` needs"
                + " epoch milliseconds UTC. Convert it, as SET n." + recency.property() + " = n." + recency.property() + ".epochMillis.");
        }
        var age = Math.max(0, (double) clock.getAsLong() - millis);
        return recency.weight() * Math.pow(0.5, age / recency.halfLife());
    }

    /** One source with its weight. */
    private static final class Term {
        private final Source source;
        private final RankedSource ranked;
        private final double divisor;
        private final Candidates list;
        private double last = Double.POSITIVE_INFINITY;

        /** @param listed whether items are taken from its list; one that is held against items gives none */
        Term(Source source, RankedSource ranked, boolean listed) {
            this.source = source;
            this.ranked = ranked;
            divisor = switch (source.scale()) {
                case MAX, LOG -> Math.abs(ranked.best());
                case UNIT -> ranked.length();
                case NONE -> 1;
            };
            list = listed && source.weight() > 0 ? ranked.list() : null;
        }

        boolean has(long id) {
            return source.weight() > 0 && !Double.isNaN(ranked.score(id));
        }

        double of(long id) {
            var score = ranked.score(id);
            return Double.isNaN(score) ? nothing() : value(score);
        }

        /** What an item gets that the source does not know. */
        private double nothing() {
            return source.name().equals(RecommendConfig.VECTOR) ? 0 : value(0);
        }

        private double value(double score) {
            if (divisor == 0) {
                return 0;
            }
            var share = score / divisor;
            return source.weight() * (source.scale() == Scale.LOG ? Math.log(share + source.floor()) : share);
        }

        Candidate next() {
            if (list == null || last == Double.NEGATIVE_INFINITY) {
                return null;
            }
            var next = list.next();
            last = next == null ? Double.NEGATIVE_INFINITY : next.score();
            return next;
        }

        /** The most that an item can get which its list has not given yet. */
        double most() {
            if (list == null || last == Double.NEGATIVE_INFINITY) {
                return nothing();
            }
            return last == Double.POSITIVE_INFINITY ? last : Math.max(nothing(), value(last));
        }
    }
}
