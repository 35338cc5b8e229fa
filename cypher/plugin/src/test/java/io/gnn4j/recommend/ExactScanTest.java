// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.recommend.ExactScan.Query;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;
import org.junit.jupiter.api.Test;

/** The scan against a list sorted in double, the slow way. */
class ExactScanTest {
    private static final Executor HELPERS = Executors.newCachedThreadPool(task -> {
        var thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    });

    private record Scored(long id, double score) {}

    private static List<Scored> slowly(Map<Long, float[]> vectors, float[] query, int k, LongHashSet excluded, boolean cosine) {
        var all = new ArrayList<Scored>();
        vectors.forEach((id, vector) -> {
            if (!excluded.contains(id)) {
                double dot = 0;
                double left = 0;
                double right = 0;
                for (int d = 0; d < query.length; d++) {
                    dot += (double) query[d] * vector[d];
                    left += (double) query[d] * query[d];
                    right += (double) vector[d] * vector[d];
                }
                var norm = Math.sqrt(left) * Math.sqrt(right);
                all.add(new Scored(id, !cosine ? dot : norm == 0 ? 0 : dot / norm));
            }
        });
        all.sort(Comparator.comparingDouble(Scored::score).reversed().thenComparingLong(Scored::id));
        return all.subList(0, Math.min(k, all.size()));
    }

    /** Values on a coarse grid, so that ties are common; or nearly equal ones, which float32 cannot tell apart. */
    private static float[] vector(Random random, int dimension, int kind) {
        var vector = new float[dimension];
        for (int d = 0; d < dimension; d++) {
            vector[d] = switch (kind) {
                case 0 -> random.nextInt(3) - 1;
                case 1 -> 1 + random.nextInt(3) * 0x1p-23f;
                default -> (float) random.nextGaussian();
            };
        }
        return vector;
    }

    @Property(tries = 300, seed = "1")
    void equalsASortedListAfterAnyHistoryOfChanges(
            @ForAll long seed, @ForAll @IntRange(min = 1, max = 9) int dimension, @ForAll @IntRange(min = 0, max = 1500) int size,
            @ForAll @IntRange(min = 1, max = 200) int k, @ForAll @IntRange(min = 0, max = 2) int kind, @ForAll boolean cosine,
            @ForAll @IntRange(min = 1, max = 7) int queries) {
        var random = new Random(seed);
        var table = new VectorTable("e", dimension);
        var truth = new TreeMap<Long, float[]>();
        for (int round = 0; round < 3; round++) {
            var changes = new HashMap<Long, float[]>();
            for (int i = 0; i < size / 3; i++) {
                var vector = random.nextInt(4) == 0 ? null : vector(random, dimension, kind);
                changes.put((long) random.nextInt(size), vector);
            }
            changes.forEach((id, vector) -> {
                if (vector == null) {
                    truth.remove(id);
                } else {
                    truth.put(id, vector);
                }
            });
            table.apply(changes);
        }
        var asked = new ArrayList<Query>();
        for (int i = 0; i < queries; i++) {
            var excluded = new LongHashSet();
            random.longs(random.nextInt(20), 0, size + 1).forEach(excluded::add);
            asked.add(new Query(vector(random, dimension, kind), k, excluded));
        }
        var scan = new ExactScan(new Parallel(HELPERS, 1 + random.nextInt(3), () -> { }));
        var found = scan.best(table.snapshot(), asked, cosine);
        for (int i = 0; i < queries; i++) {
            var hits = found.get(i);
            var expected = slowly(truth, asked.get(i).vector(), k, (LongHashSet) asked.get(i).excluded(), cosine);
            assertThat(hits.ids()).containsExactly(expected.stream().mapToLong(Scored::id).toArray());
            assertThat(hits.scores()).containsExactly(expected.stream().mapToDouble(Scored::score).toArray());
        }
        assertThat(table.snapshot().size()).isEqualTo(truth.size());
    }

    @Test
    void aSnapshotDoesNotSeeWhatIsWrittenAfterIt() {
        var table = new VectorTable("e", 2);
        table.apply(Map.of(7L, new float[] {1, 0}, 8L, new float[] {0, 1}));
        var before = table.snapshot();
        var changes = new HashMap<Long, float[]>();
        changes.put(7L, null);
        changes.put(9L, new float[] {5, 5}); // takes the row of 7
        table.apply(changes);
        var query = List.of(new Query(new float[] {1, 0}, 5, new LongHashSet()));
        var scan = new ExactScan(Parallel.none());
        assertThat(scan.best(before, query, false).get(0).ids()).containsExactly(7, 8);
        assertThat(scan.best(table.snapshot(), query, false).get(0).ids()).containsExactly(9, 8);
        var rows = table.rows(before, new long[] {7, 8, 9});
        assertThat(before.id(rows[1])).isEqualTo(8);
        assertThat(new int[] {rows[0], rows[2]}).containsExactly(-1, -1);
        assertThat(table.get(9)).containsExactly(5, 5);
        assertThat(table.get(7)).isNull();
    }

    @Test
    void aVectorThatCannotBeUsedIsAnErrorUntilItIsReplaced() {
        var table = new VectorTable("e", 2);
        table.apply(Map.of(7L, new float[] {1, Float.NaN}, 4L, new float[] {1}));
        assertThatThrownBy(table::snapshot)
            .hasMessageStartingWith("`e` of node 4 has 1 numbers, where a vector of 2 finite numbers is needed; so for 2 nodes.");
        table.apply(Map.of(4L, new float[] {1, 2}));
        assertThatThrownBy(table::snapshot)
            .hasMessageStartingWith("`e` of node 7 holds NaN, where a vector of 2 finite numbers is needed. Write");
        var gone = new HashMap<Long, float[]>();
        gone.put(7L, null);
        table.apply(gone);
        assertThat(table.snapshot().size()).isEqualTo(1);
    }

    @Test
    void theGuardEndsAScanOnAllThreads() {
        var table = new VectorTable("e", 1);
        var many = new HashMap<Long, float[]>();
        for (long id = 0; id < 20 * VectorTable.LANES; id++) {
            many.put(id, new float[] {1});
        }
        table.apply(many);
        var scan = new ExactScan(new Parallel(HELPERS, 3, () -> {
            throw new IllegalStateException("terminated");
        }));
        assertThatThrownBy(() -> scan.best(table.snapshot(), List.of(new Query(new float[] {1}, 1, new LongHashSet())), false))
            .hasMessage("terminated");
    }
}
