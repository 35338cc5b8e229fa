// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.negative;

import io.gnn4j.sample.DrawRule;
import java.util.Arrays;

/**
 * Draws nodes that a seed does not have, by the rule of docs/formats.md. A drawn number counts places among those it lacks,
 * so no draw is ever repeated or refused. For one thread.
 */
public final class NegativeDraw {
    /** Stands for "there is none". */
    public static final int NONE = -1;

    /**
     * What may be drawn, shared by threads.
     *
     * @param numbers ascending, each once
     * @param ends sums of the weights up to each, itself included; null draws all alike
     * @param vectors one for each, null where missing; null unless the nearest are wanted
     */
    public record Universe(int[] numbers, long[] ends, double[][] vectors) {
        /** @param degrees popularity: each counts by its power of 3/4, in whole numbers of 1/1024, at least one */
        public static Universe popular(int[] numbers, int[] degrees) {
            var ends = new long[numbers.length];
            long sum = 0;
            for (int i = 0; i < ends.length; i++) {
                double root = Math.sqrt(degrees[i]);
                sum += Math.max(1, (long) Math.rint(root * Math.sqrt(root) * 1024));
                ends[i] = sum;
            }
            return new Universe(numbers, ends, null);
        }

        long weight(int place) {
            return ends[place] - (place == 0 ? 0 : ends[place - 1]);
        }
    }

    private final Universe universe;
    private int[] taken = new int[64];
    private long[] mass = new long[64];
    private int size;

    public NegativeDraw(Universe universe) {
        this.universe = universe;
    }

    /** Who is drawn for: {@code own} are numbers, ascending, each once, {@code count} of them. */
    public void start(int[] own, int count) {
        if (taken.length < count) {
            taken = new int[count];
            mass = new long[count];
        }
        size = 0;
        for (int i = 0; i < count; i++) {
            int place = Arrays.binarySearch(universe.numbers(), own[i]);
            if (place >= 0) {
                taken[size++] = place;
            }
        }
    }

    /** Fills {@code into} from {@code at} with the draws {@code first}, {@code first} + 1, …: numbers, or {@link #NONE}. */
    public void draw(long prefix, long first, int[] into, int at, int count) {
        int room = universe.numbers().length - size;
        if (room == 0) {
            Arrays.fill(into, at, at + count, NONE);
        } else if (universe.ends() == null) {
            for (int i = 0; i < count; i++) {
                long place = Math.unsignedMultiplyHigh(DrawRule.chain(prefix, first + i), room);
                into[at + i] = universe.numbers()[lacking((int) place)];
            }
        } else {
            byWeight(prefix, first, into, at, count);
        }
    }

    /** The place of the k-th of those that are not taken. */
    private int lacking(int k) {
        int low = 0;
        int high = size;
        while (low < high) {
            int middle = low + high >>> 1;
            if (taken[middle] - middle <= k) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return k + low;
    }

    private void byWeight(long prefix, long first, int[] into, int at, int count) {
        long gone = 0;
        for (int i = 0; i < size; i++) {
            long weight = universe.weight(taken[i]);
            mass[i] = universe.ends()[taken[i]] - weight - gone;
            gone += weight;
        }
        long free = universe.ends()[universe.ends().length - 1] - gone;
        for (int i = 0; i < count; i++) {
            long place = Math.unsignedMultiplyHigh(DrawRule.chain(prefix, first + i), free);
            int low = 0;
            int high = size;
            while (low < high) {
                int middle = low + high >>> 1;
                if (mass[middle] <= place) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            // The weight of all that is taken below the place.
            long before = low == 0 ? 0 : universe.ends()[taken[low - 1]] - mass[low - 1];
            int end = Arrays.binarySearch(universe.ends(), place + before);
            into[at + i] = universe.numbers()[end >= 0 ? end + 1 : -end - 1];
        }
    }

    /**
     * Draws among the {@code pool} nearest that are not taken, after {@code skip}, without replacement; nearest by dot
     * product, summed in ascending dimension, ties to the smaller number. The rest is {@link #NONE}.
     */
    public void nearest(double[] vector, int pool, int skip, long prefix, long first, int[] into, int at, int count) {
        Arrays.fill(into, at, at + count, NONE);
        if (vector == null) {
            return;
        }
        int most = (int) Math.min((long) pool + skip, universe.numbers().length);
        var places = new int[most];
        var scores = new double[most];
        int found = 0;
        int next = 0;
        for (int place = 0; place < universe.numbers().length; place++) {
            if (next < size && taken[next] == place) {
                next++;
                continue;
            }
            var other = universe.vectors()[place];
            if (other == null) {
                continue;
            }
            double score = 0;
            for (int d = 0; d < vector.length; d++) {
                score += vector[d] * other[d];
            }
            if (found == most && !(score > scores[found - 1])) {
                continue;
            }
            // Later places lose a tie, so each goes behind its equals.
            int low = 0;
            int high = found;
            while (low < high) {
                int middle = low + high >>> 1;
                if (scores[middle] >= score) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            int moved = Math.min(found, most - 1) - low;
            System.arraycopy(scores, low, scores, low + 1, moved);
            System.arraycopy(places, low, places, low + 1, moved);
            scores[low] = score;
            places[low] = place;
            found = Math.min(found + 1, most);
        }
        int left = Math.max(0, found - skip);
        int drawn = Math.min(count, left);
        for (int i = 0; i < drawn; i++) {
            int last = left - drawn + i;
            int position = left == drawn ? i : (int) Math.unsignedMultiplyHigh(DrawRule.chain(prefix, first + i), last + 1);
            int number = universe.numbers()[places[skip + position]];
            for (int j = 0; j < i; j++) {
                if (into[at + j] == number) {
                    number = universe.numbers()[places[skip + last]];
                    break;
                }
            }
            into[at + i] = number;
        }
    }
}
