// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.Manifest;
import io.gnn4j.artefact.ModelRefused;
import io.gnn4j.embed.KeyIndex;
import io.gnn4j.embed.LapClock;
import io.gnn4j.embed.VectorJoin;
import io.gnn4j.graph.LiveGraph;
import io.gnn4j.neighbour.NodeRows;
import io.gnn4j.neighbour.NodeRowsFile;
import io.gnn4j.recommend.VectorRows;
import io.gnn4j.registry.Propagator.Outcome;
import io.gnn4j.registry.Propagator.Written;
import io.gnn4j.writeback.OwnTransactions;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;
import org.eclipse.collections.impl.list.mutable.primitive.LongArrayList;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Transaction;

/**
 * Makes versions ready that need no projection: {@code vectors/1}, {@code sequence/1} and {@code pair/1} write their vectors to
 * the nodes that have their keys,
 * {@code item-weights/1} and {@code lists/1} are read once, so that a file at fault is refused now and not by the first query.
 *
 * <p>As with {@link Propagator}, all before the last transaction may be done again.
 */
public final class NodeJoin {
    private static final int NODES_A_BATCH = 2_000;
    private static final int REPORT = 100_000;

    private final Models models;
    private final UUID database;
    private final OwnTransactions own;
    private final Runnable guard;
    private final Consumer<String> progress;

    /**
     * @param own ends when the work has to end
     * @param guard throws when the caller's transaction was terminated
     * @param progress told in words how far it is
     */
    public NodeJoin(Models models, UUID database, OwnTransactions own, Runnable guard, Consumer<String> progress) {
        this.models = models;
        this.database = database;
        this.own = own;
        this.guard = guard;
        this.progress = progress;
    }

    /** Whether a contract is made ready here. */
    public static boolean suits(String contract) {
        return List.of(Manifest.VECTORS, Manifest.ITEM_WEIGHTS, Manifest.LISTS, Manifest.SEQUENCE, Manifest.PAIR).contains(contract);
    }

    /** What it takes, by what it is for. */
    public Propagator.Estimate estimate(ServedModel model) {
        var parts = new LinkedHashMap<String, Object>();
        var nodes = own.read(tx -> {
            try (var graph = new LiveGraph(tx)) {
                return labels(model).stream().mapToLong(graph::count).sum();
            }
        });
        if (model.manifest().hasVectors()) {
            parts.put("keys", KeyIndex.bytes(nodes) + VectorRows.bytes(nodes, 0));
            parts.put("largestPiece", Manifest.MAX_PIECE_BYTES + (2L * 65_536 * (4L * model.dimension() + 64)));
        } else {
            parts.put("rows", NodeRowsFile.bytes(model.manifest()));
        }
        return new Propagator.Estimate(nodes, 0, parts);
    }

    private static List<String> labels(ServedModel model) {
        var task = model.task();
        return model.manifest().isOneSided() || Manifest.ITEM_WEIGHTS.equals(model.contract())
            ? List.of(text(task, "recommend")) : List.of(text(task, "recommend"), text(task, "to"));
    }

    private static String text(Map<String, Object> task, String key) {
        return String.valueOf(task.get(key));
    }

    /** @throws ModelRefused when the stored bytes are not those of the manifest, or no row has a node */
    public Outcome run(ServedModel model, PropagateConfig config) {
        return models.writing(database, model, lease -> model.manifest().hasVectors() ? vectors(model, config) : rows(model, config));
    }

    private InputStream part(ServedModel model, String file) {
        return new PieceStream(models.store(), own, model.name(), model.version(), model.manifest().part(file));
    }

    private Outcome rows(ServedModel model, PropagateConfig config) {
        var clock = new LapClock();
        progress.accept("reading " + NodeRowsFile.fileOf(model.manifest()));
        var rows = NodeRowsFile.read(model.manifest(), part(model, NodeRowsFile.fileOf(model.manifest())), guard);
        var keys = NodeRowsFile.keyProperties(model.manifest());
        progress.accept("joining its rows with nodes by key");
        var nodes = new LinkedHashMap<String, Long>();
        own.read(tx -> {
            keys.forEach((label, property) -> nodes.put(label, join(tx, rows, label, property, guard)));
            return null;
        });
        var unmatchedRows = 0L;
        var unmatchedNodes = 0L;
        for (var label : keys.keySet()) {
            var met = rows.met(label);
            if (met.nodes() == 0 && met.rows() > 0) {
                var theirs = own.read(tx -> exampleKey(tx, label, keys.get(label)));
                throw VectorJoin.noneMet(NodeRowsFile.fileOf(model.manifest()), met.rows(), label, met.example(), theirs);
            }
            unmatchedRows += met.rows() - met.nodes();
            unmatchedNodes += nodes.get(label) - met.nodes();
        }
        var joining = clock.lap();
        Propagator.finish(models, own, model);
        return outcome(model, config, nodes, unmatchedRows, unmatchedNodes, new Written(0, 0, 0, 0), joining, 0, 0);
    }

    /** Meets every node of a label. @return how many nodes have a key */
    public static long join(Transaction tx, NodeRows rows, String label, String property, Runnable guard) {
        var chunk = new LinkedHashMap<Long, Object>();
        var count = 0L;
        try (var graph = new LiveGraph(tx); var found = tx.findNodes(Label.label(label))) {
            while (found.hasNext()) {
                var id = LiveGraph.id(found.next());
                var key = KeyIndex.normal(graph.property(id, property));
                if (key != null) {
                    count++;
                    chunk.put(id, key);
                }
                if (chunk.size() == NODES_A_BATCH) {
                    guard.run();
                    rows.apply(Map.of(label, chunk));
                    chunk.clear();
                }
            }
        }
        rows.apply(Map.of(label, chunk));
        return count;
    }

    private static Object exampleKey(Transaction tx, String label, String property) {
        try (var found = tx.findNodes(Label.label(label))) {
            return found.stream().map(node -> KeyIndex.normal(node.getProperty(property, null)))
                .filter(java.util.Objects::nonNull).findFirst().orElse(null);
        }
    }

    /** The nodes of one label with their keys. @param ids beside the rows of {@code keys} */
    private record Nodes(String label, String property, long[] ids, KeyIndex keys, LongHashSet met) {
        /** @return the position in {@link #ids}, -1 where there is none */
        int find(Object key) {
            var found = keys.row(key);
            // Keys of two kinds stand in one column as text; a node that has the text itself comes first.
            return found < 0 && key instanceof String text && text.matches("0|-?[1-9][0-9]{0,17}") ? keys.row(Long.parseLong(text)) : found;
        }
    }

    private Nodes nodes(ServedModel model, String label) {
        var schema = model.manifest().schema().nodes().get(label);
        if (schema == null) {
            throw new ModelRefused(Manifest.FILE, "`schema` names no key of :" + label + ".");
        }
        return own.read(tx -> {
            var ids = new LongArrayList();
            var keys = new ArrayList<Object>();
            try (var graph = new LiveGraph(tx); var found = tx.findNodes(Label.label(label))) {
                while (found.hasNext()) {
                    var id = LiveGraph.id(found.next());
                    var key = KeyIndex.normal(graph.property(id, schema.key()));
                    if (key != null) {
                        ids.add(id);
                        keys.add(key);
                    }
                    if (ids.size() % REPORT == 1) {
                        guard.run();
                    }
                }
            }
            return new Nodes(label, schema.key(), ids.toArray(), KeyIndex.of(keys.toArray()), new LongHashSet());
        });
    }

    /** One node with what it gets. */
    private record Change(Nodes nodes, int at, Object key, float[] vector, float[] context) {}

    private Outcome vectors(ServedModel model, PropagateConfig config) {
        var clock = new LapClock();
        progress.accept("reading the keys of the nodes");
        var sides = new LinkedHashMap<String, Nodes>();
        labels(model).forEach(label -> sides.put(label, nodes(model, label)));
        var joining = clock.lap();
        var writer = new Writer(model);
        var rows = new LinkedHashMap<String, long[]>();
        var example = new LinkedHashMap<String, Object>();
        labels(model).forEach(label -> rows.put(label, new long[1]));
        VectorJoin.forEach(part(model, Manifest.VECTORS_FILE), model.dimension(), model.contextProperty() != null, guard,
            (type, key, vector, context) -> {
                var side = sides.get(type);
                if (side == null) {
                    throw new ModelRefused(Manifest.VECTORS_FILE,
                        "It has a vector of type '" + type + "'; expected: " + String.join(", ", sides.keySet()) + ".");
                }
                rows.get(type)[0]++;
                example.putIfAbsent(type, key);
                var at = side.find(key);
                if (at >= 0) {
                    if (!side.met().add(side.ids()[at])) {
                        throw new ModelRefused(Manifest.VECTORS_FILE, "The key " + key + " of :" + type + " stands twice.");
                    }
                    writer.add(new Change(side, at, key, vector, context));
                }
            });
        writer.flush();
        var unmatchedRows = 0L;
        var unmatchedNodes = 0L;
        var counts = new LinkedHashMap<String, Long>();
        for (var side : sides.values()) {
            var given = rows.get(side.label())[0];
            if (given > 0 && side.met().isEmpty()) {
                throw VectorJoin.noneMet(Manifest.VECTORS_FILE, given, side.label(), example.get(side.label()), side.keys().example());
            }
            unmatchedRows += given - side.met().size();
            unmatchedNodes += side.ids().length - side.met().size();
            counts.put(side.label(), (long) side.ids().length);
            long[] carrying = own.read(tx -> ModelRemoval.nodes(tx, side.label(), model.embeddingProperty()));
            var stale = java.util.Arrays.stream(carrying)
                .filter(id -> sides.values().stream().noneMatch(other -> other.met().contains(id))).toArray();
            ModelRemoval.clear(own, stale, model.embeddingProperty());
        }
        var writing = clock.lap();
        progress.accept("building the vector index " + model.vectorIndex());
        VectorIndexes.ensureOnline(own, model.vectorIndex(), text(model.task(), "recommend"), model.embeddingProperty(), model.dimension(),
            guard);
        Propagator.finish(models, own, model);
        return outcome(model, config, counts, unmatchedRows, unmatchedNodes, writer.written, joining, writing, clock.lap());
    }

    private static Outcome outcome(
            ServedModel model, PropagateConfig config, Map<String, Long> nodes, long unmatchedRows, long unmatchedNodes, Written written,
            long joining, long writing, long indexing) {
        var items = nodes.get(text(model.task(), "recommend"));
        var users = nodes.getOrDefault(text(model.task(), "to"), 0L);
        return new Outcome(model, items.intValue(), users.intValue(), unmatchedRows, unmatchedNodes, written, joining, 0, writing, indexing,
            config.toMap(model));
    }

    /** Writes in batches, each in a transaction of its own. */
    private final class Writer {
        private final ServedModel model;
        private final List<Change> waiting = new ArrayList<>();
        private Written written = new Written(0, 0, 0, 0);

        Writer(ServedModel model) {
            this.model = model;
        }

        void add(Change change) {
            waiting.add(change);
            if (waiting.size() == NODES_A_BATCH) {
                flush();
            }
        }

        void flush() {
            if (waiting.isEmpty()) {
                return;
            }
            var before = written.properties();
            written = written.plus(own.write(this::write));
            waiting.clear();
            if (before / REPORT != written.properties() / REPORT) {
                progress.accept("writing vectors: " + written.properties());
            }
        }

        private Written write(Transaction tx) {
            var counts = new long[3];
            for (var change : waiting) {
                var node = Propagator.find(tx, change.nodes().ids()[change.at()]);
                if (node == null) {
                    counts[1]++;
                    continue;
                }
                var key = KeyIndex.normal(node.getProperty(change.nodes().property(), null));
                if (!node.hasLabel(Label.label(change.nodes().label())) || !String.valueOf(change.key()).equals(String.valueOf(key))) {
                    counts[2]++; // the id was given to another node
                    continue;
                }
                node.setProperty(model.embeddingProperty(), change.vector());
                counts[0]++;
                if (change.context() != null) {
                    node.setProperty(model.contextProperty(), change.context());
                    counts[0]++;
                }
            }
            return new Written(counts[0], counts[1], counts[2], 1);
        }
    }
}
