// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.Arrays;

/**
 * The best {@code capacity} of the entries offered: by score descending, then by smaller id. Ids are unique.
 *
 * <p>A binary heap with the worst kept entry on top; it grows as it fills, so a large capacity costs nothing by itself.
 */
public final class TopK {
    private final int capacity;
    private double[] scores;
    private long[] ids;
    private int[] rows;
    private int size;

    /** @param capacity at least 1 */
    public TopK(int capacity) {
        this.capacity = capacity;
        var start = Math.min(capacity, 128);
        scores = new double[start];
        ids = new long[start];
        rows = new int[start];
    }

    /** Whether an entry would be kept; NaN never is. */
    public boolean accepts(double score, long id) {
        return size < capacity ? score == score : score > scores[0] || (score == scores[0] && id < ids[0]);
    }

    /** What a score must reach to have a chance: minus infinity while there is room. */
    public double threshold() {
        return size < capacity ? Double.NEGATIVE_INFINITY : scores[0];
    }

    /** @param row carried along untouched */
    public void offer(double score, long id, int row) {
        if (!accepts(score, id)) {
            return;
        }
        if (size < capacity) {
            grow();
            siftUp(size++, score, id, row);
        } else {
            siftDown(score, id, row);
        }
    }

    public void offerAll(TopK other) {
        for (int i = 0; i < other.size; i++) {
            offer(other.scores[i], other.ids[i], other.rows[i]);
        }
    }

    public int size() {
        return size;
    }

    public boolean isFull() {
        return size == capacity;
    }

    /** Empties the heap into a list in order, best first. */
    public Hits drain() {
        var hits = new Hits(new double[size], new long[size], new int[size]);
        while (size > 0) {
            var last = --size;
            hits.scores()[last] = scores[0];
            hits.ids()[last] = ids[0];
            hits.rows()[last] = rows[0];
            if (last > 0) {
                siftDown(scores[last], ids[last], rows[last]);
            }
        }
        return hits;
    }

    /** Entries in order, best first; the three arrays have the same length. */
    public record Hits(double[] scores, long[] ids, int[] rows) {
        public int size() {
            return ids.length;
        }
    }

    private static boolean worse(double score, long id, double otherScore, long otherId) {
        return score < otherScore || (score == otherScore && id > otherId);
    }

    private void grow() {
        if (size == ids.length) {
            var length = (int) Math.min(capacity, size * 2L);
            scores = Arrays.copyOf(scores, length);
            ids = Arrays.copyOf(ids, length);
            rows = Arrays.copyOf(rows, length);
        }
    }

    private void siftUp(int at, double score, long id, int row) {
        while (at > 0) {
            var parent = (at - 1) >>> 1;
            if (!worse(score, id, scores[parent], ids[parent])) {
                break;
            }
            move(parent, at);
            at = parent;
        }
        put(at, score, id, row);
    }

    private void siftDown(double score, long id, int row) {
        var at = 0;
        while (true) {
            var child = 2 * at + 1;
            if (child >= size) {
                break;
            }
            if (child + 1 < size && worse(scores[child + 1], ids[child + 1], scores[child], ids[child])) {
                child++;
            }
            if (!worse(scores[child], ids[child], score, id)) {
                break;
            }
            move(child, at);
            at = child;
        }
        put(at, score, id, row);
    }

    private void move(int from, int to) {
        scores[to] = scores[from];
        ids[to] = ids[from];
        rows[to] = rows[from];
    }

    private void put(int at, double score, long id, int row) {
        scores[at] = score;
        ids[at] = id;
        rows[at] = row;
    }
}
