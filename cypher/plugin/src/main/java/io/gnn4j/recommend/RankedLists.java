// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.neighbour.NodeRows;
import io.gnn4j.recommend.SourceEncoder.Source;
import io.gnn4j.task.Task;
import java.util.Map;
import java.util.function.Supplier;
import org.eclipse.collections.impl.list.mutable.primitive.IntArrayList;
import org.eclipse.collections.impl.map.mutable.primitive.LongDoubleHashMap;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/**
 * {@code lists/1}: lists that were made elsewhere, less what may not come back now. When a list ends, and for who has none,
 * a walk goes on.
 */
public final class RankedLists implements RankedModel {
    private final NodeRows rows;
    private final LiveStore store;
    private final Task task;
    private final String reference;
    private final Supplier<Walk> walk;

    /**
     * @param reference of the model, for messages
     * @param walk asked only when one is needed; null where nothing goes on behind a list
     */
    public RankedLists(NodeRows rows, LiveStore store, Task task, String reference, Supplier<Walk> walk) {
        this.rows = rows;
        this.store = store;
        this.task = task;
        this.reference = reference;
        this.walk = walk;
    }

    /** With times: a walk reads the newest items first. */
    @Override
    public Interactions read(LiveStore live, Task asked, long user, int most) {
        return live.interactions(user, true, java.util.List.copyOf(asked.via().values()), asked.recommend(), asked.timeProperty(), most);
    }

    @Override
    public RankedSource to(Source source, LongHashSet excluded) {
        var user = source.node() != null && store.hasLabel(source.node(), task.to());
        var row = user ? rows.rows(task.to(), new long[] {source.node()})[0] : NodeRows.NO_ROW;
        return new ListSource(row, source, user, excluded);
    }

    @Override
    public RankedSource like(long node, boolean user, LongHashSet excluded) {
        throw new IllegalArgumentException("Model '" + reference + "' holds finished lists, which say nothing of what is alike. Use"
            + " `method: 'walk'`.");
    }

    private final class ListSource implements RankedSource, Candidates {
        private final Source source;
        private final boolean user;
        private final LongHashSet excluded;
        private final LongHashSet given = new LongHashSet();
        private final LongDoubleHashMap scores = new LongDoubleHashMap();
        private final long[] nodes;
        private double best;
        private int at;
        private Candidates onward;

        ListSource(int row, Source source, boolean user, LongHashSet excluded) {
            this.source = source;
            this.user = user;
            this.excluded = excluded;
            var targets = new IntArrayList();
            var values = new org.eclipse.collections.impl.list.mutable.primitive.FloatArrayList();
            if (row != NodeRows.NO_ROW) {
                rows.forEach(row, (target, value) -> {
                    targets.add(target);
                    values.add(value);
                });
            }
            nodes = rows.nodes(targets.toArray(), targets.size());
            for (int i = 0; i < nodes.length; i++) {
                if (nodes[i] != NodeRows.NO_NODE) {
                    best = scores.isEmpty() ? values.get(i) : best;
                    scores.put(nodes[i], values.get(i));
                }
            }
        }

        @Override
        public Candidate next() {
            while (at < nodes.length) {
                var node = nodes[at++];
                if (node != NodeRows.NO_NODE && !excluded.contains(node)) {
                    given.add(node);
                    return new Candidate(node, scores.get(node), Map.of("list", scores.get(node)), "list");
                }
            }
            if (walk == null) {
                return null;
            }
            if (onward == null) {
                given.addAll(excluded);
                onward = walk.get().from(source.history(), user ? null : source.node(), given);
            }
            return onward.next();
        }

        @Override
        public Candidates list() {
            return this;
        }

        @Override
        public double score(long id) {
            return scores.getIfAbsent(id, Double.NaN);
        }

        @Override
        public double best() {
            return best;
        }
    }
}
