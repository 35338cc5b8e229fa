// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import java.time.ZonedDateTime;
import java.util.List;

/** A projection as GDS holds it. GDS's own dense ids never leave the implementation; see {@link TypedGraph}. */
public interface ProjectedGraph {
    /** What GDS calls the label of a projection that kept no labels. */
    String ALL = "__ALL__";

    String name();

    ZonedDateTime creationTime();

    long nodeCount();

    /** Ascending; {@link #ALL} where the projection kept no labels. */
    List<String> labels();

    /** Ascending. */
    List<String> relationshipTypes();

    /** The properties of nodes under a label, ascending by name; none for an unknown label. */
    List<PropertySpec> nodeProperties(String label);

    /** Ascending by name, none for an unknown type; every value is a double, NaN where missing. */
    List<String> relationshipProperties(String relationshipType);

    /**
     * A number that is another one after the relationships of a type were dropped and made anew within this projection; 0 for an
     * unknown type.
     */
    int relationshipStamp(String relationshipType);

    /** @throws GraphChanged when the catalog no longer holds this very projection */
    void requireCurrent();

    /**
     * Gives every node one type and one index.
     *
     * @param labels the labels to keep, each a node type; empty means all. Nodes with none of them are left out
     * @param priority decides for nodes with several of the labels: the first one that the node carries. A node whose
     *     labels are none of these is refused when it has more than one of {@code labels}
     * @param guard called often; throws when the caller's transaction was terminated
     * @throws io.gnn4j.config.InvalidConfiguration for unknown labels and for nodes of two types, all faults at once
     */
    TypedGraph typed(List<String> labels, List<String> priority, Runnable guard);

    /**
     * A node property to be filled and published.
     *
     * @param labels the labels under which it appears; empty means all
     * @throws io.gnn4j.config.InvalidConfiguration for unknown labels, for a property that exists when it must not, and
     *     when values are to be merged into a property of another type
     */
    PropertyDraft draft(List<String> labels, String property, PropertyType type, PropertyDraft.IfExists ifExists);

    /**
     * Directed relationships of a new type, to be filled and published.
     *
     * @param property holds the number of each
     * @throws io.gnn4j.config.InvalidConfiguration when the type exists
     */
    RelationshipDraft relationships(String type, String property);
}
