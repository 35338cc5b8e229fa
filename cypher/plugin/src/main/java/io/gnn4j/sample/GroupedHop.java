// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One hop of one node type where entries have groups and numbers ascend with ids: number, group and the slot that drew them
 * are packed into one key each and sorted by digits, which is several times cheaper than hashing them. For one thread.
 */
final class GroupedHop {
    private static final int[] NONE = {};

    /** Neighbours of one relation, as numbers, and the groups of the receivers. */
    private record Drawn(int[] neighbours, int[] groups, int fanOut) {}

    private final List<Drawn> drawn = new ArrayList<>();
    private long[] keys = new long[256];
    private long[] scratch = new long[0];
    private int count;
    /** Of the last {@link #close}. */
    int[] numbers = NONE;
    int[] groups = NONE;

    /** Whether node, group and slot fit into one key. */
    static boolean fits(int nodes, int groups, long slots) {
        return bits(nodes) + bits(groups) + bits(slots) < Long.SIZE;
    }

    /** Bits for numbers below {@code count}. */
    private static int bits(long count) {
        return Long.SIZE - Long.numberOfLeadingZeros(Math.max(1, count - 1));
    }

    void add(int[] neighbours, int[] receiverGroups, int fanOut) {
        drawn.add(new Drawn(neighbours, receiverGroups, fanOut));
    }

    /** Orders all that was added, and turns the numbers of the neighbours into positions. */
    void close(int allGroups) {
        long slots = drawn.stream().mapToLong(part -> part.neighbours().length).sum();
        int slotBits = bits(slots);
        int groupBits = bits(allGroups);
        pack(slotBits, groupBits, (int) Math.min(slots, Integer.MAX_VALUE - 8));
        scratch = RadixSort.sort(keys, count, scratch, slotBits);
        numbers = new int[count];
        groups = new int[count];
        int place = -1;
        long last = -1;
        long slotMask = (1L << slotBits) - 1;
        for (int i = 0; i < count; i++) {
            long entry = keys[i] >>> slotBits;
            if (entry != last) {
                last = entry;
                place++;
                numbers[place] = (int) (entry >>> groupBits);
                groups[place] = (int) (entry & (1L << groupBits) - 1);
            }
            int slot = (int) (keys[i] & slotMask);
            int part = 0;
            while (slot >= drawn.get(part).neighbours().length) {
                slot -= drawn.get(part++).neighbours().length;
            }
            drawn.get(part).neighbours()[slot] = place;
        }
        numbers = Arrays.copyOf(numbers, place + 1);
        groups = Arrays.copyOf(groups, place + 1);
        drawn.clear();
    }

    private void pack(int slotBits, int groupBits, int slots) {
        if (keys.length < slots) {
            keys = new long[slots];
        }
        count = 0;
        long slot = 0;
        for (var part : drawn) {
            var neighbours = part.neighbours();
            int at = 0;
            for (int i = 0; at < neighbours.length; i++) {
                for (int k = 0; k < part.fanOut(); k++, at++, slot++) {
                    if (neighbours[at] >= 0) {
                        keys[count++] = ((long) neighbours[at] << groupBits | part.groups()[i]) << slotBits | slot;
                    }
                }
            }
        }
    }
}
