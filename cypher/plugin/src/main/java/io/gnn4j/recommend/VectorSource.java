// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.ExactScan.Query;
import io.gnn4j.recommend.TopK.Hits;
import java.util.List;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** One vector against the vectors of all items, in one state of the table. */
final class VectorSource implements RankedSource {
    private final VectorTable table;
    private final VectorTable.Snapshot state;
    private final ExactScan scan;
    private final float[] query;
    private final boolean cosine;
    private final LongHashSet excluded;
    private final Hits first;
    private final Candidates list;
    private Double best;

    /**
     * @param excluded ids that never come
     * @param asked how many {@code first} was asked for; {@link Integer#MAX_VALUE}: it holds all that may come back
     * @param first the best of them
     * @param origin of the rows
     */
    VectorSource(
            VectorTable table, VectorTable.Snapshot state, ExactScan scan, float[] query, boolean cosine, LongHashSet excluded,
            int asked, Hits first, String origin) {
        this.table = table;
        this.state = state;
        this.scan = scan;
        this.query = query;
        this.cosine = cosine;
        this.excluded = excluded;
        this.first = asked == Integer.MAX_VALUE ? null : first;
        list = new VectorCandidates(state, scan, query, cosine, excluded, asked, first, origin);
    }

    @Override
    public Candidates list() {
        return list;
    }

    @Override
    public double score(long id) {
        var row = table.rows(state, new long[] {id})[0];
        return row < 0 ? Double.NaN : ExactScan.score(state, query, row, cosine);
    }

    @Override
    public double best() {
        if (best == null) {
            best = state.size() == 0 ? 0 : first == null ? bestOfAll() : bestWith(first);
        }
        return best;
    }

    private double bestOfAll() {
        return scan.best(state, List.of(new Query(query, 1, new LongHashSet())), cosine).get(0).scores()[0];
    }

    /** What was scanned for, and what stayed away, together are all. */
    private double bestWith(Hits hits) {
        var largest = hits.size() == 0 ? Double.NEGATIVE_INFINITY : hits.scores()[0];
        var rows = table.rows(state, excluded.toArray());
        for (var row : rows) {
            if (row >= 0) {
                largest = Math.max(largest, ExactScan.score(state, query, row, cosine));
            }
        }
        return largest;
    }

    /** A cosine is that of unit vectors already. */
    @Override
    public double length() {
        if (cosine) {
            return 1;
        }
        var square = 0.0;
        for (var value : query) {
            square += (double) value * value;
        }
        return Math.sqrt(square);
    }
}
