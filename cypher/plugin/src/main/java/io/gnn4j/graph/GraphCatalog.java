// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import java.util.Map;

/** The one door to GDS: everything the plugin asks of projections, without a GDS type in any signature. */
public interface GraphCatalog {
    /**
     * @param found whether any GDS is on the class path
     * @param version its version, or null
     * @param supported whether every method the plugin uses was found and called
     * @param detail one sentence: what was found, what is supported
     */
    record GdsStatus(boolean found, String version, boolean supported, String detail) {}

    /** Hears of projections that are gone. */
    interface DropListener {
        void dropped(String database, String user, String graphName);
    }

    GdsStatus status();

    /** @return ends it */
    default Runnable onDrop(DropListener listener) {
        return () -> { };
    }

    /**
     * A node property that GDS can compute, with its configuration checked as far as GDS checks it without a graph.
     *
     * @param procedure in full, e.g. {@code gds.fastRP.mutate}
     * @throws IllegalArgumentException when it adds no node property, or the configuration is at fault
     * @throws GdsUnavailable when no supported GDS is linked
     */
    void checkStep(String procedure, Map<String, Object> configuration);

    /**
     * A projection of one user. Another user's projection of the same name is not seen, whoever asks.
     *
     * @param user the executing user; empty with authentication off
     * @throws GraphNotFound when that user has no such graph, with the names that user has
     * @throws GdsUnavailable when no supported GDS is linked
     */
    ProjectedGraph open(String user, String database, String graphName);
}
