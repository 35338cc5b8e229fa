// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.Candidates.Candidate;
import io.gnn4j.recommend.ExactScan.Query;
import java.util.ArrayList;
import java.util.List;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** The nodes whose vectors are most like one vector. */
public final class Neighbours {
    private final LiveStore store;
    private final RecommendConfig config;
    private final VectorTable table;
    private final ExactScan scan;

    public Neighbours(LiveStore store, RecommendConfig config, VectorTable table, ExactScan scan) {
        this.store = store;
        this.config = config;
        this.table = table;
        this.scan = scan;
    }

    /**
     * @param source never in its own list
     * @param query its vector, not all zeros
     * @param label what the others must be
     */
    public List<Candidate> of(long source, float[] query, String label) {
        var excluded = LongHashSet.newSetWith(config.exclude());
        excluded.add(source);
        var state = table.snapshot();
        VectorCandidates candidates;
        if (config.candidates() != null) {
            candidates = new VectorCandidates(state, scan, query, config.cosine(), excluded, Integer.MAX_VALUE,
                VectorCandidates.among(table, state, query, config.cosine(), config.candidates(), excluded));
        } else {
            var asked = Recommender.firstAsked(config, state.size());
            candidates = new VectorCandidates(state, scan, query, config.cosine(), excluded, asked,
                scan.best(state, List.of(new Query(query, asked, excluded)), config.cosine()).get(0));
        }
        var accepted = new Acceptance(store, label, config.filter(), config.maxPer()).list();
        var rows = new ArrayList<Candidate>();
        for (var next = candidates.next(); next != null && rows.size() < config.topK(); next = candidates.next()) {
            if (accepted.accept(next.id())) {
                rows.add(next);
            }
        }
        return rows;
    }
}
