// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/** The arithmetic against values computed with other means, the draws against exact probabilities. */
class DrawTest {
    private static final int DRAWS = 60_000;
    /** Chi-squared at 1 - 1e-6 for 4, 9 and 19 degrees of freedom (scipy.stats.chi2.ppf). */
    private static final double LIMIT_4 = 33.38;
    private static final double LIMIT_9 = 44.81;
    private static final double LIMIT_19 = 63.67;

    private static final class Fixed extends NeighbourList {
        Fixed(int degree, double[] listWeights, long[] listTimes) {
            senders = IntStream.range(0, degree).toArray();
            weights = listWeights;
            times = listTimes;
            to = degree;
        }

        @Override
        protected void read(int receiver) {
            // one list for all
        }
    }

    private static SamplePlan plan(boolean replace, String weight, String time, int last) {
        var relation = new SampledRelation("A", "R", "A", false, List.of(3));
        return new SamplePlan(List.of("A"), List.of(relation), 1, 11, replace, weight, time, last, List.of());
    }

    private static int[] draw(Draw draw, Fixed list, long receiver, int fanOut) {
        int count = draw.from(list, receiver, false, 0, 1, 0, fanOut);
        return Arrays.copyOf(draw.picked, count);
    }

    private static double chiSquared(long[] found, double[] expected) {
        double sum = 0;
        for (int i = 0; i < found.length; i++) {
            sum += (found[i] - expected[i]) * (found[i] - expected[i]) / expected[i];
        }
        return sum;
    }

    /** SplitMix64 seeded with 0 gives these numbers first; the chain with zeros is that generator, step by step. */
    @Test
    void oneStepOfTheChainIsSplitMix64() {
        assertThat(DrawRule.chain(0, 0)).isEqualTo(0xE220A8397B1DCDAFL);
        assertThat(DrawRule.chain(0x9E3779B97F4A7C15L, 0)).isEqualTo(0x6E789E6AA1B965F4L);
        assertThat(DrawRule.chain(0, 0x9E3779B97F4A7C15L)).isEqualTo(0x6E789E6AA1B965F4L);
    }

    @Property(tries = 2000, seed = "1")
    void belowTakesTheHighBitsOfTheProduct(@ForAll long hash, @ForAll @IntRange(min = 1) int bound) {
        long expected = ((hash >>> 32) * bound + ((hash & 0xFFFFFFFFL) * bound >>> 32)) >>> 32;
        assertThat(DrawRule.below(hash, bound)).isEqualTo((int) expected).isBetween(0, bound - 1);
    }

    @Property(tries = 2000, seed = "1")
    void ourLogarithmIsTheLogarithm(@ForAll @DoubleRange(min = 0, max = 1, minIncluded = false) double x) {
        assertThat(DrawRule.ln(x)).isCloseTo(Math.log(x), org.assertj.core.data.Percentage.withPercentage(1e-11));
        assertThat(DrawRule.ln(0x1p-53)).isCloseTo(-53 * Math.log(2), org.assertj.core.data.Offset.offset(1e-13));
        assertThat(DrawRule.ln(1)).isZero();
    }

    @Property(tries = 500, seed = "1")
    void withoutReplacementNothingIsDrawnTwice(
            @ForAll @IntRange(min = 1, max = 400) int degree, @ForAll @IntRange(min = 1, max = 60) int fanOut, @ForAll long receiver,
            @ForAll boolean weighted) {
        var weights = weighted ? IntStream.range(0, degree).mapToDouble(i -> 1 + i % 3).toArray() : null;
        var drawn = draw(new Draw(plan(false, weighted ? "w" : null, null, 0)), new Fixed(degree, weights, null), receiver, fanOut);
        assertThat(drawn).hasSize(Math.min(degree, fanOut)).doesNotHaveDuplicates();
        assertThat(Arrays.stream(drawn).allMatch(p -> p >= 0 && p < degree)).isTrue();
        if (degree <= fanOut) {
            assertThat(drawn).isEqualTo(IntStream.range(0, degree).toArray());
        }
    }

    @Test
    void uniformDrawsWithReplacementAreUniformAtEveryPlace() {
        var draw = new Draw(plan(true, null, null, 0));
        var list = new Fixed(10, null, null);
        var found = new long[3][10];
        for (int receiver = 0; receiver < DRAWS; receiver++) {
            var drawn = draw(draw, list, receiver, 3);
            for (int i = 0; i < 3; i++) {
                found[i][drawn[i]]++;
            }
        }
        var expected = new double[10];
        Arrays.fill(expected, DRAWS / 10.0);
        for (var place : found) {
            assertThat(chiSquared(place, expected)).isLessThan(LIMIT_9);
        }
    }

    @Test
    void everySubsetIsAsLikelyAsTheOthersWithoutReplacement() {
        var draw = new Draw(plan(false, null, null, 0));
        var list = new Fixed(6, null, null);
        var found = new long[64];
        for (int receiver = 0; receiver < DRAWS; receiver++) {
            found[Arrays.stream(draw(draw, list, receiver, 3)).map(p -> 1 << p).sum()]++;
        }
        var subsets = IntStream.range(0, 64).filter(set -> Integer.bitCount(set) == 3).toArray();
        var counted = Arrays.stream(subsets).mapToLong(set -> found[set]).toArray();
        var expected = new double[20];
        Arrays.fill(expected, DRAWS / 20.0);
        assertThat(Arrays.stream(counted).sum()).isEqualTo(DRAWS);
        assertThat(chiSquared(counted, expected)).isLessThan(LIMIT_19);
    }

    @Test
    void weightedDrawsWithReplacementFollowTheWeights() {
        var weights = new double[] {1, 2, 0.5, 4, 2.5};
        var draw = new Draw(plan(true, "w", null, 0));
        var list = new Fixed(5, weights, null);
        var found = new long[5];
        for (int receiver = 0; receiver < DRAWS; receiver++) {
            for (int position : draw(draw, list, receiver, 2)) {
                found[position]++;
            }
        }
        assertThat(chiSquared(found, Arrays.stream(weights).map(w -> 2 * DRAWS * w / 10).toArray())).isLessThan(LIMIT_4);
    }

    /** P(first a, then b) = w(a) / W * w(b) / (W - w(a)): all ordered pairs of five. */
    @Test
    void weightedDrawsWithoutReplacementTakeOneAfterTheOther() {
        var weights = new double[] {1, 2, 0.5, 4, 2.5};
        var draw = new Draw(plan(false, "w", null, 0));
        var list = new Fixed(5, weights, null);
        var found = new long[25];
        for (int receiver = 0; receiver < DRAWS; receiver++) {
            var drawn = draw(draw, list, receiver, 2);
            found[drawn[0] * 5 + drawn[1]]++;
        }
        var pairs = IntStream.range(0, 25).filter(pair -> pair / 5 != pair % 5).toArray();
        var counted = Arrays.stream(pairs).mapToLong(pair -> found[pair]).toArray();
        var expected = Arrays.stream(pairs)
            .mapToDouble(pair -> DRAWS * weights[pair / 5] / 10 * weights[pair % 5] / (10 - weights[pair / 5])).toArray();
        assertThat(Arrays.stream(counted).sum()).isEqualTo(DRAWS);
        assertThat(chiSquared(counted, expected)).isLessThan(LIMIT_19);
    }

    /** Hops, relations and nodes that are neighbours in number draw independently: pairs of draws fill a table evenly. */
    @Test
    void drawsOfDifferentHopsRelationsAndNodesAreIndependent() {
        var draw = new Draw(plan(true, null, null, 0));
        var list = new Fixed(5, null, null);
        var tables = new long[3][25];
        for (int node = 0; node < DRAWS; node++) {
            draw.from(list, node, false, 0, 1, 0, 1);
            int own = draw.picked[0];
            draw.from(list, node, false, 0, 2, 0, 1);
            tables[0][own * 5 + draw.picked[0]]++;
            draw.from(list, node, false, 0, 1, 1, 1);
            tables[1][own * 5 + draw.picked[0]]++;
            draw.from(list, node + 1, false, 0, 1, 0, 1);
            tables[2][own * 5 + draw.picked[0]]++;
        }
        var expected = new double[25];
        Arrays.fill(expected, DRAWS / 25.0);
        for (var table : tables) {
            // 24 degrees of freedom at 1 - 1e-6
            assertThat(chiSquared(table, expected)).isLessThan(72.2);
        }
    }

    /** Times 9 9 7 5 5 and one missing, newest first: before 7 leaves 5 5 and the missing one; the last 2 of those are the fives. */
    @Test
    void onlyOlderOnesAreLeftAndOfThoseTheNewest() {
        var list = new Fixed(6, null, new long[] {9, 9, 7, 5, 5, RelationLists.NO_TIME});
        var all = new Draw(plan(false, null, "at", 0));
        assertThat(all.from(list, 1, true, 7, 1, 0, 10)).isEqualTo(3);
        assertThat(Arrays.copyOf(all.picked, 3)).containsExactly(3, 4, 5);
        var newest = new Draw(plan(false, null, "at", 2));
        assertThat(newest.from(list, 1, true, 7, 1, 0, 10)).isEqualTo(2);
        assertThat(Arrays.copyOf(newest.picked, 2)).containsExactly(3, 4);
        assertThat(newest.degree).isEqualTo(3);
        assertThat(newest.from(list, 1, true, 1, 1, 0, 10)).isEqualTo(1);
        assertThat(newest.from(list, 1, true, Long.MIN_VALUE, 1, 0, 10)).isZero();
        assertThat(newest.from(list, 1, false, 0, 1, 0, 10)).isEqualTo(2);
    }
}
