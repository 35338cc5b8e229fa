// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.inference.SequenceNetwork;
import io.gnn4j.task.Task;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * {@code sequence/1}: the vector of a source from the order of its last items. Items are taken by time, then by smaller id;
 * those without a vector are left out.
 */
public final class SequenceEncoder implements SourceEncoder {
    private static final double MILLIS_AN_HOUR = 3_600_000;
    /** Items that are looked at now stand behind all others, without a time of their own. */
    private static final long NOW = Long.MAX_VALUE / 2;
    /** Sources in one run. */
    private static final int BATCH = 32;

    private final SequenceNetwork network;
    private final VectorRows items;
    private final int length;

    /** @param length L, how many of the newest items are read */
    public SequenceEncoder(SequenceNetwork network, VectorRows items, int length) {
        this.network = network;
        this.items = items;
        this.length = length;
    }

    @Override
    public Interactions read(LiveStore store, Task task, long user, int maxDegree) {
        return store.interactions(
            user, true, List.copyOf(task.via().values()), task.recommend(), task.timeProperty(), maxDegree);
    }

    @Override
    public float[][] encodeSources(List<Source> sources) {
        var queries = new float[sources.size()][];
        for (int start = 0; start < queries.length; start += BATCH) {
            var end = Math.min(queries.length, start + BATCH);
            encode(sources.subList(start, end), start, queries);
        }
        return queries;
    }

    private void encode(List<Source> sources, int first, float[][] queries) {
        var dimension = network.dimension();
        var read = sources.stream().map(source -> oldestFirst(source.history())).toList();
        var rows = Math.max(1, read.stream().mapToInt(Interactions::degree).max().orElse(0));
        var history = new float[sources.size() * rows * dimension];
        var mask = new float[sources.size() * rows];
        var gap = new float[mask.length];
        for (int b = 0; b < read.size(); b++) {
            var one = read.get(b);
            var vectors = items.get(one.ids());
            for (int i = 0; i < one.degree(); i++) {
                System.arraycopy(vectors[i], 0, history, (b * rows + i) * dimension, dimension);
                mask[b * rows + i] = 1;
                gap[b * rows + i] = i == 0 ? 0 : gap(one.times(), i);
            }
        }
        var encoded = network.encode(read.size(), rows, history, mask, gap);
        for (int b = 0; b < read.size(); b++) {
            queries[first + b] = read.get(b).degree() == 0 ? new float[dimension]
                : Arrays.copyOfRange(encoded, b * dimension, (b + 1) * dimension);
        }
    }

    private static float gap(long[] times, int i) {
        if (times == null || times[i] == Interactions.NO_TIME || times[i - 1] == Interactions.NO_TIME || times[i] > NOW) {
            return 0;
        }
        return (float) Math.log1p(Math.max(0, times[i] - times[i - 1]) / MILLIS_AN_HOUR);
    }

    private Interactions oldestFirst(Interactions history) {
        var newest = history.newestFirst();
        var vectors = items.get(newest.ids());
        var kept = IntStream.range(0, newest.degree()).filter(i -> vectors[i] != null).limit(length).toArray();
        var order = IntStream.range(0, kept.length).map(i -> kept[kept.length - 1 - i]).toArray();
        return new Interactions(
            Arrays.stream(order).mapToLong(i -> newest.ids()[i]).toArray(),
            Arrays.stream(order).mapToDouble(i -> newest.weights()[i]).toArray(),
            newest.times() == null ? null : Arrays.stream(order).mapToLong(i -> newest.times()[i]).toArray(), history.truncated());
    }
}
