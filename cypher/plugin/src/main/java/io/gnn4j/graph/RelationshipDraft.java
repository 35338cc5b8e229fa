// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

/** Relationships of a new type with one number each, seen by nobody before {@link #publish()}. For one thread. */
public interface RelationshipDraft {
    /** @return false when one of the nodes is not in the projection: nothing is added */
    boolean add(long sourceId, long targetId, double value);

    /**
     * Adds the type to the projection.
     *
     * @return the relationships of the type
     * @throws io.gnn4j.config.InvalidConfiguration when the projection got a type of that name meanwhile
     */
    long publish();
}
