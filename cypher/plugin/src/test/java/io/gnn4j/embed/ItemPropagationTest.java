// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gnn4j.artefact.Golden;
import io.gnn4j.recommend.Parallel;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

class ItemPropagationTest {
    /** A behaviour as a list of pairs, parallel ones allowed. */
    private static ReducedGraph.Neighbours pairs(int[]... pairs) {
        return (row, into, at) -> {
            var count = 0;
            for (var pair : pairs) {
                if (pair[0] == row) {
                    if (into != null) {
                        into[at + count] = pair[1];
                    }
                    count++;
                }
            }
            return count;
        };
    }

    private static ReducedGraph golden() {
        // Users 1, 2, 3 and items 101 .. 104 by index; BUY 1.0, VIEW 0.5.
        return ReducedGraph.unite(3, new ReducedGraph.Neighbours[] {
            pairs(new int[] {0, 0}, new int[] {1, 3}, new int[] {1, 0}), pairs(new int[] {0, 1}, new int[] {0, 0})
        }, new double[] {1, 0.5}, () -> { });
    }

    private static float[][] goldenBase() {
        return new float[][] {{4, 0}, {0, 8}, {9, -3}, {0, 0}};
    }

    @Test
    void aPairCountsOnceWithItsLargestWeight() {
        var users = golden();
        assertThat(users.offsets()).containsExactly(0, 2, 4, 4);
        assertThat(users.targets()).containsExactly(0, 1, 0, 3);
        assertThat(users.weights()).containsExactly(1, 0.5f, 1, 1);
        var items = users.reversed(4, () -> { });
        assertThat(items.offsets()).containsExactly(0, 2, 3, 3, 4);
        assertThat(items.targets()).containsExactly(0, 1, 0, 1);
        assertThat(items.weights()).containsExactly(1, 1, 0.5f, 1);
    }

    @Test
    void twoAndThreeLayersGiveTheValuesWorkedByHand() throws IOException {
        var expected = new ObjectMapper().readTree(Golden.bytes("item_propagation/expected.json"));
        var users = golden();
        var items = users.reversed(4, () -> { });
        check(new ItemPropagation(items, users, 2, Parallel.none()).run(goldenBase(), 2), expected);
        check(new ItemPropagation(items, users, 2, Parallel.none()).run(goldenBase(), 3), expected.get("layers3"));
    }

    private static void check(ItemPropagation.Result found, JsonNode expected) {
        for (int item = 0; item < 4; item++) {
            for (int d = 0; d < 2; d++) {
                var key = String.valueOf(101 + item);
                assertThat((double) found.embedding()[item][d]).isCloseTo(expected.get("e").get(key).get(d).doubleValue(), within());
                assertThat((double) found.context()[item][d]).isCloseTo(expected.get("c").get(key).get(d).doubleValue(), within());
            }
        }
    }

    private static org.assertj.core.data.Offset<Double> within() {
        return org.assertj.core.data.Offset.offset(1e-6);
    }

    /** The rule as it is written, on one dense matrix of all nodes, in double. */
    private static double[][][] slow(double[][] weights, boolean bipartite, int items, float[][] base, int layers) {
        var n = weights.length;
        var dimension = base[0].length;
        var degree = new int[n];
        for (int a = 0; a < n; a++) {
            degree[a] = (int) Arrays.stream(weights[a]).filter(w -> w > 0).count();
        }
        var h = new double[n][dimension];
        for (int i = 0; i < items; i++) {
            for (int d = 0; d < dimension; d++) {
                h[i][d] = base[i][d];
            }
        }
        var e = new double[items][dimension];
        var c = new double[items][dimension];
        for (int layer = 0; layer <= layers; layer++) {
            for (int i = 0; i < items; i++) {
                for (int d = 0; d < dimension; d++) {
                    e[i][d] += h[i][d] / (layers + 1);
                    if (layer < layers && degree[i] > 0) {
                        c[i][d] += h[i][d] / (layers + 1) / Math.sqrt(degree[i]);
                    }
                }
            }
            var next = new double[n][dimension];
            for (int a = 0; a < n; a++) {
                for (int b = 0; b < n; b++) {
                    if (weights[a][b] > 0) {
                        for (int d = 0; d < dimension; d++) {
                            next[a][d] += weights[a][b] * h[b][d] / Math.sqrt((double) degree[a] * degree[b]);
                        }
                    }
                }
            }
            h = next;
        }
        return new double[][][] {e, c};
    }

    @Property(tries = 60, seed = "1")
    void anyGraphGivesWhatTheSlowRuleGivesWithOneThreadAndWithMany(
            @ForAll @IntRange(min = 1, max = 25) int itemCount, @ForAll @IntRange(min = 1, max = 25) int userCount,
            @ForAll @IntRange(max = 120) int pairCount, @ForAll @IntRange(min = 1, max = 5) int layers,
            @ForAll @IntRange(min = 1, max = 7) int dimension, @ForAll @LongRange(max = 1_000_000) long seed, @ForAll boolean same) {
        var random = new Random(seed);
        var weights = new double[] {1, 0.5, 0.125};
        List<List<int[]>> behaviours = new ArrayList<>();
        var rows = same ? itemCount : userCount;
        var dense = new double[same ? itemCount : itemCount + userCount][same ? itemCount : itemCount + userCount];
        for (int b = 0; b < weights.length; b++) {
            var list = new ArrayList<int[]>();
            for (int p = 0; p < pairCount; p++) {
                var pair = new int[] {random.nextInt(rows), random.nextInt(itemCount)};
                list.add(pair);
                var user = same ? pair[0] : itemCount + pair[0];
                dense[user][pair[1]] = Math.max(dense[user][pair[1]], weights[b]);
                dense[pair[1]][user] = Math.max(dense[pair[1]][user], weights[b]);
                if (same) {
                    list.add(new int[] {pair[1], pair[0]});
                }
            }
            behaviours.add(list);
        }
        var base = new float[itemCount][dimension];
        for (var row : base) {
            for (int d = 0; d < dimension; d++) {
                row[d] = (float) random.nextGaussian();
            }
        }
        var users = ReducedGraph.unite(rows,
            behaviours.stream().map(list -> pairs(list.toArray(int[][]::new))).toArray(ReducedGraph.Neighbours[]::new), weights, () -> { });
        var items = same ? users : users.reversed(itemCount, () -> { });
        var expected = slow(dense, !same, itemCount, base, layers);
        var helpers = Executors.newFixedThreadPool(3);
        try {
            var one = new ItemPropagation(items, users, dimension, Parallel.none()).run(copy(base), layers);
            var many = new ItemPropagation(items, users, dimension, new Parallel(helpers, 4, () -> { })).run(copy(base), layers);
            for (int i = 0; i < itemCount; i++) {
                assertThat(many.embedding()[i]).containsExactly(one.embedding()[i]);
                assertThat(many.context()[i]).containsExactly(one.context()[i]);
                for (int d = 0; d < dimension; d++) {
                    assertThat((double) one.embedding()[i][d]).isCloseTo(expected[0][i][d], within());
                    assertThat((double) one.context()[i][d]).isCloseTo(expected[1][i][d], within());
                }
            }
        } finally {
            helpers.shutdown();
        }
    }

    private static float[][] copy(float[][] rows) {
        return Arrays.stream(rows).map(float[]::clone).toArray(float[][]::new);
    }

    /** Enough rows that many threads take pieces. */
    @Test
    void theNumberOfThreadsChangesNoBit() {
        var random = new Random(7);
        var pairs = IntStream.range(0, 6_000).mapToObj(i -> new int[] {i % 3_000, random.nextInt(3_000)}).toList();
        var byRow = new int[3_000][];
        for (int row = 0; row < 3_000; row++) {
            byRow[row] = new int[] {pairs.get(row)[1], pairs.get(row + 3_000)[1]};
        }
        ReducedGraph.Neighbours source = (row, into, at) -> {
            if (into != null) {
                System.arraycopy(byRow[row], 0, into, at, 2);
            }
            return 2;
        };
        var users = ReducedGraph.unite(3_000, new ReducedGraph.Neighbours[] {source}, new double[] {1}, () -> { });
        var items = users.reversed(3_000, () -> { });
        var base = new float[3_000][8];
        for (var row : base) {
            for (int d = 0; d < 8; d++) {
                row[d] = random.nextFloat() - 0.5f;
            }
        }
        var helpers = Executors.newFixedThreadPool(3);
        try {
            var one = new ItemPropagation(items, users, 8, Parallel.none()).run(copy(base), 3);
            var many = new ItemPropagation(items, users, 8, new Parallel(helpers, 4, () -> { })).run(copy(base), 3);
            assertThat(many.embedding()).isDeepEqualTo(one.embedding());
            assertThat(many.context()).isDeepEqualTo(one.context());
        } finally {
            helpers.shutdown();
        }
    }
}
