// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.Candidates.Candidate;
import io.gnn4j.recommend.ExactScan.Query;
import io.gnn4j.recommend.ModelParts.VectorModel;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** The nodes that are most like one node: items like an item, users like a user. */
public final class Neighbours {
    private final LiveStore store;
    private final Task task;
    private final RecommendConfig config;
    private final VectorModel vectors;
    private final RankedModel ranked;
    private final LongFunction<float[]> nodeVectors;
    private final Supplier<Popularity> popularity;
    private final LongSupplier clock;
    private final Runnable guard;

    /**
     * @param vectors null unless vectors are compared; its table holds nodes of the label that is asked for
     * @param ranked what is asked in place of vectors by a model that has none, else null
     * @param nodeVectors vectors of those nodes by id, null where there is none; asked only where diversity is wanted
     */
    public Neighbours(
            LiveStore store, Task task, RecommendConfig config, VectorModel vectors, RankedModel ranked,
            LongFunction<float[]> nodeVectors, Supplier<Popularity> popularity, LongSupplier clock, Runnable guard) {
        this.store = store;
        this.task = task;
        this.config = config;
        this.vectors = vectors;
        this.ranked = ranked;
        this.nodeVectors = nodeVectors;
        this.popularity = popularity;
        this.clock = clock;
        this.guard = guard;
    }

    /**
     * @param source never in its own list
     * @param user whether users are compared, by their items, or items, by their users
     * @param query the vector of the source, not all zeros; null where vectors are not compared
     */
    public List<Candidate> of(long source, boolean user, float[] query) {
        var excluded = LongHashSet.newSetWith(config.exclude());
        excluded.add(source);
        var label = user ? task.to() : task.recommend();
        var sources = new HashMap<String, RankedSource>();
        if (config.comparesVectors()) {
            sources.put(RecommendConfig.VECTOR, ranked == null ? vector(query, excluded) : ranked.like(source, user, excluded));
        }
        if (config.walks()) {
            sources.put(RecommendConfig.WALK, walk(source, user, excluded));
        }
        if (config.blend() != null && config.blend().uses(RecommendConfig.POPULARITY)) {
            sources.put(RecommendConfig.POPULARITY, popularity(excluded));
        }
        return take(source, list(sources, excluded), label);
    }

    private Candidates list(Map<String, RankedSource> sources, LongHashSet excluded) {
        if (config.blend() == null) {
            return sources.get(config.method()).list().among(config.candidates());
        }
        var allowed = config.candidates() == null ? null
            : java.util.Arrays.stream(config.candidates()).filter(id -> !excluded.contains(id)).toArray();
        return new BlendedCandidates(config.blend(), sources, allowed, store, clock);
    }

    private VectorSource vector(float[] query, LongHashSet excluded) {
        var table = vectors.table();
        var state = table.snapshot();
        var named = config.candidates() != null;
        var asked = named ? Integer.MAX_VALUE : Recommender.firstAsked(config, state.size());
        var hits = named
            ? VectorCandidates.among(table, state, query, vectors.cosine(), config.candidates(), excluded)
            : vectors.scan().best(state, List.of(new Query(query, asked, excluded)), vectors.cosine()).get(0);
        return new VectorSource(table, state, vectors.scan(), query, vectors.cosine(), excluded, asked, hits, "exact");
    }

    private Walk.Reached walk(long source, boolean user, LongHashSet excluded) {
        var walk = new Walk(store, task, config.walk(), config.maxDegree(), popularity.get(), guard);
        if (!user) {
            return walk.from(Interactions.of(new long[] {source}, 1), source, excluded);
        }
        var history = store.interactions(
            source, true, List.copyOf(task.via().values()), task.recommend(), task.timeProperty(), config.maxDegree());
        return walk.usersMet(history, excluded);
    }

    private PopularitySource popularity(LongHashSet excluded) {
        var table = popularity.get();
        var top = table.top(1, new LongHashSet(), Map.of());
        return new PopularitySource(table, id -> null,
            () -> new PopularityCandidates(table, Map.of(), excluded, config.topK() + 512), top.size() == 0 ? 0 : top.scores()[0]);
    }

    private List<Candidate> take(long source, Candidates candidates, String label) {
        var acceptance = new Acceptance(store, label, config.filter(), config.maxPer());
        var accepted = acceptance.list();
        var arrangement = config.arrangement();
        var rows = new ArrayList<Candidate>();
        var wanted = arrangement.isNone() ? config.topK() : arrangement.pool();
        while (rows.size() < wanted) {
            var next = candidates.next();
            if (next == null) {
                break;
            }
            if (arrangement.isNone() ? accepted.accept(next.id()) : acceptance.passes(next.id())) {
                rows.add(next);
            }
        }
        if (arrangement.isNone()) {
            return rows;
        }
        var arranged = new ArrayList<>(arrangement.arrange(rows, source, config.topK(), nodeVectors, accepted::accept));
        // Where too many of them were refused, others follow as they come.
        for (var next = candidates.next(); next != null && arranged.size() < config.topK(); next = candidates.next()) {
            if (accepted.accept(next.id())) {
                arranged.add(next);
            }
        }
        return arranged;
    }
}
