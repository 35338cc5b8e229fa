// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.Manifest;
import io.gnn4j.embed.ItemPropagation;
import io.gnn4j.embed.KeyIndex;
import io.gnn4j.embed.ReducedGraph;
import io.gnn4j.embed.TaskGraph;
import io.gnn4j.embed.VectorJoin;
import io.gnn4j.graph.LiveGraph;
import io.gnn4j.recommend.Parallel;
import io.gnn4j.task.Task;
import io.gnn4j.writeback.OwnTransactions;

/** The item vectors of an {@code item-propagation/1} model as they are when only some pairs are known; nothing is stored. */
public final class ModelVectors {
    private ModelVectors() {}

    /**
     * @param pairs the pairs that are known, a row for each user
     * @return e and c by item index, null where the model has no vector
     */
    public static ItemPropagation.Result known(
            Models models, OwnTransactions own, ServedModel model, TaskGraph graph, Task task, ReducedGraph pairs, Parallel threads) {
        var key = model.manifest().schema().nodes().get(task.recommend()).key();
        var keys = new Object[graph.items()];
        own.read(tx -> {
            try (var live = new LiveGraph(tx)) {
                for (int index = 0; index < keys.length; index++) {
                    keys[index] = KeyIndex.normal(live.property(graph.graph().nodeId(task.recommend(), index), key));
                }
            }
            return null;
        });
        var settings = model.propagation();
        var join = VectorJoin.read(
            new PieceStream(models.store(), own, model.name(), model.version(), model.manifest().part(Manifest.VECTORS_FILE)),
            task.recommend(), KeyIndex.of(keys), keys.length, model.dimension(), settings.finished(), threads.guard());
        if (settings.finished()) {
            return new ItemPropagation.Result(join.vectors(), join.contexts());
        }
        for (int index = 0; index < keys.length; index++) {
            if (join.vectors()[index] == null) {
                join.vectors()[index] = new float[model.dimension()];
            }
        }
        var items = graph.isOneSided() ? pairs : pairs.reversed(keys.length, threads.guard());
        return new ItemPropagation(items, pairs, model.dimension(), threads).run(join.vectors(), settings.layers());
    }
}
