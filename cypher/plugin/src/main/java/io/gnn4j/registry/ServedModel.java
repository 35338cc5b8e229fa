// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.Manifest;
import java.util.Map;

/**
 * One version of a model as a call sees it from beginning to end.
 *
 * @param alias the alias it was found by, or null when the version was named
 * @param name matches {@code [A-Za-z0-9_]{1,64}}
 * @param version from 1
 * @param vectorsAt epoch milliseconds when the vectors on the nodes were last written, 0 before; with the version it
 *     names one set of vectors, so caches of them are keyed by both
 * @param manifest parsed from bytes whose hash is {@link #sha256()}
 */
public record ServedModel(String alias, String name, long version, ModelState state, long vectorsAt, Manifest manifest) {
    public String contract() {
        return manifest.contract();
    }

    public String sha256() {
        return manifest.sha256();
    }

    /** D, the length of every vector; 0 where the contract has none. */
    public int dimension() {
        return manifest.dimension();
    }

    /** {@code dot} or {@code cosine}; null where nothing is compared. */
    public String similarity() {
        return manifest.similarity();
    }

    /** The task map as the artefact holds it. */
    public Map<String, Object> task() {
        return manifest.task();
    }

    /** Null unless the contract is {@code item-propagation/1}. */
    public Manifest.Propagation propagation() {
        return manifest.propagation();
    }

    /** Null unless the contract is {@code vectors/1}, {@code item-weights/1}, {@code sequence/1} or {@code pair/1}. */
    public Manifest.Serving serving() {
        return manifest.serving();
    }

    /** Everything in the manifest, with Cypher's types. */
    public Map<String, Object> manifestMap() {
        return manifest.json();
    }

    /**
     * Where items have the vector that is compared, and users the one they ask with. Computed, never read: nothing else may
     * enter Cypher text. Nothing is written there by a contract without vectors.
     */
    public String embeddingProperty() {
        return ModelName.property(name, version);
    }

    /** Where items have c, or, where users are items, too, the vector they ask with; null when the contract has none. */
    public String contextProperty() {
        var asked = Manifest.VECTORS.equals(contract()) && manifest.isOneSided();
        return asked || Manifest.ITEM_PROPAGATION.equals(contract()) ? embeddingProperty() + "_c" : null;
    }

    public String vectorIndex() {
        return embeddingProperty();
    }

    /** {@code name:version}, as a {@code model} argument takes it. */
    public String reference() {
        return name + ":" + version;
    }
}
