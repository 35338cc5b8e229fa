// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import io.gnn4j.embed.ReducedGraph;
import io.gnn4j.embed.TaskGraph;
import io.gnn4j.evaluate.EvaluateConfig.Truth;
import io.gnn4j.recommend.Interactions;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;

/**
 * The pairs of a projection in two parts: what is known of the users, and what is held out to be found.
 *
 * <p>A pair with a relationship that is held out is held out as a whole. Of the others those count that happened before
 * the cut (with {@code where} alone: all others), reduced to the largest weight and latest time. Users and items are
 * counted by index, the rank by Neo4j id.
 *
 * @param known by user: ids are item indices, ascending
 * @param truth by user: item indices, ascending
 * @param degrees users of each item among the known pairs
 * @param earliest time of what is held out, in epoch milliseconds; {@link Interactions#NO_TIME} where one has no time
 */
public record HeldOut(Interactions[] known, int[][] truth, int[] degrees, long earliest) {
    /**
     * @throws IllegalArgumentException when the projection lacks a property, nothing is held out, or nothing is left
     */
    public static HeldOut split(TaskGraph graph, Task task, Truth truth, Runnable guard) {
        var properties = new LinkedHashSet<>(truth.where().keySet());
        if (task.timeProperty() != null) {
            properties.add(task.timeProperty());
        }
        requireProperties(graph, task, truth, properties);
        var names = List.copyOf(properties);
        var builder = new Builder(task, truth, names, graph.rows(), graph.items());
        graph.events(names, builder::add, guard);
        return builder.build(guard);
    }

    private static void requireProperties(TaskGraph graph, Task task, Truth truth, LinkedHashSet<String> properties) {
        var projection = graph.graph().graph();
        var there = new LinkedHashSet<String>();
        task.via().keySet().forEach(type -> there.addAll(projection.relationshipProperties(type)));
        for (var property : properties) {
            var needed = truth.where().containsKey(property) || truth.after() != null;
            if (needed && !there.contains(property)) {
                throw new IllegalArgumentException("The relationships of graph `" + projection.name() + "` have no property '" + property
                    + "', only " + there + ". Project it with them.");
            }
        }
    }

    /** The known pairs as propagation reads them. */
    public ReducedGraph pairs() {
        ReducedGraph.Neighbours rows = (row, into, at) -> {
            var items = known[row].ids();
            for (int i = 0; into != null && i < items.length; i++) {
                into[at + i] = (int) items[i];
            }
            return items.length;
        };
        var graph = ReducedGraph.unite(known.length, new ReducedGraph.Neighbours[] {rows}, new double[] {1}, () -> { });
        for (int user = 0; user < known.length; user++) {
            for (int i = 0; i < known[user].degree(); i++) {
                graph.weights()[graph.offsets()[user] + i] = (float) known[user].weights()[i];
            }
        }
        return graph;
    }

    /** Bytes for so many relationships. */
    public static long bytes(long relationships, long users) {
        return relationships * 48 + users * 160;
    }

    /** When a relationship happened. @param values of the properties of these names */
    static long time(Task task, List<String> names, double[] values) {
        var at = task.timeProperty() == null ? Double.NaN : values[names.indexOf(task.timeProperty())];
        return Double.isNaN(at) ? Interactions.NO_TIME : (long) at;
    }

    /** One relationship after the other, then all pairs. */
    private static final class Builder {
        private final Task task;
        private final Truth truth;
        private final List<String> names;
        private final int items;
        private final List<List<Event>> events;

        private record Event(int item, boolean heldOut, double weight, long time) {}

        Builder(Task task, Truth truth, List<String> names, int users, int items) {
            this.task = task;
            this.truth = truth;
            this.names = names;
            this.items = items;
            events = new ArrayList<>(users);
            for (int user = 0; user < users; user++) {
                events.add(null);
            }
        }

        void add(int user, int item, String type, double weight, double[] values) {
            var time = time(task, names, values);
            var holds = truth.holds(property -> values[names.indexOf(property)]);
            var heldOut = truth.holdsOut(type, time, holds);
            if (heldOut || truth.leaves(time, holds)) {
                if (events.get(user) == null) {
                    events.set(user, new ArrayList<>(4));
                }
                events.get(user).add(new Event(item, heldOut, weight, time));
            }
        }

        HeldOut build(Runnable guard) {
            var known = new Interactions[events.size()];
            var held = new int[events.size()][];
            var degrees = new int[items];
            var earliest = Long.MAX_VALUE;
            var pairs = 0L;
            for (int user = 0; user < known.length; user++) {
                if (user % 4096 == 0) {
                    guard.run();
                }
                var own = events.get(user) == null ? List.<Event>of() : events.get(user);
                var reduced = new HashMap<Integer, Event>();
                for (var event : own) {
                    if (event.heldOut) {
                        earliest = Math.min(earliest, event.time);
                    }
                    reduced.merge(event.item, event, (one, other) -> new Event(one.item, one.heldOut || other.heldOut,
                        Math.max(one.weight, other.weight), Math.max(one.time, other.time)));
                }
                held[user] = reduced.values().stream().filter(Event::heldOut).mapToInt(Event::item).sorted().toArray();
                var kept = reduced.values().stream().filter(event -> !event.heldOut)
                    .sorted((one, other) -> Integer.compare(one.item, other.item)).toArray(Event[]::new);
                known[user] = new Interactions(
                    Arrays.stream(kept).mapToLong(Event::item).toArray(),
                    Arrays.stream(kept).mapToDouble(event -> (float) event.weight).toArray(),
                    Arrays.stream(kept).mapToLong(Event::time).toArray(), false);
                for (var event : kept) {
                    degrees[event.item]++;
                }
                pairs += kept.length;
                events.set(user, null);
            }
            if (earliest == Long.MAX_VALUE) {
                throw new IllegalArgumentException("`truth` holds nothing out: no interaction of the projection is of"
                    + " these types, at this time and as `where` wants it.");
            }
            if (pairs == 0) {
                throw new IllegalArgumentException("`truth` leaves nothing to know users by: every interaction is held out, or later"
                    + " than `historyBefore`. Hold out less.");
            }
            return new HeldOut(known, held, degrees, earliest);
        }
    }
}
