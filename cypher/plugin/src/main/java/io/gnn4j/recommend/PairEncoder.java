// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import io.gnn4j.artefact.Manifest.Serving;
import io.gnn4j.task.Task;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * The vectors that {@code vectors/1} wrote to users; for who has none, one made of the history.
 *
 * <p>A stored vector says what was known at training, so it is passed over where the caller names items that are looked
 * at now.
 */
public final class PairEncoder implements SourceEncoder {
    private final LiveStore store;
    private final Task task;
    private final String property;
    private final VectorTable items;
    private final Serving serving;
    private final boolean contextual;
    private ItemGram gram;

    /**
     * @param property where users have their vectors
     * @param items the vectors of the items
     * @param contextual whether the call names items beside the history of its source
     */
    public PairEncoder(LiveStore store, Task task, String property, VectorTable items, Serving serving, boolean contextual) {
        this.store = store;
        this.task = task;
        this.property = property;
        this.items = items;
        this.serving = serving;
        this.contextual = contextual;
    }

    @Override
    public Interactions read(LiveStore live, Task asked, long user, int maxDegree) {
        return live.newestInteractions(asked, user, serving.history(), maxDegree);
    }

    @Override
    public float[][] encodeSources(List<Source> sources) {
        return sources.stream().map(source -> {
            var own = stored(source);
            return own == null ? fromHistory(source.history()) : own;
        }).toArray(float[][]::new);
    }

    @Override
    public boolean isCold(Source source) {
        return stored(source) == null;
    }

    /** @return null where it has none, or only zeros */
    private float[] stored(Source source) {
        if (source.node() == null || contextual || !store.hasLabel(source.node(), task.to())) {
            return null;
        }
        var vector = floats(store.property(source.node(), property));
        if (vector == null) {
            return null;
        }
        var fault = FaultyVectors.fault(vector, items.dimension());
        if (fault != null) {
            throw new FaultyVectors(property, items.dimension(), new TreeMap<>(Map.of(source.node(), fault)));
        }
        return Recommender.isZero(vector) ? null : vector;
    }

    /** A property as anyone may have left it; what is no list of numbers becomes an empty one, which is then a fault. */
    private static float[] floats(Object value) {
        return switch (value) {
            case null -> null;
            case float[] same -> same;
            case double[] doubles -> {
                var floats = new float[doubles.length];
                for (int i = 0; i < floats.length; i++) {
                    floats[i] = (float) doubles[i];
                }
                yield floats;
            }
            default -> new float[0];
        };
    }

    private float[] fromHistory(Interactions history) {
        var read = history.newest(serving.history());
        var order = IntStream.range(0, read.degree()).boxed().sorted(Comparator.comparingLong(i -> read.ids()[i]))
            .mapToInt(Integer::intValue).toArray();
        var vectors = new float[order.length][];
        var weights = new double[order.length];
        var count = 0;
        for (var i : order) {
            var vector = items.get(read.ids()[i]);
            if (vector != null) { // an item the model has not met says nothing
                vectors[count] = vector;
                weights[count++] = read.weights()[i];
            }
        }
        vectors = Arrays.copyOf(vectors, count);
        weights = Arrays.copyOf(weights, count);
        if (count == 0) {
            return new float[items.dimension()];
        }
        if (serving.constant() != null) {
            return serving.constant();
        }
        if (serving.foldIn() == null) {
            return mean(vectors, weights);
        }
        if (gram == null) {
            gram = ItemGram.of(items.snapshot());
        }
        return gram.user(serving.foldIn(), vectors, weights);
    }

    private static float[] mean(float[][] vectors, double[] weights) {
        var total = Arrays.stream(weights).sum();
        var mean = new float[vectors[0].length];
        for (int d = 0; d < mean.length; d++) {
            var sum = 0.0;
            for (int i = 0; i < vectors.length; i++) {
                sum += weights[i] * vectors[i][d];
            }
            mean[d] = (float) (sum / total);
        }
        return mean;
    }
}
