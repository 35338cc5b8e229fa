// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import io.gnn4j.config.Suggestion;
import java.util.Collection;
import java.util.List;

/** The user has no projection of that name; names of other users' projections are never told. */
public final class GraphNotFound extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    /** @param own the projections of the asking user in this database */
    public GraphNotFound(String graphName, String database, Collection<String> own) {
        super("Graph `" + graphName + "` does not exist in database `" + database + "`."
            + Suggestion.sentence(graphName, own)
            + " Your graphs: " + (own.isEmpty() ? "none" : String.join(", ", List.copyOf(own).stream().sorted().toList()))
            + ". Projections end with the server: project again with gds.graph.project('" + graphName + "', …).");
    }
}
