// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.evaluate;

import io.gnn4j.recommend.Interactions;
import io.gnn4j.recommend.LiveStore;
import io.gnn4j.recommend.SourceEncoder;
import io.gnn4j.task.Task;
import java.util.List;
import java.util.function.LongFunction;

/**
 * Vectors of users that were made before.
 *
 * @param vectors by node id, null where there is none
 * @param nameless whether the model knows nothing of users but their items: one without items then has no vector
 */
public record FixedVectors(LongFunction<float[]> vectors, int dimension, boolean nameless) implements SourceEncoder {
    @Override
    public Interactions read(LiveStore store, Task task, long user, int maxDegree) {
        return store.newestInteractions(task, user, Integer.MAX_VALUE, maxDegree);
    }

    @Override
    public float[][] encodeSources(List<Source> sources) {
        return sources.stream().map(source -> {
            var vector = nameless && source.history().degree() == 0 ? null : vectors.apply(source.node());
            return vector == null ? new float[dimension] : vector;
        }).toArray(float[][]::new);
    }
}
