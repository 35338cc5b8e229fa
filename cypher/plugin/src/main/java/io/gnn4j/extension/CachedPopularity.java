// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import io.gnn4j.graph.LiveGraph;
import io.gnn4j.recommend.Popularity;
import io.gnn4j.task.Behaviour;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Relationship;
import org.neo4j.graphdb.Transaction;
import org.neo4j.graphdb.event.TransactionData;

/**
 * How many distinct users touched each item.
 *
 * <p>A commit only marks the items whose relationships it changed; they are counted again when somebody asks.
 */
final class CachedPopularity extends Cached<Popularity, CachedPopularity.Marks> {
    private final Task task;
    private final List<Behaviour> behaviours;
    private final Popularity counts = new Popularity();
    private Marks marks = new Marks();

    /** A node on the way from users to items, from which the rest of the path leads to items that changed. */
    private record Waypoint(long node, List<String> types, boolean outgoing) {}

    static final class Marks {
        final LongHashSet gone = new LongHashSet();
        final LongHashSet items = new LongHashSet();
        final Set<Waypoint> waypoints = new HashSet<>();

        boolean isEmpty() {
            return gone.isEmpty() && items.isEmpty() && waypoints.isEmpty();
        }
    }

    CachedPopularity(Task task, Consumer<Cached<?, ?>> drop) {
        super(drop);
        this.task = task;
        behaviours = List.copyOf(task.via().values());
    }

    @Override
    String kind() {
        return "popularity";
    }

    @Override
    String name() {
        return ":" + task.recommend() + " by " + String.join(", ", task.via().keySet());
    }

    @Override
    Popularity value() {
        return counts;
    }

    @Override
    long bytes() {
        return Popularity.bytes(counts.size());
    }

    @Override
    long estimate(Transaction committed) {
        try (var graph = new LiveGraph(committed)) {
            return Popularity.bytes(graph.count(task.recommend()));
        }
    }

    @Override
    void load(Transaction committed, Runnable guard) {
        try (var graph = new LiveGraph(committed); var nodes = committed.findNodes(Label.label(task.recommend()))) {
            while (nodes.hasNext()) {
                guard.run();
                var item = LiveGraph.id(nodes.next());
                counts.set(item, count(graph, item));
            }
        }
    }

    private int count(LiveGraph graph, long item) {
        return graph.interactions(item, false, behaviours, task.to(), null, Integer.MAX_VALUE).degree();
    }

    @Override
    Marks read(TransactionData data) {
        var found = new Marks();
        for (var node : data.deletedNodes()) {
            found.gone.add(LiveGraph.id(node));
        }
        for (var removed : data.removedLabels()) {
            if (removed.label().name().equals(task.recommend())) {
                found.gone.add(LiveGraph.id(removed.node()));
            }
            if (removed.label().name().equals(task.to())) {
                behaviours.forEach(behaviour -> mark(found, LiveGraph.id(removed.node()), behaviour, -1));
            }
        }
        for (var assigned : data.assignedLabels()) {
            if (assigned.label().name().equals(task.recommend())) {
                found.items.add(LiveGraph.id(assigned.node()));
            }
            if (assigned.label().name().equals(task.to())) {
                behaviours.forEach(behaviour -> mark(found, LiveGraph.id(assigned.node()), behaviour, -1));
            }
        }
        data.createdRelationships().forEach(relationship -> mark(found, relationship));
        data.deletedRelationships().forEach(relationship -> mark(found, relationship));
        return found.isEmpty() ? null : found;
    }

    private void mark(Marks found, Relationship relationship) {
        var type = relationship.getType().name();
        for (var behaviour : behaviours) {
            var path = behaviour.pathFrom(true);
            for (int step = 0; step < path.size(); step++) {
                if (path.get(step).equals(type)) {
                    var end = behaviour.incoming() ? relationship.getStartNode() : relationship.getEndNode();
                    mark(found, LiveGraph.id(end), behaviour, step);
                }
            }
        }
    }

    /** Marks what lies behind a node that the path reaches with this step, -1 being the user's own place. */
    private static void mark(Marks found, long node, Behaviour behaviour, int step) {
        var rest = behaviour.pathFrom(true).subList(step + 1, behaviour.path().size());
        if (rest.isEmpty()) {
            found.items.add(node);
        } else {
            found.waypoints.add(new Waypoint(node, List.copyOf(rest), !behaviour.incoming()));
        }
    }

    @Override
    void apply(Marks change) {
        change.gone.forEach(item -> {
            counts.remove(item);
            marks.items.remove(item);
        });
        marks.items.addAll(change.items);
        marks.waypoints.addAll(change.waypoints);
    }

    @Override
    synchronized boolean isSettled() {
        return marks.isEmpty();
    }

    @Override
    void settle(LiveGraph committed) {
        Marks taken;
        synchronized (this) {
            taken = marks;
            marks = new Marks();
        }
        var done = false;
        try {
            for (var waypoint : taken.waypoints) {
                taken.items.addAll(committed.reach(waypoint.node(), waypoint.types(), waypoint.outgoing()));
            }
            taken.items.forEach(item -> {
                if (committed.hasLabel(item, task.recommend())) {
                    counts.set(item, count(committed, item));
                } else {
                    counts.remove(item);
                }
            });
            done = true;
        } finally {
            if (!done) { // ended half-way: the marks stand as before
                synchronized (this) {
                    apply(taken);
                }
            }
        }
    }

    /** The same counts serve every task that counts the same way. */
    static List<Object> key(Task task) {
        var paths = new ArrayList<>();
        task.via().values().forEach(behaviour -> paths.add(List.of(behaviour.incoming(), behaviour.path())));
        return List.of(task.recommend(), task.to(), Set.copyOf(paths));
    }
}
