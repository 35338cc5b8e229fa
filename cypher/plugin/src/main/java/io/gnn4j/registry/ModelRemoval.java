// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.ModelRefused;
import io.gnn4j.writeback.OwnTransactions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.NotFoundException;
import org.neo4j.graphdb.Relationship;
import org.neo4j.graphdb.Transaction;

/**
 * Removes versions: first from sight ({@code retired}), then, when no call uses it any more, its index, its properties
 * batch by batch, and its nodes. Interrupted anywhere, it is finished by the next removal or sweep.
 */
public final class ModelRemoval {
    private static final int BATCH = 10_000;

    private final ModelStore store;
    private final ModelLeases leases;
    private final EncoderCache encoders;

    /** @param removedProperties nodes from which a property was taken */
    public record Removed(String name, long version, long removedProperties) {}

    ModelRemoval(ModelStore store, ModelLeases leases, EncoderCache encoders) {
        this.store = store;
        this.leases = leases;
        this.encoders = encoders;
    }

    /**
     * @param version null for the only one there is
     * @param failIfMissing whether an unknown version is an error; else nothing is removed
     * @param guard throws when the caller's transaction was terminated
     * @return what was removed, or an empty list
     * @throws IllegalStateException when an alias points to it
     */
    public List<Removed> drop(UUID database, OwnTransactions own, String name, Long version, boolean failIfMissing, Runnable guard) {
        ModelName.check("a model", name);
        var chosen = own.write(tx -> {
            NameLock.acquire(tx, name);
            var node = choose(tx, name, version, failIfMissing);
            if (node == null) {
                return 0L;
            }
            var aliases = store.aliasesOf(node);
            if (!aliases.isEmpty()) {
                throw new IllegalStateException("Alias '" + String.join("', '", aliases) + "' points to '" + name + ":"
                    + ModelStore.version(node) + "'. Point it to another version first, with gnn.model.alias.");
            }
            node.setProperty("state", ModelState.RETIRED.text());
            return ModelStore.version(node);
        });
        return chosen == 0 ? List.of() : List.of(remove(database, own, name, chosen, guard));
    }

    private Node choose(Transaction tx, String name, Long version, boolean failIfMissing) {
        var versions = store.versions(tx, name);
        if (version == null && versions.size() > 1) {
            throw new IllegalArgumentException("Model '" + name + "' has several versions: "
                + String.join(", ", versions.stream().map(node -> String.valueOf(ModelStore.version(node))).toList())
                + ". Name one with `version`.");
        }
        var found = versions.stream().filter(node -> version == null || ModelStore.version(node) == version).findFirst().orElse(null);
        if (found == null && failIfMissing) {
            throw Models.unknownVersion(store, tx, name, version == null ? 1 : version);
        }
        return found;
    }

    /** Finishes what an earlier removal left. */
    public List<Removed> sweep(UUID database, OwnTransactions own, Runnable guard) {
        record Name(String name, long version) {}

        var retired = own.read(tx -> store.models(tx).stream()
            .filter(node -> ModelState.RETIRED.text().equals(node.getProperty("state", null)) && store.aliasesOf(node).isEmpty())
            .map(node -> new Name(ModelStore.text(node, "name"), ModelStore.version(node))).toList());
        var removed = new ArrayList<Removed>();
        for (var one : retired) {
            removed.add(remove(database, own, one.name(), one.version(), guard));
        }
        return removed;
    }

    private Removed remove(UUID database, OwnTransactions own, String name, long version, Runnable guard) {
        var key = new ModelLeases.Key(database, name, version);
        leases.close(key, guard);
        try {
            var property = ModelName.property(name, version);
            own.write(tx -> {
                for (var index : tx.schema().getIndexes()) {
                    if (index.getName().equals(property) && !index.isConstraintIndex()) {
                        index.drop();
                    }
                }
                return null;
            });
            var labels = own.read(tx -> labels(tx, name, version));
            var touched = 0L;
            for (var label : labels) {
                touched += clear(own, own.read(tx -> nodes(tx, label, property)), property);
            }
            var sha256 = own.write(tx -> delete(tx, name, version));
            if (sha256 != null && own.read(tx ->
                    store.models(tx).stream().noneMatch(node -> sha256.equals(ModelStore.text(node, "sha256"))))) {
                encoders.close(database, sha256);
            }
            return new Removed(name, version, touched);
        } finally {
            leases.forget(key);
        }
    }

    /** The labels whose nodes may carry the vectors; all of them (null) when the manifest cannot tell any more. */
    private List<String> labels(Transaction tx, String name, long version) {
        var node = store.model(tx, name, version).orElse(null);
        if (node == null) {
            return List.of();
        }
        try {
            return List.copyOf(store.manifest(node).schema().nodes().keySet());
        } catch (ModelRefused damaged) {
            var all = new ArrayList<String>();
            tx.getAllLabelsInUse().forEach(label -> all.add(label.name()));
            return all;
        }
    }

    /** @return how many nodes were asked for */
    static long clear(OwnTransactions own, long[] ids, String property) {
        for (int from = 0; from < ids.length; from += BATCH) {
            var batch = Arrays.copyOfRange(ids, from, Math.min(ids.length, from + BATCH));
            own.write(tx -> {
                for (var id : batch) {
                    try {
                        var node = NodeIds.node(tx, id);
                        node.removeProperty(property);
                        node.removeProperty(property + "_c");
                    } catch (NotFoundException deletedMeanwhile) {
                        // Gone with its properties.
                    }
                }
                return null;
            });
        }
        return ids.length;
    }

    /** The nodes of a label that carry vectors under a property. */
    static long[] nodes(Transaction tx, String label, String property) {
        try (var found = tx.findNodes(Label.label(label))) {
            return found.stream().filter(node -> node.hasProperty(property) || node.hasProperty(property + "_c"))
                .mapToLong(NodeIds::id).toArray();
        }
    }

    /** @return the hash of the deleted version, null when it was gone already */
    private String delete(Transaction tx, String name, long version) {
        NameLock.acquire(tx, name);
        var node = store.model(tx, name, version).orElse(null);
        if (node == null) {
            return null;
        }
        var sha256 = ModelStore.text(node, "sha256");
        for (var relationship : node.getRelationships(ModelStore.HAS_PART)) {
            var part = relationship.getEndNode();
            relationship.delete();
            if (part.hasLabel(ModelStore.PART) && !part.hasRelationship()) {
                part.delete();
            }
        }
        node.getRelationships().forEach(Relationship::delete);
        node.delete();
        return String.valueOf(sha256);
    }
}
