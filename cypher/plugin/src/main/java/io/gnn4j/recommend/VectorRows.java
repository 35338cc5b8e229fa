// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;

/** Vectors by Neo4j id, laid out to be fetched one by one. */
public final class VectorRows implements Vectors {
    private final String name;
    private final int dimension;
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
    private final LongObjectHashMap<float[]> rows = new LongObjectHashMap<>();
    private final TreeMap<Long, String> faults = new TreeMap<>();

    /**
     * @param name the property the vectors are stored under, for messages
     * @param dimension length of every vector, at least 1
     */
    public VectorRows(String name, int dimension) {
        this.name = name;
        this.dimension = dimension;
    }

    @Override
    public int dimension() {
        return dimension;
    }

    /** Bytes that so many rows take, their map included. */
    public static long bytes(long rows, int dimension) {
        return rows * (4L * dimension + 16 + 40);
    }

    @Override
    public long bytes() {
        return bytes(size(), dimension);
    }

    @Override
    public int size() {
        lock.readLock().lock();
        try {
            return rows.size();
        } finally {
            lock.readLock().unlock();
        }
    }

    /**
     * The vectors of nodes, all of one state, null where a node has none. They must not be changed.
     *
     * @throws FaultyVectors when a stored vector cannot be used
     */
    public float[][] get(long[] ids) {
        var found = new float[ids.length][];
        lock.readLock().lock();
        try {
            if (!faults.isEmpty()) {
                throw new FaultyVectors(name, dimension, faults);
            }
            for (int i = 0; i < ids.length; i++) {
                found[i] = rows.get(ids[i]);
            }
        } finally {
            lock.readLock().unlock();
        }
        return found;
    }

    @Override
    public void apply(Map<Long, float[]> changes) {
        lock.writeLock().lock();
        try {
            changes.forEach((id, vector) -> {
                faults.remove(id);
                var fault = vector == null ? null : FaultyVectors.fault(vector, dimension);
                if (fault != null) {
                    faults.put(id, fault);
                }
                if (vector == null || fault != null) {
                    rows.remove(id);
                } else {
                    rows.put(id, vector);
                }
            });
        } finally {
            lock.writeLock().unlock();
        }
    }
}
