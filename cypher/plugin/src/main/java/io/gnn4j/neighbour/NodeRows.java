// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.neighbour;

import io.gnn4j.embed.KeyIndex;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.eclipse.collections.impl.map.mutable.primitive.LongIntHashMap;

/**
 * Nodes with other nodes and a number for each of them, as {@code weights.arrow} and {@code lists.arrow} hold them, and which
 * node of the graph each row is.
 *
 * <p>Rows and numbers never change. Which node has a row's key changes with commits; a row whose key no node has says
 * nothing and is never named.
 */
public final class NodeRows {
    public static final int NO_ROW = -1;
    public static final long NO_NODE = -1;

    private final Map<String, Side> sides = new LinkedHashMap<>();
    private final int[] starts;
    private final int[] targets;
    private final float[] values;
    private final long[] ids;
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

    /** The rows of one label. @param rowOf by node id */
    private record Side(KeyIndex keys, LongIntHashMap rowOf, long rows) {}

    /**
     * @param keys by label, the key of each row, null where the row is of another label
     * @param starts [rows + 1] where the entries of a row begin
     * @param targets rows, in the order of the file
     * @param values beside {@code targets}
     */
    NodeRows(Map<String, Object[]> keys, int[] starts, int[] targets, float[] values) {
        keys.forEach((label, given) -> sides.put(label,
            new Side(KeyIndex.of(given), new LongIntHashMap(), Arrays.stream(given).filter(java.util.Objects::nonNull).count())));
        this.starts = starts;
        this.targets = targets;
        this.values = values;
        ids = new long[starts.length - 1];
        Arrays.fill(ids, NO_NODE);
    }

    /** Bytes of so many rows and entries, keys and node ids included. */
    public static long bytes(long rows, long entries) {
        return 8 * entries + (12 + 32) * rows + KeyIndex.bytes(rows);
    }

    public long bytes() {
        return bytes(ids.length, targets.length);
    }

    /** The labels whose nodes have rows. */
    public List<String> labels() {
        return List.copyOf(sides.keySet());
    }

    /** How many rows a label has, and how many of them have a node. */
    public record Met(long rows, long nodes, Object example) {}

    public Met met(String label) {
        lock.readLock().lock();
        try {
            var side = sides.get(label);
            return side == null ? new Met(0, 0, null) : new Met(side.rows(), side.rowOf().size(), side.keys().example());
        } finally {
            lock.readLock().unlock();
        }
    }

    /**
     * Says which key nodes have now.
     *
     * @param changes by label and node id the key, null for a node that is gone or has no such label or key any more
     */
    public void apply(Map<String, Map<Long, Object>> changes) {
        lock.writeLock().lock();
        try {
            changes.forEach((label, nodes) -> {
                var side = sides.get(label);
                if (side != null) {
                    nodes.keySet().forEach(id -> forget(side, id));
                    nodes.forEach((id, key) -> meet(side, id, KeyIndex.normal(key)));
                }
            });
        } finally {
            lock.writeLock().unlock();
        }
    }

    private void forget(Side side, long id) {
        var row = side.rowOf().removeKeyIfAbsent(id, NO_ROW);
        if (row != NO_ROW) {
            ids[row] = NO_NODE;
        }
    }

    private void meet(Side side, long id, Object key) {
        var row = side.keys().row(key);
        if (row == NO_ROW && key instanceof Long number) {
            // Keys of two kinds stand in one column as text; a node that has the text itself comes first.
            row = side.keys().row(String.valueOf(number));
            row = row != NO_ROW && ids[row] != NO_NODE ? NO_ROW : row;
        }
        if (row != NO_ROW) {
            if (ids[row] != NO_NODE) {
                side.rowOf().removeKey(ids[row]);
            }
            ids[row] = id;
            side.rowOf().put(id, row);
        }
    }

    /** What a row's entries are told to. */
    public interface Entries {
        void entry(int target, float value);
    }

    /** The rows of nodes of a label, -1 where a node has none. */
    public int[] rows(String label, long[] nodes) {
        lock.readLock().lock();
        try {
            var side = sides.get(label);
            var found = new int[nodes.length];
            for (int i = 0; i < found.length; i++) {
                found[i] = side == null ? NO_ROW : side.rowOf().getIfAbsent(nodes[i], NO_ROW);
            }
            return found;
        } finally {
            lock.readLock().unlock();
        }
    }

    public int size() {
        return ids.length;
    }

    public int entries(int row) {
        return starts[row + 1] - starts[row];
    }

    /** In the order of the file. */
    public void forEach(int row, Entries each) {
        for (int at = starts[row]; at < starts[row + 1]; at++) {
            each.entry(targets[at], values[at]);
        }
    }

    /** The nodes of rows; {@code -1} where a row has none. */
    public long[] nodes(int[] rows, int count) {
        lock.readLock().lock();
        try {
            var found = new long[count];
            for (int i = 0; i < count; i++) {
                found[i] = ids[rows[i]];
            }
            return found;
        } finally {
            lock.readLock().unlock();
        }
    }
}
