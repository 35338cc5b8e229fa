// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.Arrays;

/** Ascending order of non-negative keys, by digits from the lowest; digits that all keys share cost nothing. */
final class RadixSort {
    private static final int BITS = 11;
    private static final int DIGITS = 1 << BITS;
    /** Below this, comparing is cheaper. */
    private static final int FEW = 2048;

    private RadixSort() {}

    /**
     * @param low bits below this one are sorted already among keys that differ in them alone
     * @return scratch space to be handed in again
     */
    static long[] sort(long[] keys, int count, long[] scratch, int low) {
        if (count < FEW) {
            Arrays.sort(keys, 0, count);
            return scratch;
        }
        var other = scratch.length < count ? new long[keys.length] : scratch;
        long any = 0;
        long all = -1;
        for (int i = 0; i < count; i++) {
            any |= keys[i];
            all &= keys[i];
        }
        long varying = any & ~all;
        var from = keys;
        var to = other;
        var ends = new int[DIGITS];
        for (int shift = low; shift < Long.SIZE; ) {
            long rest = varying >>> shift;
            if (rest == 0) {
                break;
            }
            shift += Long.numberOfTrailingZeros(rest);
            Arrays.fill(ends, 0);
            for (int i = 0; i < count; i++) {
                ends[(int) (from[i] >>> shift) & DIGITS - 1]++;
            }
            int sum = 0;
            for (int d = 0; d < DIGITS; d++) {
                int here = ends[d];
                ends[d] = sum;
                sum += here;
            }
            for (int i = 0; i < count; i++) {
                to[ends[(int) (from[i] >>> shift) & DIGITS - 1]++] = from[i];
            }
            var swap = from;
            from = to;
            to = swap;
            shift += BITS;
        }
        if (from != keys) {
            System.arraycopy(from, 0, keys, 0, count);
        }
        return other;
    }
}
