// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import io.gnn4j.graph.TypedGraph;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongUnaryOperator;

/**
 * All lists of a relation of a projection, in the order the draw rule wants: the senders of receiver i stand at
 * {@code offsets[i]} to {@code offsets[i + 1]}.
 *
 * @param times null in an untimed relation
 * @param weights null where draws are uniform
 * @param properties one for each edge property asked for, null where the relation has none of that name
 */
record RelationLists(int[] offsets, int[] senders, long[] times, double[] weights, double[][] properties) {
    /** A time that is missing: older than every other. */
    static final long NO_TIME = Long.MIN_VALUE;

    private static final int GUARD_EVERY = 1 << 12;

    /** What is read along with the neighbours; null or names that the relation may lack. */
    record Columns(String time, String weight, List<String> edges) {
        Columns of(List<String> known) {
            return new Columns(
                time != null && known.contains(time) ? time : null, weight,
                edges.stream().map(edge -> known.contains(edge) ? edge : null).toList());
        }

        private List<String> names() {
            var names = new ArrayList<String>();
            if (time != null) {
                names.add(time);
            }
            if (weight != null) {
                names.add(weight);
            }
            edges.stream().filter(edge -> edge != null && !names.contains(edge)).forEach(names::add);
            return names.stream().distinct().toList();
        }
    }

    /** Bytes of the lists of a relation with so many relationships. */
    static long bytes(long receivers, long relationships, Columns columns) {
        long edges = columns.edges().stream().filter(edge -> edge != null).count();
        return 4 * (receivers + 1)
            + relationships * (4 + (columns.time() == null ? 0 : 8) + (columns.weight() == null ? 0 : 8) + 8 * edges);
    }

    /**
     * @param columns names that the relationships have
     * @throws IllegalArgumentException for a weight that is not above 0 and a time that is no whole number
     */
    static RelationLists read(TypedGraph graph, SampledRelation relation, Columns columns, Runnable guard) {
        var names = columns.names();
        var csr = graph.csr(relation.stored(), names, guard);
        if (!relation.incoming()) {
            csr = csr.reversed(graph.nodeCount(relation.receiver()), guard);
        }
        int receivers = csr.sourceCount();
        var offsets = new int[receivers + 1];
        var senders = csr.targets();
        var values = csr.properties();
        int at = 0;
        for (int receiver = 0; receiver < receivers; receiver++) {
            if (receiver % GUARD_EVERY == 0) {
                guard.run();
            }
            int start = at;
            for (int i = (int) csr.offsets()[receiver]; i < csr.offsets()[receiver + 1]; i++) {
                if (at > start && senders[at - 1] == senders[i]) {
                    for (var column : values) {
                        column[at - 1] = larger(column[at - 1], column[i]);
                    }
                } else {
                    senders[at] = senders[i];
                    for (var column : values) {
                        column[at] = column[i];
                    }
                    at++;
                }
            }
            offsets[receiver + 1] = at;
        }
        if (at < senders.length) {
            senders = Arrays.copyOf(senders, at);
            for (int c = 0; c < values.length; c++) {
                values[c] = Arrays.copyOf(values[c], at);
            }
        }
        LongUnaryOperator receiverOf = position -> graph.nodeId(relation.receiver(), row(offsets, (int) position));
        var times = columns.time() == null ? null : times(values[names.indexOf(columns.time())], relation, columns.time(), receiverOf);
        var weights = columns.weight() == null ? null : values[names.indexOf(columns.weight())];
        if (weights != null) {
            checkWeights(weights, relation, columns.weight(), receiverOf);
        }
        var properties = columns.edges().stream().map(edge -> edge == null ? null : values[names.indexOf(edge)]).toArray(double[][]::new);
        var lists = new RelationLists(offsets, senders, times, weights, properties);
        if (times != null) {
            lists.sortByTime(values, guard);
        }
        return lists;
    }

    /** Missing (NaN) is below all numbers. */
    static double larger(double left, double right) {
        return Double.isNaN(left) || right > left ? right : left;
    }

    private static int row(int[] offsets, int position) {
        int low = 0;
        int high = offsets.length - 1;
        while (low + 1 < high) {
            int middle = low + high >>> 1;
            if (offsets[middle] <= position) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low;
    }

    private static long[] times(double[] values, SampledRelation relation, String property, LongUnaryOperator receiver) {
        var times = new long[values.length];
        for (int i = 0; i < times.length; i++) {
            times[i] = values[i] == Math.rint(values[i]) ? (long) values[i]
                : time(values[i], relation, property, receiver.applyAsLong(i));
        }
        return times;
    }

    /** @throws IllegalArgumentException when it is no whole number */
    static long time(double value, SampledRelation relation, String property, long receiver) {
        if (Double.isNaN(value)) {
            return NO_TIME;
        }
        if (value != Math.rint(value)) {
            throw new IllegalArgumentException("`" + property + "` of a relationship in " + relation + " is " + value + " (receiver "
                + receiver + "), but times are INTEGER epoch milliseconds UTC. Project another property.");
        }
        return (long) value;
    }

    private static void checkWeights(double[] weights, SampledRelation relation, String property, LongUnaryOperator receiver) {
        for (int i = 0; i < weights.length; i++) {
            if (!isWeight(weights[i])) {
                throw invalidWeight(weights[i], relation, property, receiver.applyAsLong(i));
            }
        }
    }

    static boolean isWeight(double weight) {
        return weight > 0 && weight < Double.POSITIVE_INFINITY;
    }

    static IllegalArgumentException invalidWeight(double weight, SampledRelation relation, String property, long receiver) {
        return new IllegalArgumentException("`" + property + "` of a relationship in " + relation + " is "
            + (Double.isNaN(weight) ? "missing" : weight) + " (receiver " + receiver
            + "), but weights are finite and above 0. Leave such relationships out of the projection, or take another"
            + " `relationshipWeightProperty`.");
    }

    /** Every list by descending time; those of one time keep their order. */
    private void sortByTime(double[][] values, Runnable guard) {
        var order = new TimeOrder();
        for (int receiver = 0; receiver + 1 < offsets.length; receiver++) {
            if (receiver % GUARD_EVERY == 0) {
                guard.run();
            }
            order.sort(offsets[receiver], offsets[receiver + 1], times, senders, values);
        }
    }

    /** A reader for one thread. */
    NeighbourList reader() {
        return new Reader(this);
    }

    private static final class Reader extends NeighbourList {
        private final int[] offsets;

        Reader(RelationLists lists) {
            offsets = lists.offsets;
            senders = lists.senders;
            times = lists.times;
            weights = lists.weights;
            properties = lists.properties;
        }

        @Override
        protected void read(int receiver) {
            from = offsets[receiver];
            to = offsets[receiver + 1];
        }
    }
}
