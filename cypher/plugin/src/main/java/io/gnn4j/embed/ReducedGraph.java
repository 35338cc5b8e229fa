// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import java.util.Arrays;

/**
 * Weighted neighbour lists without parallel entries: the neighbours of row i are {@code targets[offsets[i] ..
 * offsets[i + 1])}, ascending; so the length of a list is the degree.
 *
 * @param offsets one more than there are rows
 * @param weights as long as {@code targets}
 */
public record ReducedGraph(int[] offsets, int[] targets, float[] weights) {
    private static final int LONGEST_ARRAY = Integer.MAX_VALUE - 8;
    private static final int GUARD_EVERY = 1 << 12;

    public int rows() {
        return offsets.length - 1;
    }

    public int degree(int row) {
        return offsets[row + 1] - offsets[row];
    }

    /** One source of relationships: rows as in the graph that is built, parallel targets allowed, one weight for all. */
    public interface Neighbours {
        /** @return how many targets the row has; they are written to {@code into[at …]} when that is not null */
        int read(int row, int[] into, int at);
    }

    /**
     * Unites several sources; where a pair is found more than once the largest weight counts.
     *
     * @param weights one for each source
     * @param guard called often; throws to end the work
     * @throws IllegalStateException when there are more than 2^31 - 9 relationships
     */
    public static ReducedGraph unite(int rows, Neighbours[] sources, double[] weights, Runnable guard) {
        var total = 0L;
        var longest = 0L;
        for (int row = 0; row < rows; row++) {
            var length = 0L;
            for (var source : sources) {
                length += source.read(row, null, 0);
            }
            total += length;
            longest = Math.max(longest, length);
        }
        if (total > LONGEST_ARRAY) {
            throw new IllegalStateException("The relationships of the task are " + total + "; at most " + LONGEST_ARRAY
                + " can be propagated over at once. Project a subset.");
        }
        var offsets = new int[rows + 1];
        var targets = new int[(int) total];
        var reduced = new float[(int) total];
        var found = new int[(int) longest];
        var keys = new long[(int) longest];
        var at = 0;
        for (int row = 0; row < rows; row++) {
            if (row % GUARD_EVERY == 0) {
                guard.run();
            }
            var count = 0;
            for (int s = 0; s < sources.length; s++) {
                var more = sources[s].read(row, found, count);
                for (int i = count; i < count + more; i++) {
                    keys[i] = (long) found[i] << 32 | s;
                }
                count += more;
            }
            Arrays.sort(keys, 0, count);
            for (int i = 0; i < count; i++) {
                var target = (int) (keys[i] >> 32);
                var weight = (float) weights[(int) keys[i]];
                if (at > offsets[row] && targets[at - 1] == target) {
                    reduced[at - 1] = Math.max(reduced[at - 1], weight);
                } else {
                    targets[at] = target;
                    reduced[at++] = weight;
                }
            }
            offsets[row + 1] = at;
        }
        return new ReducedGraph(offsets, at == total ? targets : Arrays.copyOf(targets, at),
            at == total ? reduced : Arrays.copyOf(reduced, at));
    }

    /** The same pairs seen from the other side, ascending again. */
    public ReducedGraph reversed(int targetCount, Runnable guard) {
        var reversedOffsets = new int[targetCount + 1];
        for (int target : targets) {
            reversedOffsets[target + 1]++;
        }
        for (int target = 0; target < targetCount; target++) {
            reversedOffsets[target + 1] += reversedOffsets[target];
        }
        var cursor = reversedOffsets.clone();
        var sources = new int[targets.length];
        var values = new float[targets.length];
        for (int row = 0; row < rows(); row++) {
            if (row % GUARD_EVERY == 0) {
                guard.run();
            }
            for (int position = offsets[row]; position < offsets[row + 1]; position++) {
                var place = cursor[targets[position]]++;
                sources[place] = row;
                values[place] = weights[position];
            }
        }
        return new ReducedGraph(reversedOffsets, sources, values);
    }

    /** Bytes of a graph with so many rows and entries. */
    public static long bytes(long rows, long entries) {
        return 4 * (rows + 1) + 8 * entries;
    }
}
