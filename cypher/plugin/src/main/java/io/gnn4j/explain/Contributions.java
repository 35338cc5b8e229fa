// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.explain;

import io.gnn4j.recommend.ItemWeights;
import io.gnn4j.recommend.QueryEncoder.Parts;
import java.util.Comparator;
import java.util.function.LongPredicate;
import java.util.function.LongToDoubleFunction;
import java.util.stream.IntStream;

/**
 * How much each item of a history adds to a score: the strongest first, of equal ones the smaller id.
 *
 * @param items what was touched, as far as the score is made from it
 * @param values [items.length]; their sum is the score, but for the rest that {@link #leavingOut} leaves
 */
public record Contributions(long[] items, double[] values) {
    /** How far a user's vector may lie off the sum of its items, as a share of its length: float32, and some room. */
    private static final double TOLERANCE = 1e-3;

    /**
     * Takes the score of an {@code item-propagation/1} model apart: the user's vector is a sum over items times one
     * factor, so the score is a sum, too.
     *
     * @param parts the user's vector and what it was made from
     * @param target [D] vector of the item
     * @param cosine true: the score is the cosine, else the dot product
     * @throws IllegalStateException when the vector is no such sum
     */
    public static Contributions of(Parts parts, float[] target, boolean cosine) {
        var history = parts.read();
        var query = parts.query();
        var sum = new double[query.length];
        var shares = new double[history.degree()];
        for (int i = 0; i < shares.length; i++) {
            var context = parts.contexts()[i];
            if (context != null) { // an item the model has not met adds nothing
                for (int d = 0; d < sum.length; d++) {
                    sum[d] += history.weights()[i] * context[d];
                    shares[i] += history.weights()[i] * context[d] * target[d];
                }
            }
        }
        var factor = factor(sum, query) / (cosine ? length(query) * length(target) : 1);
        var values = IntStream.range(0, shares.length).mapToDouble(i -> shares[i] * factor).toArray();
        return ordered(history.ids(), values, item -> true);
    }

    /** Takes the score of an {@code item-weights/1} model apart, which is a sum as it stands. */
    public static Contributions of(ItemWeights.Parts parts) {
        return ordered(parts.read().ids(), parts.values(), item -> true);
    }

    private static Contributions ordered(long[] items, double[] values, LongPredicate first) {
        var order = IntStream.range(0, items.length).boxed()
            .sorted(Comparator.comparingDouble((Integer i) -> -values[i]).thenComparing(i -> !first.test(items[i]))
                .thenComparingLong(i -> items[i]))
            .mapToInt(Integer::intValue).toArray();
        return new Contributions(
            IntStream.of(order).mapToLong(i -> items[i]).toArray(),
            IntStream.of(order).mapToDouble(i -> values[i] + 0.0).toArray()); // -0.0 becomes 0.0
    }

    /**
     * Takes the score of a model apart that makes more of a history than a sum: what an item adds is what the score falls by
     * without it.
     *
     * @param items what was touched
     * @param without the score as if that item had not been touched
     * @param drawn whether the model was shown the item; of equal contributions such a one comes first
     * @param guard called before each; throws when the call is ended
     */
    public static Contributions leavingOut(
            long[] items, double score, LongToDoubleFunction without, LongPredicate drawn, Runnable guard) {
        var values = new double[items.length];
        for (int i = 0; i < items.length; i++) {
            guard.run();
            values[i] = score - without.applyAsDouble(items[i]);
        }
        return ordered(items, values, drawn);
    }

    /** {@code gnn.recommend.stream}'s score of two vectors. */
    public static double score(float[] query, float[] target, boolean cosine) {
        var dot = 0.0;
        for (int d = 0; d < query.length; d++) {
            dot += (double) query[d] * target[d];
        }
        return cosine ? dot / (length(query) * length(target)) : dot;
    }

    /** What the sum over the items is multiplied by to give the user's vector: the best one, checked. */
    private static double factor(double[] sum, float[] query) {
        var square = 0.0;
        var along = 0.0;
        for (int d = 0; d < sum.length; d++) {
            square += sum[d] * sum[d];
            along += sum[d] * query[d];
        }
        var factor = square == 0 ? 0 : along / square;
        var off = 0.0;
        for (int d = 0; d < sum.length; d++) {
            var apart = query[d] - factor * sum[d];
            off += apart * apart;
        }
        if (Math.sqrt(off) > TOLERANCE * length(query)) {
            throw new IllegalStateException("The model makes a user's vector from more than the sum of its items, so no item's part"
                + " in it can be told.");
        }
        return factor;
    }

    private static double length(float[] vector) {
        var square = 0.0;
        for (var value : vector) {
            square += (double) value * value;
        }
        return square == 0 ? 1 : Math.sqrt(square);
    }
}
