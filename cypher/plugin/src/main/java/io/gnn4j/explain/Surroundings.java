// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.explain;

import org.eclipse.collections.api.map.primitive.LongObjectMap;

/** The relationships around nodes, as far as the caller may read them. */
public interface Surroundings {
    /**
     * One relationship, walked from one of its ends, whichever way it points.
     *
     * @param weight of the behaviour that consists of its type, over the largest of the task; 1 for any other type
     */
    record Step(long relationship, long other, double weight) {
        /** The heavier one; of equal ones that with the smaller id. */
        public Step stronger(Step than) {
            return than == null || weight > than.weight || weight == than.weight && relationship < than.relationship ? this : than;
        }
    }

    /**
     * The neighbours of one node.
     *
     * @param steps to each neighbour the strongest relationship
     * @param whole false when a type was passed over, for the node has too many relationships of it
     */
    record Neighbourhood(LongObjectMap<Step> steps, boolean whole) {}

    Neighbourhood around(long node);

    /** All relationships that {@link #around} would read or pass over; the more, the less a node says about two others. */
    long degree(long node);
}
