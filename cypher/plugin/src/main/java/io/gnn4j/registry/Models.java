// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.Manifest;
import io.gnn4j.config.Suggestion;
import io.gnn4j.inference.OnnxModel;
import io.gnn4j.memory.MemoryBudget;
import java.io.InputStream;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;
import org.neo4j.kernel.internal.GraphDatabaseAPI;

/**
 * Finds the model a call means and keeps it there until the call ends. One instance a server.
 *
 * <p>Models are read in the caller's transaction; only what is derived from their bytes (parsed manifests, open ONNX
 * sessions) is kept in memory, by hash.
 */
public final class Models implements AutoCloseable {
    private static final Pattern REFERENCE = Pattern.compile("([A-Za-z0-9_]{1,64})(?::([1-9][0-9]{0,17}))?");

    private final ModelStore store = new ModelStore();
    private final ModelLeases leases = new ModelLeases();
    private final EncoderCache encoders;
    /** Versions whose vectors are being written. */
    private final Set<ModelLeases.Key> writing = ConcurrentHashMap.newKeySet();

    private final ModelLoader loader;
    private final ModelRemoval removal;

    /** @param inferenceThreads threads inside one ONNX session */
    public Models(int inferenceThreads, MemoryBudget memory) {
        encoders = new EncoderCache(inferenceThreads, memory);
        loader = new ModelLoader(store, inferenceThreads, System.currentTimeMillis());
        removal = new ModelRemoval(store, leases, encoders);
    }

    public ModelLoader loader() {
        return loader;
    }

    public ModelRemoval removal() {
        return removal;
    }

    /** Whether a {@code model} argument would be answered: an alias, or a version, that is ready. */
    public boolean exists(Transaction tx, String model) {
        try {
            return resolve(tx, model, List.of()).state() == ModelState.READY;
        } catch (IllegalArgumentException | IllegalStateException unanswered) {
            return false;
        }
    }

    /**
     * The model a {@code model} argument means: {@code 'alias'}, {@code 'name:version'}, or null for the only alias whose
     * task recommends to, or recommends, one of the labels.
     *
     * @param sourceLabels labels of the source; empty (a visitor without a node) fits every alias
     * @return a version that is {@code ready}
     * @throws IllegalArgumentException when the argument names nothing, or nothing in particular
     * @throws IllegalStateException when the version named is not ready
     * @throws io.gnn4j.artefact.ModelRefused when what is stored does not pass the checks
     */
    public ServedModel resolve(Transaction tx, String model, Collection<String> sourceLabels) {
        var found = model == null ? byLabel(tx, sourceLabels) : byReference(tx, model);
        if (found.state() != ModelState.READY) {
            throw new IllegalStateException("Model '" + found.reference() + "' is " + found.state().text() + ", not ready"
                + (found.state() == ModelState.RETIRED ? ": it is being removed."
                    : ". Run `gnn4j deploy` with its artefact again to finish it."));
        }
        return found;
    }

    /** {@link #resolve}, and the model stays until the lease is closed. */
    public ModelLease acquire(GraphDatabaseAPI database, Transaction tx, String model, Collection<String> sourceLabels) {
        var id = id(database);
        var served = resolve(tx, model, sourceLabels);
        var key = new ModelLeases.Key(id, served.name(), served.version());
        if (!leases.hold(key)) {
            throw new IllegalStateException("Model '" + served.reference() + "' is being removed. Call again.");
        }
        return new ModelLease(this, key, served);
    }

    /**
     * A version whose parts are there, ready or not, that stays until the lease is closed: its vectors can be computed.
     *
     * @param version null where {@code model} says it all; else {@code model} is a name
     * @throws IllegalStateException when the version lacks parts or is being removed
     */
    public ModelLease acquireComplete(GraphDatabaseAPI database, Transaction tx, String model, Long version) {
        var id = id(database);
        var served = byReference(tx, version == null ? model : model + ":" + version);
        requireComplete(tx, served);
        var key = new ModelLeases.Key(id, served.name(), served.version());
        if (!leases.hold(key)) {
            throw new IllegalStateException("Model '" + served.reference() + "' is being removed. Load its artefact again.");
        }
        return new ModelLease(this, key, served);
    }

    /** @throws IllegalStateException when the version lacks parts or is being removed */
    void requireComplete(Transaction tx, ServedModel served) {
        if (served.state() == ModelState.LOADING) {
            var missing = loader.list(tx).stream()
                .filter(info -> info.name().equals(served.name()) && info.version() == served.version())
                .flatMap(info -> info.partsMissing().stream()).limit(5)
                .map(piece -> piece.get("file") + " piece " + piece.get("index")).toList();
            throw new IllegalStateException("Model '" + served.reference() + "' lacks parts: " + String.join(", ", missing)
                + ". Send them with gnn.model.addPart; `gnn4j deploy` does.");
        }
        if (served.state() == ModelState.RETIRED) {
            throw new IllegalStateException("Model '" + served.reference() + "' is being removed. Load its artefact again.");
        }
    }

    /** What caches of a database are keyed by; a database that is made anew under a name has another one. */
    public static UUID id(GraphDatabaseAPI database) {
        return database.databaseId().databaseId().uuid();
    }

    ModelLeases leases() {
        return leases;
    }

    ModelStore store() {
        return store;
    }

    /**
     * Runs what writes the vectors of a version, or makes it ready, one at a time.
     *
     * @throws IllegalStateException when another call is at it, or the version is being removed
     */
    <T> T writing(UUID database, ServedModel model, Function<ModelLease, T> work) {
        var key = new ModelLeases.Key(database, model.name(), model.version());
        if (!leases.hold(key)) {
            throw new IllegalStateException("Model '" + model.reference() + "' is being removed. Load its artefact again.");
        }
        try (var lease = new ModelLease(this, key, model)) {
            if (!writing.add(key)) {
                throw new IllegalStateException("Another call is writing the vectors of model '" + model.reference()
                    + "'. Wait for it, or end it with TERMINATE TRANSACTION.");
            }
            try {
                return work.apply(lease);
            } finally {
                writing.remove(key);
            }
        }
    }

    /** {@link #resolve} of an alias or version in any state. */
    ServedModel byReference(Transaction tx, String reference) {
        var match = REFERENCE.matcher(reference);
        if (!match.matches()) {
            throw new IllegalArgumentException("A model is an alias ('shop') or a version ('shop:3'), but '"
                + (reference.length() > 80 ? reference.substring(0, 80) + "…" : reference) + "' was given.");
        }
        var name = match.group(1);
        if (match.group(2) == null) {
            var alias = store.alias(tx, name).orElseThrow(() -> unknownAlias(tx, name));
            return served(alias);
        }
        var version = Long.parseLong(match.group(2));
        return store.served(null, store.model(tx, name, version).orElseThrow(() -> unknownVersion(store, tx, name, version)));
    }

    private ServedModel served(Node alias) {
        var name = ModelStore.text(alias, "name");
        return store.served(name, store.target(alias).orElseThrow(() -> new IllegalStateException(
            "Alias '" + name + "' points to no model. Point it to a version with `CALL gnn.model.alias('" + name + "', …)`.")));
    }

    private ServedModel byLabel(Transaction tx, Collection<String> labels) {
        var aliases = store.aliases(tx);
        if (aliases.isEmpty()) {
            throw new IllegalArgumentException("There is no model in this database. Deploy one with `gnn4j deploy ARTEFACT`.");
        }
        var fitting = aliases.stream().filter(alias -> labels.isEmpty()
            || store.target(alias).map(node -> fits(store.manifest(node), labels)).orElse(false)).toList();
        if (fitting.size() == 1) {
            return served(fitting.get(0));
        }
        var what = labels.isEmpty() ? ""
            : " for a node labelled " + labels.stream().map(label -> ":" + label).collect(Collectors.joining());
        if (fitting.isEmpty()) {
            throw new IllegalArgumentException("No alias has a model" + what + ". Known: " + names(aliases) + ".");
        }
        throw new IllegalArgumentException("Several aliases have a model" + what + ": " + names(fitting) + ". Name one with `model`.");
    }

    private static boolean fits(Manifest manifest, Collection<String> labels) {
        // A model that recommends nothing has an empty task.
        return manifest.task().get("to") instanceof String to && labels.contains(to)
            || manifest.task().get("recommend") instanceof String recommend && labels.contains(recommend);
    }

    private IllegalArgumentException unknownAlias(Transaction tx, String name) {
        var known = store.aliases(tx).stream().map(alias -> ModelStore.text(alias, "name")).toList();
        var versions = store.versions(tx, name);
        if (!versions.isEmpty()) {
            return new IllegalArgumentException("No alias points to model '" + name + "'. Name a version, one of "
                + references(versions) + ", or point an alias to it with `CALL gnn.model.alias`.");
        }
        return new IllegalArgumentException("Unknown model '" + name + "'." + Suggestion.sentence(name, known) + " Known: "
            + (known.isEmpty() ? "none; gnn.pipeline.train makes one, and so does `gnn4j deploy`" : String.join(", ", known)) + ".");
    }

    static IllegalArgumentException unknownVersion(ModelStore store, Transaction tx, String name, long version) {
        var versions = store.versions(tx, name);
        if (!versions.isEmpty()) {
            return new IllegalArgumentException(
                "Unknown version " + version + " of model '" + name + "'. Known: " + references(versions) + ".");
        }
        var known = new LinkedHashSet<String>();
        store.models(tx).forEach(model -> known.add(ModelStore.text(model, "name")));
        return new IllegalArgumentException("Unknown model '" + name + "'." + Suggestion.sentence(name, known) + " Known: "
            + (known.isEmpty() ? "none; gnn.pipeline.train makes one, and so does `gnn4j deploy`" : String.join(", ", known)) + ".");
    }

    private static String names(List<Node> aliases) {
        return aliases.stream().map(alias -> ModelStore.text(alias, "name")).collect(Collectors.joining(", "));
    }

    private static String references(List<Node> versions) {
        return versions.stream().map(node -> "'" + ModelStore.text(node, "name") + ":" + ModelStore.version(node) + "'")
            .collect(Collectors.joining(", "));
    }

    /** A stored file of a version, each piece hashed before a byte of it is given out. */
    public InputStream part(Transaction tx, ServedModel model, String file) {
        return new PieceStream(store, tx, model.name(), model.version(), model.manifest().part(file));
    }

    EncoderCache.Open open(UUID database, Transaction tx, ServedModel model) {
        var part = model.manifest().part(Manifest.MODEL_FILE);
        var databaseName = ((InternalTransaction) tx).getDatabaseName();
        return encoders.get(database, databaseName, model, part.bytes(), threads -> {
            var node = store.model(tx, model.name(), model.version()).orElseThrow(() -> new IllegalStateException(
                "Model '" + model.reference() + "' was removed during this call."));
            return OnnxModel.open(model.manifest(), store.file(node, part), threads);
        });
    }

    /** Closes every ONNX session; called when the server stops, after its databases. */
    @Override
    public void close() {
        encoders.close();
    }
}
