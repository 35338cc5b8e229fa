// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.artefact.Manifest;
import io.gnn4j.config.ConfigMap;
import io.gnn4j.embed.BlockEmbedder;
import io.gnn4j.embed.LeavingOut;
import io.gnn4j.embed.SurroundingsEncoder;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.extension.Held;
import io.gnn4j.features.LiveFeatures;
import io.gnn4j.graph.LiveGraph;
import io.gnn4j.graph.StoreNeighbours;
import io.gnn4j.inference.UserEncoder;
import io.gnn4j.neighbour.NodeRowsFile;
import io.gnn4j.recommend.ExactScan;
import io.gnn4j.recommend.ItemWeights;
import io.gnn4j.recommend.PairEncoder;
import io.gnn4j.recommend.PairScorer;
import io.gnn4j.recommend.Parallel;
import io.gnn4j.recommend.Popularity;
import io.gnn4j.recommend.QueryEncoder;
import io.gnn4j.recommend.RankedLists;
import io.gnn4j.recommend.RankedModel;
import io.gnn4j.recommend.RecommendConfig;
import io.gnn4j.recommend.Reranker;
import io.gnn4j.recommend.SequenceEncoder;
import io.gnn4j.recommend.SequenceScorer;
import io.gnn4j.recommend.SourceEncoder;
import io.gnn4j.recommend.VectorRows;
import io.gnn4j.recommend.VectorTable;
import io.gnn4j.recommend.Walk;
import io.gnn4j.registry.ModelLease;
import io.gnn4j.registry.ServedModel;
import io.gnn4j.task.Task;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.LongFunction;
import java.util.function.Supplier;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.TerminationGuard;

/** What one call holds while it answers, given back when its stream is closed or ends. */
final class AnswerCall implements AutoCloseable {
    private final GnnContext gnn;
    private final Transaction tx;
    private final TerminationGuard guard;
    private final LiveGraph graph;
    private final ResourceStack held = new ResourceStack();
    private ModelLease lease;
    private Popularity popularity;

    AnswerCall(GnnContext gnn, Transaction tx, TerminationGuard guard) {
        this.gnn = gnn;
        this.tx = tx;
        this.guard = guard;
        graph = new LiveGraph(tx);
        held.push(graph);
    }

    LiveGraph graph() {
        return graph;
    }

    /** The model meant; held to the end of the call. @param labels of the source, empty for a visitor */
    ServedModel model(String name, Collection<String> labels) {
        lease = gnn.services().models().acquire(gnn.database(), tx, name, labels);
        held.push(lease);
        return lease.model();
    }

    /**
     * @param contextual whether the caller names items beside the history of its sources
     * @param maxDegree relationships read of a node and type at most
     */
    SourceEncoder encoder(ServedModel model, Task task, boolean contextual, int maxDegree) {
        if (Manifest.PADDED_BLOCKS.equals(model.contract())) {
            return surroundings(model, maxDegree, table(model, task.recommend())::get);
        }
        if (Manifest.VECTORS.equals(model.contract())) {
            var property = model.contextProperty() == null ? model.embeddingProperty() : model.contextProperty();
            return new PairEncoder(graph, task, property, table(model, task.recommend()), model.serving(), contextual);
        }
        if (Manifest.SEQUENCE.equals(model.contract())) {
            return new SequenceEncoder(lease.sequenceNetwork(tx), rows(model, task.recommend()), model.serving().history());
        }
        if (Manifest.PAIR.equals(model.contract())) {
            throw new IllegalArgumentException("Model '" + model.reference() + "' has the contract " + model.contract()
                + ", which orders what another model found: name it as `rerank: {model}`.");
        }
        return propagation(model, task);
    }

    /** The user side of a model whose users are sums over their items. */
    QueryEncoder propagation(ServedModel model, Task task) {
        if (!Manifest.ITEM_PROPAGATION.equals(model.contract())) {
            throw new IllegalArgumentException("Model '" + model.reference() + "' has the contract " + model.contract()
                + "; this is told of " + Manifest.ITEM_PROPAGATION + ".");
        }
        var contexts = hold(gnn.services().caches().rows(
            gnn.database(), task.recommend(), model.contextProperty(), model.dimension(), guard::check));
        return new QueryEncoder(lease.userEncoder(tx), contexts, model.propagation().history());
    }

    /** @param items stored vectors by id, for sources that the model does not embed */
    SurroundingsEncoder surroundings(ServedModel model, int maxDegree, LongFunction<float[]> items) {
        var schema = model.manifest().blocks();
        var inputs = model.manifest().inputs();
        var onnx = lease.blocksModel(tx).get();
        var plan = BlockEmbedder.plan(schema);
        return new SurroundingsEncoder(schema, graph, () -> new BlockEmbedder(schema, inputs,
            new StoreNeighbours(graph, plan, plan.nodeTypes(), maxDegree), new LiveFeatures(schema, graph::property), onnx),
            items, model.dimension());
    }

    /** The second stage; its model is held to the end of the call, too. @param task of the first stage */
    Reranker reranker(RecommendConfig config, Task task) {
        if (config.rerank() == null) {
            return null;
        }
        var second = gnn.services().models().acquire(gnn.database(), tx, config.rerank().model(), Set.of());
        held.push(second);
        var model = second.model();
        if (!Manifest.PAIR.equals(model.contract()) && !Manifest.SEQUENCE.equals(model.contract())) {
            throw new IllegalArgumentException("`rerank.model` '" + model.reference() + "' has the contract " + model.contract()
                + ", but a second stage is " + Manifest.PAIR + " or " + Manifest.SEQUENCE + ".");
        }
        var items = Task.of(model.task()).recommend();
        if (!items.equals(task.recommend())) {
            throw new IllegalArgumentException("`rerank.model` '" + model.reference() + "' orders :" + items
                + ", but what is recommended is :" + task.recommend() + ".");
        }
        var history = model.serving().history();
        var vectors = rows(model, items);
        var scorer = Manifest.PAIR.equals(model.contract())
            ? new PairScorer(second.pairNetwork(tx), vectors, rows(model, task.to()), history)
            : new SequenceScorer(new SequenceEncoder(second.sequenceNetwork(tx), vectors, history), vectors,
                model.similarity().equals("cosine"));
        return new Reranker(scorer, config.rerank().topN());
    }

    private VectorRows rows(ServedModel model, String label) {
        return hold(gnn.services().caches().rows(
            gnn.database(), label, model.embeddingProperty(), model.dimension(), guard::check));
    }

    /** Vectors of a source by a {@code padded-blocks/1} model from the live graph, as if it had not touched an item. */
    LeavingOut leavingOut(ServedModel model, Task task, long source, String label, int maxDegree) {
        var schema = model.manifest().blocks();
        var plan = BlockEmbedder.plan(schema);
        var neighbours = new StoreNeighbours(graph, plan, plan.nodeTypes(), maxDegree).keepingLists();
        var embedder = new BlockEmbedder(schema, model.manifest().inputs(), neighbours, new LiveFeatures(schema, graph::property),
            lease.blocksModel(tx).get());
        return new LeavingOut(embedder, label, source, item -> neighbours.hide(source, item, task.via().keySet()));
    }

    /** The user side of a model whose users are sums over their items, to be fed with other vectors than those stored. */
    UserEncoder userEncoder() {
        return lease.userEncoder(tx);
    }

    /** What answers for a model without vectors. @param config of the walk behind a list; null where none is wanted */
    RankedModel ranked(ServedModel model, Task task, RecommendConfig config) {
        var rows = hold(gnn.services().caches().nodeRows(gnn.database(), model,
            committed -> gnn.services().models().part(committed, model, NodeRowsFile.fileOf(model.manifest())), guard::check));
        if (Manifest.ITEM_WEIGHTS.equals(model.contract())) {
            return new ItemWeights(rows, task.recommend(), model.reference(), model.serving().history());
        }
        return new RankedLists(rows, graph, task, model.reference(), config == null ? null : () ->
            new Walk(graph, task, config.walk(), config.maxDegree(), popularity(task).get(), guard::check));
    }

    VectorTable table(ServedModel model, String label) {
        requireVectors(model);
        return hold(gnn.services().caches().table(
            gnn.database(), label, model.embeddingProperty(), model.dimension(), guard::check));
    }

    /** The vectors by node that diversity compares; nothing is read where it is not asked for. */
    LongFunction<float[]> itemVectors(RecommendConfig config, ServedModel model, String label) {
        if (config.arrangement().diversity() == 0) {
            return id -> null;
        }
        if (model == null) {
            throw new IllegalArgumentException("`diversity` compares the vectors of a model, but `task` is given instead of one. Leave"
                + " `task` or `diversity` out.");
        }
        return table(model, label)::get;
    }

    Runnable guard() {
        return guard::check;
    }

    /** Partial scores with nodes where there are ids. */
    Map<String, Object> shown(Map<String, Object> scores) {
        if (!(scores.get("supporters") instanceof Walk.Supporters supporters)) {
            return scores;
        }
        var shown = new HashMap<>(scores);
        shown.put("supporters", supporters.users().stream().map(graph::node).toList());
        return shown;
    }

    ExactScan scan(int concurrency) {
        return new ExactScan(new Parallel(gnn.services().helpers(), concurrency, guard::check));
    }

    /** Counted at the first call only. */
    Supplier<Popularity> popularity(Task task) {
        return () -> {
            if (popularity == null) {
                popularity = hold(gnn.services().caches().popularity(gnn.database(), task, guard::check));
            }
            return popularity;
        };
    }

    /** A lazy stream that gives everything back at its end, also when it ends with an error. */
    <T> Stream<T> stream(Iterator<T> rows) {
        var guarded = new Iterator<T>() {
            @Override
            public boolean hasNext() {
                guard.check();
                var more = rows.hasNext();
                if (!more) {
                    close();
                }
                return more;
            }

            @Override
            public T next() {
                return rows.next();
            }
        };
        return StreamSupport.stream(Spliterators.spliteratorUnknownSize(guarded, Spliterator.ORDERED), false)
            .onClose(this::close);
    }

    /** The ids in a node, or a list of nodes. @param what the argument, for messages */
    static List<Long> ids(String what, Object value) {
        if (value instanceof Node node) {
            return List.of(LiveGraph.id(node));
        }
        if (value instanceof List<?> list) {
            return list.stream().map(one -> id(what, one)).toList();
        }
        return List.of(id(what, value));
    }

    static long id(String what, Object value) {
        if (value instanceof Node node) {
            return LiveGraph.id(node);
        }
        throw new IllegalArgumentException("`" + what + "` must be a NODE or a LIST<NODE>, but holds "
            + ConfigMap.describe(value) + ".");
    }

    static long id(Object value) {
        if (value instanceof Node node) {
            return LiveGraph.id(node);
        }
        throw new IllegalArgumentException("a NODE is needed, but " + ConfigMap.describe(value) + " was given.");
    }

    private static void requireVectors(ServedModel model) {
        if (!model.manifest().hasVectors()) {
            throw new IllegalArgumentException("Model '" + model.reference() + "' has the contract " + model.contract()
                + ", which has no vectors: leave out what compares them, or name another model.");
        }
    }

    /** Closed with the call. */
    <T extends AutoCloseable> T closing(T taken) {
        return held.push(taken);
    }

    private <T> T hold(Held<T> taken) {
        held.push(taken);
        return taken.value();
    }

    @Override
    public void close() {
        held.close();
    }
}
