// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** What orders and numbers, against the library's own sorts and sets. */
class OrderTest {
    @Property(tries = 60, seed = "1")
    void keysAreSortedByDigits(@ForAll @IntRange(max = 6000) int count, @ForAll @IntRange(min = 1, max = 62) int bits, @ForAll long seed) {
        var random = new Random(seed);
        var keys = random.longs(count + 5).map(key -> key >>> 64 - bits).toArray();
        var expected = Arrays.copyOf(keys, count);
        Arrays.sort(expected);
        RadixSort.sort(keys, count, new long[0], 0);
        assertThat(Arrays.copyOf(keys, count)).isEqualTo(expected);
    }

    @Property(tries = 100, seed = "1")
    void listsAreSortedByTimeNewestFirstAndStay(@ForAll @IntRange(max = 300) int count, @ForAll long seed) {
        var random = new Random(seed);
        var times = random.longs(count + 6, 0, 20).toArray();
        var senders = IntStream.range(0, count + 6).toArray();
        var values = Arrays.stream(times).asDoubleStream().toArray();
        var given = times.clone();
        var expected = IntStream.range(3, count + 3).boxed().sorted(Comparator.comparingLong(i -> -given[i])).mapToInt(i -> i).toArray();
        new TimeOrder().sort(3, count + 3, times, senders, new double[][] {values});
        assertThat(Arrays.copyOfRange(senders, 3, count + 3)).isEqualTo(expected);
        assertThat(IntStream.range(0, count + 6).allMatch(i -> times[i] == given[senders[i]] && values[i] == times[i])).isTrue();
        assertThat(senders[2]).isEqualTo(2);
    }

    @Property(tries = 100, seed = "1")
    void frontiersNumberWhatIsNewByHopThenId(
            @ForAll @IntRange(min = 1, max = 5000) int nodes, @ForAll long seed, @ForAll boolean bits, @ForAll boolean grouped) {
        var source = new Ascending(nodes);
        var frontier = bits && !grouped ? new BitFrontier(nodes) : new KeyFrontier(source, 0, grouped);
        var random = new Random(seed);
        for (int round = 0; round < 2; round++) {
            var known = new java.util.ArrayList<Long>();
            for (int hop = 0; hop < 3; hop++) {
                var fresh = new TreeSet<Long>();
                for (int i = 0; i < random.nextInt(3 * nodes / 2 + 1); i++) {
                    int number = random.nextInt(nodes);
                    int group = grouped ? random.nextInt(3) : 0;
                    frontier.add(number, group);
                    long key = (long) number << 32 | group;
                    if (!known.contains(key)) {
                        fresh.add(key);
                    }
                }
                frontier.close();
                known.addAll(fresh);
                assertThat(frontier.numbers).isEqualTo(fresh.stream().mapToInt(key -> (int) (key >> 32)).toArray());
                for (int place = 0; place < known.size(); place += 1 + known.size() / 50) {
                    long key = known.get(place);
                    assertThat(frontier.position((int) (key >> 32), (int) key)).isEqualTo(place);
                }
                if (known.size() > 800) {
                    break;
                }
            }
            frontier.clear();
        }
    }

    /** Nodes 0, 1, … whose ids are their numbers. */
    private record Ascending(int nodes) implements NeighbourSource {
        @Override
        public int number(int type, long nodeId) {
            return (int) nodeId;
        }

        @Override
        public long nodeId(int type, int number) {
            return number;
        }

        @Override
        public int count(int type) {
            return nodes;
        }

        @Override
        public boolean isOrdered() {
            return true;
        }

        @Override
        public NeighbourList neighbours(int relation) {
            throw new UnsupportedOperationException();
        }
    }
}
