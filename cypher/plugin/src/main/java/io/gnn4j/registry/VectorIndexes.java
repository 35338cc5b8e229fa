// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.writeback.OwnTransactions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.StreamSupport;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Transaction;
import org.neo4j.graphdb.schema.IndexDefinition;
import org.neo4j.graphdb.schema.IndexSetting;
import org.neo4j.graphdb.schema.IndexType;

/**
 * The vector index of a version, for the user's own Cypher ({@code SEARCH}).
 *
 * <p>Neo4j knows cosine and Euclidean similarity only; a model that compares by dot product gets cosine, whose hits are
 * candidates to be ordered by the product. Quantisation is off: by default half of the true top 10 is lost.
 */
final class VectorIndexes {
    private static final long PAUSE_MILLIS = 200;

    private VectorIndexes() {}

    /**
     * Makes the index unless it is there and sound, and waits until it answers.
     *
     * @param guard throws when the caller's transaction was terminated
     * @throws IllegalStateException when it cannot be built
     */
    static void ensureOnline(OwnTransactions own, String name, String label, String property, int dimension, Runnable guard) {
        own.write(tx -> {
            var found = find(tx, name);
            if (found.isPresent() && !isSound(tx, found.get(), label, property, dimension)) {
                found.get().drop();
            }
            return null;
        });
        own.write(tx -> {
            if (find(tx, name).isEmpty()) {
                tx.schema().indexFor(Label.label(label)).on(property).withName(name).withIndexType(IndexType.VECTOR)
                    .withIndexConfiguration(Map.of(
                        IndexSetting.vector_Dimensions(), dimension,
                        IndexSetting.vector_Similarity_Function(), "COSINE",
                        IndexSetting.vector_Quantization_Type(), "NONE"))
                    .create();
            }
            return null;
        });
        while (true) {
            guard.run();
            var state = own.read(tx -> tx.schema().getIndexState(find(tx, name).orElseThrow(() -> new IllegalStateException(
                "Vector index '" + name + "' was dropped while it was built. Call gnn.embed.propagate again."))));
            switch (state) {
                case ONLINE -> {
                    return;
                }
                case FAILED -> throw new IllegalStateException("Vector index '" + name + "' failed: "
                    + own.read(tx -> tx.schema().getIndexFailure(find(tx, name).orElseThrow())).lines().findFirst().orElse(""));
                default -> pause();
            }
        }
    }

    private static Optional<IndexDefinition> find(Transaction tx, String name) {
        return StreamSupport.stream(tx.schema().getIndexes().spliterator(), false)
            .filter(index -> index.getName().equals(name)).findFirst();
    }

    private static boolean isSound(Transaction tx, IndexDefinition index, String label, String property, int dimension) {
        if (index.getIndexType() != IndexType.VECTOR || !index.isNodeIndex()) {
            return false;
        }
        var labels = StreamSupport.stream(index.getLabels().spliterator(), false).map(Label::name).toList();
        var properties = StreamSupport.stream(index.getPropertyKeys().spliterator(), false).toList();
        var width = index.getIndexConfiguration().get(IndexSetting.vector_Dimensions());
        return labels.equals(List.of(label)) && properties.equals(List.of(property))
            && width instanceof Number number && number.intValue() == dimension
            && tx.schema().getIndexState(index) != org.neo4j.graphdb.schema.Schema.IndexState.FAILED;
    }

    private static void pause() {
        try {
            Thread.sleep(PAUSE_MILLIS);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted while waiting for the vector index.", stopped);
        }
    }
}
