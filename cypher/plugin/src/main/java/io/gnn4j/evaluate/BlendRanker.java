// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import io.gnn4j.recommend.Deadline;
import io.gnn4j.recommend.ModelParts;
import io.gnn4j.recommend.ModelParts.VectorModel;
import io.gnn4j.recommend.Parallel;
import io.gnn4j.recommend.Popularity;
import io.gnn4j.recommend.RecommendCall;
import io.gnn4j.recommend.RecommendConfig;
import io.gnn4j.recommend.Recommender;
import io.gnn4j.task.Task;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;

/** By a model that adds up several sources, as {@code gnn.recommend.stream} answers for it, on what is known alone. */
public final class BlendRanker implements Ranker {
    /** Users whose vectors are made together; between two such pieces a call can be ended. */
    private static final int TOGETHER = 8;

    private final KnownStore store;
    private final EvaluatedNodes nodes;
    private final Task task;
    private final Map<?, ?> blend;
    private final VectorModel vectors;
    private final Popularity popularity;
    private final Parallel threads;

    /**
     * @param blend {@code {rule, sources, walk}} of the manifest
     * @param vectors by node id, safe for several threads
     * @param threads one alone where the blend reads properties
     */
    public BlendRanker(
            KnownStore store, EvaluatedNodes nodes, Task task, Map<?, ?> blend, VectorModel vectors, Parallel threads) {
        this.store = store;
        this.nodes = nodes;
        this.task = task;
        this.blend = blend;
        this.vectors = vectors;
        this.threads = threads;
        popularity = store.popularity();
    }

    @Override
    public List<int[]> rank(int[] users, int k) {
        var config = RecommendConfig.recommend(
            Map.of("topK", (long) k, "seen", List.copyOf(task.via().keySet())), node -> {
                throw new IllegalArgumentException("no nodes are named here.");
            }, true).servedBy(blend);
        var lists = new int[users.length][];
        threads.map((users.length + TOGETHER - 1) / TOGETHER, () -> lists, (all, piece) ->
            rank(users, piece * TOGETHER, Math.min(users.length, (piece + 1) * TOGETHER), config, all));
        return List.of(lists);
    }

    private void rank(int[] users, int from, int to, RecommendConfig config, int[][] lists) {
        var ids = Arrays.stream(users, from, to).mapToLong(user -> nodes.users()[user]).boxed().toList();
        var found = new long[ids.size()][config.topK()];
        var counts = new int[ids.size()];
        // Whoever asked hears of an end between two pieces; a helper's thread must not look at the transaction.
        var call = new RecommendCall(
            store, task, config, System::currentTimeMillis, new Deadline(0, System::nanoTime), () -> { });
        new Recommender(call, new ModelParts(vectors, null, null, id -> null), () -> popularity)
            .recommend(ids).forEachRemaining(row -> {
                var at = ids.indexOf(row.source());
                found[at][counts[at]++] = row.node();
            });
        for (int i = 0; i < found.length; i++) {
            lists[from + i] = LongStream.of(found[i]).limit(counts[i]).mapToInt(nodes::item).toArray();
        }
    }
}
