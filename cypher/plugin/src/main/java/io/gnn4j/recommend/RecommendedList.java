// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.Candidates.Candidate;
import io.gnn4j.recommend.Recommender.Recommendation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;

/** The list of one source in the making, row by row; popularity fills what is missing. */
final class RecommendedList {
    private final RecommendCall call;
    private final RecommendConfig config;
    private final ModelParts parts;
    private final PopularItems popular;
    private final Acceptance acceptance;
    private final Acceptance.List taken;
    private final SourceReader.Reading reading;
    private RankedSource model;
    private Candidates list;
    private Iterator<Candidate> arranged = Collections.emptyIterator();
    private boolean filling;
    private int rank;

    /** @param reading of the source; what is given is added to its {@code excluded} */
    RecommendedList(
            RecommendCall call, ModelParts parts, PopularItems popular, Acceptance acceptance, SourceReader.Reading reading) {
        this.call = call;
        this.parts = parts;
        this.popular = popular;
        this.acceptance = acceptance;
        this.reading = reading;
        config = call.config();
        taken = acceptance.list();
    }

    SourceReader.Reading reading() {
        return reading;
    }

    /** What the model says of the source; never set where it says nothing. */
    void scoredBy(RankedSource source) {
        model = source;
    }

    /** The next row, or null when the list is complete. */
    Recommendation next() {
        if (list == null) {
            list = begin();
            if (parts.reranker() != null || !config.arrangement().isNone()) {
                arrange();
            }
        }
        while (rank < config.topK()) {
            if (arranged.hasNext()) {
                return row(arranged.next());
            }
            var candidate = list.next();
            if (candidate == null) {
                if (filling) {
                    return null;
                }
                filling = true;
                list = popular.list(config.topK() - rank + 16, reading.excluded());
            } else if (taken.accept(candidate.id())) {
                return row(candidate);
            }
        }
        return null;
    }

    private Recommendation row(Candidate candidate) {
        reading.excluded().add(candidate.id());
        return new Recommendation(
            reading.source(), candidate.id(), ++rank, candidate.score(), candidate.scores(), candidate.origin());
    }

    /** When its turn comes, not for the whole chunk at once: walks take their time. */
    private Candidates begin() {
        if (config.blend() != null) {
            try {
                call.deadline().check();
                return blended();
            } catch (Deadline.Over over) {
                return partial();
            }
        }
        if (config.walks()) {
            return walk(call.guard()).among(config.candidates());
        }
        if (config.method().equals(RecommendConfig.POPULARITY)) {
            filling = true;
            var pool = config.arrangement().isNone() ? 1 : config.arrangement().pool();
            return popular.list(Math.max(config.topK(), pool) + 16, reading.excluded());
        }
        if (model == null) {
            return () -> null;
        }
        // A scan of vectors was told already which items are meant.
        return parts.vectors() != null ? model.list() : model.list().among(config.candidates());
    }

    private Candidates blended() {
        var sources = new HashMap<String, RankedSource>();
        if (model != null) {
            sources.put(RecommendConfig.VECTOR, model);
        }
        if (config.walks()) {
            sources.put(RecommendConfig.WALK, walk(() -> {
                call.guard().run();
                call.deadline().check();
            }));
        }
        if (config.blend().uses(RecommendConfig.POPULARITY)) {
            sources.put(RecommendConfig.POPULARITY, popular.source(config.topK() + 512, reading.excluded()));
        }
        return new BlendedCandidates(config.blend(), sources, allowed(), call.store(), call.clock());
    }

    private Walk.Reached walk(Runnable check) {
        return new Walk(call.store(), call.task(), config.walk(), config.maxDegree(), popular.counted(), check)
            .from(reading.history(), reading.isItem() ? reading.source() : null, reading.excluded());
    }

    /** What a time budget never cuts: the scan of all vectors. Without vectors popularity fills the list. */
    private Candidates partial() {
        return () -> {
            var next = model == null ? null : model.list().next();
            return next == null ? null : cut(next);
        };
    }

    private long[] allowed() {
        return config.candidates() == null ? null
            : Arrays.stream(config.candidates()).filter(id -> !reading.excluded().contains(id)).toArray();
    }

    /** The second stage, and the order of what comes first; what they do not see follows as it was. */
    private void arrange() {
        var reranker = parts.reranker();
        var pool = best(Math.max(
            reranker == null ? 0 : reranker.topN(), config.arrangement().isNone() ? 0 : config.arrangement().pool()));
        var behind = new ArrayList<Candidate>();
        if (reranker != null && call.deadline().isOver()) {
            pool.replaceAll(RecommendedList::cut);
        } else if (reranker != null) {
            var seen = Math.min(pool.size(), reranker.topN());
            behind.addAll(pool.subList(seen, pool.size()));
            pool = new ArrayList<>(reranker.rerank(pool.subList(0, seen), reading.asked(), config.context()));
        }
        if (!config.arrangement().isNone()) {
            // Scores of two stages cannot be compared: what the second does not know stays behind.
            var mixed = pool.stream().anyMatch(row -> row.origin().equals(Reranker.ORIGIN));
            var known = pool.stream().filter(row -> !mixed || row.origin().equals(Reranker.ORIGIN)).toList();
            behind.addAll(0, pool.stream().filter(row -> mixed && !row.origin().equals(Reranker.ORIGIN)).toList());
            arranged = config.arrangement()
                .arrange(known, reading.source(), config.topK(), parts.itemVectors(), taken::accept).iterator();
        } else {
            behind.addAll(0, pool);
        }
        var first = behind.iterator();
        var rest = list;
        list = () -> first.hasNext() ? first.next() : rest.next();
    }

    /** The best that are there and as the filter wants them. */
    private List<Candidate> best(int count) {
        var pool = new ArrayList<Candidate>();
        while (pool.size() < count) {
            var next = list.next();
            if (next == null) {
                break;
            }
            if (acceptance.passes(next.id())) {
                pool.add(next);
            }
        }
        return pool;
    }

    private static Candidate cut(Candidate row) {
        return new Candidate(row.id(), row.score(), row.scores(), "partial");
    }
}
