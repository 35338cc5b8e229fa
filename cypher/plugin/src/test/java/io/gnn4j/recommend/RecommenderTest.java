// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.ModelParts.VectorModel;
import io.gnn4j.recommend.Recommender.Recommendation;
import io.gnn4j.task.Task;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.collections.impl.factory.primitive.LongSets;
import org.junit.jupiter.api.Test;
import static org.assertj.core.api.Assertions.assertThat;

/** What a time budget leaves out, and in which order; the answers themselves are compared with an oracle elsewhere. */
class RecommenderTest {
    private static final Task TASK = Task.of(Map.of("recommend", "Item", "to", "User", "via", Map.of("BUY", 1.0)));
    /** User 1 has item 10; users 2 and 3 have items 10 and 12. */
    private static final Map<Long, long[]> ITEMS = Map.of(1L, new long[] {10}, 2L, new long[] {10, 12}, 3L, new long[] {10, 12});
    private static final Map<Long, long[]> USERS = Map.of(10L, new long[] {1, 2, 3}, 12L, new long[] {2, 3});

    private final AtomicLong nanos = new AtomicLong();
    /** What one look at a node takes. */
    private long nanosARead;

    private LiveStore store() {
        var types = new Class<?>[] {LiveStore.class};
        return (LiveStore) Proxy.newProxyInstance(LiveStore.class.getClassLoader(), types, (proxy, method, given) ->
            switch (method.getName()) {
                case "hasLabel" -> given[1].equals((long) given[0] < 10 ? "User" : "Item");
                case "interactions" -> {
                    nanos.addAndGet(nanosARead);
                    var ids = ((boolean) given[1] ? ITEMS : USERS).getOrDefault((long) given[0], new long[0]);
                    var weights = new double[ids.length];
                    Arrays.fill(weights, 1);
                    yield new Interactions(ids, weights, new long[ids.length], false);
                }
                case "dismissed" -> LongSets.immutable.empty();
                default -> null;
            });
    }

    private List<Recommendation> answer(Map<String, Object> more, Reranker reranker, long spent) {
        var config = RecommendConfig.recommend(with(more), node -> (long) node, true);
        var table = new VectorTable("e", 1);
        table.apply(Map.of(10L, new float[] {9}, 11L, new float[] {4}, 12L, new float[] {3}, 13L, new float[] {2}));
        var encoder = new SourceEncoder() {
            @Override
            public Interactions read(LiveStore live, Task task, long user, int maxDegree) {
                return live.interactions(user, true, List.copyOf(task.via().values()), "Item", null, maxDegree);
            }

            @Override
            public float[][] encodeSources(List<Source> sources) {
                return new float[][] {{1}};
            }
        };
        var popularity = new Popularity();
        USERS.forEach((item, users) -> popularity.set(item, users.length));
        var deadline = new Deadline(config.timeBudgetMillis(), nanos::get);
        nanos.addAndGet(spent * 1_000_000);
        var vectors = new VectorModel(encoder, table, false, new ExactScan(Parallel.none()));
        var call = new RecommendCall(store(), TASK, config, () -> 0, deadline, () -> { });
        var rows = new Recommender(call, new ModelParts(vectors, null, reranker, id -> null), () -> popularity)
            .recommend(List.of(1L));
        var found = new ArrayList<Recommendation>();
        rows.forEachRemaining(found::add);
        return found;
    }

    private static Map<String, Object> with(Map<String, Object> more) {
        var config = new HashMap<String, Object>(Map.of("topK", 3L, "timeBudgetMillis", 10L));
        config.putAll(more);
        return config;
    }

    private static List<Object> flat(List<Recommendation> rows) {
        return rows.stream().<Object>map(row -> row.node() + " " + row.origin()).toList();
    }

    /** The other way round. */
    private static Reranker reversed() {
        return new Reranker((source, context, items) -> {
            var scores = new double[items.length];
            Arrays.setAll(scores, i -> i);
            return scores;
        }, 10);
    }

    @Test
    void withinTheBudgetNothingIsLeftOut() {
        var blend = Map.<String, Object>of("blend", Map.of("vector", 1.0, "walk", 1.0));
        assertThat(flat(answer(blend, null, 5))).containsExactly("12 blend", "11 blend", "13 blend");
        assertThat(flat(answer(Map.of(), reversed(), 5))).containsExactly("13 rerank", "12 rerank", "11 rerank");
    }

    @Test
    void afterItTheScanOfAllVectorsIsWhatRemains() {
        var blend = Map.<String, Object>of("blend", Map.of("vector", 1.0, "walk", 1.0));
        assertThat(flat(answer(blend, null, 11))).containsExactly("11 partial", "12 partial", "13 partial");
        assertThat(flat(answer(Map.of(), reversed(), 11))).containsExactly("11 partial", "12 partial", "13 partial");
        assertThat(flat(answer(Map.of(), null, 11))).containsExactly("11 exact", "12 exact", "13 exact");
    }

    @Test
    void aWalkUnderWayIsLeftOffAndWithoutBudgetRunsToItsEnd() {
        nanosARead = 4_000_000; // the third look is past ten milliseconds
        var blend = Map.<String, Object>of("blend", Map.of("vector", 1.0, "walk", 1.0));
        assertThat(flat(answer(blend, null, 0))).containsExactly("11 partial", "12 partial", "13 partial");
        var unlimited = Map.<String, Object>of("blend", Map.of("vector", 1.0, "walk", 1.0), "timeBudgetMillis", 0L);
        assertThat(flat(answer(unlimited, null, 0))).containsExactly("12 blend", "11 blend", "13 blend");
    }
}
