// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.graph.TypedGraph;
import io.gnn4j.memory.GraphCaches;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The neighbours of a projection: lists made once for each relation and kept while memory allows, shared by all calls of
 * their owner. Numbers are the indices of the nodes. Safe for several threads.
 */
public final class ProjectedNeighbours implements NeighbourSource, AutoCloseable {
    /** Node types and the Neo4j ids of their nodes, ascending. */
    private record Nodes(TypedGraph graph, long[][] ids) {}

    /** @param stamps of all relationship types: degrees are kept with the nodes */
    private record NodesKey(List<String> labels, List<String> priority, List<Integer> stamps) {}

    private record ListsKey(
        List<String> labels, List<String> priority, SampledRelation relation, RelationLists.Columns columns, int stamp) {}

    private final List<GraphCaches.Lease<?>> leases;
    private final Nodes nodes;
    private final RelationLists[] lists;

    private ProjectedNeighbours(List<GraphCaches.Lease<?>> leases, Nodes nodes, RelationLists[] lists) {
        this.leases = leases;
        this.nodes = nodes;
        this.lists = lists;
    }

    /** Where projections are looked at: whose they are, and what is kept of them. */
    public record Access(GraphCaches caches, String database, String user, ProjectedGraph graph, Runnable guard) {
        /** The nodes of some labels, numbered. The lease is to be closed. */
        private GraphCaches.Lease<Nodes> nodes(List<String> labels, List<String> priority) {
            var stamps = graph.relationshipTypes().stream().map(graph::relationshipStamp).toList();
            return caches.hold(database, user, graph, "nodes", graph.name() + " " + String.join(", ", labels),
                new NodesKey(labels, priority, stamps), () -> nodeBytes(graph), () -> number(labels, priority), guard);
        }

        private Nodes number(List<String> labels, List<String> priority) {
            var typed = graph.typed(labels, priority, guard);
            var ids = new long[labels.size()][];
            for (int n = 0; n < ids.length; n++) {
                guard.run();
                var type = labels.get(n);
                ids[n] = new long[typed.nodeCount(type)];
                for (int i = 0; i < ids[n].length; i++) {
                    ids[n][i] = typed.nodeId(type, i);
                }
            }
            return new Nodes(typed, ids);
        }

        /**
         * The relations that have relationships, in both directions, in the order of docs/formats.md.
         *
         * @param types relationship types; empty means all
         */
        public List<SampledRelation> relations(List<String> labels, List<String> priority, List<String> types) {
            try (var held = nodes(labels, priority)) {
                var found = new ArrayList<SampledRelation>();
                for (var relation : held.value().graph().relations(types, guard)) {
                    found.add(new SampledRelation(relation.source(), relation.type(), relation.target(), false, List.of()));
                    found.add(new SampledRelation(relation.target(), relation.type(), relation.source(), true, List.of()));
                }
                found.sort(SampledRelation.ORDER);
                return found;
            }
        }

        /** Bytes that are kept for a plan, by what they are for. */
        public List<Long> bytes(SamplePlan plan, List<String> priority) {
            check(plan);
            var bytes = new ArrayList<Long>();
            bytes.add(nodeBytes(graph));
            try (var held = nodes(plan.nodeTypes(), priority)) {
                for (var relation : plan.relations()) {
                    bytes.add(listBytes(held.value().graph(), relation, columns(graph, relation, plan)));
                }
            }
            return bytes;
        }

        /** Relationships that the lists of a plan are made from, parallel ones included. */
        public long relationships(SamplePlan plan, List<String> priority) {
            try (var held = nodes(plan.nodeTypes(), priority)) {
                return plan.relations().stream()
                    .mapToLong(relation -> held.value().graph().relationshipCount(relation.stored(), guard)).sum();
            }
        }

        private void check(SamplePlan plan) {
            var faults = new ArrayList<String>();
            for (var label : plan.nodeTypes()) {
                unknown("node label", label, graph.labels(), graph, faults);
            }
            for (var relation : plan.relations()) {
                unknown("relationship type", relation.type(), graph.relationshipTypes(), graph, faults);
                if (plan.weightProperty() != null && graph.relationshipTypes().contains(relation.type())) {
                    unknown("property of " + relation.type(), plan.weightProperty(), graph.relationshipProperties(relation.type()), graph,
                        faults);
                }
            }
            var types = plan.relations().stream().map(SampledRelation::type).distinct().toList();
            var properties = types.stream().flatMap(type -> graph.relationshipProperties(type).stream()).distinct().sorted().toList();
            if (plan.timeProperty() != null) {
                unknown("relationship property", plan.timeProperty(), properties, graph, faults);
            }
            for (var property : plan.edgeProperties()) {
                unknown("relationship property", property, properties, graph, faults);
            }
            if (!faults.isEmpty()) {
                throw new InvalidConfiguration(faults.stream().distinct().toList());
            }
        }

        private long listBytes(TypedGraph typed, SampledRelation relation, RelationLists.Columns columns) {
            return RelationLists.bytes(
                typed.nodeCount(relation.receiver()), typed.relationshipCount(relation.stored(), guard), columns);
        }
    }

    /** Translation of ids and a degree for each node and relationship type. */
    private static long nodeBytes(ProjectedGraph graph) {
        return graph.nodeCount() * (9 + 8 + 4L * graph.relationshipTypes().size());
    }

    private static RelationLists.Columns columns(ProjectedGraph graph, SampledRelation relation, SamplePlan plan) {
        return new RelationLists.Columns(plan.timeProperty(), plan.weightProperty(), plan.edgeProperties())
            .of(graph.relationshipProperties(relation.type()));
    }

    /**
     * @param plan its node types are labels of the projection
     * @param priority which label decides for nodes with several
     * @throws InvalidConfiguration for labels, types and properties that the projection does not have, all at once
     * @throws io.gnn4j.memory.MemoryRefused when the lists do not fit into the budget
     */
    public static ProjectedNeighbours open(Access access, SamplePlan plan, List<String> priority) {
        access.check(plan);
        var leases = new ArrayList<GraphCaches.Lease<?>>();
        var complete = false;
        try {
            var held = access.nodes(plan.nodeTypes(), priority);
            leases.add(held);
            var typed = held.value().graph();
            var lists = new RelationLists[plan.relations().size()];
            for (int r = 0; r < lists.length; r++) {
                // The fan-out does not change the lists.
                var given = plan.relations().get(r);
                var relation = new SampledRelation(given.sender(), given.type(), given.receiver(), given.incoming(), List.of());
                var columns = columns(access.graph(), relation, plan);
                var stamp = access.graph().relationshipStamp(relation.type());
                var key = new ListsKey(plan.nodeTypes(), priority, relation, columns, stamp);
                var lease = access.caches().hold(access.database(), access.user(), access.graph(), "neighbours",
                    access.graph().name() + " " + relation + (columns.time() == null ? "" : " by " + columns.time()), key,
                    () -> access.listBytes(typed, relation, columns),
                    () -> RelationLists.read(typed, relation, columns, access.guard()), access.guard());
                leases.add(lease);
                lists[r] = lease.value();
            }
            complete = true;
            return new ProjectedNeighbours(leases, held.value(), lists);
        } finally {
            if (!complete) {
                leases.forEach(GraphCaches.Lease::close);
            }
        }
    }

    private static void unknown(String kind, String name, List<String> known, ProjectedGraph graph, List<String> faults) {
        if (!known.contains(name)) {
            faults.add("Unknown " + kind + " '" + name + "' in graph `" + graph.name() + "`." + Suggestion.sentence(name, known)
                + " Known: " + (known.isEmpty() ? "none" : String.join(", ", known)) + ".");
        }
    }

    /** The projection itself, for node properties by index. */
    public TypedGraph graph() {
        return nodes.graph();
    }

    /** All nodes of a type, ascending. Not to be written to. */
    long[] nodeIds(int type) {
        return nodes.ids()[type];
    }

    @Override
    public int number(int type, long nodeId) {
        var ids = nodes.ids()[type];
        if (ids.length == 0) {
            return -1;
        }
        // Ids without gaps need no search.
        long guess = nodeId - ids[0];
        if (guess >= 0 && guess < ids.length && ids[(int) guess] == nodeId) {
            return (int) guess;
        }
        return Math.max(-1, Arrays.binarySearch(ids, nodeId));
    }

    @Override
    public long nodeId(int type, int number) {
        return nodes.ids()[type][number];
    }

    @Override
    public int count(int type) {
        return nodes.ids()[type].length;
    }

    @Override
    public boolean isOrdered() {
        return true;
    }

    @Override
    public NeighbourList neighbours(int relation) {
        return lists[relation].reader();
    }

    /** Lets go of the lists; they stay cached. */
    @Override
    public void close() {
        leases.forEach(GraphCaches.Lease::close);
    }
}
