// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.Map;
import org.eclipse.collections.impl.map.mutable.primitive.LongDoubleHashMap;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** Nodes with a score each, given best first, equal ones by smaller id; few are put into order before they are asked for. */
class ScoredNodes implements RankedSource, Candidates {
    private static final int FIRST = 64;

    private final LongDoubleHashMap scores;
    private final LongHashSet excluded;
    private final String name;
    private final String origin;
    private TopK.Hits hits = new TopK.Hits(new double[0], new long[0], new int[0]);
    private int asked = FIRST;
    private int at;

    /**
     * @param excluded ids that never come
     * @param name of the partial score
     */
    ScoredNodes(LongDoubleHashMap scores, LongHashSet excluded, String name, String origin) {
        this.scores = scores;
        this.excluded = LongHashSet.newSet(excluded);
        this.name = name;
        this.origin = origin;
    }

    @Override
    public Candidate next() {
        if (at == hits.size()) {
            excluded.addAll(hits.ids());
            var best = new TopK((int) Math.min(scores.size() + 1L, asked));
            asked = (int) Math.min(Integer.MAX_VALUE - 8, asked * 8L);
            scores.forEachKeyValue((id, score) -> {
                if (best.accepts(score, id) && !excluded.contains(id)) {
                    best.offer(score, id, 0);
                }
            });
            hits = best.drain();
            at = 0;
            if (hits.size() == 0) {
                return null;
            }
        }
        var i = at++;
        return new Candidate(hits.ids()[i], hits.scores()[i], partial(hits.ids()[i], hits.scores()[i]), origin);
    }

    /** What the row shows beside its score. */
    Map<String, Object> partial(long id, double score) {
        return Map.of(name, score);
    }

    @Override
    public Candidates list() {
        return this;
    }

    @Override
    public double score(long id) {
        return scores.getIfAbsent(id, Double.NaN);
    }

    @Override
    public double best() {
        return scores.isEmpty() ? 0 : scores.max();
    }
}
