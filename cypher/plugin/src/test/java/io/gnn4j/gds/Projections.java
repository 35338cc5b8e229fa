// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.neo4j.gds.Aggregation;
import org.neo4j.gds.NodeLabel;
import org.neo4j.gds.RelationshipType;
import org.neo4j.gds.api.DatabaseId;
import org.neo4j.gds.api.DefaultValue;
import org.neo4j.gds.api.GraphStore;
import org.neo4j.gds.api.PropertyState;
import org.neo4j.gds.api.schema.MutableGraphSchema;
import org.neo4j.gds.config.GraphProjectConfig;
import org.neo4j.gds.core.concurrency.Concurrency;
import org.neo4j.gds.core.loading.CSRGraphStoreUtil;
import org.neo4j.gds.core.loading.GraphStoreCatalog;
import org.neo4j.gds.core.loading.RelationshipImportResult;
import org.neo4j.gds.core.loading.SingleTypeRelationships;
import org.neo4j.gds.core.loading.construction.GraphFactory;

/** Real GDS graph stores, built without a database. */
final class Projections {
    static final DatabaseId DATABASE = DatabaseId.of("test");

    private final Map<Long, List<String>> nodes = new LinkedHashMap<>();
    private final Map<String, List<double[]>> relationships = new LinkedHashMap<>();
    private final Map<String, List<String>> properties = new LinkedHashMap<>();

    Projections node(long id, String... labels) {
        nodes.put(id, List.of(labels));
        return this;
    }

    Projections type(String type, String... propertyNames) {
        relationships.put(type, new java.util.ArrayList<>());
        properties.put(type, List.of(propertyNames));
        return this;
    }

    Projections relationship(String type, long source, long target, double... values) {
        var row = new double[values.length + 2];
        row[0] = source;
        row[1] = target;
        System.arraycopy(values, 0, row, 2, values.length);
        relationships.get(type).add(row);
        return this;
    }

    GraphStore build() {
        var one = new Concurrency(1);
        var nodesBuilder = GraphFactory.initNodesBuilder().hasLabelInformation(true).concurrency(one)
            .maxOriginalId(nodes.keySet().stream().mapToLong(id -> id).max().orElse(0)).build();
        nodes.forEach((id, labels) ->
            nodesBuilder.addNode(id, labels.stream().map(NodeLabel::of).toArray(NodeLabel[]::new)));
        var imported = nodesBuilder.build();
        var types = new LinkedHashMap<RelationshipType, SingleTypeRelationships>();
        relationships.forEach((type, rows) -> {
            var builder = GraphFactory.initRelationshipsBuilder().nodes(imported.idMap())
                .relationshipType(RelationshipType.of(type)).concurrency(one);
            properties.get(type).forEach(name -> builder.addPropertyConfig(
                name, Aggregation.NONE, DefaultValue.forDouble(), PropertyState.TRANSIENT));
            var relationshipsBuilder = builder.build();
            for (var row : rows) {
                var values = java.util.Arrays.copyOfRange(row, 2, row.length);
                switch (values.length) {
                    case 0 -> relationshipsBuilder.add((long) row[0], (long) row[1]);
                    case 1 -> relationshipsBuilder.add((long) row[0], (long) row[1], values[0]);
                    default -> relationshipsBuilder.add((long) row[0], (long) row[1], values);
                }
            }
            types.put(RelationshipType.of(type), relationshipsBuilder.build());
        });
        var schema = MutableGraphSchema.of(
            imported.schema(), RelationshipImportResult.of(types).relationshipSchema(), Map.of());
        return CSRGraphStoreUtil.createFromSchema(DATABASE, schema, imported.idMap(), key -> null, types::get, one);
    }

    /** Puts it into the catalog. */
    GraphStore register(String user, String graphName) {
        var store = build();
        GraphStoreCatalog.set(GraphProjectConfig.emptyWithName(user, graphName), store);
        return store;
    }
}
