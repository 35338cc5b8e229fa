// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.neighbour.NodeRows;
import io.gnn4j.recommend.SourceEncoder.Source;
import io.gnn4j.task.Task;
import java.util.Comparator;
import java.util.stream.IntStream;
import org.eclipse.collections.impl.list.mutable.primitive.IntArrayList;
import org.eclipse.collections.impl.map.mutable.primitive.LongDoubleHashMap;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/**
 * {@code item-weights/1}: what the items of a history say of others, added up over what the graph holds now.
 *
 * <pre>score(u, j) = sum over the newest items i of u of w(u, i) weight(i, j)</pre>
 */
public final class ItemWeights implements RankedModel {
    private final NodeRows rows;
    private final String label;
    private final String reference;
    private final int limit;

    /**
     * @param label of the items
     * @param reference of the model, for messages
     * @param limit how many of the newest interactions are read
     */
    public ItemWeights(NodeRows rows, String label, String reference, int limit) {
        this.rows = rows;
        this.label = label;
        this.reference = reference;
        this.limit = limit;
    }

    @Override
    public Interactions read(LiveStore store, Task task, long user, int maxDegree) {
        return store.newestInteractions(task, user, limit, maxDegree);
    }

    @Override
    public RankedSource to(Source source, LongHashSet excluded) {
        var read = source.history().newest(limit);
        var order = IntStream.range(0, read.degree()).boxed().sorted(Comparator.comparingLong(i -> read.ids()[i]))
            .mapToInt(Integer::intValue).toArray();
        var found = rows.rows(label, read.ids());
        var sums = new double[rows.size()];
        var met = new boolean[rows.size()];
        var touched = new IntArrayList();
        for (var i : order) {
            if (found[i] == NodeRows.NO_ROW) {
                continue; // an item the model has not met says nothing
            }
            var weight = read.weights()[i];
            rows.forEach(found[i], (target, value) -> {
                if (!met[target]) {
                    met[target] = true;
                    touched.add(target);
                }
                sums[target] += weight * value;
            });
        }
        return ranked(touched, sums, excluded);
    }

    /**
     * What each item of a history adds to the score of one target.
     *
     * @param read the interactions that count
     * @param values [read.degree()]; their sum is the score
     */
    public record Parts(Interactions read, double[] values) {}

    /** @return the parts; null where the model has not met the target */
    public Parts parts(Interactions history, long target) {
        var wanted = rows.rows(label, new long[] {target})[0];
        if (wanted == NodeRows.NO_ROW) {
            return null;
        }
        var read = history.newest(limit);
        var found = rows.rows(label, read.ids());
        var values = new double[found.length];
        for (int i = 0; i < found.length; i++) {
            if (found[i] != NodeRows.NO_ROW) {
                var at = i;
                rows.forEach(found[i], (row, value) -> {
                    if (row == wanted) {
                        values[at] = read.weights()[at] * value;
                    }
                });
            }
        }
        return new Parts(read, values);
    }

    @Override
    public RankedSource like(long node, boolean user, LongHashSet excluded) {
        if (user) {
            throw new IllegalArgumentException("Model '" + reference + "' knows which items are alike, but not which users. Use"
                + " `method: 'walk'`.");
        }
        var sums = new double[rows.size()];
        var touched = new IntArrayList();
        var row = rows.rows(label, new long[] {node})[0];
        if (row == NodeRows.NO_ROW) {
            throw new IllegalArgumentException("Node " + node + " is not in model '" + reference + "'. An item gets there by training and"
                + " `gnn4j deploy`; until then use `method: 'walk'`.");
        }
        rows.forEach(row, (target, value) -> {
            sums[target] = value;
            touched.add(target);
        });
        return ranked(touched, sums, excluded);
    }

    private RankedSource ranked(IntArrayList touched, double[] sums, LongHashSet excluded) {
        var targets = touched.toArray();
        var nodes = rows.nodes(targets, targets.length);
        var scores = new LongDoubleHashMap();
        for (int i = 0; i < targets.length; i++) {
            // 0 and less is no evidence: such items come by popularity.
            if (nodes[i] != NodeRows.NO_NODE && sums[targets[i]] > 0) {
                scores.put(nodes[i], sums[targets[i]]);
            }
        }
        return new ScoredNodes(scores, excluded, "weights", "exact");
    }
}
