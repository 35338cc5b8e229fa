// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.Hash;
import io.gnn4j.artefact.Manifest;
import io.gnn4j.artefact.ModelRefused;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.RelationshipType;
import org.neo4j.graphdb.Transaction;

/** The registry's nodes; docs/formats.md section 4 is the contract. Anyone may have edited them: nothing is trusted. */
final class ModelStore {
    static final Label ALIAS = Label.label("GnnAlias");
    static final Label MODEL = Label.label("GnnModel");
    static final Label PART = Label.label("GnnModelPart");
    static final RelationshipType POINTS_TO = RelationshipType.withName("POINTS_TO");
    static final RelationshipType HAS_PART = RelationshipType.withName("HAS_PART");

    /** By hash, so an entry can never be stale. A manifest is small; the bound is against a database full of them. */
    private static final int MAX_MANIFESTS = 256;
    private final Map<String, Manifest> manifests = new ConcurrentHashMap<>();

    List<Node> aliases(Transaction tx) {
        return nodes(tx, ALIAS);
    }

    List<Node> models(Transaction tx) {
        return nodes(tx, MODEL);
    }

    private static List<Node> nodes(Transaction tx, Label label) {
        try (var found = tx.findNodes(label)) {
            return found.stream().filter(node -> ModelName.isValid(text(node, "name")))
                .sorted(Comparator.comparing((Node node) -> text(node, "name")).thenComparingLong(ModelStore::version)).toList();
        }
    }

    Optional<Node> alias(Transaction tx, String name) {
        return only(aliases(tx).stream().filter(node -> name.equals(text(node, "name"))).toList(), "alias '" + name + "'");
    }

    Optional<Node> model(Transaction tx, String name, long version) {
        return only(models(tx).stream().filter(node -> name.equals(text(node, "name")) && version(node) == version).toList(),
            "model '" + name + ":" + version + "'");
    }

    /** The versions of a name, ascending. */
    List<Node> versions(Transaction tx, String name) {
        return models(tx).stream().filter(node -> name.equals(text(node, "name"))).toList();
    }

    private static Optional<Node> only(List<Node> found, String what) {
        if (found.size() > 1) {
            throw new IllegalStateException("There are " + found.size() + " nodes for the " + what
                + ", where the registry makes one. Remove the one that was made by hand.");
        }
        return found.stream().findFirst();
    }

    /** The model an alias points to. */
    Optional<Node> target(Node alias) {
        var targets = new ArrayList<Node>();
        try (var relationships = alias.getRelationships(Direction.OUTGOING, POINTS_TO)) {
            relationships.forEach(relationship -> targets.add(relationship.getEndNode()));
        }
        return only(targets.stream().filter(node -> node.hasLabel(MODEL) && ModelName.isValid(text(node, "name"))).toList(),
            "target of alias '" + text(alias, "name") + "'");
    }

    List<String> aliasesOf(Node model) {
        var names = new ArrayList<String>();
        try (var relationships = model.getRelationships(Direction.INCOMING, POINTS_TO)) {
            for (var relationship : relationships) {
                if (relationship.getStartNode().hasLabel(ALIAS)) {
                    names.add(text(relationship.getStartNode(), "name"));
                }
            }
        }
        names.sort(null);
        return names;
    }

    /** The pieces of a file by index; a piece that was stored twice counts once. */
    Map<Integer, Node> pieces(Node model, String file) {
        var pieces = new java.util.TreeMap<Integer, Node>();
        try (var relationships = model.getRelationships(Direction.OUTGOING, HAS_PART)) {
            for (var relationship : relationships) {
                var part = relationship.getEndNode();
                if (part.hasLabel(PART) && file.equals(text(part, "file")) && part.getProperty("index", null) instanceof Number index) {
                    pieces.putIfAbsent(index.intValue(), part);
                }
            }
        }
        return pieces;
    }

    static String text(Node node, String property) {
        return node.getProperty(property, null) instanceof String text ? text : null;
    }

    static long version(Node model) {
        return model.getProperty("version", null) instanceof Number number ? number.longValue() : 0;
    }

    static byte[] bytes(Node piece) {
        return piece.getProperty("bytes", null) instanceof byte[] bytes ? bytes : new byte[0];
    }

    ServedModel served(String alias, Node model) {
        return new ServedModel(alias, text(model, "name"), version(model), ModelState.of(model.getProperty("state", null)),
            model.getProperty("vectorsAt", null) instanceof Number at ? at.longValue() : 0, manifest(model));
    }

    /** @throws ModelRefused when the stored manifest is not the one the model node names, or is itself at fault */
    Manifest manifest(Node model) {
        var sha256 = String.valueOf(text(model, "sha256"));
        var known = manifests.get(sha256);
        if (known != null) {
            return known;
        }
        var piece = pieces(model, Manifest.FILE).get(0);
        if (piece == null || !Hash.sha256(bytes(piece)).equals(sha256)) {
            throw new ModelRefused(Manifest.FILE, "The stored manifest of '" + text(model, "name") + ":" + version(model)
                + "' is missing or was changed (sha256 differs). Drop this version and deploy the model again.");
        }
        var manifest = Manifest.parse(bytes(piece));
        if (manifests.size() >= MAX_MANIFESTS) {
            manifests.clear();
        }
        manifests.put(sha256, manifest);
        return manifest;
    }

    /** All bytes of a small file. */
    byte[] file(Node model, Manifest.Part part) {
        var pieces = pieces(model, part.file());
        var bytes = new byte[Math.toIntExact(part.bytes())];
        var at = 0;
        for (var piece : part.pieces()) {
            var stored = pieces.containsKey(piece.index()) ? bytes(pieces.get(piece.index())) : new byte[0];
            if (stored.length != piece.bytes()) {
                throw new ModelRefused(part.file(), "Piece " + piece.index() + " of '" + text(model, "name") + ":" + version(model)
                    + "' is missing or was changed. Drop this version and deploy the model again.");
            }
            System.arraycopy(stored, 0, bytes, at, stored.length);
            at += stored.length;
        }
        return bytes;
    }
}
