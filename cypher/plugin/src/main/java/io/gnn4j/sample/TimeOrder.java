// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

/** Sorts stretches of lists by descending time, keeping the order of equal times (a merge sort of positions). For one thread. */
public final class TimeOrder {
    private static final int SHORT = 16;

    private int[] positions = new int[0];
    private int[] merged = new int[0];
    private long[] longs = new long[0];
    private double[] doubles = new double[0];

    /** Sorts {@code [from, to)} of all the arrays alike. */
    public void sort(int from, int to, long[] times, int[] senders, double[][] columns) {
        int count = to - from;
        if (isSorted(from, to, times)) {
            return;
        }
        if (positions.length < count) {
            int room = Math.max(count, (int) Math.min(Integer.MAX_VALUE - 8, 2L * positions.length));
            positions = new int[room];
            merged = new int[room];
            longs = new long[room];
            doubles = new double[room];
        }
        for (int i = 0; i < count; i++) {
            positions[i] = from + i;
        }
        sort(0, count, times);
        for (int i = 0; i < count; i++) {
            longs[i] = times[positions[i]];
            merged[i] = senders[positions[i]];
        }
        System.arraycopy(longs, 0, times, from, count);
        System.arraycopy(merged, 0, senders, from, count);
        for (var column : columns) {
            for (int i = 0; i < count; i++) {
                doubles[i] = column[positions[i]];
            }
            System.arraycopy(doubles, 0, column, from, count);
        }
    }

    private static boolean isSorted(int from, int to, long[] times) {
        for (int i = from + 1; i < to; i++) {
            if (times[i] > times[i - 1]) {
                return false;
            }
        }
        return true;
    }

    private void sort(int from, int to, long[] times) {
        if (to - from <= SHORT) {
            for (int i = from + 1; i < to; i++) {
                int position = positions[i];
                int j = i;
                while (j > from && times[positions[j - 1]] < times[position]) {
                    positions[j] = positions[j - 1];
                    j--;
                }
                positions[j] = position;
            }
            return;
        }
        int middle = from + to >>> 1;
        sort(from, middle, times);
        sort(middle, to, times);
        if (times[positions[middle - 1]] >= times[positions[middle]]) {
            return;
        }
        System.arraycopy(positions, from, merged, from, middle - from);
        int left = from;
        int right = middle;
        for (int i = from; left < middle; i++) {
            if (right < to && times[positions[right]] > times[merged[left]]) {
                positions[i] = positions[right++];
            } else {
                positions[i] = merged[left++];
            }
        }
    }
}
