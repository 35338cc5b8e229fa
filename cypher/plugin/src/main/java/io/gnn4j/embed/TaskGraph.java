// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import io.gnn4j.config.Suggestion;
import io.gnn4j.graph.Csr;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.graph.Relation;
import io.gnn4j.graph.TypedGraph;
import io.gnn4j.task.Behaviour;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;

/** The user-item pairs of a task in a projection that has each behaviour as a relationship type of its own. */
public final class TaskGraph {
    private final TypedGraph graph;
    private final Task task;
    private final List<Source> sources;

    /** @param reversed whether the rows of the relation are items */
    private record Source(Relation relation, double weight, boolean reversed) {}

    private TaskGraph(TypedGraph graph, Task task, List<Source> sources) {
        this.graph = graph;
        this.task = task;
        this.sources = sources;
    }

    /**
     * @throws IllegalArgumentException when the projection lacks a label or a type of the task, all of them named
     */
    public static TaskGraph of(ProjectedGraph projection, Task task, Runnable guard) {
        var wanted = new LinkedHashSet<>(List.of(task.recommend(), task.to()));
        var missing = new ArrayList<String>();
        for (var label : wanted) {
            if (!projection.labels().contains(label)) {
                missing.add("the label '" + label + "'" + Suggestion.sentence(label, projection.labels()));
            }
        }
        for (var type : task.via().keySet()) {
            if (!projection.relationshipTypes().contains(type)) {
                missing.add("the relationship type '" + type + "'" + Suggestion.sentence(type, projection.relationshipTypes()));
            }
        }
        if (!missing.isEmpty()) {
            throw new IllegalArgumentException("Graph `" + projection.name() + "` lacks " + String.join(", ", missing)
                + ", which the task of the model reads. It has the labels " + projection.labels() + " and the types "
                + projection.relationshipTypes() + ". Project again with gds.graph.project('" + projection.name() + "', "
                + quoted(wanted) + ", " + quoted(task.via().keySet()) + ").");
        }
        var graph = projection.typed(List.copyOf(wanted), List.of(), guard);
        var relations = graph.relations(List.copyOf(task.via().keySet()), guard);
        var sources = new ArrayList<Source>();
        for (var behaviour : task.via().values()) {
            sources.addAll(sources(task, behaviour, relations));
        }
        return new TaskGraph(graph, task, sources);
    }

    private static List<Source> sources(Task task, Behaviour behaviour, List<Relation> relations) {
        var fromUsers = new Source(new Relation(task.to(), behaviour.name(), task.recommend()), behaviour.weight(), false);
        var fromItems = new Source(new Relation(task.recommend(), behaviour.name(), task.to()), behaviour.weight(), true);
        if (task.recommend().equals(task.to())) {
            // Among items alone a pair joins both of its ends.
            return relations.contains(fromUsers.relation()) ? List.of(fromUsers, fromItems) : List.of();
        }
        // As it is stored, or undirected, which holds that too; else the projection turned it round.
        var stored = behaviour.incoming() ? fromItems : fromUsers;
        var turned = behaviour.incoming() ? fromUsers : fromItems;
        if (relations.contains(stored.relation())) {
            return List.of(stored);
        }
        return relations.contains(turned.relation()) ? List.of(turned) : List.of();
    }

    private static String quoted(Iterable<String> names) {
        var texts = new ArrayList<String>();
        names.forEach(name -> texts.add("'" + name.replace("'", "\\'") + "'"));
        return "[" + String.join(", ", texts) + "]";
    }

    public TypedGraph graph() {
        return graph;
    }

    public int items() {
        return graph.nodeCount(task.recommend());
    }

    /** Nodes that receive, 0 where these are the items themselves. */
    public int users() {
        return isOneSided() ? 0 : graph.nodeCount(task.to());
    }

    /** Whether items are recommended to items. */
    public boolean isOneSided() {
        return task.recommend().equals(task.to());
    }

    /** Relationships, parallel ones included. */
    public long relationships(Runnable guard) {
        return sources.stream().mapToLong(source -> graph.relationshipCount(source.relation(), guard)).sum();
    }

    /** The pairs, one row for each user (or item, where there are only items). */
    public ReducedGraph pairs(Runnable guard) {
        var rows = graph.nodeCount(task.to());
        var neighbours = new ReducedGraph.Neighbours[sources.size()];
        var weights = new double[sources.size()];
        for (int s = 0; s < neighbours.length; s++) {
            var source = sources.get(s);
            weights[s] = source.weight();
            neighbours[s] = source.reversed()
                ? reversed(graph.csr(source.relation(), List.of(), guard).reversed(rows, guard))
                : forward(source.relation(), guard);
        }
        return ReducedGraph.unite(rows, neighbours, weights, guard);
    }

    /** Rows of {@link #pairs}: users, or items where there are only items. */
    public int rows() {
        return graph.nodeCount(task.to());
    }

    /** Hears of one relationship. */
    public interface Event {
        /** @param properties in the order asked for, NaN where it has none; overwritten by the next one */
        void accept(int user, int item, String behaviour, double weight, double[] properties);
    }

    /** Every relationship of the task, parallel ones included. @param properties wanted, where the type has them */
    public void events(List<String> properties, Event each, Runnable guard) {
        for (var source : sources) {
            var type = source.relation().type();
            var there = properties.stream().filter(graph.graph().relationshipProperties(type)::contains).toList();
            var csr = graph.csr(source.relation(), there, guard);
            var values = new double[properties.size()];
            Arrays.fill(values, Double.NaN);
            for (int row = 0; row < csr.sourceCount(); row++) {
                for (var at = (int) csr.offsets()[row]; at < csr.offsets()[row + 1]; at++) {
                    for (int p = 0; p < there.size(); p++) {
                        values[properties.indexOf(there.get(p))] = csr.properties()[p][at];
                    }
                    var other = csr.targets()[at];
                    each.accept(source.reversed() ? other : row, source.reversed() ? row : other, type, source.weight(), values);
                }
            }
        }
    }

    private ReducedGraph.Neighbours forward(Relation relation, Runnable guard) {
        var degrees = graph.degrees(relation, guard);
        var reader = graph.neighbours(relation, List.of());
        return (row, into, at) -> {
            if (into == null || degrees[row] == 0) {
                return degrees[row];
            }
            var count = reader.read(row);
            System.arraycopy(reader.targets(), 0, into, at, count);
            return count;
        };
    }

    private static ReducedGraph.Neighbours reversed(Csr csr) {
        return (row, into, at) -> {
            if (into != null) {
                System.arraycopy(csr.targets(), (int) csr.offsets()[row], into, at, csr.degree(row));
            }
            return csr.degree(row);
        };
    }

    /** Bytes of building {@link #pairs} and of holding them from both sides. */
    public long bytes(Runnable guard) {
        var entries = relationships(guard);
        var turned = sources.stream().filter(Source::reversed).mapToLong(source -> 2 * graph.csrBytes(source.relation(), 0, guard)).max();
        return ReducedGraph.bytes(graph.nodeCount(task.to()), entries) + ReducedGraph.bytes(items(), entries) + turned.orElse(0);
    }
}
