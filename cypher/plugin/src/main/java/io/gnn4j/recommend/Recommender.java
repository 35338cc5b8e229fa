// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.ExactScan.Query;
import io.gnn4j.recommend.ModelParts.VectorModel;
import io.gnn4j.recommend.SourceReader.Reading;
import io.gnn4j.recommend.TopK.Hits;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.function.Supplier;

/**
 * Lists of items for sources: never seen before, filtered as asked, as many as there are up to k.
 *
 * <p>History, seen items and filters are read in the caller's transaction; each candidate is looked up there too, and
 * one that is gone or may not be read is replaced by the next. Sources are taken in chunks, so that their queries are
 * encoded and scored together, and rows come while later chunks are not yet begun.
 */
public final class Recommender {
    private static final int CHUNK = 64;

    /**
     * One row of an answer.
     *
     * @param source null for a visitor
     * @param rank from 1, for each source anew
     */
    public record Recommendation(
        Long source, long node, int rank, double score, Map<String, Object> scores, String origin) {}

    private final RecommendCall call;
    private final RecommendConfig config;
    private final ModelParts parts;
    private final SourceReader reader;
    private final PopularItems popular;
    private final Acceptance acceptance;

    /**
     * @param popularity asked only when it is needed: making it costs
     * @throws io.gnn4j.config.InvalidConfiguration when the configuration does not fit the task
     */
    public Recommender(RecommendCall call, ModelParts parts, Supplier<Popularity> popularity) {
        this.call = call;
        this.parts = parts;
        config = call.config();
        reader = new SourceReader(call, parts);
        popular = new PopularItems(call.store(), call.task(), config.candidates(), popularity);
        acceptance = new Acceptance(call.store(), call.task().recommend(), config.filter(), config.maxPer());
    }

    /**
     * @param sources ids in the order wanted; null stands for a visitor
     * @throws IllegalArgumentException for a source that is neither a user nor an item of the task
     */
    public Iterator<Recommendation> recommend(List<Long> sources) {
        return new Iterator<>() {
            private int begun;
            private Iterator<RecommendedList> chunk = Collections.emptyIterator();
            private RecommendedList list;
            private Recommendation next;

            @Override
            public boolean hasNext() {
                while (next == null) {
                    if (list == null) {
                        if (!chunk.hasNext()) {
                            if (begun == sources.size()) {
                                return false;
                            }
                            // The first chunk is one source, so that the first row comes soon.
                            var end = Math.min(sources.size(), begun == 0 ? 1 : begun + CHUNK);
                            chunk = begin(sources.subList(begun, end)).iterator();
                            begun = end;
                        }
                        list = chunk.next();
                    }
                    next = list.next();
                    if (next == null) {
                        list = null;
                    }
                }
                return true;
            }

            @Override
            public Recommendation next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                var given = next;
                next = null;
                return given;
            }
        };
    }

    private List<RecommendedList> begin(List<Long> sources) {
        var lists = new ArrayList<RecommendedList>(sources.size());
        for (var source : sources) {
            lists.add(new RecommendedList(call, parts, popular, acceptance, reader.read(source)));
        }
        if (parts.vectors() != null) {
            score(parts.vectors(), lists);
        } else if (parts.ranked() != null) {
            lists.forEach(list -> list.scoredBy(parts.ranked().to(list.reading().asked(), list.reading().excluded())));
        }
        return lists;
    }

    private void score(VectorModel model, List<RecommendedList> lists) {
        var queries = model.encoder().encodeSources(lists.stream().map(list -> list.reading().asked()).toList());
        var table = model.table().snapshot();
        var asked = firstAsked(config, table.size());
        var scanned = new ArrayList<Query>();
        var of = new ArrayList<RecommendedList>();
        for (int i = 0; i < queries.length; i++) {
            var list = lists.get(i);
            var query = queries[i];
            if (isZero(query)) {
                continue; // nothing is known of it: popularity answers
            }
            var excluded = list.reading().excluded();
            if (config.candidates() != null) {
                list.scoredBy(source(model, table, query, list.reading(), Integer.MAX_VALUE, VectorCandidates.among(
                    model.table(), table, query, model.cosine(), config.candidates(), excluded)));
            } else {
                scanned.add(new Query(query, asked, excluded));
                of.add(list);
            }
        }
        var hits = scanned.isEmpty() ? List.<Hits>of() : model.scan().best(table, scanned, model.cosine());
        for (int i = 0; i < hits.size(); i++) {
            var list = of.get(i);
            list.scoredBy(source(model, table, scanned.get(i).vector(), list.reading(), asked, hits.get(i)));
        }
    }

    private static VectorSource source(
            VectorModel model, VectorTable.Snapshot table, float[] query, Reading reading, int asked, Hits hits) {
        return new VectorSource(model.table(), table, model.scan(), query, model.cosine(), reading.excluded(), asked, hits,
            model.encoder().isCold(reading.asked()) ? "cold" : "exact");
    }

    /** A few more than k where some will be turned away: a second scan costs more than a longer list. */
    static int firstAsked(RecommendConfig config, int size) {
        var wanted = (long) config.topK();
        if (!config.filter().isEmpty() || !config.maxPer().isEmpty()) {
            wanted = wanted * 4 + 64;
        }
        if (!config.arrangement().isNone()) {
            wanted = Math.max(wanted, config.arrangement().pool());
        }
        if (config.rerank() != null) {
            wanted = Math.max(wanted, config.rerank().topN());
        }
        if (config.blend() != null) {
            wanted = wanted * 4 + 512; // the lists are read until nothing behind can come before
        }
        return (int) Math.max(1, Math.min(wanted, size));
    }

    public static boolean isZero(float[] vector) {
        for (var value : vector) {
            if (value != 0) {
                return false;
            }
        }
        return true;
    }
}
