// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import io.gnn4j.embed.ReducedGraph;
import io.gnn4j.recommend.Parallel;
import io.gnn4j.recommend.TopK;
import java.util.Arrays;
import java.util.List;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/**
 * RP3beta over all known pairs, without the limits that {@code method: 'walk'} has on live relationships: the model that
 * stands beside trained ones in Python, with its roundings (probabilities and scores are float32, sums float64).
 *
 * <p>Source: Paudel, Christoffel, Newell and Bernstein (2017), "Updatable, accurate, diverse, and scalable recommendations
 * for interactive applications".
 */
public final class WalkRanker implements Ranker {
    /** A walk starts from so many of the newest items. */
    private static final int HISTORY = 500;

    private final HeldOut data;
    private final ReducedGraph back;
    private final ReducedGraph there;
    private final double alpha;
    private final Parallel threads;

    /** @param alpha exponent of the probabilities; {@code beta}: how much popular targets are held back */
    public WalkRanker(HeldOut data, double alpha, double beta, Parallel threads) {
        this.data = data;
        this.alpha = alpha;
        this.threads = threads;
        var pairs = data.pairs();
        there = pairs.reversed(data.degrees().length, threads.guard());
        probabilities(there, alpha);
        back = pairs;
        probabilities(back, alpha);
        for (int at = 0; at < back.targets().length; at++) {
            back.weights()[at] *= (float) Math.pow(Math.max(1, data.degrees()[back.targets()[at]]), -beta);
        }
    }

    private static void probabilities(ReducedGraph graph, double alpha) {
        for (int row = 0; row < graph.rows(); row++) {
            var total = 0.0;
            for (int at = graph.offsets()[row]; at < graph.offsets()[row + 1]; at++) {
                total += graph.weights()[at];
            }
            for (int at = graph.offsets()[row]; at < graph.offsets()[row + 1]; at++) {
                graph.weights()[at] = (float) Math.pow(graph.weights()[at] / total, alpha);
            }
        }
    }

    @Override
    public List<int[]> rank(int[] users, int k) {
        var lists = new int[users.length][];
        threads.map(users.length, Scratch::new, (scratch, i) -> lists[i] = walk(users[i], k, scratch));
        return List.of(lists);
    }

    private final class Scratch {
        final double[] mass = new double[back.rows()];
        final double[] total = new double[data.degrees().length];
    }

    private int[] walk(int user, int k, Scratch scratch) {
        var history = data.known()[user].newest(HISTORY);
        var start = history.ids().clone();
        var order = java.util.stream.IntStream.range(0, start.length).boxed()
            .sorted((one, other) -> Long.compare(start[one], start[other])).toList();
        var sum = 0.0;
        for (var weight : history.weights()) {
            sum += weight;
        }
        var reached = new int[scratch.mass.length];
        var count = 0;
        for (var i : order) {
            var chance = (double) (float) Math.pow(history.weights()[i] / sum, alpha);
            for (int at = there.offsets()[(int) start[i]]; at < there.offsets()[(int) start[i] + 1]; at++) {
                var other = there.targets()[at];
                if (scratch.mass[other] == 0) {
                    reached[count++] = other;
                }
                scratch.mass[other] += chance * there.weights()[at];
            }
        }
        for (int r = 0; r < count; r++) {
            var other = reached[r];
            for (int at = back.offsets()[other]; at < back.offsets()[other + 1]; at++) {
                scratch.total[back.targets()[at]] += scratch.mass[other] * back.weights()[at];
            }
            scratch.mass[other] = 0;
        }
        var seen = LongHashSet.newSetWith(data.known()[user].ids());
        var best = new TopK(k);
        for (int item = 0; item < scratch.total.length; item++) {
            var score = (float) scratch.total[item];
            scratch.total[item] = 0;
            if (score > 0 && best.accepts(score, item) && !seen.contains(item)) {
                best.offer(score, item, 0);
            }
        }
        return Arrays.stream(best.drain().ids()).mapToInt(Math::toIntExact).toArray();
    }
}
