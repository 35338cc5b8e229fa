// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.artefact.BlockSchema;
import io.gnn4j.artefact.Manifest;
import io.gnn4j.embed.BlockEmbedder;
import io.gnn4j.embed.EmbedConfig;
import io.gnn4j.embed.TaskGraph;
import io.gnn4j.evaluate.BlendRanker;
import io.gnn4j.evaluate.EvaluateConfig.Truth;
import io.gnn4j.evaluate.EvaluatedNodes;
import io.gnn4j.evaluate.FixedVectors;
import io.gnn4j.evaluate.HeldOut;
import io.gnn4j.evaluate.KnownRelationships;
import io.gnn4j.evaluate.KnownStore;
import io.gnn4j.evaluate.RankedModelRanker;
import io.gnn4j.evaluate.Ranker;
import io.gnn4j.evaluate.StoredVectorRanker;
import io.gnn4j.evaluate.VectorRanker;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.recommend.Blend;
import io.gnn4j.recommend.ExactScan;
import io.gnn4j.recommend.ModelParts.VectorModel;
import io.gnn4j.recommend.Parallel;
import io.gnn4j.recommend.QueryEncoder;
import io.gnn4j.recommend.VectorRows;
import io.gnn4j.recommend.VectorTable;
import io.gnn4j.registry.ModelVectors;
import io.gnn4j.registry.ServedModel;
import io.gnn4j.sample.FilteredNeighbours;
import io.gnn4j.task.Task;
import io.gnn4j.writeback.OwnTransactions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntToLongFunction;
import java.util.stream.IntStream;
import org.neo4j.graphdb.Transaction;

/** What ranks for a model by what is known alone: nothing that is held out enters a vector, a walk or a count. */
final class ModelRankers {
    private final GnnContext gnn;
    private final Transaction tx;
    private final AnswerCall call;
    private final ServedModel model;
    private final Task task;
    private final Parallel threads;

    ModelRankers(GnnContext gnn, Transaction tx, AnswerCall call, ServedModel model, Task task, Parallel threads) {
        this.gnn = gnn;
        this.tx = tx;
        this.call = call;
        this.model = model;
        this.task = task;
        this.threads = threads;
    }

    /** Bytes beside those of {@link HeldOut} and the graph. */
    long bytes(TaskGraph graph) {
        var relationships = graph.relationships(threads.guard());
        return 4L * graph.items() * (4L * model.dimension() + 40)
            + (model.manifest().blend() == null ? 0 : KnownStore.bytes(relationships, graph.rows(), graph.items()))
            + (isOfBlocks() ? KnownRelationships.bytes(relationships) + 4L * graph.rows() * model.dimension() : 0);
    }

    private boolean isOfBlocks() {
        return Manifest.PADDED_BLOCKS.equals(model.contract());
    }

    /** @throws IllegalArgumentException for a model whose figures would be those of something else */
    void requireJudgeable() {
        String reason = null;
        if (Manifest.PAIR.equals(model.contract())) {
            reason = "has the contract " + model.contract() + ", which orders what another model found";
        } else if (model.manifest().blend() != null && task.recommend().equals(task.to())) {
            reason = "adds up several sources and recommends :" + task.to() + " to each other, which is not replayed here";
        } else if (isOfBlocks()) {
            reason = hindrance(model.manifest().blocks());
        }
        if (reason != null) {
            throw new IllegalArgumentException("Model '" + model.reference() + "' " + reason + ". `gnn4j train` measures it by the same"
                + " metrics; here leave 'vector' out of `methods`.");
        }
    }

    /** Why vectors made of surroundings cannot be judged by this; null where they can. */
    private String hindrance(BlockSchema schema) {
        for (var label : List.of(task.recommend(), task.to())) {
            if (!schema.seeds().contains(label)) {
                return "embeds no :" + label;
            }
        }
        for (var relation : schema.relations()) {
            var own = task.via().get(relation.type());
            for (var behaviour : task.via().values()) {
                if (behaviour.path().contains(relation.type()) && (behaviour.path().size() > 1 || !behaviour.equals(own))) {
                    return "reads " + relation.type() + ", a part of the behaviour " + behaviour.name() + ", and which of these lead to"
                        + " what is held out is not known";
                }
            }
            if (own != null && (!relation.properties().isEmpty() || schema.sampling().weightProperty() != null
                || schema.sampling().timeProperty() != null)) {
                return "reads properties of " + relation.type() + ", and of parallel relationships those of the latest are at hand, which"
                    + " may be held out";
            }
        }
        return null;
    }

    Ranker ranker(String graphName, TaskGraph graph, Truth truth, HeldOut data) {
        if (Manifest.ITEM_PROPAGATION.equals(model.contract())) {
            return propagated(graph, data);
        }
        var nodes = nodes(graph);
        if (isOfBlocks()) {
            return surrounded(graphName, graph, truth, data, nodes);
        }
        return model.manifest().hasVectors()
            ? new StoredVectorRanker(data, nodes, call.encoder(model, task, false, Integer.MAX_VALUE),
                call.table(model, task.recommend()), isCosine(), new ExactScan(threads))
            : new RankedModelRanker(data, nodes, call.ranked(model, task, null), threads.guard());
    }

    private boolean isCosine() {
        return model.similarity().equals("cosine");
    }

    private EvaluatedNodes nodes(TaskGraph graph) {
        return new EvaluatedNodes(ids(graph, task.to()), ids(graph, task.recommend()));
    }

    private static long[] ids(TaskGraph graph, String label) {
        return IntStream.range(0, graph.graph().nodeCount(label)).mapToLong(index -> graph.graph().nodeId(label, index)).toArray();
    }

    private Ranker propagated(TaskGraph graph, HeldOut data) {
        var own = new OwnTransactions(gnn.database(), gnn.security(), threads.guard());
        var vectors = ModelVectors.known(gnn.services().models(), own, model, graph, task, data.pairs(), threads);
        var table = new VectorTable(model.embeddingProperty(), model.dimension());
        var contexts = new VectorRows(model.contextProperty(), model.dimension());
        var blend = model.manifest().blend();
        var nodes = blend == null ? null : nodes(graph);
        IntToLongFunction id = blend == null ? index -> index : index -> nodes.items()[index];
        table.apply(rows(vectors.embedding(), id));
        contexts.apply(rows(vectors.context(), id));
        var encoder = new QueryEncoder(call.userEncoder(), contexts, model.propagation().history());
        if (blend == null) {
            return new VectorRanker(data, encoder, table, isCosine(), new ExactScan(threads));
        }
        var sources = (Map<?, ?>) blend.get("sources");
        var readsProperties = sources.containsKey(Blend.RECENCY) || sources.containsKey("boosts");
        return new BlendRanker(new KnownStore(call.graph(), task, data, nodes, threads.guard()), nodes, task, blend,
            new VectorModel(encoder, table, isCosine(), new ExactScan(Parallel.none())),
            readsProperties ? new Parallel(Runnable::run, 1, threads.guard()) : threads);
    }

    /** Vectors of all users and items, made anew from surroundings in which nothing stands that is held out. */
    private Ranker surrounded(String graphName, TaskGraph graph, Truth truth, HeldOut data, EvaluatedNodes nodes) {
        var known = KnownRelationships.of(graph, task, truth, data, nodes, threads.guard());
        var schema = model.manifest().blocks();
        var plan = BlockEmbedder.plan(schema);
        var filters = new ArrayList<FilteredNeighbours.Filter>();
        for (var relation : plan.relations()) {
            var type = relation.type();
            var fromUsers = relation.receiver().equals(task.recommend()) && relation.sender().equals(task.to());
            var fromItems = relation.receiver().equals(task.to()) && relation.sender().equals(task.recommend());
            filters.add(!task.via().containsKey(type) || !fromUsers && !fromItems ? null
                : fromItems ? (user, item) -> known.holds(type, user, item) : (item, user) -> known.holds(type, user, item));
        }
        var lease = gnn.services().models().acquireComplete(gnn.database(), tx, model.name(), model.version());
        var config = EmbedConfig.all(model.reference(), threads.concurrency());
        try (var embedding = new EmbedCall(gnn, tx, threads.guard(), JobAccess.own(gnn), graphName, config, lease)) {
            var found = embedding.collect(embedding.vectors(true, all -> new FilteredNeighbours(all, plan, filters), text -> { }));
            var table = new VectorTable(model.embeddingProperty(), model.dimension());
            table.apply(rows(found.get(task.recommend()), index -> embedding.graph().nodeId(task.recommend(), index)));
            var users = rows(found.get(task.to()), index -> embedding.graph().nodeId(task.to(), index));
            var nameless = schema.types().get(schema.number(task.to())).features().isEmpty();
            return new StoredVectorRanker(data, nodes, new FixedVectors(users::get, model.dimension(), nameless), table, isCosine(),
                new ExactScan(threads));
        }
    }

    private static Map<Long, float[]> rows(float[][] vectors, IntToLongFunction id) {
        var rows = new HashMap<Long, float[]>(vectors.length * 2);
        for (int index = 0; index < vectors.length; index++) {
            if (vectors[index] != null) {
                rows.put(id.applyAsLong(index), Arrays.copyOf(vectors[index], vectors[index].length));
            }
        }
        return rows;
    }
}
