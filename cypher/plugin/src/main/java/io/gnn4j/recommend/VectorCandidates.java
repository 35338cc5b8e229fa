// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.ExactScan.Query;
import io.gnn4j.recommend.TopK.Hits;
import java.util.List;
import java.util.Map;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** Items by the score of their vector, best first; scans again for more when those at hand were not enough. */
final class VectorCandidates implements Candidates {
    private final VectorTable.Snapshot table;
    private final ExactScan scan;
    private final float[] query;
    private final boolean cosine;
    private final LongHashSet excluded;
    private final String origin;
    private Hits hits;
    private int asked;
    private int at;

    /**
     * @param excluded ids that never come
     * @param first the best {@code asked}, already found
     * @param origin of the rows
     */
    VectorCandidates(
            VectorTable.Snapshot table, ExactScan scan, float[] query, boolean cosine, LongHashSet excluded, int asked, Hits first,
            String origin) {
        this.table = table;
        this.scan = scan;
        this.query = query;
        this.cosine = cosine;
        this.excluded = LongHashSet.newSet(excluded);
        this.asked = asked;
        this.origin = origin;
        hits = first;
    }

    @Override
    public Candidate next() {
        if (at == hits.size()) {
            if (hits.size() < asked) {
                return null; // there were no more
            }
            excluded.addAll(hits.ids());
            asked = (int) Math.min(table.size() + 1L, asked * 8L);
            hits = scan.best(table, List.of(new Query(query, asked, excluded)), cosine).get(0);
            at = 0;
            if (hits.size() == 0) {
                return null;
            }
        }
        var i = at++;
        return new Candidate(hits.ids()[i], hits.scores()[i], Map.of("vector", hits.scores()[i]), origin);
    }

    /** The scores of given items alone. */
    static Hits among(
            VectorTable table, VectorTable.Snapshot state, float[] query, boolean cosine, long[] candidates,
            LongHashSet excluded) {
        var rows = table.rows(state, candidates);
        var best = new TopK(Math.max(1, candidates.length));
        var offered = new LongHashSet();
        for (int i = 0; i < rows.length; i++) {
            if (rows[i] >= 0 && !excluded.contains(candidates[i]) && offered.add(candidates[i])) {
                best.offer(ExactScan.score(state, query, rows[i], cosine), candidates[i], rows[i]);
            }
        }
        return best.drain();
    }
}
