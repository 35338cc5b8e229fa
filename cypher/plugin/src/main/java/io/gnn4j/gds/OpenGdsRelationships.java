// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.graph.RelationshipDraft;
import java.util.List;
import org.neo4j.gds.Aggregation;
import org.neo4j.gds.RelationshipType;
import org.neo4j.gds.api.DefaultValue;
import org.neo4j.gds.api.GraphStore;
import org.neo4j.gds.api.IdMap;
import org.neo4j.gds.api.PropertyState;
import org.neo4j.gds.core.concurrency.Concurrency;
import org.neo4j.gds.core.loading.construction.GraphFactory;
import org.neo4j.gds.core.loading.construction.RelationshipsBuilder;

/** A directed relationship type, built by GDS as its own algorithms build theirs. */
final class OpenGdsRelationships implements RelationshipDraft {
    private final String graphName;
    private final GraphStore store;
    private final IdMap ids;
    private final RelationshipType type;
    private final RelationshipsBuilder builder;

    OpenGdsRelationships(String graphName, GraphStore store, String type, String property) {
        this.graphName = graphName;
        this.store = store;
        this.ids = store.nodes();
        this.type = RelationshipType.of(type);
        requireNew();
        builder = GraphFactory.initRelationshipsBuilder().nodes(ids).relationshipType(this.type).concurrency(new Concurrency(1))
            .addPropertyConfig(property, Aggregation.NONE, DefaultValue.forDouble(), PropertyState.TRANSIENT).build();
    }

    private void requireNew() {
        if (store.relationshipTypes().contains(type)) {
            throw new InvalidConfiguration(List.of("Graph `" + graphName + "` has a relationship type `" + type.name()
                + "` already. Choose another name, or drop it with gds.graph.relationships.drop('" + graphName + "', '" + type.name()
                + "')."));
        }
    }

    @Override
    public boolean add(long sourceId, long targetId, double value) {
        var source = sourceId < 0 ? IdMap.NOT_FOUND : ids.safeToMappedNodeId(sourceId);
        var target = targetId < 0 ? IdMap.NOT_FOUND : ids.safeToMappedNodeId(targetId);
        return source != IdMap.NOT_FOUND && target != IdMap.NOT_FOUND && builder.addFromInternal(source, target, value);
    }

    @Override
    public long publish() {
        var made = builder.build();
        synchronized (store) {
            requireNew();
            store.addRelationshipType(made);
        }
        return made.topology().elementCount();
    }
}
