// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.Candidates.Candidate;
import io.gnn4j.recommend.ExactScan.Query;
import io.gnn4j.recommend.TopK.Hits;
import io.gnn4j.task.Behaviour;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

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

    /** What is needed to answer by vectors. */
    public record VectorModel(SourceEncoder encoder, VectorTable table, boolean cosine, ExactScan scan) {}

    private final LiveStore store;
    private final Task task;
    private final RecommendConfig config;
    private final VectorModel vectors;
    private final RankedModel ranked;
    private final Supplier<Popularity> popularity;
    private final LongSupplier clock;
    private final Runnable guard;
    private final Map<String, Long> seen;
    private final List<Behaviour> via;
    private final Acceptance acceptance;
    private final Reranker reranker;
    private final Deadline deadline;
    private final LongFunction<float[]> itemVectors;
    private Map<Long, Integer> addedHere;
    private Double mostUsers;

    /**
     * @param vectors null unless vectors are compared
     * @param ranked what is asked in place of vectors by a model that has none, else null
     * @param reranker null: there is no second stage
     * @param itemVectors vectors of items by id, null where there is none; asked only where diversity is wanted
     * @param popularity asked only when it is needed: making it costs
     * @param clock now, in epoch milliseconds, for durations of {@code seen} and ages
     * @param deadline from which re-ranking and blending are left out
     * @param guard throws when the call is ended
     * @throws io.gnn4j.config.InvalidConfiguration when the configuration does not fit the task
     */
    public Recommender(
            LiveStore store, Task task, RecommendConfig config, VectorModel vectors, RankedModel ranked, Reranker reranker,
            LongFunction<float[]> itemVectors, Supplier<Popularity> popularity, LongSupplier clock, Deadline deadline, Runnable guard) {
        this.store = store;
        this.task = task;
        this.config = config;
        this.vectors = vectors;
        this.ranked = ranked;
        this.reranker = reranker;
        this.itemVectors = itemVectors;
        this.deadline = deadline;
        this.popularity = popularity;
        this.clock = clock;
        this.guard = guard;
        acceptance = new Acceptance(store, task.recommend(), config.filter(), config.maxPer());
        seen = config.seenIn(task);
        via = List.copyOf(task.via().values());
        requireItems("history", config.history());
        requireItems("context", config.context());
    }

    /** Another node has no users and no vector: the list would be that of somebody else. One that is gone is no fault. */
    private void requireItems(String key, long[] ids) {
        for (var id : ids) {
            if (!store.hasLabel(id, task.recommend()) && store.exists(id)) {
                throw new IllegalArgumentException("`" + key + "` holds node " + id + ", which is no `" + task.recommend()
                    + "`. Give the items that were touched.");
            }
        }
    }

    /**
     * @param sources ids in the order wanted; null stands for a visitor
     * @throws IllegalArgumentException for a source that is neither a user nor an item of the task
     */
    public Iterator<Recommendation> recommend(List<Long> sources) {
        return new Iterator<>() {
            private int begun;
            private Iterator<Answer> chunk = Collections.emptyIterator();
            private Answer answer;
            private Recommendation next;

            @Override
            public boolean hasNext() {
                while (next == null) {
                    if (answer == null) {
                        if (!chunk.hasNext()) {
                            if (begun == sources.size()) {
                                return false;
                            }
                            // The first chunk is one source, so that the first row comes soon.
                            var end = Math.min(sources.size(), begun == 0 ? 1 : begun + CHUNK);
                            chunk = begin(sources.subList(begun, end)).iterator();
                            begun = end;
                        }
                        answer = chunk.next();
                    }
                    next = answer.next();
                    if (next == null) {
                        answer = null;
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

    private List<Answer> begin(List<Long> sources) {
        var answers = new ArrayList<Answer>(sources.size());
        for (var source : sources) {
            answers.add(new Answer(source));
        }
        if (vectors != null) {
            score(answers);
        } else if (ranked != null) {
            answers.forEach(answer -> answer.model = ranked.to(answer.asked(), answer.excluded));
        }
        return answers;
    }

    private void score(List<Answer> answers) {
        var queries = vectors.encoder().encodeSources(
            answers.stream().map(Answer::asked).toList());
        var table = vectors.table().snapshot();
        var asked = firstAsked(config, table.size());
        var scanned = new ArrayList<Query>();
        var of = new ArrayList<Answer>();
        for (int i = 0; i < queries.length; i++) {
            var answer = answers.get(i);
            var query = queries[i];
            if (isZero(query)) {
                continue; // nothing is known of it: popularity answers
            }
            if (config.candidates() != null) {
                answer.model = source(table, query, answer, Integer.MAX_VALUE, VectorCandidates.among(
                    vectors.table(), table, query, vectors.cosine(), config.candidates(), answer.excluded));
            } else {
                scanned.add(new Query(query, asked, answer.excluded));
                of.add(answer);
            }
        }
        var hits = scanned.isEmpty() ? List.<Hits>of() : vectors.scan().best(table, scanned, vectors.cosine());
        for (int i = 0; i < hits.size(); i++) {
            of.get(i).model = source(table, scanned.get(i).vector(), of.get(i), asked, hits.get(i));
        }
    }

    private VectorSource source(VectorTable.Snapshot table, float[] query, Answer answer, int asked, Hits hits) {
        return new VectorSource(vectors.table(), table, vectors.scan(), query, vectors.cosine(), answer.excluded, asked, hits,
            vectors.encoder().isCold(answer.asked()) ? "cold" : "exact");
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

    /** The list of one source in the making. */
    private final class Answer {
        final Long source;
        final Interactions history;
        final LongHashSet excluded = new LongHashSet();
        RankedSource model;
        private final boolean item;
        private final Acceptance.List taken = acceptance.list();
        private Candidates list;
        private Iterator<Candidate> arranged = Collections.emptyIterator();
        private boolean filling;
        private int rank;

        Answer(Long source) {
            this.source = source;
            item = source != null && !store.hasLabel(source, task.to()) && store.hasLabel(source, task.recommend());
            history = history();
            excluded.addAll(config.exclude());
            excluded.addAll(config.context());
            if (!seen.isEmpty()) {
                excluded.addAll(config.history());
            }
            if (source != null) {
                excluded.add(source);
                excluded.addAll(store.dismissed(source));
                for (var type : config.blockedTypes()) {
                    excluded.addAll(store.related(source, type, "any"));
                }
                if (store.hasLabel(source, task.to())) {
                    excludeSeen();
                }
            }
        }

        SourceEncoder.Source asked() {
            return new SourceEncoder.Source(source, history);
        }

        /** The next row, or null when the list is complete. */
        Recommendation next() {
            if (list == null) {
                list = begin();
                if (reranker != null || !config.arrangement().isNone()) {
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
                    list = popular(config.topK() - rank + 16);
                } else if (taken.accept(candidate.id())) {
                    return row(candidate);
                }
            }
            return null;
        }

        private Recommendation row(Candidate candidate) {
            excluded.add(candidate.id());
            return new Recommendation(
                source, candidate.id(), ++rank, candidate.score(), candidate.scores(), candidate.origin());
        }

        /** When its turn comes, not for the whole chunk at once: walks take their time. */
        private Candidates begin() {
            if (config.blend() != null) {
                try {
                    deadline.check();
                    return blended();
                } catch (Deadline.Over over) {
                    return partial();
                }
            }
            if (config.walks()) {
                return walk(guard).among(config.candidates());
            }
            if (config.method().equals(RecommendConfig.POPULARITY)) {
                filling = true;
                return popular(Math.max(config.topK(), config.arrangement().isNone() ? 1 : config.arrangement().pool()) + 16);
            }
            // A scan of vectors was told already which items are meant.
            return model == null ? () -> null : vectors != null ? model.list() : model.list().among(config.candidates());
        }

        private Candidates blended() {
            var sources = new HashMap<String, RankedSource>();
            if (model != null) {
                sources.put(RecommendConfig.VECTOR, model);
            }
            if (config.walks()) {
                sources.put(RecommendConfig.WALK, walk(() -> {
                    guard.run();
                    deadline.check();
                }));
            }
            if (config.blend().uses(RecommendConfig.POPULARITY)) {
                var table = popularity.get();
                sources.put(RecommendConfig.POPULARITY, new PopularitySource(
                    table, id -> store.hasLabel(id, task.recommend()) ? count(id) : null, () -> popular(config.topK() + 512),
                    mostUsers(table)));
            }
            return new BlendedCandidates(config.blend(), sources, allowed(), store, clock);
        }

        private Walk.Reached walk(Runnable check) {
            return new Walk(store, task, config.walk(), config.maxDegree(), popularity.get(), check)
                .from(history, item ? source : null, excluded);
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
                : Arrays.stream(config.candidates()).filter(id -> !excluded.contains(id)).toArray();
        }

        /** The second stage, and the order of what comes first; what they do not see follows as it was. */
        private void arrange() {
            var pool = best(Math.max(
                reranker == null ? 0 : reranker.topN(), config.arrangement().isNone() ? 0 : config.arrangement().pool()));
            var behind = new ArrayList<Candidate>();
            if (reranker != null && deadline.isOver()) {
                pool.replaceAll(Answer::cut);
            } else if (reranker != null) {
                var seen = Math.min(pool.size(), reranker.topN());
                behind.addAll(pool.subList(seen, pool.size()));
                pool = new ArrayList<>(reranker.rerank(pool.subList(0, seen), asked(), config.context()));
            }
            if (!config.arrangement().isNone()) {
                // Scores of two stages cannot be compared: what the second does not know stays behind.
                var mixed = pool.stream().anyMatch(row -> row.origin().equals(Reranker.ORIGIN));
                var known = pool.stream().filter(row -> !mixed || row.origin().equals(Reranker.ORIGIN)).toList();
                behind.addAll(0, pool.stream().filter(row -> mixed && !row.origin().equals(Reranker.ORIGIN)).toList());
                arranged = config.arrangement().arrange(known, source, config.topK(), itemVectors, taken::accept).iterator();
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

        private Interactions history() {
            Interactions own;
            if (source == null) {
                own = Interactions.of(config.history(), task.largestWeight());
            } else if (store.hasLabel(source, task.to())) {
                own = interactions(source);
            } else if (item) {
                own = Interactions.of(new long[] {source}, task.largestWeight());
            } else {
                throw new IllegalArgumentException("Node " + source + " is neither a `" + task.to() + "` nor a `"
                    + task.recommend() + "`, which are the labels of the task.");
            }
            return own.and(config.context(), task.largestWeight());
        }

        private Interactions interactions(long user) {
            var timed = config.walks() || reranker != null;
            if (vectors != null && !timed) {
                return vectors.encoder().read(store, task, user, config.maxDegree());
            }
            if (ranked != null && !timed) {
                return ranked.read(store, task, user, config.maxDegree());
            }
            var time = timed ? task.timeProperty() : null;
            return store.interactions(user, true, via, task.recommend(), time, config.maxDegree());
        }

        private void excludeSeen() {
            var forever = new ArrayList<Behaviour>();
            for (var entry : seen.entrySet()) {
                var behaviour = task.via().get(entry.getKey());
                if (entry.getValue() == RecommendConfig.FOREVER) {
                    forever.add(behaviour);
                    continue;
                }
                var since = clock.getAsLong() - entry.getValue();
                var recent = store.interactions(
                    source, true, List.of(behaviour), task.recommend(), task.timeProperty(), Integer.MAX_VALUE);
                for (int i = 0; i < recent.degree(); i++) {
                    if (recent.times()[i] >= since || recent.times()[i] == Interactions.NO_TIME) {
                        excluded.add(recent.ids()[i]);
                    }
                }
            }
            if (forever.size() == via.size() && !history.truncated()) {
                excluded.addAll(history.ids()); // read already
            } else if (!forever.isEmpty()) {
                // Without a limit: an item seen by the 10,001st relationship is seen all the same.
                excluded.addAll(store.interactions(
                    source, true, forever, task.recommend(), null, Integer.MAX_VALUE).ids());
            }
        }

        private Candidates popular(int asked) {
            var table = popularity.get();
            if (config.candidates() != null) {
                var counts = new HashMap<Long, Integer>();
                Arrays.stream(config.candidates()).forEach(id -> counts.put(id,
                    table.contains(id) ? table.count(id) : count(id)));
                return new PopularityCandidates(new Popularity(), counts, excluded, Math.max(1, counts.size()));
            }
            return new PopularityCandidates(table, addedHere(table), excluded, asked);
        }
    }

    private double mostUsers(Popularity table) {
        if (mostUsers == null) {
            var top = table.top(1, new LongHashSet(), Map.of());
            mostUsers = top.size() == 0 ? 0 : top.scores()[0];
        }
        return mostUsers;
    }

    /** Items the caller made and has not committed: no cache knows them. */
    private Map<Long, Integer> addedHere(Popularity table) {
        if (addedHere == null) {
            addedHere = new HashMap<>();
            store.nodesAddedHere(task.recommend(), id -> {
                if (!table.contains(id)) {
                    addedHere.put(id, count(id));
                }
            });
        }
        return addedHere;
    }

    private int count(long item) {
        return store.interactions(item, false, via, task.to(), null, Integer.MAX_VALUE).degree();
    }
}
