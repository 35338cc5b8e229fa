// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.Manifest;
import io.gnn4j.embed.ColdItems;
import io.gnn4j.embed.ItemPropagation;
import io.gnn4j.embed.KeyIndex;
import io.gnn4j.embed.LapClock;
import io.gnn4j.embed.TaskGraph;
import io.gnn4j.embed.VectorJoin;
import io.gnn4j.graph.LiveGraph;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.graph.TypedGraph;
import io.gnn4j.inference.UserEncoder;
import io.gnn4j.recommend.Interactions;
import io.gnn4j.recommend.Parallel;
import io.gnn4j.recommend.QueryEncoder;
import io.gnn4j.recommend.VectorRows;
import io.gnn4j.task.Task;
import io.gnn4j.writeback.OwnTransactions;
import io.gnn4j.writeback.VectorWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.LongPredicate;
import java.util.function.Supplier;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.NotFoundException;
import org.neo4j.graphdb.Transaction;

/**
 * Gives a version its vectors: joins base vectors to nodes by key, propagates them over a projection, writes e and c to
 * items and query vectors to users, builds the vector index, and then, in one transaction, makes the version ready.
 *
 * <p>Everything before that last transaction is invisible to queries and may be done again: after a crash the next call
 * writes the same values once more. A version that is ready already is brought up to date in place.
 */
public final class Propagator {
    private static final int ITEMS_A_BATCH = 2_000;
    private static final int USERS_A_BATCH = 1_000;
    private static final int MAX_DEGREE = 10_000;

    private final Models models;
    private final UUID database;
    private final OwnTransactions own;
    private final Parallel threads;
    private final Runnable guard;
    private final Consumer<String> progress;

    /** Columns of the procedure. */
    public record Outcome(
        ServedModel model, int items, int users, long unmatchedVectors, long unmatchedNodes, Written written,
        long preProcessingMillis, long computeMillis, long writeMillis, long indexMillis, Map<String, Object> configuration) {}

    /** @param missing nodes that were gone, {@code changed} those that had another label or key */
    public record Written(long properties, long missing, long changed, long batches) {
        Written plus(Written other) {
            return new Written(properties + other.properties, missing + other.missing, changed + other.changed,
                batches + other.batches);
        }
    }

    /** What a call will take. @param parts bytes by what they are for */
    public record Estimate(long nodes, long relationships, Map<String, Object> parts) {
        public long bytes() {
            return parts.values().stream().mapToLong(Long.class::cast).sum();
        }
    }

    /**
     * @param own ends when the work has to end, on whichever thread
     * @param threads whose guard throws when the caller's transaction was terminated
     * @param progress told in words how far it is
     */
    public Propagator(Models models, UUID database, OwnTransactions own, Parallel threads, Consumer<String> progress) {
        this.models = models;
        this.database = database;
        this.own = own;
        this.threads = threads;
        this.guard = threads.guard();
        this.progress = progress;
    }

    /** @throws IllegalStateException when the version lacks parts or is being removed */
    public ServedModel find(PropagateConfig config) {
        return own.read(tx -> {
            var served = config.version() == null ? models.byReference(tx, config.model())
                : models.byReference(tx, config.model() + ":" + config.version());
            if (!List.of(Manifest.ITEM_PROPAGATION, Manifest.PADDED_BLOCKS).contains(served.contract())
                && !NodeJoin.suits(served.contract())) {
                throw new IllegalArgumentException("Model '" + served.reference() + "' follows " + served.contract()
                    + ", which this version does not make ready.");
            }
            models.requireComplete(tx, served);
            return served;
        });
    }

    public static Estimate estimate(ServedModel model, TaskGraph graph, Runnable guard) {
        var items = (long) graph.items();
        var users = (long) graph.users();
        var dimension = model.dimension();
        var parts = new LinkedHashMap<String, Object>();
        parts.put("pairs", graph.bytes(guard));
        parts.put("keys", KeyIndex.bytes(items));
        parts.put("vectors", ItemPropagation.bytes(items, graph.isOneSided() ? items : users, dimension));
        parts.put("contextsById", VectorRows.bytes(items, 0));
        parts.put("largestPiece", Manifest.MAX_PIECE_BYTES + (2L * 65_536 * (4L * dimension + 64)));
        return new Estimate(items + users, graph.relationships(guard), parts);
    }

    public Outcome run(ServedModel model, ProjectedGraph projection, TaskGraph graph, Task task, PropagateConfig config) {
        return models.writing(database, model, lease -> write(lease, projection, graph, task, config));
    }

    /** Vectors that an encoder gave the nodes of one label, by index. */
    public record Embedded(VectorWriter.Rows rows, float[][] vectors) {}

    /**
     * What an encoder computed over a projection.
     *
     * @param preProcessing milliseconds until the first vector, {@code compute} those of all
     */
    public record Embedding(ProjectedGraph projection, TypedGraph graph, List<Embedded> labels, long preProcessing, long compute) {}

    /** Vectors of an encoder: written, indexed, and then the version is ready. @param embed computes them */
    public Outcome run(ServedModel model, Supplier<Embedding> embed, PropagateConfig config) {
        return models.writing(database, model, lease -> write(model, embed.get(), config));
    }

    private Outcome write(ServedModel model, Embedding embedding, PropagateConfig config) {
        embedding.projection().requireCurrent();
        var clock = new LapClock();
        var written = new Written(0, 0, 0, 0);
        var writer = new VectorWriter(own, threads, progress);
        for (var one : embedding.labels()) {
            var done = writer.write(one.rows(), model.embeddingProperty(), index -> one.vectors()[index]);
            written = written.plus(new Written(done.written(), done.skippedMissing(), done.skippedChanged(), done.batchesCommitted()));
        }
        var labels = embedding.labels().stream().map(one -> one.rows().label()).toList();
        clear(model, labels, id -> labels.stream().anyMatch(label -> embedding.graph().indexOf(label, id) >= 0));
        var write = clock.lap();
        // A model that recommends nothing has one index all the same: on what it embeds first.
        var recommend = model.task().get("recommend") instanceof String label && labels.contains(label) ? label : labels.get(0);
        progress.accept("building the vector index " + model.vectorIndex());
        VectorIndexes.ensureOnline(own, model.vectorIndex(), recommend, model.embeddingProperty(), model.dimension(), guard);
        finish(models, own, model);
        var all = embedding.labels().stream().mapToInt(one -> one.vectors().length).sum();
        var items = embedding.labels().get(labels.indexOf(recommend)).vectors().length;
        return new Outcome(model, items, all - items, 0, 0, written, embedding.preProcessing(), embedding.compute(), write, clock.lap(),
            config.toMap(model));
    }

    private Outcome write(ModelLease lease, ProjectedGraph projection, TaskGraph graph, Task task, PropagateConfig config) {
        var model = lease.model();
        var clock = new LapClock();
        var items = graph.items();
        progress.accept("joining " + items + " nodes with their vectors by key");
        var keys = keys(graph, task, model);
        var settings = model.propagation();
        var join = VectorJoin.read(
            new PieceStream(models.store(), own, model.name(), model.version(), model.manifest().part(Manifest.VECTORS_FILE)),
            task.recommend(), KeyIndex.of(keys), items, model.dimension(), settings.finished(), guard);
        var preProcessing = clock.lap();

        ItemPropagation.Result result;
        if (settings.finished()) {
            if (join.matched() < items) {
                progress.accept("making vectors of " + (items - join.matched()) + " nodes that the model has not met");
                var users = graph.pairs(guard);
                ColdItems.fill(join.vectors(), users, graph.isOneSided() ? users : users.reversed(items, guard), model.dimension(), guard);
            }
            result = new ItemPropagation.Result(join.vectors(), join.contexts());
        } else {
            progress.accept("propagating over " + settings.layers() + " layers");
            result = propagate(graph, join.vectors(), model);
        }
        var compute = clock.lap();

        // From here on the database changes: not for a graph that is no longer the one that was read.
        projection.requireCurrent();
        var written = writeItems(model, graph, task, keys, result);
        if (!graph.isOneSided()) {
            written = written.plus(writeUsers(lease, graph, task, result.context()));
        }
        clear(model, List.copyOf(new LinkedHashSet<>(List.of(task.recommend(), task.to()))),
            id -> graph.graph().indexOf(task.recommend(), id) >= 0 || graph.graph().indexOf(task.to(), id) >= 0);
        var write = clock.lap();
        progress.accept("building the vector index " + model.vectorIndex());
        VectorIndexes.ensureOnline(own, model.vectorIndex(), task.recommend(), model.embeddingProperty(), model.dimension(), guard);
        finish(models, own, model);
        return new Outcome(model, items, graph.users(), join.unmatched(), items - join.matched(), written, preProcessing, compute, write,
            clock.lap(), config.toMap(model));
    }

    /** The key of each item by index, null where it has none. */
    private Object[] keys(TaskGraph graph, Task task, ServedModel model) {
        var node = model.manifest().schema().nodes().get(task.recommend());
        if (node == null) {
            throw new IllegalStateException("The schema of model '" + model.reference() + "' names no key of :" + task.recommend() + ".");
        }
        var keys = new Object[graph.items()];
        pieces(keys.length, ITEMS_A_BATCH, null, (from, to) -> own.read(tx -> {
            try (var live = new LiveGraph(tx)) {
                for (int index = from; index < to; index++) {
                    keys[index] = KeyIndex.normal(live.property(graph.graph().nodeId(task.recommend(), index), node.key()));
                }
            }
            return null;
        }));
        return keys;
    }

    private ItemPropagation.Result propagate(TaskGraph graph, float[][] vectors, ServedModel model) {
        var dimension = model.dimension();
        for (int index = 0; index < vectors.length; index++) {
            if (vectors[index] == null) {
                vectors[index] = new float[dimension];
            }
        }
        var users = graph.pairs(guard);
        var items = graph.isOneSided() ? users : users.reversed(graph.items(), guard);
        return new ItemPropagation(items, users, dimension, threads).run(vectors, model.propagation().layers());
    }

    private Written writeItems(ServedModel model, TaskGraph graph, Task task, Object[] keys, ItemPropagation.Result result) {
        var label = Label.label(task.recommend());
        var key = model.manifest().schema().nodes().get(task.recommend()).key();
        return writing("items", graph.items(), ITEMS_A_BATCH, (from, to) -> own.write(tx -> {
            var counts = new long[3];
            for (int index = from; index < to; index++) {
                var node = find(tx, graph.graph().nodeId(task.recommend(), index));
                if (node == null) {
                    counts[1]++;
                } else if (!node.hasLabel(label) || !java.util.Objects.equals(KeyIndex.normal(node.getProperty(key, null)), keys[index])) {
                    counts[2]++; // the id was given to another node
                } else if (result.embedding()[index] == null) {
                    node.removeProperty(model.embeddingProperty());
                    node.removeProperty(model.contextProperty());
                } else {
                    node.setProperty(model.embeddingProperty(), result.embedding()[index]);
                    counts[0]++;
                    if (result.context()[index] == null) { // it can be found, but says nothing of who touches it
                        node.removeProperty(model.contextProperty());
                    } else {
                        node.setProperty(model.contextProperty(), result.context()[index]);
                        counts[0]++;
                    }
                }
            }
            return new Written(counts[0], counts[1], counts[2], 1);
        }));
    }

    private Written writeUsers(ModelLease lease, TaskGraph graph, Task task, float[][] context) {
        var model = lease.model();
        var rows = new VectorRows(model.contextProperty(), model.dimension());
        for (int index = 0; index < context.length; index++) {
            if (context[index] != null) {
                rows.apply(Map.of(graph.graph().nodeId(task.recommend(), index), context[index]));
            }
        }
        var label = Label.label(task.to());
        var encoder = own.read(lease::userEncoder);
        return writing("users", graph.users(), USERS_A_BATCH, (from, to) -> {
            var ids = new long[to - from];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = graph.graph().nodeId(task.to(), from + i);
            }
            var queries = queries(encoder, rows, model, task, ids);
            return own.write(tx -> {
                var counts = new long[3];
                for (int i = 0; i < ids.length; i++) {
                    var node = find(tx, ids[i]);
                    if (node == null) {
                        counts[1]++;
                    } else if (!node.hasLabel(label)) {
                        counts[2]++;
                    } else {
                        node.setProperty(model.embeddingProperty(), queries[i]);
                        counts[0]++;
                    }
                }
                return new Written(counts[0], counts[1], counts[2], 1);
            });
        });
    }

    /** As our own procedures compute them, from the live graph: plain Cypher shall find the same items. */
    private float[][] queries(UserEncoder encoder, VectorRows contexts, ServedModel model, Task task, long[] ids) {
        var queries = new QueryEncoder(encoder, contexts, model.propagation().history());
        List<Interactions> histories = own.read(tx -> {
            try (var live = new LiveGraph(tx)) {
                var read = new ArrayList<Interactions>(ids.length);
                for (var id : ids) {
                    read.add(queries.read(live, task, id, MAX_DEGREE));
                }
                return read;
            }
        });
        return queries.encode(histories);
    }

    /** Takes vectors of an earlier run from nodes that this graph does not have: they would answer with what they were. */
    private void clear(ServedModel model, List<String> labels, LongPredicate belongs) {
        for (var label : labels) {
            var ids = own.read(tx -> ModelRemoval.nodes(tx, label, model.embeddingProperty()));
            var stale = Arrays.stream(ids).filter(belongs.negate()).toArray();
            ModelRemoval.clear(own, stale, model.embeddingProperty());
        }
    }

    /** The last transaction: from now on queries see the version. */
    static void finish(Models models, OwnTransactions own, ServedModel model) {
        own.write(tx -> {
            NameLock.acquire(tx, model.name());
            var node = models.store().model(tx, model.name(), model.version())
                .filter(found -> model.sha256().equals(ModelStore.text(found, "sha256"))).orElseThrow(() -> new IllegalStateException(
                    "Model '" + model.reference() + "' was removed while its vectors were written."));
            var state = ModelState.of(node.getProperty("state", null));
            if (state != ModelState.BUILDING && state != ModelState.READY) {
                throw new IllegalStateException("Model '" + model.reference() + "' became " + state.text()
                    + " while its vectors were written.");
            }
            node.setProperty("state", ModelState.READY.text());
            node.setProperty("vectorsAt", Math.max(System.currentTimeMillis(), model.vectorsAt() + 1));
            return null;
        });
    }

    /** @return null when it is gone */
    static Node find(Transaction tx, long id) {
        try {
            return NodeIds.node(tx, id);
        } catch (NotFoundException gone) {
            return null;
        }
    }

    private interface Range<T> {
        T on(int from, int to);
    }

    private Written writing(String what, int rows, int batch, Range<Written> work) {
        var total = new Written[] {new Written(0, 0, 0, 0)};
        pieces(rows, batch, finished -> progress.accept("writing " + what + ": " + finished + " of " + rows), (from, to) -> {
            var written = work.on(from, to);
            synchronized (total) {
                total[0] = total[0].plus(written);
            }
            return null;
        });
        return total[0];
    }

    private void pieces(int rows, int batch, IntConsumer finished, Range<?> work) {
        var done = new java.util.concurrent.atomic.AtomicInteger();
        threads.map((rows + batch - 1) / batch, () -> this, (state, piece) -> {
            var from = piece * batch;
            var to = Math.min(rows, from + batch);
            work.on(from, to);
            var count = done.addAndGet(to - from);
            // About every tenth of the way.
            if (finished != null && (long) count * 10 / rows != (long) (count - (to - from)) * 10 / rows) {
                finished.accept(count);
            }
        });
    }
}
