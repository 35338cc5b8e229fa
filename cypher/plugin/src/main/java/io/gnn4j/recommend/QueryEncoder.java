// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.inference.UserEncoder;
import io.gnn4j.task.Task;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** User vectors from live interactions: what {@code item-propagation/1} says, by the model's own user side. */
public final class QueryEncoder implements SourceEncoder {
    /** Users in one run of the model: little padding, since they are put together by the length of their history. */
    private static final int BATCH = 32;

    private final UserEncoder encoder;
    private final VectorRows contexts;
    private final int limit;

    /**
     * @param contexts c of the items
     * @param limit how many of the newest interactions are read, at least 1
     */
    public QueryEncoder(UserEncoder encoder, VectorRows contexts, int limit) {
        this.encoder = encoder;
        this.contexts = contexts;
        this.limit = limit;
    }

    public int limit() {
        return limit;
    }

    /** What a user's vector is made from; times are read only where they decide which interactions are the newest. */
    @Override
    public Interactions read(LiveStore store, Task task, long user, int maxDegree) {
        return store.newestInteractions(task, user, limit, maxDegree);
    }

    @Override
    public float[][] encodeSources(List<Source> sources) {
        return encode(sources.stream().map(Source::history).toList());
    }

    /**
     * @param users interactions with times where there are more than {@link #limit()}
     * @return [B, D]; the zero vector for a user without history, or with one that the model does not know
     */
    public float[][] encode(List<Interactions> users) {
        var read = users.stream().map(user -> user.newest(limit)).toList();
        var queries = new float[users.size()][];
        var order = IntStream.range(0, users.size()).boxed()
            .sorted(Comparator.comparingInt(i -> read.get(i).ids().length)).mapToInt(Integer::intValue).toArray();
        for (int start = 0; start < order.length;) {
            var end = start;
            while (end < order.length && end - start < BATCH
                && (long) (end - start + 1) * Math.max(1, read.get(order[end]).ids().length) <= encoder.maxRows()) {
                end++;
            }
            end = Math.max(end, start + 1);
            encode(users, read, order, start, end, queries);
            start = end;
        }
        return queries;
    }

    /**
     * What one user's vector is made from, all of one state.
     *
     * @param read the interactions that count, the newest {@link #limit()} of them
     * @param contexts c of each of them, null where the model has not met the item
     * @param query [D]
     */
    public record Parts(Interactions read, float[][] contexts, float[] query) {}

    /** @param user interactions with times where there are more than {@link #limit()}, at least one */
    public Parts parts(Interactions user) {
        var read = user.newest(limit);
        var vectors = contexts.get(read.ids());
        var dimension = encoder.dimension();
        var context = new float[vectors.length * dimension];
        var weight = new float[vectors.length];
        for (int i = 0; i < vectors.length; i++) {
            weight[i] = (float) read.weights()[i];
            if (vectors[i] != null) {
                System.arraycopy(vectors[i], 0, context, i * dimension, dimension);
            }
        }
        return new Parts(read, vectors, encoder.encode(context, weight, user.degree()));
    }

    private void encode(
            List<Interactions> users, List<Interactions> read, int[] order, int start, int end, float[][] queries) {
        var batch = end - start;
        var dimension = encoder.dimension();
        var rows = Math.max(1, read.get(order[end - 1]).ids().length);
        var context = new float[batch * rows * dimension];
        var weight = new float[batch * rows];
        var degree = new float[batch];
        for (int b = 0; b < batch; b++) {
            var history = read.get(order[start + b]);
            var vectors = contexts.get(history.ids());
            for (int i = 0; i < vectors.length; i++) {
                weight[b * rows + i] = (float) history.weights()[i];
                if (vectors[i] != null) { // an item the model has not met yet adds nothing
                    System.arraycopy(vectors[i], 0, context, (b * rows + i) * dimension, dimension);
                }
            }
            degree[b] = users.get(order[start + b]).degree();
        }
        var encoded = encoder.encode(batch, rows, context, weight, degree);
        for (int b = 0; b < batch; b++) {
            queries[order[start + b]] = Arrays.copyOfRange(encoded, b * dimension, (b + 1) * dimension);
        }
    }
}
