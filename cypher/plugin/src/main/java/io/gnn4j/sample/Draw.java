// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.Arrays;

/** Draws from one list after another by the rule of docs/formats.md. For one thread. */
final class Draw {
    /** Up to so many, a look through those drawn is cheaper than a table. */
    private static final int FEW = 24;

    private final SamplePlan plan;
    private final long seeded;
    private int[] table = new int[0];
    private int tableMask;
    private double[] sums = new double[0];
    private double[] keys = new double[0];
    /** Positions in the arrays of the list that were drawn last. */
    int[] picked = new int[64];
    /** How many neighbours the receiver has, of those that are old enough. */
    int degree;

    Draw(SamplePlan plan) {
        this.plan = plan;
        seeded = DrawRule.chain(0, plan.randomSeed());
    }

    /**
     * @param list standing at the receiver
     * @param before senders must be older; ignored in an untimed relation
     * @param hop that is reached
     * @return how many {@link #picked} there are
     */
    int from(NeighbourList list, long nodeId, boolean cut, long before, int hop, int relation, int fanOut) {
        int from = list.from;
        int to = list.to;
        if (list.times != null) {
            if (cut) {
                from = older(list.times, from, to, before);
            }
            degree = to - from;
            if (plan.last() > 0 && from < to && list.times[from] != RelationLists.NO_TIME) {
                to = (int) Math.min(to, from + (long) plan.last());
            }
        } else {
            degree = to - from;
        }
        int among = to - from;
        if (picked.length < fanOut) {
            picked = new int[fanOut];
        }
        if (among <= fanOut) {
            for (int i = 0; i < among; i++) {
                picked[i] = from + i;
            }
            return among;
        }
        if (fanOut == 0) {
            return 0;
        }
        long prefix = DrawRule.chain(DrawRule.chain(DrawRule.chain(seeded, nodeId), hop), relation);
        if (list.weights == null) {
            if (plan.replace()) {
                for (int i = 0; i < fanOut; i++) {
                    picked[i] = from + DrawRule.below(DrawRule.chain(prefix, i), among);
                }
            } else {
                distinct(prefix, from, among, fanOut);
            }
        } else if (plan.replace()) {
            bySums(prefix, list.weights, from, among, fanOut);
        } else {
            byKeys(prefix, list.weights, from, among, fanOut);
        }
        return fanOut;
    }

    /** The first position whose time is before the cut; times descend. */
    private static int older(long[] times, int from, int to, long before) {
        if (from == to || times[from] < before) {
            return from;
        }
        int low = from;
        int high = to;
        while (low < high) {
            int middle = low + high >>> 1;
            if (times[middle] < before) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }

    private void distinct(long prefix, int from, int among, int fanOut) {
        if (fanOut > FEW) {
            distinctByTable(prefix, from, among, fanOut);
            return;
        }
        for (int i = 0; i < fanOut; i++) {
            int last = among - fanOut + i;
            int position = from + DrawRule.below(DrawRule.chain(prefix, i), last + 1);
            for (int j = 0; j < i; j++) {
                if (picked[j] == position) {
                    position = from + last;
                    break;
                }
            }
            picked[i] = position;
        }
    }

    private void distinctByTable(long prefix, int from, int among, int fanOut) {
        int size = Integer.highestOneBit(fanOut) << 2;
        if (table.length < size) {
            table = new int[size];
        }
        tableMask = size - 1;
        Arrays.fill(table, 0, size, -1);
        for (int i = 0; i < fanOut; i++) {
            int last = among - fanOut + i;
            int position = DrawRule.below(DrawRule.chain(prefix, i), last + 1);
            if (!enter(position)) {
                position = last;
                enter(position);
            }
            picked[i] = from + position;
        }
    }

    private boolean enter(int position) {
        int slot = position * 0x9E3779B9 >>> 7 & tableMask;
        while (table[slot] >= 0) {
            if (table[slot] == position) {
                return false;
            }
            slot = slot + 1 & tableMask;
        }
        table[slot] = position;
        return true;
    }

    private void bySums(long prefix, double[] weights, int from, int among, int fanOut) {
        if (sums.length < among) {
            sums = new double[Math.max(among, (int) Math.min(Integer.MAX_VALUE - 8, 2L * sums.length))];
        }
        double sum = 0;
        for (int p = 0; p < among; p++) {
            sum += weights[from + p];
            sums[p] = sum;
        }
        for (int i = 0; i < fanOut; i++) {
            double aim = DrawRule.unit(DrawRule.chain(prefix, i)) * sum;
            int low = 0;
            int high = among - 1;
            while (low < high) {
                int middle = low + high >>> 1;
                if (sums[middle] > aim) {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
            picked[i] = from + low;
        }
    }

    /** A heap whose top is the largest of the smallest keys; then sorted in place. */
    private void byKeys(long prefix, double[] weights, int from, int among, int fanOut) {
        if (keys.length < fanOut) {
            keys = new double[fanOut];
        }
        for (int p = 0; p < among; p++) {
            double key = DrawRule.exponentialKey(DrawRule.chain(prefix, p), weights[from + p]);
            if (p < fanOut) {
                int child = p;
                while (child > 0 && isAfter(key, from + p, child - 1 >>> 1)) {
                    keys[child] = keys[child - 1 >>> 1];
                    picked[child] = picked[child - 1 >>> 1];
                    child = child - 1 >>> 1;
                }
                keys[child] = key;
                picked[child] = from + p;
            } else if (key < keys[0]) {
                sink(key, from + p, fanOut);
            }
        }
        for (int size = fanOut - 1; size > 0; size--) {
            double key = keys[size];
            int position = picked[size];
            keys[size] = keys[0];
            picked[size] = picked[0];
            sink(key, position, size);
        }
    }

    private boolean isAfter(double key, int position, int place) {
        return key > keys[place] || key == keys[place] && position > picked[place];
    }

    /** Puts an entry at the top of a heap of that size and lets it sink. */
    private void sink(double key, int position, int size) {
        int place = 0;
        while (2 * place + 1 < size) {
            int child = 2 * place + 1;
            if (child + 1 < size && isAfter(keys[child + 1], picked[child + 1], child)) {
                child++;
            }
            if (isAfter(key, position, child)) {
                break;
            }
            keys[place] = keys[child];
            picked[place] = picked[child];
            place = child;
        }
        keys[place] = key;
        picked[place] = position;
    }
}
