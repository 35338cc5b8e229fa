// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.task.Behaviour;
import io.gnn4j.task.Task;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** Popularity as the caller sees it: what is counted already, and what only this transaction knows. One call's, for one thread. */
final class PopularItems {
    private final LiveStore store;
    private final Task task;
    private final List<Behaviour> via;
    private final long[] candidates;
    private final Supplier<Popularity> counted;
    private Map<Long, Integer> addedHere;
    private Double mostUsers;

    /**
     * @param candidates the only items that may come; null: all
     * @param counted asked only when it is needed: making it costs
     */
    PopularItems(LiveStore store, Task task, long[] candidates, Supplier<Popularity> counted) {
        this.store = store;
        this.task = task;
        this.candidates = candidates;
        this.counted = counted;
        via = List.copyOf(task.via().values());
    }

    Popularity counted() {
        return counted.get();
    }

    /** @param asked how many are looked up at first */
    Candidates list(int asked, LongHashSet excluded) {
        var table = counted.get();
        if (candidates != null) {
            var counts = new HashMap<Long, Integer>();
            Arrays.stream(candidates).forEach(id -> counts.put(id, table.contains(id) ? table.count(id) : count(id)));
            return new PopularityCandidates(new Popularity(), counts, excluded, Math.max(1, counts.size()));
        }
        return new PopularityCandidates(table, addedHere(table), excluded, asked);
    }

    /** As a part of a blend. */
    RankedSource source(int asked, LongHashSet excluded) {
        var table = counted.get();
        return new PopularitySource(
            table, id -> store.hasLabel(id, task.recommend()) ? count(id) : null, () -> list(asked, excluded), mostUsers(table));
    }

    private double mostUsers(Popularity table) {
        if (mostUsers == null) {
            var top = table.top(1, new LongHashSet(), Map.of());
            mostUsers = top.size() == 0 ? 0 : top.scores()[0];
        }
        return mostUsers;
    }

    /** Items the caller made and has not committed: no cache knows them. */
    private Map<Long, Integer> addedHere(Popularity table) {
        if (addedHere == null) {
            addedHere = new HashMap<>();
            store.nodesAddedHere(task.recommend(), id -> {
                if (!table.contains(id)) {
                    addedHere.put(id, count(id));
                }
            });
        }
        return addedHere;
    }

    private int count(long item) {
        return store.interactions(item, false, via, task.to(), null, Integer.MAX_VALUE).degree();
    }
}
