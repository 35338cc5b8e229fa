// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import java.util.Arrays;

/** Sorts one neighbour list with its property values; keeps its scratch space between lists. For one thread. */
public final class NeighbourOrder {
    private long[] keys = new long[0];
    private int[] permutation = new int[0];
    private double[] gathered = new double[0];

    /**
     * Sorts in place by target, parallel relationships by their values.
     *
     * @param sorted whether the targets are known to be ascending
     */
    public void sort(int[] targets, double[][] properties, int count, boolean sorted) {
        if (properties.length == 0) {
            if (!sorted) {
                Arrays.sort(targets, 0, count);
            }
            return;
        }
        if (sorted && !hasParallel(targets, count)) {
            return;
        }
        grow(count);
        for (int i = 0; i < count; i++) {
            keys[i] = (long) targets[i] << 32 | i;
        }
        if (!sorted) {
            Arrays.sort(keys, 0, count);
        }
        for (int i = 0; i < count; i++) {
            targets[i] = (int) (keys[i] >> 32);
            permutation[i] = (int) keys[i];
        }
        for (int from = 0; from < count; ) {
            int to = from + 1;
            while (to < count && targets[to] == targets[from]) {
                to++;
            }
            if (to - from > 1) {
                orderByValues(from, to, properties);
            }
            from = to;
        }
        for (var column : properties) {
            for (int i = 0; i < count; i++) {
                gathered[i] = column[permutation[i]];
            }
            System.arraycopy(gathered, 0, column, 0, count);
        }
    }

    private static boolean hasParallel(int[] targets, int count) {
        for (int i = 1; i < count; i++) {
            if (targets[i] == targets[i - 1]) {
                return true;
            }
        }
        return false;
    }

    private void orderByValues(int from, int to, double[][] properties) {
        var boxed = new Integer[to - from];
        for (int i = from; i < to; i++) {
            boxed[i - from] = permutation[i];
        }
        Arrays.sort(boxed, (left, right) -> {
            for (var column : properties) {
                int order = Double.compare(column[left], column[right]);
                if (order != 0) {
                    return order;
                }
            }
            return 0;
        });
        for (int i = from; i < to; i++) {
            permutation[i] = boxed[i - from];
        }
    }

    private void grow(int count) {
        if (keys.length < count) {
            int capacity = Math.max(count, Math.min(Integer.MAX_VALUE - 8, keys.length * 2));
            keys = new long[capacity];
            permutation = new int[capacity];
            gathered = new double[capacity];
        }
    }
}
