// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.task.Behaviour;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.collections.impl.map.mutable.primitive.LongDoubleHashMap;
import org.eclipse.collections.impl.map.mutable.primitive.LongIntHashMap;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/**
 * RP3beta on live relationships: a random walk user, item, user, item, whose popular targets are held back.
 *
 * <pre>score(u, j) = sum_i p(u, i)^alpha sum_v p(i, v)^alpha p(v, j)^alpha / d_j^beta</pre>
 *
 * p are transition probabilities over the reduced weights, d_j the distinct users of j as last committed (1 at least). Each
 * step may have an exponent of its own, and {@code w / degree^alpha} may stand for {@code p^alpha}.
 *
 * <p>The second and the third step each read at most {@link Settings#limit()} relationships: the items of the source in
 * the order newest first, then smaller id, and the users reached in the order of their probability, then smaller id; a
 * node is read whole or not at all, the first one always. So the same state of the graph gives the same answer.
 *
 * <p>Source: Paudel, Christoffel, Newell and Bernstein (2017), "Updatable, accurate, diverse, and scalable recommendations
 * for interactive applications".
 */
public final class Walk {
    private static final int SUPPORTERS = 3;

    /**
     * @param alpha exponents of the three steps, above 0
     * @param beta how much popular targets are held back, at least 0
     * @param shares true: a step has the probability (w / sum of w)^alpha; false: w / (number of neighbours)^alpha
     * @param limit relationships read by one step
     */
    public record Settings(List<Double> alpha, double beta, boolean shares, int limit) {
        public Settings {
            alpha = List.copyOf(alpha);
        }

        private double chance(int step, double weight, double total, int degree) {
            var exponent = alpha.get(step);
            if (!shares) {
                return weight * Math.pow(degree, -exponent);
            }
            return exponent == 1 ? weight / total : Math.pow(weight / total, exponent);
        }
    }

    private final LiveStore store;
    private final Task task;
    private final Settings settings;
    private final int maxDegree;
    private final Popularity popularity;
    private final Runnable guard;
    private final List<Behaviour> via;

    /** @param guard called before each node is read; throws when the call is ended */
    public Walk(
            LiveStore store, Task task, Settings settings, int maxDegree, Popularity popularity, Runnable guard) {
        this.store = store;
        this.task = task;
        this.settings = settings;
        this.maxDegree = maxDegree;
        this.popularity = popularity;
        this.guard = guard;
        via = List.copyOf(task.via().values());
    }

    /**
     * The items that can be reached.
     *
     * @param start where the walk starts: the items of the source
     * @param item the source itself when it is an item, whose rows then say who supports them; else null
     */
    Reached from(Interactions start, Long item, LongHashSet excluded) {
        var users = users(start);
        var scores = new LongDoubleHashMap();
        var together = item == null ? null : new Together(usersOf(item, start));
        var left = settings.limit();
        for (int i = 0; i < users.size(); i++) {
            guard.run();
            var user = users.ids()[i];
            var items = store.interactions(user, true, via, task.recommend(), null, maxDegree);
            if (i > 0 && items.degree() > left) {
                break;
            }
            left -= items.degree();
            var total = total(items);
            for (int j = 0; j < items.degree(); j++) {
                scores.addToValue(items.ids()[j],
                    users.scores()[i] * settings.chance(2, items.weights()[j], total, items.degree()));
                if (together != null) {
                    together.add(items.ids()[j], user);
                }
            }
        }
        if (settings.beta() > 0) {
            var ids = scores.keySet().toArray();
            var degrees = popularity.counts(ids);
            for (int j = 0; j < ids.length; j++) {
                var degree = degrees[j] >= 0 ? degrees[j] : uncommitted(ids[j]);
                scores.put(ids[j], scores.get(ids[j]) * Math.pow(Math.max(1, degree), -settings.beta()));
            }
        }
        return new Reached(scores, excluded, together, item);
    }

    /** The users that the second step comes to, likeliest first. */
    Reached usersMet(Interactions start, LongHashSet excluded) {
        var users = users(start);
        var scores = new LongDoubleHashMap();
        for (int i = 0; i < users.size(); i++) {
            scores.put(users.ids()[i], users.scores()[i]);
        }
        return new Reached(scores, excluded, null, null);
    }

    /** The users of the source's items, by the probability of coming to them. */
    private TopK.Hits users(Interactions start) {
        var mass = new LongDoubleHashMap();
        var total = total(start);
        var order = start.newestFirst();
        var left = settings.limit();
        for (int i = 0; i < order.ids().length; i++) {
            guard.run();
            var users = store.interactions(order.ids()[i], false, via, task.to(), null, maxDegree);
            if (i > 0 && users.degree() > left) {
                break;
            }
            left -= users.degree();
            var chance = settings.chance(0, order.weights()[i], total, order.degree());
            var weight = total(users);
            for (int v = 0; v < users.degree(); v++) {
                mass.addToValue(users.ids()[v], chance * settings.chance(1, users.weights()[v], weight, users.degree()));
            }
        }
        var best = new TopK(Math.max(1, mass.size()));
        mass.forEachKeyValue((user, chance) -> best.offer(chance, user, 0));
        return best.drain();
    }

    /** Who touched the source item; null where everybody did who is met, since the walk begins there alone. */
    private LongHashSet usersOf(long item, Interactions start) {
        return start.degree() == 1 ? null
            : LongHashSet.newSetWith(store.interactions(item, false, via, task.to(), null, maxDegree).ids());
    }

    /** An item that only this transaction knows. */
    private int uncommitted(long item) {
        return store.interactions(item, false, via, task.to(), null, Integer.MAX_VALUE).degree();
    }

    private static double total(Interactions interactions) {
        var sum = 0.0;
        for (var weight : interactions.weights()) {
            sum += weight;
        }
        return sum;
    }

    /** Who touched an item besides the source item. */
    private static final class Together {
        final LongIntHashMap counts = new LongIntHashMap();
        final LongObjectHashMap<List<Long>> users = new LongObjectHashMap<>();
        final LongHashSet own;

        /** @param own who touched the source item; null: all that are added */
        Together(LongHashSet own) {
            this.own = own;
        }

        void add(long item, long user) {
            if ((own == null || own.contains(user)) && counts.addToValue(item, 1) <= SUPPORTERS) {
                users.getIfAbsentPut(item, ArrayList::new).add(user);
            }
        }
    }

    /** Reached nodes, best first. */
    final class Reached extends ScoredNodes {
        private final Together together;
        private final Long source;

        Reached(LongDoubleHashMap scores, LongHashSet excluded, Together together, Long source) {
            super(scores, excluded, "walk", "walk");
            this.together = together;
            this.source = source;
        }

        @Override
        Map<String, Object> partial(long id, double score) {
            if (together == null) {
                return super.partial(id, score);
            }
            var count = together.counts.get(id);
            var partial = new HashMap<String, Object>();
            partial.put("walk", score);
            partial.put("count", (long) count);
            partial.put("lift", lift(id, count));
            partial.put("supporters", new Supporters(count == 0 ? List.of() : together.users.get(id)));
            return partial;
        }

        /** P(both) / (P(source) * P(other)) over all users; above 1: together more often than by chance. */
        private double lift(long id, int count) {
            var degrees = popularity.counts(new long[] {source, id});
            double apart = 1;
            apart *= degrees[0] >= 0 ? degrees[0] : uncommitted(source);
            apart *= degrees[1] >= 0 ? degrees[1] : uncommitted(id);
            return count * (double) store.count(task.to()) / Math.max(1, apart);
        }
    }

    /** Users who touched both items, the likeliest first; nodes for whoever shows them. */
    public record Supporters(List<Long> users) {}
}
