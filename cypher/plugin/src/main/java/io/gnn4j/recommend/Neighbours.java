// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.Candidates.Candidate;
import io.gnn4j.recommend.ExactScan.Query;
import java.util.ArrayList;
import java.util.List;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** The nodes that are most like one node. */
public final class Neighbours {
    private final LiveStore store;
    private final RecommendConfig config;

    public Neighbours(LiveStore store, RecommendConfig config) {
        this.store = store;
        this.config = config;
    }

    /**
     * By the angle or the dot product of vectors.
     *
     * @param source never in its own list
     * @param query its vector, not all zeros
     * @param label what the others must be
     */
    public List<Candidate> byVector(long source, float[] query, VectorTable table, ExactScan scan, String label) {
        var excluded = excluded(source);
        var state = table.snapshot();
        if (config.candidates() != null) {
            var hits = VectorCandidates.among(table, state, query, config.cosine(), config.candidates(), excluded);
            return take(new VectorCandidates(state, scan, query, config.cosine(), excluded, Integer.MAX_VALUE, hits), label);
        }
        var asked = Recommender.firstAsked(config, state.size());
        var hits = scan.best(state, List.of(new Query(query, asked, excluded)), config.cosine()).get(0);
        return take(new VectorCandidates(state, scan, query, config.cosine(), excluded, asked, hits), label);
    }

    /** Items that a walk from an item reaches. */
    public List<Candidate> ofItem(long item, Walk walk, String label) {
        return take(walk.from(Interactions.of(new long[] {item}, 1), item, excluded(item)).among(config.candidates()), label);
    }

    /** Users that a walk from a user meets at the items of both. */
    public List<Candidate> ofUser(long user, Interactions history, Walk walk, String label) {
        return take(walk.usersMet(history, excluded(user)).among(config.candidates()), label);
    }

    private LongHashSet excluded(long source) {
        var excluded = LongHashSet.newSetWith(config.exclude());
        excluded.add(source);
        return excluded;
    }

    private List<Candidate> take(Candidates candidates, String label) {
        var accepted = new Acceptance(store, label, config.filter(), config.maxPer()).list();
        var rows = new ArrayList<Candidate>();
        while (rows.size() < config.topK()) {
            var next = candidates.next();
            if (next == null) {
                break;
            }
            if (accepted.accept(next.id())) {
                rows.add(next);
            }
        }
        return rows;
    }
}
