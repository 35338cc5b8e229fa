// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.stream.IntStream;

/**
 * Whom a node interacted with, each neighbour once: parallel relationships reduced to the largest weight and latest time.
 *
 * @param ids the distinct neighbours; their number is the degree
 * @param weights above 0
 * @param times epoch milliseconds, {@link #NO_TIME} where there is none; null where times were not read
 * @param truncated whether relationships were left unread
 */
public record Interactions(long[] ids, double[] weights, long[] times, boolean truncated) {
    public static final long NO_TIME = Long.MIN_VALUE;

    public static Interactions none() {
        return new Interactions(new long[0], new double[0], new long[0], false);
    }

    /** Items without a relationship of their own, the last one the newest. */
    public static Interactions of(long[] ids, double weight) {
        var distinct = LongOrder.distinctKeepingLast(ids);
        var weights = new double[distinct.length];
        Arrays.fill(weights, weight);
        return new Interactions(distinct, weights, IntStream.range(0, distinct.length).asLongStream().toArray(), false);
    }

    /**
     * With further items, all newer than what is here, also where no times were read; one that is here already keeps the larger
     * weight, and is as new as the others.
     */
    public Interactions and(long[] more, double weight) {
        if (more.length == 0) {
            return this;
        }
        var entries = new HashMap<Long, Integer>();
        for (int i = 0; i < ids.length; i++) {
            entries.put(ids[i], i);
        }
        var newest = LongOrder.distinctKeepingLast(more);
        var all = Arrays.copyOf(ids, ids.length + newest.length);
        var allWeights = Arrays.copyOf(weights, all.length);
        var allTimes = new long[all.length];
        Arrays.fill(allTimes, NO_TIME);
        if (times != null) {
            System.arraycopy(times, 0, allTimes, 0, ids.length);
        }
        var size = ids.length;
        for (int i = 0; i < newest.length; i++) {
            var known = entries.get(newest[i]);
            var at = known == null ? size++ : known;
            all[at] = newest[i];
            allWeights[at] = known == null ? weight : Math.max(allWeights[at], weight);
            allTimes[at] = Long.MAX_VALUE - newest.length + i;
        }
        return new Interactions(
            Arrays.copyOf(all, size), Arrays.copyOf(allWeights, size), Arrays.copyOf(allTimes, size), truncated);
    }

    public int degree() {
        return ids.length;
    }

    /** The newest {@code limit}: by time descending, then by smaller id. */
    public Interactions newest(int limit) {
        return ids.length <= limit ? this : ordered(limit);
    }

    /** All of them, newest first, then by smaller id. */
    public Interactions newestFirst() {
        return ordered(ids.length);
    }

    private Interactions ordered(int limit) {
        var order = IntStream.range(0, ids.length).boxed()
            .sorted(Comparator.comparingLong((Integer i) -> times == null ? NO_TIME : times[i]).reversed()
                .thenComparingLong(i -> ids[i]))
            .mapToInt(Integer::intValue).limit(limit).toArray();
        return new Interactions(
            Arrays.stream(order).mapToLong(i -> ids[i]).toArray(),
            Arrays.stream(order).mapToDouble(i -> weights[i]).toArray(),
            times == null ? null : Arrays.stream(order).mapToLong(i -> times[i]).toArray(),
            truncated);
    }
}
