// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import java.util.Map;

/** Vectors of nodes, kept in memory and brought up to date by commits. */
public interface Vectors {
    int dimension();

    /** What they take in memory now. */
    long bytes();

    int size();

    /**
     * Sets and removes vectors, all of them or none for anybody who looks.
     *
     * @param changes vector by node id; null removes. One of another length, or with a value that is no coordinate, is
     *     kept as a fault: whoever reads gets {@link FaultyVectors} until it is replaced or removed.
     */
    void apply(Map<Long, float[]> changes);
}
