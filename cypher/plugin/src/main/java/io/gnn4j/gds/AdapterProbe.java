// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import io.gnn4j.graph.PropertyDraft;
import io.gnn4j.graph.PropertyType;
import java.lang.reflect.Proxy;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.neo4j.gds.NodeLabel;
import org.neo4j.gds.RelationshipType;
import org.neo4j.gds.api.AdjacencyList;
import org.neo4j.gds.api.CSRGraph;
import org.neo4j.gds.api.CompositeRelationshipIterator;
import org.neo4j.gds.api.DatabaseId;
import org.neo4j.gds.api.Graph;
import org.neo4j.gds.api.GraphStore;
import org.neo4j.gds.api.IdMap;
import org.neo4j.gds.api.Topology;
import org.neo4j.gds.api.User;
import org.neo4j.gds.api.graph.store.catalog.GraphStoreRemovedEvent;
import org.neo4j.gds.api.graph.store.catalog.GraphStoreRemovedEventListener;
import org.neo4j.gds.api.nodeproperties.ValueType;
import org.neo4j.gds.api.properties.nodes.NodeProperty;
import org.neo4j.gds.api.properties.nodes.NodePropertyValues;
import org.neo4j.gds.core.loading.CatalogRequest;
import org.neo4j.gds.core.loading.GraphStoreCatalog;
import org.neo4j.gds.ml.pipeline.NodePropertyStepFactory;

/**
 * Runs the adapter once over a graph that is not there: the interfaces of GDS, answered by proxies. What the linked GDS
 * lacks surfaces as a linkage error that names it.
 */
final class AdapterProbe {
    private static final NodeLabel LABEL = NodeLabel.of("Probe");
    private static final NodeLabel OTHER = NodeLabel.of("Other");
    private static final RelationshipType TYPE = RelationshipType.of("PROBES");

    private AdapterProbe() {}

    /** A key that GDS refuses in a step, so nothing of its algorithms is loaded. */
    private static void refuseStep() {
        try {
            NodePropertyStepFactory.createNodePropertyStep("gds.degree.mutate", Map.of("nodeLabels", List.of("Probe")));
        } catch (IllegalArgumentException expected) {
            return;
        }
        throw new IllegalStateException("GDS takes `nodeLabels` in a node property step.");
    }

    static void run() {
        var request = CatalogRequest.of(new User("", false), DatabaseId.of("neo4j"));
        try {
            GraphStoreCatalog.get(request, "gnn4j probe");
        } catch (org.neo4j.gds.core.loading.GraphNotFoundException expected) {
            GraphStoreCatalog.getGraphStores("", DatabaseId.of("neo4j"));
        }
        hear(event -> { });
        refuseStep();
        var graph = new OpenGdsGraph(null, "probe", store());
        Runnable guard = () -> {};
        graph.creationTime();
        graph.relationshipTypes();
        graph.nodeCount();
        graph.relationshipStamp("PROBES");
        graph.relationshipProperties("PROBES");
        var typed = graph.typed(List.of("Probe"), List.of(), guard);
        typed.indexOf("Probe", typed.nodeId("Probe", 0));
        for (var spec : graph.nodeProperties("Probe")) {
            var column = typed.nodeProperty("Probe", spec.name());
            column.isMissing(0);
        }
        for (var relation : typed.relations(List.of(), guard)) {
            typed.csr(relation, List.of(), guard);
            typed.csr(relation, List.of("a"), guard);
            typed.csr(relation, List.of("a", "b"), guard);
        }
        for (var type : PropertyType.values()) {
            var draft = graph.draft(List.of("Probe"), type.name(), type, PropertyDraft.IfExists.MERGE);
            draft.set(8, null);
            draft.publish();
        }
        var made = graph.relationships("MADE", "score");
        made.add(8, 9, 0.5);
        made.publish();
        // The whole graph as one type, and ids that have to be sorted, go other ways.
        var whole = graph.typed(List.of("Other"), List.of(), guard);
        whole.relationshipCount(whole.relations(List.of(), guard).get(0), guard);
    }

    private static void hear(GraphStoreRemovedEventListener listener) {
        GraphStoreCatalog.registerGraphStoreRemovedListener(listener);
        GraphStoreCatalog.unregisterGraphStoreRemovedListener(listener);
        var event = new GraphStoreRemovedEvent("", "neo4j", "probe", 0);
        event.user();
        event.database();
        event.graphName();
    }

    /** Two nodes labelled Other, ids descending, the second Probe too; one relationship from the second to itself. */
    private static GraphStore store() {
        var ids = proxy(IdMap.class, Map.of(
            "nodeCount", arguments -> arguments == null || arguments[0].equals(OTHER) ? 2L : 1L,
            "rootNodeCount", arguments -> OptionalLong.of(2),
            "hasLabel", arguments -> arguments[1].equals(OTHER) || (long) arguments[0] == 1,
            "toOriginalNodeId", arguments -> 9 - (long) arguments[0],
            "toMappedNodeId", arguments -> 9 - (long) arguments[0],
            "safeToMappedNodeId", arguments -> 9 - (long) arguments[0]));
        var adjacency = proxy(Graph.class, Map.of(
            "degree", arguments -> (int) (long) arguments[0],
            "forEachRelationship", arguments -> {
                long node = (long) arguments[0];
                if (arguments.length == 2) {
                    ((org.neo4j.gds.api.properties.relationships.RelationshipConsumer) arguments[1]).accept(node, node);
                } else {
                    ((org.neo4j.gds.api.properties.relationships.RelationshipWithPropertyConsumer) arguments[2])
                        .accept(node, node, 1.0);
                }
                return null;
            }));
        var topology = proxy(Topology.class, Map.of("adjacencyList", arguments -> proxy(AdjacencyList.class, Map.of())));
        var copy = proxy(CSRGraph.class, Map.of(
            "concurrentCopy", arguments -> adjacency, "relationshipTopologies", arguments -> Map.of(TYPE, topology)));
        var composite = proxy(CompositeRelationshipIterator.class, Map.of("forEachRelationship", arguments -> {
            long node = (long) arguments[0];
            ((CompositeRelationshipIterator.RelationshipConsumer) arguments[1]).consume(node, node, new double[] {1, 2});
            return null;
        }));
        return proxy(GraphStore.class, Map.ofEntries(
            Map.entry("nodes", arguments -> ids),
            Map.entry("nodeCount", arguments -> 2L),
            Map.entry("creationTime", arguments -> ZonedDateTime.now()),
            Map.entry("modificationTime", arguments -> ZonedDateTime.now()),
            Map.entry("nodeLabels", arguments -> Set.of(LABEL, OTHER)),
            Map.entry("relationshipTypes", arguments -> Set.of(TYPE)),
            Map.entry("relationshipCount", arguments -> 1L),
            Map.entry("relationshipPropertyKeys", arguments -> Set.of("a", "b")),
            Map.entry("nodePropertyKeys", arguments -> Set.of("LONG", "DOUBLE", "FLOAT_ARRAY", "DOUBLE_ARRAY", "LONG_ARRAY")),
            Map.entry("nodeProperty", arguments -> property(ValueType.valueOf((String) arguments[0]))),
            Map.entry("hasNodeProperty", arguments -> true),
            Map.entry("removeNodeProperty", arguments -> null),
            Map.entry("addNodeProperty", arguments -> {
                var values = (NodePropertyValues) arguments[2];
                values.nodeCount();
                values.dimension(0);
                values.hasValue(0);
                return null;
            }),
            Map.entry("addRelationshipType", arguments -> null),
            Map.entry("getGraph", arguments -> copy),
            Map.entry("getCompositeRelationshipIterator", arguments -> composite)));
    }

    private static NodeProperty property(ValueType type) {
        var values = proxy(NodePropertyValues.class, Map.of(
            "longValue", arguments -> 1L,
            "doubleValue", arguments -> 1.0,
            "floatArrayValue", arguments -> new float[1],
            "doubleArrayValue", arguments -> new double[1],
            "longArrayValue", arguments -> new long[1]));
        return proxy(NodeProperty.class, Map.of("values", arguments -> values, "valueType", arguments -> type));
    }

    private interface Answer {
        Object to(Object[] arguments);
    }

    private static <T> T proxy(Class<T> type, Map<String, Answer> answers) {
        return type.cast(Proxy.newProxyInstance(AdapterProbe.class.getClassLoader(), new Class<?>[] {type},
            (self, method, arguments) -> {
                var answer = answers.get(method.getName());
                if (answer == null) {
                    throw new IllegalStateException("The probe has no answer for " + method);
                }
                return answer.to(arguments);
            }));
    }
}
