// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.explain;

import io.gnn4j.explain.Surroundings.Neighbourhood;
import io.gnn4j.explain.Surroundings.Step;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.eclipse.collections.api.map.primitive.LongObjectMap;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/**
 * Finds what ties a user to an item through something the user touched before.
 *
 * <p>Of the walks of at most {@value #LONGEST} relationships the shortest is the strongest; of equally long ones that
 * with the largest product of weight over degree, taken over what lies behind the item touched: a customer with five
 * purchases says more than a category of a thousand items. Ties go to the smaller ids of the nodes, in the order of the
 * walk, then to the smaller ids of the relationships.
 *
 * <p>Reading is limited, by rules that give the same answer for the same graph: of a node with very many relationships of
 * a type that type is passed over (see {@link Surroundings.Neighbourhood#whole}), and the search for the two nodes in the
 * middle of the longest walk ends after {@value #LIMIT} relationships, nodes with few relationships first.
 */
public final class ReasonSearch {
    public static final int LONGEST = 4;
    static final int LIMIT = 50_000;

    private final Surroundings graph;
    private final long target;
    private final Neighbourhood aroundTarget;
    private final Runnable guard;

    /** @param guard called before each node is read; throws when the call is ended */
    public ReasonSearch(Surroundings graph, long target, Runnable guard) {
        this.graph = graph;
        this.target = target;
        this.guard = guard;
        aroundTarget = graph.around(target);
    }

    /** What lies between the item touched and the target. */
    private record Middle(double strength, List<Step> steps) {
        static final Comparator<Middle> WEAKEST_FIRST = Comparator.comparingDouble(Middle::strength)
            .thenComparing(middle -> middle.steps.stream().map(Step::other).toList(), descending())
            .thenComparing(middle -> middle.steps.stream().map(Step::relationship).toList(), descending());

        private static Comparator<List<Long>> descending() {
            return (left, right) -> {
                for (int i = 0; i < left.size(); i++) {
                    if (!left.get(i).equals(right.get(i))) {
                        return Long.compare(right.get(i), left.get(i));
                    }
                }
                return 0;
            };
        }

        Middle stronger(Middle than) {
            return than == null || WEAKEST_FIRST.compare(this, than) > 0 ? this : than;
        }
    }

    /**
     * @param touched from the user to the item touched
     * @return the walk prolonged to the target; {@code touched} itself where no walk is short enough
     */
    public Trail through(Trail touched) {
        var item = touched.last();
        if (item == target) {
            return touched;
        }
        var left = LONGEST - touched.length();
        var taken = LongHashSet.newSetWith(touched.nodes().stream().mapToLong(Long::longValue).toArray());
        taken.add(target);
        guard.run();
        var around = left < 1 ? null : graph.around(item);
        var middle = left < 1 ? null : direct(item, around);
        if (middle == null && left >= 2) {
            middle = byOne(item, around, taken);
        }
        if (middle == null && left >= 3) {
            middle = byTwo(around, taken);
        }
        var walk = touched;
        if (middle != null) {
            for (var step : middle.steps()) {
                walk = walk.and(step.relationship(), step.other());
            }
        }
        return walk;
    }

    private Middle direct(long item, Neighbourhood around) {
        var step = around.steps().get(target);
        if (step == null) {
            step = turned(aroundTarget.steps().get(item), target);
        }
        return step == null ? null : new Middle(step.weight(), List.of(step));
    }

    /** One node between the two: a category, another user, an order. */
    private Middle byOne(long item, Neighbourhood around, LongHashSet taken) {
        Middle best = null;
        var fewer = around.steps().size() <= aroundTarget.steps().size() ? around.steps() : aroundTarget.steps();
        var more = fewer == around.steps() ? aroundTarget.steps() : around.steps();
        for (var node : fewer.keySet().toArray()) {
            if (more.containsKey(node) && !taken.contains(node)) {
                best = middle(around.steps().get(node), turned(aroundTarget.steps().get(node), target)).stronger(best);
            }
        }
        // Where one end has too many relationships of a type, the other end's neighbours are asked for it.
        if (!aroundTarget.whole()) {
            best = reaching(target, around.steps(), aroundTarget.steps(), taken, best, false);
        }
        if (!around.whole()) {
            best = reaching(item, aroundTarget.steps(), around.steps(), taken, best, true);
        }
        return best;
    }

    private Middle reaching(
            long end, LongObjectMap<Step> from, LongObjectMap<Step> known, LongHashSet taken, Middle best, boolean backwards) {
        var left = LIMIT;
        for (var node : byDegree(from, taken)) {
            if (known.containsKey(node.id)) {
                continue;
            }
            if (node.degree > left) {
                break;
            }
            left -= (int) node.degree;
            guard.run();
            var step = graph.around(node.id).steps().get(end);
            if (step != null) {
                var there = from.get(node.id);
                best = (backwards
                    ? middle(turned(step, node.id), turned(there, target))
                    : middle(there, step)).stronger(best);
            }
        }
        return best;
    }

    private Middle middle(Step first, Step second) {
        return new Middle(
            first.weight() * second.weight() / Math.max(1, graph.degree(first.other())), List.of(first, second));
    }

    /** Two nodes between: something the item has to do with has to do with something of the target. */
    private Middle byTwo(Neighbourhood around, LongHashSet taken) {
        Middle best = null;
        var degrees = new LongObjectHashMap<Long>();
        var left = LIMIT;
        for (var first : byDegree(around.steps(), taken)) {
            if (first.degree > left || best != null && 1.0 / first.degree < best.strength()) {
                break; // none that follow can be stronger
            }
            left -= (int) first.degree;
            guard.run();
            for (var step : graph.around(first.id).steps()) {
                var last = aroundTarget.steps().get(step.other());
                if (last == null || taken.contains(step.other())) {
                    continue;
                }
                var degree = degrees.getIfAbsentPut(step.other(), () -> Math.max(1, graph.degree(step.other())));
                var there = around.steps().get(first.id);
                best = new Middle(there.weight() * step.weight() * last.weight() / ((double) first.degree * degree),
                    List.of(there, step, turned(last, target))).stronger(best);
            }
        }
        return best;
    }

    private record Ranked(long id, long degree) {}

    private List<Ranked> byDegree(LongObjectMap<Step> steps, LongHashSet taken) {
        var ranked = new ArrayList<Ranked>(steps.size());
        for (var id : steps.keySet().toArray()) {
            if (!taken.contains(id)) {
                ranked.add(new Ranked(id, Math.max(1, graph.degree(id))));
            }
        }
        ranked.sort(Comparator.comparingLong(Ranked::degree).thenComparingLong(Ranked::id));
        return ranked;
    }

    /** The same relationship walked the other way. @param end where it then leads */
    private static Step turned(Step step, long end) {
        return step == null ? null : new Step(step.relationship(), end, step.weight());
    }
}
