// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.CoreZip;
import io.gnn4j.artefact.Hash;
import io.gnn4j.artefact.Manifest;
import io.gnn4j.artefact.ModelRefused;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.inference.OnnxModel;
import io.gnn4j.recommend.RecommendConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/** Takes artefacts into the registry, within the caller's transaction; nothing is written before every check has passed. */
public final class ModelLoader {
    private final ModelStore store;
    private final int inferenceThreads;
    /** An unfinished version from before this moment has nobody left who could be finishing it. */
    private final long serverStart;

    ModelLoader(ModelStore store, int inferenceThreads, long serverStart) {
        this.store = store;
        this.inferenceThreads = inferenceThreads;
        this.serverStart = serverStart;
    }

    /**
     * Makes a new version, or finds the one that already holds this artefact and may go on.
     *
     * @param artefact the core zip
     * @throws ModelRefused with the reason
     * @throws IllegalArgumentException when the name is not one
     */
    public ModelInfo load(Transaction tx, String name, byte[] artefact) {
        ModelName.check("a model", name);
        var files = CoreZip.read(artefact);
        var manifest = Manifest.parse(files.get(Manifest.FILE));
        var model = files.get(Manifest.MODEL_FILE);
        LiveSchema.check(tx, manifest.schema());
        checkBlend(manifest);
        if (manifest.hasNetwork() != (model != null)) {
            throw new ModelRefused("the zip file", manifest.hasNetwork() ? "It has no " + Manifest.MODEL_FILE + "."
                : "It has " + Manifest.MODEL_FILE + ", which a model of " + manifest.contract() + " does not have.");
        }
        if (model != null) {
            // All that an opening checks: hash, scan, signature, golden sample.
            OnnxModel.open(manifest, model, inferenceThreads).close();
        }

        NameLock.acquire(tx, name);
        var versions = store.versions(tx, name);
        var same = versions.stream().filter(node -> manifest.sha256().equals(ModelStore.text(node, "sha256")))
            .filter(node -> state(node) != ModelState.RETIRED).reduce((earlier, later) -> later).orElse(null);
        abandon(versions, same);
        var node = same != null ? same : create(tx, name, versions, manifest);
        store(tx, node, Manifest.FILE, 0, files.get(Manifest.FILE));
        if (model != null) {
            storeNetwork(tx, node, manifest.part(Manifest.MODEL_FILE), model);
        }
        complete(node, manifest);
        return info(node);
    }

    /** What a query would find at fault is refused before it is stored. */
    private static void checkBlend(Manifest manifest) {
        try {
            RecommendConfig.recommend(Map.of(), node -> 0, true).servedBy(manifest.blend());
        } catch (InvalidConfiguration wrong) {
            throw new ModelRefused(Manifest.FILE, "`blend`: " + wrong.getMessage());
        }
    }

    private void storeNetwork(Transaction tx, Node node, Manifest.Part part, byte[] model) {
        var start = 0;
        for (var piece : part.pieces()) {
            var bytes = Arrays.copyOfRange(model, start, Math.toIntExact(start + piece.bytes()));
            if (!Hash.sha256(bytes).equals(piece.sha256())) {
                throw new ModelRefused(Manifest.MODEL_FILE, "Piece " + piece.index() + " does not have the sha256 of the manifest.");
            }
            store(tx, node, Manifest.MODEL_FILE, piece.index(), bytes);
            start += bytes.length;
        }
    }

    private static ModelState state(Node node) {
        return ModelState.of(node.getProperty("state", null));
    }

    /** Unfinished versions of another artefact that a stopped server left behind; the sweep removes them. */
    private void abandon(List<Node> versions, Node keep) {
        for (var node : versions) {
            var unfinished = state(node) == ModelState.LOADING || state(node) == ModelState.BUILDING;
            if (unfinished && !node.equals(keep) && store.aliasesOf(node).isEmpty()
                && !(node.getProperty("createdAt", null) instanceof Number at && at.longValue() >= serverStart)) {
                node.setProperty("state", ModelState.RETIRED.text());
            }
        }
    }

    private static Node create(Transaction tx, String name, List<Node> versions, Manifest manifest) {
        var version = versions.stream().mapToLong(ModelStore::version).max().orElse(0) + 1;
        var node = tx.createNode(ModelStore.MODEL);
        node.setProperty("name", name);
        node.setProperty("version", version);
        node.setProperty("state", ModelState.LOADING.text());
        node.setProperty("contract", manifest.contract());
        node.setProperty("sha256", manifest.sha256());
        node.setProperty("task", manifest.text("task"));
        node.setProperty("metrics", manifest.text("metrics"));
        if (manifest.hasVectors()) {
            var served = new ServedModel(null, name, version, ModelState.LOADING, 0, manifest);
            node.setProperty("dimension", (long) manifest.dimension());
            node.setProperty("similarity", manifest.similarity());
            node.setProperty("embeddingProperty", served.embeddingProperty());
            if (served.contextProperty() != null) {
                node.setProperty("contextProperty", served.contextProperty());
            }
            node.setProperty("vectorIndex", served.vectorIndex());
        }
        node.setProperty("createdAt", System.currentTimeMillis());
        return node;
    }

    /** Writes a piece unless it is there and whole. */
    private void store(Transaction tx, Node model, String file, int index, byte[] bytes) {
        var present = store.pieces(model, file).get(index);
        if (present != null && Arrays.equals(ModelStore.bytes(present), bytes)) {
            return;
        }
        var part = present != null ? present : tx.createNode(ModelStore.PART);
        part.setProperty("file", file);
        part.setProperty("index", (long) index);
        part.setProperty("sha256", Hash.sha256(bytes));
        part.setProperty("bytes", bytes);
        if (present == null) {
            model.createRelationshipTo(part, ModelStore.HAS_PART);
        }
    }

    private void complete(Node node, Manifest manifest) {
        if (state(node) == ModelState.LOADING && missing(node, manifest).isEmpty()) {
            node.setProperty("state", ModelState.BUILDING.text());
        }
    }

    /**
     * Stores one piece of a part; the same piece again changes nothing.
     *
     * @throws IllegalArgumentException when the version, file or index is unknown, or the bytes are not those of the manifest
     */
    public ModelInfo addPart(Transaction tx, String name, long version, String file, long index, byte[] bytes) {
        ModelName.check("a model", name);
        var node = store.model(tx, name, version).orElseThrow(() -> new IllegalArgumentException(
            "Unknown model '" + name + ":" + version + "'. Load its artefact first with gnn.model.load."));
        tx.acquireWriteLock(node);
        if (state(node) == ModelState.RETIRED) {
            throw new IllegalStateException("Model '" + name + ":" + version + "' is being removed. Load its artefact again.");
        }
        var manifest = store.manifest(node);
        var part = manifest.parts().stream().filter(one -> one.file().equals(file)).findFirst().orElseThrow(() ->
            new IllegalArgumentException("Model '" + name + ":" + version + "' has no part '" + file + "'. Its parts: "
                + String.join(", ", manifest.parts().stream().map(Manifest.Part::file).toList()) + "."));
        if (index < 0 || index >= part.pieces().size()) {
            throw new IllegalArgumentException("Part '" + file + "' has the pieces 0 to " + (part.pieces().size() - 1) + ", but piece "
                + index + " was given.");
        }
        var piece = part.pieces().get((int) index);
        if (bytes.length != piece.bytes() || !Hash.sha256(bytes).equals(piece.sha256())) {
            throw new ModelRefused(file, "Piece " + index + " is not the one the manifest names: " + bytes.length + " bytes with sha256 "
                + Hash.sha256(bytes) + " instead of " + piece.bytes() + " bytes with " + piece.sha256() + ". Send it again.");
        }
        store(tx, node, file, (int) index, bytes);
        complete(node, manifest);
        return info(node);
    }

    private List<Map<String, Object>> missing(Node node, Manifest manifest) {
        var missing = new ArrayList<Map<String, Object>>();
        for (var part : manifest.parts()) {
            var present = store.pieces(node, part.file());
            for (var piece : part.pieces()) {
                var stored = present.get(piece.index());
                // The hash beside the bytes is enough to plan by; the bytes themselves are hashed when they are read.
                if (stored == null || !piece.sha256().equals(ModelStore.text(stored, "sha256"))) {
                    var row = new LinkedHashMap<String, Object>();
                    row.put("file", part.file());
                    row.put("index", (long) piece.index());
                    missing.add(row);
                }
            }
        }
        return missing;
    }

    /** Every version in the database, by name and version. */
    public List<ModelInfo> list(Transaction tx) {
        return store.models(tx).stream().map(this::info).toList();
    }

    private ModelInfo info(Node node) {
        Manifest manifest = null;
        try {
            manifest = store.manifest(node);
        } catch (ModelRefused damaged) {
            // A list must show a damaged version, too: it is the one to drop.
        }
        return info(node, manifest);
    }

    @SuppressWarnings("unchecked")
    private ModelInfo info(Node node, Manifest manifest) {
        var name = ModelStore.text(node, "name");
        var version = ModelStore.version(node);
        var served = manifest == null ? null : new ServedModel(null, name, version, state(node), 0, manifest);
        // A damaged version may have left vectors: it is shown where they would be.
        var vectors = manifest == null || manifest.hasVectors() ? ModelName.property(name, version) : null;
        return new ModelInfo(name, version, state(node), store.aliasesOf(node),
            manifest == null ? null : manifest.contract(), ModelStore.text(node, "sha256"),
            manifest == null ? Map.of() : manifest.task(),
            manifest == null ? List.of() : (List<Object>) manifest.json().get("metrics"),
            manifest == null || !manifest.hasVectors() ? null : Long.valueOf(manifest.dimension()),
            manifest == null ? null : manifest.similarity(), vectors, served == null ? null : served.contextProperty(), vectors,
            number(node, "createdAt"), number(node, "vectorsAt"), manifest == null ? List.of() : missing(node, manifest));
    }

    private static Long number(Node node, String property) {
        return node.getProperty(property, null) instanceof Number number ? number.longValue() : null;
    }

    /** One piece of a stored file. */
    public record Piece(String file, int index, String sha256, byte[] bytes) {}

    /**
     * All pieces of a version, manifest first, in the order of the manifest; bytes are read when the stream is.
     *
     * @param version null for the newest that is ready
     */
    public java.util.stream.Stream<Piece> export(Transaction tx, String name, Long version) {
        var node = pick(tx, name, version);
        var manifest = store.manifest(node);
        var files = new ArrayList<String>();
        files.add(Manifest.FILE);
        manifest.parts().forEach(part -> files.add(part.file()));
        return files.stream().flatMap(file -> store.pieces(node, file).entrySet().stream().map(piece ->
            new Piece(file, piece.getKey(), ModelStore.text(piece.getValue(), "sha256"), ModelStore.bytes(piece.getValue()))));
    }

    /** The version named, or the newest that is ready. */
    Node pick(Transaction tx, String name, Long version) {
        ModelName.check("a model", name);
        var versions = store.versions(tx, name);
        if (version != null) {
            return versions.stream().filter(node -> ModelStore.version(node) == version).findFirst()
                .orElseThrow(() -> Models.unknownVersion(store, tx, name, version));
        }
        return versions.stream().filter(node -> state(node) == ModelState.READY).reduce((earlier, later) -> later)
            .orElseThrow(() -> versions.isEmpty() ? Models.unknownVersion(store, tx, name, 0)
                : new IllegalStateException("No version of model '" + name + "' is ready: " + states(versions)
                    + ". Run `gnn4j deploy` with its artefact again to finish it."));
    }

    private static String states(List<Node> versions) {
        return String.join(", ", versions.stream().map(node -> ModelStore.version(node) + " is " + state(node).text()).toList());
    }

    /**
     * Points an alias to a version, in this transaction.
     *
     * @param version null for the newest that is ready
     * @param expected the version the alias must point to now, 0 for an alias that must not exist yet; null for any
     */
    public ModelInfo point(Transaction tx, String alias, String name, Long version, Long expected) {
        ModelName.check("an alias", alias);
        NameLock.acquire(tx, name);
        if (!alias.equals(name)) {
            NameLock.acquire(tx, alias);
        }
        var model = pick(tx, name, version);
        if (state(model) != ModelState.READY) {
            throw new IllegalStateException("Model '" + name + ":" + ModelStore.version(model) + "' is " + state(model).text()
                + ", not ready: an alias points to finished versions only.");
        }
        var node = store.alias(tx, alias).orElse(null);
        var now = node == null ? null : store.target(node).orElse(null);
        if (expected != null && expected != (now == null ? 0 : ModelStore.version(now))) {
            throw new IllegalStateException("Alias '" + alias + "' points to " + (now == null ? "nothing"
                : "'" + ModelStore.text(now, "name") + ":" + ModelStore.version(now) + "'") + ", not to "
                + (expected == 0 ? "nothing" : "version " + expected) + " as expected: somebody moved it. Compare the models again.");
        }
        if (node == null) {
            node = tx.createNode(ModelStore.ALIAS);
            node.setProperty("name", alias);
        }
        if (!model.equals(now)) {
            node.getRelationships(org.neo4j.graphdb.Direction.OUTGOING, ModelStore.POINTS_TO)
                .forEach(org.neo4j.graphdb.Relationship::delete);
            node.createRelationshipTo(model, ModelStore.POINTS_TO);
        }
        return info(model);
    }
}
