// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.Arrays;

/** Entries with groups, or with numbers that do not ascend with their ids: hashed, and sorted at the end of a hop. */
final class KeyFrontier extends Frontier {
    private static final long EMPTY = -1;

    private final NeighbourSource source;
    private final int type;
    private final boolean grouped;
    private long[] table = new long[256];
    private int[] places = new int[256];
    private int filled;
    private long[] fresh = new long[128];
    private long[] scratch = new long[0];
    private int count;
    private int total;

    KeyFrontier(NeighbourSource source, int type, boolean grouped) {
        this.source = source;
        this.type = type;
        this.grouped = grouped;
        Arrays.fill(table, EMPTY);
    }

    private static long key(int number, int group) {
        return (long) number << 32 | group;
    }

    private int slot(long key) {
        int mask = table.length - 1;
        int slot = (int) (key * 0x9E3779B97F4A7C15L >>> 32) & mask;
        while (table[slot] != EMPTY && table[slot] != key) {
            slot = slot + 1 & mask;
        }
        return slot;
    }

    @Override
    void add(int number, int group) {
        long key = key(number, group);
        int slot = slot(key);
        if (table[slot] == key) {
            return;
        }
        table[slot] = key;
        if (count == fresh.length) {
            fresh = Arrays.copyOf(fresh, 2 * count);
        }
        places[slot] = total + count;
        fresh[count++] = key;
        if (++filled > table.length / 2) {
            grow();
        }
    }

    private void grow() {
        var oldTable = table;
        var oldPlaces = places;
        table = new long[2 * oldTable.length];
        places = new int[table.length];
        Arrays.fill(table, EMPTY);
        for (int i = 0; i < oldTable.length; i++) {
            if (oldTable[i] != EMPTY) {
                int slot = slot(oldTable[i]);
                table[slot] = oldTable[i];
                places[slot] = oldPlaces[i];
            }
        }
    }

    @Override
    void close() {
        if (source.isOrdered()) {
            scratch = RadixSort.sort(fresh, count, scratch, 0);
        } else {
            sortByNodeId();
        }
        for (int i = 0; i < count; i++) {
            places[slot(fresh[i])] = total + i;
        }
        unpack();
    }

    /** Sorts with the rank of the Neo4j id in place of the number. */
    private void sortByNodeId() {
        var ids = new long[count];
        for (int i = 0; i < count; i++) {
            ids[i] = source.nodeId(type, (int) (fresh[i] >>> 32));
        }
        var sorted = ids.clone();
        Arrays.sort(sorted);
        for (int i = 0; i < count; i++) {
            fresh[i] = key(Arrays.binarySearch(sorted, ids[i]), (int) fresh[i]);
        }
        Arrays.sort(fresh, 0, count);
        for (int i = 0; i < count; i++) {
            fresh[i] = key(source.number(type, sorted[(int) (fresh[i] >>> 32)]), (int) fresh[i]);
        }
    }

    @Override
    void closeAsAdded() {
        unpack();
    }

    private void unpack() {
        numbers = new int[count];
        groups = grouped ? new int[count] : null;
        for (int i = 0; i < count; i++) {
            numbers[i] = (int) (fresh[i] >>> 32);
            if (grouped) {
                groups[i] = (int) fresh[i];
            }
        }
        total += count;
        count = 0;
    }

    @Override
    int position(int number, int group) {
        return places[slot(key(number, group))];
    }

    @Override
    void clear() {
        Arrays.fill(table, EMPTY);
        filled = 0;
        count = 0;
        total = 0;
    }
}
