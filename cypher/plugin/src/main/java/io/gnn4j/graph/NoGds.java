// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import java.util.Map;

/** Stands where GDS is absent or unsupported, and says so. */
public record NoGds(GdsStatus status) implements GraphCatalog {
    @Override
    public void checkStep(String procedure, Map<String, Object> configuration) {
        throw new GdsUnavailable(status);
    }

    @Override
    public ProjectedGraph open(String user, String database, String graphName) {
        throw new GdsUnavailable(status);
    }
}
