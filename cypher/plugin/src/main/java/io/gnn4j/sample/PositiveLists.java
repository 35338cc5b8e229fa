// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.Arrays;

/** What one receiver after another has, over all relations of a plan together. For one thread. */
public final class PositiveLists {
    private final NeighbourList[] lists;
    private int[] own = new int[64];
    private int size;

    public PositiveLists(ProjectedNeighbours source, int relations) {
        lists = new NeighbourList[relations];
        for (int r = 0; r < relations; r++) {
            lists[r] = source.neighbours(r);
        }
    }

    /** Moves on to a receiver; returns how many {@link #own} there are. */
    public int read(int receiver) {
        size = 0;
        for (var list : lists) {
            list.read(receiver);
            int count = list.to - list.from;
            if (size + count > own.length) {
                own = Arrays.copyOf(own, Math.max(size + count, 2 * own.length));
            }
            System.arraycopy(list.senders, list.from, own, size, count);
            size += count;
        }
        Arrays.sort(own, 0, size);
        int kept = 0;
        for (int i = 0; i < size; i++) {
            if (kept == 0 || own[i] != own[kept - 1]) {
                own[kept++] = own[i];
            }
        }
        size = kept;
        return size;
    }

    /** Numbers of the senders, ascending, each once; valid up to the count read. Not to be written to. */
    public int[] own() {
        return own;
    }
}
