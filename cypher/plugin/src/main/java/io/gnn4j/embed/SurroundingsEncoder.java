// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import io.gnn4j.artefact.BlockSchema;
import io.gnn4j.recommend.Interactions;
import io.gnn4j.recommend.LiveStore;
import io.gnn4j.recommend.SourceEncoder;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.function.LongFunction;
import java.util.function.Supplier;

/**
 * Vectors of sources by a {@code padded-blocks/1} model, from their surroundings as they are now. A visitor, and a node of a
 * label that the model does not embed, gets the mean of the vectors of its items, by weight. For one thread.
 */
public final class SurroundingsEncoder implements SourceEncoder {
    private final BlockSchema schema;
    private final LiveStore store;
    private final Supplier<BlockEmbedder> embedders;
    private final LongFunction<float[]> items;
    private final int dimension;

    /**
     * @param embedders on the live store, a fresh one for each chunk of sources: it remembers what it has read
     * @param items stored vectors by Neo4j id, null where there is none
     */
    public SurroundingsEncoder(
            BlockSchema schema, LiveStore store, Supplier<BlockEmbedder> embedders, LongFunction<float[]> items, int dimension) {
        this.schema = schema;
        this.store = store;
        this.embedders = embedders;
        this.items = items;
        this.dimension = dimension;
    }

    @Override
    public Interactions read(LiveStore from, Task task, long user, int maxDegree) {
        return from.interactions(user, true, List.copyOf(task.via().values()), task.recommend(), null, maxDegree);
    }

    @Override
    public float[][] encodeSources(List<Source> sources) {
        var vectors = new float[sources.size()][];
        var byLabel = new LinkedHashMap<String, List<Integer>>();
        for (int i = 0; i < vectors.length; i++) {
            var label = sources.get(i).node() == null ? null : label(sources.get(i).node());
            if (label == null) {
                vectors[i] = mean(sources.get(i).history());
            } else {
                byLabel.computeIfAbsent(label, missing -> new ArrayList<>()).add(i);
            }
        }
        byLabel.forEach((label, places) -> {
            var ids = places.stream().mapToLong(i -> sources.get(i).node()).toArray();
            var found = embed(label, ids);
            for (int i = 0; i < ids.length; i++) {
                vectors[places.get(i)] = found[i];
            }
        });
        return vectors;
    }

    @Override
    public boolean isCold(Source source) {
        return source.node() == null || label(source.node()) == null;
    }

    /** Vectors of nodes of one label, in their order. */
    private float[][] embed(String label, long[] ids) {
        var found = embedders.get().embed(label, ids);
        var vectors = new float[ids.length][];
        for (int i = 0; i < ids.length; i++) {
            vectors[i] = Arrays.copyOfRange(found, i * dimension, (i + 1) * dimension);
        }
        return vectors;
    }

    /** The type of a node, where the model embeds it; else null. */
    public String label(long node) {
        for (var type : schema.types()) {
            if (store.hasLabel(node, type.label())) {
                return schema.seeds().contains(type.label()) ? type.label() : null;
            }
        }
        return null;
    }

    private float[] mean(Interactions history) {
        var sum = new double[dimension];
        var total = 0.0;
        for (int i = 0; i < history.ids().length; i++) {
            var vector = items.apply(history.ids()[i]);
            if (vector == null) {
                continue;
            }
            var weight = history.weights()[i];
            total += weight;
            for (int d = 0; d < dimension; d++) {
                sum[d] += weight * vector[d];
            }
        }
        var mean = new float[dimension];
        for (int d = 0; d < dimension && total > 0; d++) {
            mean[d] = (float) (sum[d] / total);
        }
        return mean;
    }
}
