// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import io.gnn4j.graph.GraphCatalog;
import org.neo4j.gds.BuildInfoProperties;
import org.neo4j.gds.api.DatabaseId;
import org.neo4j.gds.core.loading.GraphStoreCatalog;

/** GDS 2.26 behind {@link GraphCatalog}. Loaded by name, so that the plugin starts where GDS is absent. */
public final class OpenGdsCatalog implements GraphCatalog {
    private final GdsStatus status;

    public OpenGdsCatalog() {
        // Each call here is one the plugin relies on: a GDS that lacks it fails now, with a name, and not in a query.
        GraphStoreCatalog.graphStoreCount(DatabaseId.of("neo4j"));
        var version = BuildInfoProperties.require().gdsVersion();
        status = new GdsStatus(true, version, true, "GDS " + version + " is supported.");
    }

    @Override
    public GdsStatus status() {
        return status;
    }
}
