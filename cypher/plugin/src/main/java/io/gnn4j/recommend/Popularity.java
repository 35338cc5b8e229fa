// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.recommend.TopK.Hits;
import java.util.Map;
import org.eclipse.collections.api.set.primitive.LongSet;
import org.eclipse.collections.impl.map.mutable.primitive.LongIntHashMap;

/** How many distinct users touched each item, for all items, also those nobody touched. */
public final class Popularity {
    private final LongIntHashMap counts = new LongIntHashMap();

    public synchronized void set(long item, int users) {
        counts.put(item, users);
    }

    public synchronized void remove(long item) {
        counts.remove(item);
    }

    /** 0 for an item that is not known. */
    public synchronized int count(long item) {
        return counts.get(item);
    }

    /** Counts in the order of {@code items}, -1 for one that is not known. */
    public synchronized int[] counts(long[] items) {
        var found = new int[items.length];
        for (int i = 0; i < items.length; i++) {
            found[i] = counts.getIfAbsent(items[i], -1);
        }
        return found;
    }

    public synchronized boolean contains(long item) {
        return counts.containsKey(item);
    }

    public synchronized int size() {
        return counts.size();
    }

    /** Bytes for so many items. */
    public static long bytes(long items) {
        return items * 32;
    }

    /**
     * The items most users touched: by count descending, then by smaller id.
     *
     * @param more items that are not in the table yet, with their counts
     */
    public synchronized Hits top(int k, LongSet excluded, Map<Long, Integer> more) {
        var best = new TopK(k);
        counts.forEachKeyValue((item, users) -> {
            if (best.accepts(users, item) && !excluded.contains(item)) {
                best.offer(users, item, 0);
            }
        });
        more.forEach((item, users) -> {
            if (!counts.containsKey(item) && !excluded.contains(item)) {
                best.offer(users, item, 0);
            }
        });
        return best.drain();
    }
}
