// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.gds;

import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.graph.GraphChanged;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.graph.PropertyDraft;
import io.gnn4j.graph.PropertySpec;
import io.gnn4j.graph.PropertyType;
import io.gnn4j.graph.RelationshipDraft;
import io.gnn4j.graph.TypedGraph;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import org.neo4j.gds.ElementIdentifier;
import org.neo4j.gds.NodeLabel;
import org.neo4j.gds.RelationshipType;
import org.neo4j.gds.api.CSRGraph;
import org.neo4j.gds.api.GraphStore;
import org.neo4j.gds.core.loading.CatalogRequest;
import org.neo4j.gds.core.loading.GraphNotFoundException;
import org.neo4j.gds.core.loading.GraphStoreCatalog;

/** One graph of the GDS catalog. */
final class OpenGdsGraph implements ProjectedGraph {
    private final CatalogRequest request;
    private final String name;
    private final GraphStore store;

    /** @param request what the graph was found by, asked again by {@link #requireCurrent()}; null never asks */
    OpenGdsGraph(CatalogRequest request, String name, GraphStore store) {
        this.request = request;
        this.name = name;
        this.store = store;
    }

    GraphStore store() {
        return store;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public ZonedDateTime creationTime() {
        return store.creationTime();
    }

    @Override
    public long nodeCount() {
        return store.nodeCount();
    }

    @Override
    public List<String> labels() {
        return names(store.nodeLabels());
    }

    @Override
    public List<String> relationshipTypes() {
        return names(store.relationshipTypes());
    }

    private static List<String> names(Iterable<? extends ElementIdentifier> elements) {
        var names = new ArrayList<String>();
        elements.forEach(element -> names.add(element.name()));
        names.sort(null);
        return names;
    }

    @Override
    public List<PropertySpec> nodeProperties(String label) {
        return store.nodePropertyKeys(NodeLabel.of(label)).stream().sorted()
            .map(key -> new PropertySpec(key, typeOf(key))).toList();
    }

    private PropertyType typeOf(String key) {
        var type = store.nodeProperty(key).valueType();
        return switch (type) {
            case LONG -> PropertyType.LONG;
            case DOUBLE -> PropertyType.DOUBLE;
            case FLOAT_ARRAY -> PropertyType.FLOAT_ARRAY;
            case DOUBLE_ARRAY -> PropertyType.DOUBLE_ARRAY;
            case LONG_ARRAY -> PropertyType.LONG_ARRAY;
            default -> throw new InvalidConfiguration(List.of("Node property `" + key + "` of graph `" + name
                + "` is of type " + type.cypherName() + "; numbers and lists of numbers can be read."));
        };
    }

    @Override
    public List<String> relationshipProperties(String relationshipType) {
        var type = RelationshipType.of(relationshipType);
        return store.relationshipTypes().contains(type)
            ? store.relationshipPropertyKeys(type).stream().sorted().toList() : List.of();
    }

    @Override
    public int relationshipStamp(String relationshipType) {
        var type = RelationshipType.of(relationshipType);
        if (!store.relationshipTypes().contains(type)) {
            return 0;
        }
        var adjacency = store.getGraph(store.nodeLabels(), List.of(type), Optional.empty());
        return adjacency instanceof CSRGraph lists
            ? lists.relationshipTopologies().values().stream()
                .mapToInt(topology -> System.identityHashCode(topology.adjacencyList())).sum()
            : store.modificationTime().hashCode();
    }

    @Override
    public void requireCurrent() {
        if (request == null) {
            return;
        }
        try {
            if (GraphStoreCatalog.get(request, name).graphStore() != store) {
                throw new GraphChanged(name);
            }
        } catch (GraphNotFoundException dropped) {
            throw new GraphChanged(name);
        }
    }

    @Override
    public TypedGraph typed(List<String> labels, List<String> priority, Runnable guard) {
        var known = labels();
        var faults = new ArrayList<String>();
        unknown("nodeLabels", labels, known, faults);
        unknown("labelPriority", priority, known, faults);
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
        var types = labels.isEmpty() ? known : labels.stream().distinct().toList();
        return new OpenGdsTypedGraph(this, NodeIndex.of(store, name, types, priority, guard));
    }

    @Override
    public PropertyDraft draft(List<String> labels, String property, PropertyType type, PropertyDraft.IfExists ifExists) {
        var known = labels();
        var faults = new ArrayList<String>();
        unknown("nodeLabels", labels, known, faults);
        boolean exists = store.hasNodeProperty(property);
        if (exists && ifExists == PropertyDraft.IfExists.FAIL) {
            faults.add("Graph `" + name + "` has a node property `" + property
                + "` already. Choose another name, or set `ifExists` to 'replace' or 'merge'.");
        }
        boolean merge = exists && ifExists == PropertyDraft.IfExists.MERGE;
        if (merge && typeOf(property) != type) {
            faults.add("Node property `" + property + "` of graph `" + name + "` is " + typeOf(property) + "; " + type
                + " cannot be merged into it. Set `ifExists` to 'replace'.");
        }
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
        var under = new TreeSet<>(labels.isEmpty() ? known : labels);
        if (merge) {
            known.stream().filter(label -> store.hasNodeProperty(NodeLabel.of(label), property)).forEach(under::add);
        }
        return new OpenGdsDraft(
            store, List.copyOf(under), under.size() == known.size(), property, type,
            merge ? store.nodeProperty(property).values() : null);
    }

    @Override
    public RelationshipDraft relationships(String type, String property) {
        return new OpenGdsRelationships(name, store, type, property);
    }

    private static void unknown(String key, List<String> names, List<String> known, List<String> faults) {
        for (var label : names) {
            if (!known.contains(label)) {
                faults.add("Unknown node label '" + label + "' in `" + key + "`." + Suggestion.sentence(label, known)
                    + " Known: " + (known.isEmpty() ? "none" : String.join(", ", known)) + ".");
            }
        }
    }
}
