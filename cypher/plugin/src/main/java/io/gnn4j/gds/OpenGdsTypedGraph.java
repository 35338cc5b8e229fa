// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.graph.NeighbourReader;
import io.gnn4j.graph.NodeColumn;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.graph.PropertySpec;
import io.gnn4j.graph.Relation;
import io.gnn4j.graph.TypedGraph;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.neo4j.gds.RelationshipType;
import org.neo4j.gds.api.Graph;
import org.neo4j.gds.api.GraphStore;

/** {@link TypedGraph} over a GDS graph store. */
final class OpenGdsTypedGraph implements TypedGraph {
    private static final int GUARD_EVERY = 1 << 10;

    private final OpenGdsGraph graph;
    private final GraphStore store;
    private final NodeIndex nodes;
    /** Relationship type -> degrees of each of its relations; filled on first use, under this map's lock. */
    private final Map<String, Map<Relation, int[]>> degrees = new HashMap<>();

    OpenGdsTypedGraph(OpenGdsGraph graph, NodeIndex nodes) {
        this.graph = graph;
        this.store = graph.store();
        this.nodes = nodes;
    }

    @Override
    public ProjectedGraph graph() {
        return graph;
    }

    @Override
    public List<String> types() {
        return nodes.types();
    }

    @Override
    public int nodeCount(String type) {
        return nodes.count(nodes.type(type));
    }

    @Override
    public long nodeId(String type, int index) {
        return nodes.nodeId(nodes.type(type), index);
    }

    @Override
    public int indexOf(String type, long nodeId) {
        return nodes.indexOf(nodes.type(type), nodeId);
    }

    @Override
    public NodeColumn nodeProperty(String type, String property) {
        var known = graph.nodeProperties(type);
        return known.stream().filter(spec -> spec.name().equals(property)).findFirst()
            .map(spec -> new OpenGdsColumn(spec, store.nodeProperty(property).values(), nodes, nodes.type(type)))
            .orElseThrow(() -> {
                var names = known.stream().map(PropertySpec::name).toList();
                return new InvalidConfiguration(List.of("Nodes of type '" + type + "' in graph `" + graph.name()
                    + "` have no property `" + property + "`." + Suggestion.sentence(property, names)
                    + " Known: " + (names.isEmpty() ? "none" : String.join(", ", names)) + "."));
            });
    }

    @Override
    public List<Relation> relations(List<String> relationshipTypes, Runnable guard) {
        var known = graph.relationshipTypes();
        var faults = new ArrayList<String>();
        for (var type : relationshipTypes) {
            if (!known.contains(type)) {
                faults.add(unknownType(type, known));
            }
        }
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
        var found = new ArrayList<Relation>();
        for (var type : relationshipTypes.isEmpty() ? known : relationshipTypes.stream().distinct().toList()) {
            if (nodes.isWhole()) {
                if (store.relationshipCount(RelationshipType.of(type)) > 0) {
                    found.add(new Relation(types().get(0), type, types().get(0)));
                }
                continue;
            }
            var counted = counted(type, guard);
            for (var source : types()) {
                for (var target : types()) {
                    var relation = new Relation(source, type, target);
                    if (counted.containsKey(relation)) {
                        found.add(relation);
                    }
                }
            }
        }
        return found;
    }

    private static String unknownType(String type, List<String> known) {
        return "Unknown relationship type '" + type + "'." + Suggestion.sentence(type, known)
            + " Known: " + (known.isEmpty() ? "none" : String.join(", ", known)) + ".";
    }

    private RelationshipType known(String type) {
        var known = graph.relationshipTypes();
        if (!known.contains(type)) {
            throw new InvalidConfiguration(List.of(unknownType(type, known)));
        }
        return RelationshipType.of(type);
    }

    @Override
    public long relationshipCount(Relation relation, Runnable guard) {
        if (nodes.isWhole()) {
            return store.relationshipCount(known(relation.type()));
        }
        long count = 0;
        for (int degree : degrees(relation, guard)) {
            count += degree;
        }
        return count;
    }

    @Override
    public int[] degrees(Relation relation, Runnable guard) {
        int sources = nodeCount(relation.source());
        nodes.type(relation.target());
        if (!nodes.isWhole()) {
            var counted = counted(relation.type(), guard).get(relation);
            return counted == null ? new int[sources] : counted;
        }
        var reader = adjacency(known(relation.type()), Optional.empty());
        var found = new int[sources];
        for (int index = 0; index < sources; index++) {
            if (index % (GUARD_EVERY << 6) == 0) {
                guard.run();
            }
            found[index] = reader.degree(nodes.dense(0, index));
        }
        return found;
    }

    private Map<Relation, int[]> counted(String type, Runnable guard) {
        synchronized (degrees) {
            var counted = degrees.get(type);
            if (counted == null) {
                counted = count(type, guard);
                degrees.put(type, counted);
            }
            return counted;
        }
    }

    /** One pass over the adjacency lists of a type: degrees per source and target type, for pairs that occur. */
    private Map<Relation, int[]> count(String type, Runnable guard) {
        var reader = adjacency(known(type), Optional.empty());
        var typeOf = nodes.typeOf();
        var found = new HashMap<Relation, int[]>();
        var names = types();
        for (int source = 0; source < names.size(); source++) {
            var perTarget = new int[names.size()][];
            // One slot more, for nodes that are left out.
            var counts = new int[names.size() + 1];
            for (int index = 0; index < nodes.count(source); index++) {
                if (index % GUARD_EVERY == 0) {
                    guard.run();
                }
                long dense = nodes.dense(source, index);
                if (reader.degree(dense) == 0) {
                    continue;
                }
                reader.forEachRelationship(dense, (from, to) -> {
                    counts[typeOf[(int) to] + 1]++;
                    return true;
                });
                for (int target = 0; target < names.size(); target++) {
                    if (counts[target + 1] > 0) {
                        if (perTarget[target] == null) {
                            perTarget[target] = new int[nodes.count(source)];
                        }
                        perTarget[target][index] = counts[target + 1];
                    }
                }
                Arrays.fill(counts, 0);
            }
            for (int target = 0; target < names.size(); target++) {
                if (perTarget[target] != null) {
                    found.put(new Relation(names.get(source), type, names.get(target)), perTarget[target]);
                }
            }
        }
        return found;
    }

    private Graph adjacency(RelationshipType type, Optional<String> property) {
        // All labels: a graph over all nodes keeps GDS's dense ids as they are. Cursors are stateful, hence the copy.
        return store.getGraph(store.nodeLabels(), List.of(type), property).concurrentCopy();
    }

    @Override
    public NeighbourReader neighbours(Relation relation, List<String> properties) {
        var type = known(relation.type());
        var known = graph.relationshipProperties(relation.type());
        for (var property : properties) {
            if (!known.contains(property)) {
                throw new InvalidConfiguration(List.of("Relationships of type '" + relation.type() + "' in graph `"
                    + graph.name() + "` have no property `" + property + "`." + Suggestion.sentence(property, known)
                    + " Known: " + (known.isEmpty() ? "none" : String.join(", ", known)) + "."));
            }
        }
        var composite = properties.size() > 1 ? store.getCompositeRelationshipIterator(type, properties) : null;
        var property = properties.size() == 1 ? Optional.of(properties.get(0)) : Optional.<String>empty();
        return new OpenGdsNeighbours(
            adjacency(type, property), composite, properties.size(), nodes, nodes.type(relation.source()),
            nodes.type(relation.target()));
    }
}
