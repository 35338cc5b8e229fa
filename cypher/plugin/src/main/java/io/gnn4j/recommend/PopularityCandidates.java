// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.TopK.Hits;
import java.util.Map;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** Items by how many users touched them. */
final class PopularityCandidates implements Candidates {
    private final Popularity popularity;
    private final Map<Long, Integer> more;
    private final LongHashSet excluded;
    private Hits hits;
    private int asked;
    private int at;

    /**
     * @param more items that the caller's own changes added, with their counts
     * @param asked how many to look up at first, at least 1
     */
    PopularityCandidates(Popularity popularity, Map<Long, Integer> more, LongHashSet excluded, int asked) {
        this.popularity = popularity;
        this.more = more;
        this.excluded = LongHashSet.newSet(excluded);
        this.asked = asked;
        hits = popularity.top(asked, this.excluded, more);
    }

    @Override
    public Candidate next() {
        if (at == hits.size()) {
            if (hits.size() < asked) {
                return null;
            }
            excluded.addAll(hits.ids());
            asked = (int) Math.min(Integer.MAX_VALUE - 8, asked * 8L);
            hits = popularity.top(asked, excluded, more);
            at = 0;
            if (hits.size() == 0) {
                return null;
            }
        }
        var i = at++;
        return new Candidate(hits.ids()[i], hits.scores()[i], Map.of("popularity", hits.scores()[i]), "popularity");
    }
}
