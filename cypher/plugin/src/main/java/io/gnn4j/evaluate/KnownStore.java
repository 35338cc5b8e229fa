// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import io.gnn4j.embed.ReducedGraph;
import io.gnn4j.recommend.Interactions;
import io.gnn4j.recommend.LiveStore;
import io.gnn4j.recommend.Popularity;
import io.gnn4j.task.Behaviour;
import io.gnn4j.task.Task;
import java.util.List;
import java.util.function.LongConsumer;
import org.eclipse.collections.api.set.primitive.LongSet;
import org.eclipse.collections.impl.factory.primitive.LongSets;

/**
 * The graph as it would be if what is held out had never happened, for what answers live: interactions are the known pairs,
 * users and items those of the projection; properties are those of the live graph. Of nodes that are users and items of different
 * labels. Safe for several threads as long as no property is asked for.
 */
public final class KnownStore implements LiveStore {
    private final LiveStore live;
    private final Task task;
    private final EvaluatedNodes nodes;
    private final Interactions[] ofUsers;
    private final Interactions[] ofItems;
    private final int[] degrees;

    public KnownStore(LiveStore live, Task task, HeldOut data, EvaluatedNodes nodes, Runnable guard) {
        this.live = live;
        this.task = task;
        this.nodes = nodes;
        degrees = data.degrees();
        ofUsers = new Interactions[data.known().length];
        for (int user = 0; user < ofUsers.length; user++) {
            ofUsers[user] = nodes.source(user, data.known()[user]).history();
        }
        ofItems = ofItems(data.pairs().reversed(degrees.length, guard), nodes.users());
    }

    private static Interactions[] ofItems(ReducedGraph reversed, long[] users) {
        var found = new Interactions[reversed.rows()];
        for (int item = 0; item < found.length; item++) {
            var from = reversed.offsets()[item];
            var ids = new long[reversed.degree(item)];
            var weights = new double[ids.length];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = users[reversed.targets()[from + i]];
                weights[i] = reversed.weights()[from + i];
            }
            found[item] = new Interactions(ids, weights, null, false);
        }
        return found;
    }

    /** Bytes for so many relationships, beside those of {@link HeldOut}. */
    public static long bytes(long relationships, long users, long items) {
        return relationships * 48 + (users + items) * 96;
    }

    /** How many known users touched each item of the projection. */
    public Popularity popularity() {
        var counts = new Popularity();
        for (int item = 0; item < degrees.length; item++) {
            counts.set(nodes.items()[item], degrees[item]);
        }
        return counts;
    }

    @Override
    public boolean exists(long id) {
        return isUser(id) || nodes.item(id) >= 0 || live.exists(id);
    }

    @Override
    public boolean hasLabel(long id, String label) {
        if (label.equals(task.recommend())) {
            return nodes.item(id) >= 0;
        }
        return label.equals(task.to()) ? isUser(id) : live.hasLabel(id, label);
    }

    private boolean isUser(long id) {
        return nodes.user(id) >= 0;
    }

    @Override
    public long count(String label) {
        if (label.equals(task.recommend())) {
            return nodes.items().length;
        }
        return label.equals(task.to()) ? nodes.users().length : live.count(label);
    }

    @Override
    public Object property(long id, String name) {
        return live.property(id, name);
    }

    /** Nothing: what else a user did is no part of the pairs that were split. */
    @Override
    public LongSet related(long id, String type, String direction) {
        return LongSets.immutable.empty();
    }

    @Override
    public void nodesAddedHere(String label, LongConsumer consumer) {
        // A projection holds what was committed.
    }

    /** Always of all behaviours, whole and with times where there are some: pairs are known reduced. */
    @Override
    public Interactions interactions(
            long id, boolean user, List<Behaviour> behaviours, String otherLabel, String timeProperty, int maxDegree) {
        var index = user ? nodes.user(id) : nodes.item(id);
        return index < 0 ? Interactions.none() : user ? ofUsers[index] : ofItems[index];
    }
}
