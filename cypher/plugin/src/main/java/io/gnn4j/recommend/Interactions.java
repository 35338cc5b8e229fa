// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
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

    /** With further items, all newer than what is here; one that is here already keeps the larger weight. */
    public Interactions and(long[] more, double weight) {
        if (more.length == 0) {
            return this;
        }
        var entries = new LinkedHashMap<Long, Integer>();
        for (int i = 0; i < ids.length; i++) {
            entries.put(ids[i], i);
        }
        var added = Arrays.stream(LongOrder.distinctKeepingLast(more)).filter(id -> !entries.containsKey(id)).toArray();
        var all = Arrays.copyOf(ids, ids.length + added.length);
        var allWeights = Arrays.copyOf(weights, all.length);
        var allTimes = times == null ? null : Arrays.copyOf(times, all.length);
        for (int i = 0; i < added.length; i++) {
            all[ids.length + i] = added[i];
            allWeights[ids.length + i] = weight;
            if (allTimes != null) {
                allTimes[ids.length + i] = Long.MAX_VALUE - added.length + i;
            }
        }
        for (var id : more) {
            var known = entries.get(id);
            if (known != null) {
                allWeights[known] = Math.max(allWeights[known], weight);
            }
        }
        return new Interactions(all, allWeights, allTimes, truncated);
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
