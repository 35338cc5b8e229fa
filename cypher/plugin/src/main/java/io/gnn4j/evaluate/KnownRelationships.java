// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import io.gnn4j.embed.TaskGraph;
import io.gnn4j.evaluate.EvaluateConfig.Truth;
import io.gnn4j.task.Task;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** The relationships of a projection, by behaviour, that there would be if nothing held out, and nothing later, had happened. */
public final class KnownRelationships {
    private final Map<String, LongHashSet> pairs = new HashMap<>();
    private final EvaluatedNodes nodes;

    private KnownRelationships(EvaluatedNodes nodes) {
        this.nodes = nodes;
    }

    /** @param data the same graph, split by the same truth */
    public static KnownRelationships of(
            TaskGraph graph, Task task, Truth truth, HeldOut data, EvaluatedNodes nodes, Runnable guard) {
        var properties = new LinkedHashSet<>(truth.where().keySet());
        if (task.timeProperty() != null) {
            properties.add(task.timeProperty());
        }
        var names = List.copyOf(properties);
        var known = new KnownRelationships(nodes);
        graph.events(names, (user, item, type, weight, values) -> {
            var time = HeldOut.time(task, names, values);
            var isKnown = truth.leaves(time, truth.holds(property -> values[names.indexOf(property)]));
            if (isKnown && Arrays.binarySearch(data.truth()[user], item) < 0) {
                known.pairs.computeIfAbsent(type, missing -> new LongHashSet()).add(key(user, item));
            }
        }, guard);
        return known;
    }

    private static long key(int user, int item) {
        return (long) user << 32 | item;
    }

    /** Bytes for so many relationships. */
    public static long bytes(long relationships) {
        return relationships * 32;
    }

    /** @param user Neo4j id, as that of the item */
    public boolean holds(String behaviour, long user, long item) {
        var of = pairs.get(behaviour);
        var row = nodes.user(user);
        var column = nodes.item(item);
        return of != null && row >= 0 && column >= 0 && of.contains(key(row, column));
    }
}
