// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

/** The projection was dropped, or projected anew under its name, while it was in use. */
public final class GraphChanged extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    public GraphChanged(String graphName) {
        super("Graph `" + graphName + "` was dropped or projected anew while this call read it. What was received is"
            + " incomplete: project again with gds.graph.project('" + graphName + "', …) and repeat the call.");
    }
}
