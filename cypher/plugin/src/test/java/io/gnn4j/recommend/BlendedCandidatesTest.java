// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import static org.assertj.core.api.Assertions.assertThat;

import io.gnn4j.recommend.Blend.Scale;
import io.gnn4j.recommend.Blend.Source;
import io.gnn4j.recommend.Candidates.Candidate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.eclipse.collections.impl.map.mutable.primitive.LongDoubleHashMap;
import org.junit.jupiter.api.Test;

class BlendedCandidatesTest {
    /** Scores of some items, given in order; counts how far the list was read. */
    private static final class Listed implements RankedSource {
        private final LongDoubleHashMap scores;
        private int read;

        Listed(LongDoubleHashMap scores) {
            this.scores = scores;
        }

        @Override
        public Candidates list() {
            var rows = new ArrayList<Candidate>();
            scores.forEachKeyValue((id, score) -> rows.add(new Candidate(id, score, Map.of(), "")));
            rows.sort(Comparator.comparingDouble(Candidate::score).reversed().thenComparingLong(Candidate::id));
            var left = rows.iterator();
            return () -> {
                read++;
                return left.hasNext() ? left.next() : null;
            };
        }

        @Override
        public double score(long id) {
            return scores.getIfAbsent(id, Double.NaN);
        }

        @Override
        public double best() {
            return scores.isEmpty() ? 0 : scores.max();
        }
    }

    private static LongDoubleHashMap scores(Random random, int items, double share, boolean signed) {
        var scores = new LongDoubleHashMap();
        for (long id = 0; id < items; id++) {
            if (random.nextDouble() < share) {
                // Few different values, so that ties are the rule.
                scores.put(id, random.nextInt(12) - (signed ? 6 : 0));
            }
        }
        return scores;
    }

    private static double part(Source source, LongDoubleHashMap scores, long id) {
        if (source.name().equals("vector") && !scores.containsKey(id)) {
            return 0;
        }
        var divisor = source.scale() == Scale.NONE ? 1 : Math.abs(scores.isEmpty() ? 0 : scores.max());
        if (divisor == 0) {
            return 0;
        }
        var share = scores.get(id) / divisor;
        return source.weight() * (source.scale() == Scale.LOG ? Math.log(share + source.floor()) : share);
    }

    @Test
    void theOrderIsThatOfAddingUpAllScoresOfAllItems() {
        for (int seed = 0; seed < 300; seed++) {
            var random = new Random(seed);
            var items = 1 + random.nextInt(60);
            var blend = new Blend(List.of(
                new Source("vector", 1 + random.nextInt(3), random.nextBoolean() ? Scale.MAX : Scale.NONE, 1),
                new Source("walk", 0.5, random.nextBoolean() ? Scale.LOG : Scale.MAX, 0.01),
                new Source("popularity", random.nextBoolean() ? 1 : -1, Scale.values()[random.nextInt(2) * 2], 0.1)), null, List.of());
            var all = Map.of("vector", scores(random, items, 0.7, true), "walk", scores(random, items, 0.5, false),
                "popularity", scores(random, items, 1, false));
            var sources = Map.<String, RankedSource>of("vector", new Listed(all.get("vector")), "walk", new Listed(all.get("walk")),
                "popularity", new Listed(all.get("popularity")));
            var expected = new ArrayList<Candidate>();
            for (long id = 0; id < items; id++) {
                var sum = 0.0;
                var listed = false;
                for (var source : blend.sources()) {
                    sum += part(source, all.get(source.name()), id);
                    listed |= source.weight() > 0 && all.get(source.name()).containsKey(id);
                }
                if (listed) {
                    expected.add(new Candidate(id, sum, Map.of(), ""));
                }
            }
            expected.sort(Comparator.comparingDouble(Candidate::score).reversed().thenComparingLong(Candidate::id));
            var blended = new BlendedCandidates(blend, sources, null, null, () -> 0);
            for (var row : expected) {
                var found = blended.next();
                assertThat(found.id()).as("seed %d", seed).isEqualTo(row.id());
                assertThat(found.score()).isEqualTo(row.score());
            }
            assertThat(blended.next()).isNull();
        }
    }

    @Test
    void aFewOfManyAreFoundWithoutReadingTheListsToTheirEnds() {
        var random = new Random(1);
        var one = new LongDoubleHashMap();
        var two = new LongDoubleHashMap();
        for (long id = 0; id < 100_000; id++) {
            one.put(id, random.nextDouble());
            two.put(id, random.nextDouble());
        }
        var vector = new Listed(one);
        var walk = new Listed(two);
        var blend = new Blend(
            List.of(new Source("vector", 1, Scale.MAX, 1), new Source("walk", 1, Scale.MAX, 1)), null, List.of());
        var blended = new BlendedCandidates(blend, Map.of("vector", vector, "walk", walk), null, null, () -> 0);
        for (int i = 0; i < 10; i++) {
            blended.next();
        }
        assertThat(vector.read).isLessThan(5_000);
        assertThat(walk.read).isLessThan(5_000);
    }
}
