// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import io.gnn4j.graph.GraphCatalog;
import io.gnn4j.graph.GraphNotFound;
import io.gnn4j.graph.ProjectedGraph;
import java.util.HashMap;
import java.util.Map;
import org.neo4j.gds.BuildInfoProperties;
import org.neo4j.gds.api.DatabaseId;
import org.neo4j.gds.api.User;
import org.neo4j.gds.api.graph.store.catalog.GraphStoreRemovedEventListener;
import org.neo4j.gds.core.loading.CatalogRequest;
import org.neo4j.gds.core.loading.GraphNotFoundException;
import org.neo4j.gds.core.loading.GraphStoreCatalog;
import org.neo4j.gds.ml.pipeline.NodePropertyStepFactory;

/** GDS 2.26 behind {@link GraphCatalog}. Loaded by name, so that the plugin starts where GDS is absent. */
public final class OpenGdsCatalog implements GraphCatalog {
    private final GdsStatus status;

    public OpenGdsCatalog() {
        // Each method the plugin relies on is called: a GDS that lacks one fails now, with a name, and not in a query.
        AdapterProbe.run();
        var version = BuildInfoProperties.require().gdsVersion();
        status = new GdsStatus(true, version, true, "GDS " + version + " is supported.");
    }

    @Override
    public GdsStatus status() {
        return status;
    }

    @Override
    public Runnable onDrop(DropListener listener) {
        GraphStoreRemovedEventListener listening = event -> listener.dropped(event.database(), event.user(), event.graphName());
        GraphStoreCatalog.registerGraphStoreRemovedListener(listening);
        return () -> GraphStoreCatalog.unregisterGraphStoreRemovedListener(listening);
    }

    @Override
    public void checkStep(String procedure, Map<String, Object> configuration) {
        // It takes out of the map what it has read.
        NodePropertyStepFactory.createNodePropertyStep(procedure, new HashMap<>(configuration));
    }

    @Override
    public ProjectedGraph open(String user, String database, String graphName) {
        // Never an administrator: a graph is its owner's, as the catalog of Community sees it for everyone.
        var request = CatalogRequest.of(new User(user, false), DatabaseId.of(database));
        try {
            var store = GraphStoreCatalog.get(request, graphName).graphStore();
            return new OpenGdsGraph(request, graphName, store);
        } catch (GraphNotFoundException missing) {
            var own = GraphStoreCatalog.getGraphStores(user, DatabaseId.of(database)).stream()
                .map(entry -> entry.config().graphName()).toList();
            throw new GraphNotFound(graphName, database, own);
        }
    }
}
