// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import io.gnn4j.recommend.RankedModel;
import java.util.Arrays;
import java.util.List;
import org.eclipse.collections.impl.list.mutable.primitive.IntArrayList;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/** By the weights or the finished lists of a model that compares no vectors. */
public final class RankedModelRanker implements Ranker {
    private final HeldOut data;
    private final EvaluatedNodes nodes;
    private final RankedModel model;
    private final Runnable guard;

    public RankedModelRanker(HeldOut data, EvaluatedNodes nodes, RankedModel model, Runnable guard) {
        this.data = data;
        this.nodes = nodes;
        this.model = model;
        this.guard = guard;
    }

    @Override
    public List<int[]> rank(int[] users, int k) {
        return Arrays.stream(users).mapToObj(user -> rank(user, k)).toList();
    }

    private int[] rank(int user, int k) {
        guard.run();
        var source = nodes.source(user, data.known()[user]);
        var list = new IntArrayList();
        var candidates = model.to(source, LongHashSet.newSetWith(source.history().ids())).list();
        for (var next = candidates.next(); next != null && list.size() < k; next = candidates.next()) {
            var item = nodes.item(next.id());
            if (item >= 0) { // the model may know more than the projection holds
                list.add(item);
            }
        }
        return list.toArray();
    }
}
