// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.task.Behaviour;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** Reads in the caller's transaction what a list is made from, and what stays out of it. */
final class SourceReader {
    /**
     * @param source null for a visitor
     * @param isItem the source is no user but an item
     * @param excluded ids that never come; whoever makes the list adds what it has given
     */
    record Reading(Long source, boolean isItem, Interactions history, LongHashSet excluded) {
        SourceEncoder.Source asked() {
            return new SourceEncoder.Source(source, history);
        }
    }

    private final RecommendCall call;
    private final LiveStore store;
    private final Task task;
    private final RecommendConfig config;
    private final ModelParts model;
    private final List<Behaviour> via;
    private final Map<String, Long> seen;

    /** @throws IllegalArgumentException where {@code history} or {@code context} holds other nodes than items */
    SourceReader(RecommendCall call, ModelParts model) {
        this.call = call;
        this.model = model;
        store = call.store();
        task = call.task();
        config = call.config();
        via = List.copyOf(task.via().values());
        seen = config.seenIn(task);
        requireItems("history", config.history());
        requireItems("context", config.context());
    }

    /** Another node has no users and no vector: the list would be that of somebody else. One that is gone is no fault. */
    private void requireItems(String key, long[] ids) {
        for (var id : ids) {
            if (!store.hasLabel(id, task.recommend()) && store.exists(id)) {
                throw new IllegalArgumentException("`" + key + "` holds node " + id + ", which is no `" + task.recommend()
                    + "`. Give the items that were touched.");
            }
        }
    }

    /** @throws IllegalArgumentException for a source that is neither a user nor an item of the task */
    Reading read(Long source) {
        var user = source != null && store.hasLabel(source, task.to());
        var item = source != null && !user && store.hasLabel(source, task.recommend());
        if (source != null && !user && !item) {
            throw new IllegalArgumentException("Node " + source + " is neither a `" + task.to() + "` nor a `"
                + task.recommend() + "`, which are the labels of the task.");
        }
        var own = source == null ? Interactions.of(config.history(), task.largestWeight())
            : user ? interactions(source) : Interactions.of(new long[] {source}, task.largestWeight());
        var history = own.and(config.context(), task.largestWeight());
        var excluded = new LongHashSet();
        excluded.addAll(config.exclude());
        excluded.addAll(config.context());
        if (!seen.isEmpty()) {
            excluded.addAll(config.history());
        }
        if (source != null) {
            excluded.add(source);
            excluded.addAll(store.dismissed(source));
            for (var type : config.blockedTypes()) {
                excluded.addAll(store.related(source, type, "any"));
            }
        }
        if (user) {
            excludeSeen(source, history, excluded);
        }
        return new Reading(source, item, history, excluded);
    }

    private Interactions interactions(long user) {
        var timed = config.walks() || model.reranker() != null;
        if (model.vectors() != null && !timed) {
            return model.vectors().encoder().read(store, task, user, config.maxDegree());
        }
        if (model.ranked() != null && !timed) {
            return model.ranked().read(store, task, user, config.maxDegree());
        }
        return store.interactions(user, true, via, task.recommend(), timed ? task.timeProperty() : null, config.maxDegree());
    }

    private void excludeSeen(long user, Interactions history, LongHashSet excluded) {
        var forever = new ArrayList<Behaviour>();
        for (var entry : seen.entrySet()) {
            var behaviour = task.via().get(entry.getKey());
            if (entry.getValue() == RecommendConfig.FOREVER) {
                forever.add(behaviour);
                continue;
            }
            var since = call.clock().getAsLong() - entry.getValue();
            var recent = store.interactions(
                user, true, List.of(behaviour), task.recommend(), task.timeProperty(), Integer.MAX_VALUE);
            for (int i = 0; i < recent.degree(); i++) {
                if (recent.times()[i] >= since || recent.times()[i] == Interactions.NO_TIME) {
                    excluded.add(recent.ids()[i]);
                }
            }
        }
        if (forever.size() == via.size() && !history.truncated()) {
            excluded.addAll(history.ids()); // read already
        } else if (!forever.isEmpty()) {
            // Without a limit: an item seen by the 10,001st relationship is seen all the same.
            excluded.addAll(store.interactions(user, true, forever, task.recommend(), null, Integer.MAX_VALUE).ids());
        }
    }
}
