// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.inference.BlocksModel;
import io.gnn4j.inference.OnnxBlocksModel;
import io.gnn4j.inference.OnnxModel;
import io.gnn4j.inference.OnnxPairNetwork;
import io.gnn4j.inference.OnnxSequenceNetwork;
import io.gnn4j.inference.OnnxUserEncoder;
import io.gnn4j.inference.PairNetwork;
import io.gnn4j.inference.SequenceNetwork;
import io.gnn4j.inference.UserEncoder;
import java.util.function.Supplier;
import org.neo4j.graphdb.Transaction;

/** A model that will not be removed, nor its session closed, before {@link #close()}. */
public final class ModelLease implements AutoCloseable {
    private final Models models;
    private final ModelLeases.Key key;
    private final ServedModel model;
    private EncoderCache.Open encoder;
    private boolean closed;

    ModelLease(Models models, ModelLeases.Key key, ServedModel model) {
        this.models = models;
        this.key = key;
        this.model = model;
    }

    public ServedModel model() {
        return model;
    }

    /**
     * The user side of the model, opened at most once for each database and artefact; valid until this lease is closed.
     *
     * @throws io.gnn4j.artefact.ModelRefused when the stored bytes do not pass the checks
     * @throws io.gnn4j.memory.MemoryRefused when there is no room for it
     */
    public UserEncoder userEncoder(Transaction tx) {
        return new OnnxUserEncoder(open(tx), model.dimension());
    }

    /**
     * The model itself, where it is one of {@code padded-blocks/1}; opened as {@link #userEncoder} is, and valid as long. A
     * thread takes one of its own from the supplier.
     */
    public Supplier<BlocksModel> blocksModel(Transaction tx) {
        var opened = open(tx);
        return () -> new OnnxBlocksModel(opened, model.dimension());
    }

    /** The network of {@code sequence/1}, on the same terms. */
    public SequenceNetwork sequenceNetwork(Transaction tx) {
        return new OnnxSequenceNetwork(open(tx), model.dimension());
    }

    /** The network of {@code pair/1}, on the same terms. */
    public PairNetwork pairNetwork(Transaction tx) {
        return new OnnxPairNetwork(open(tx), model.dimension());
    }

    private synchronized OnnxModel open(Transaction tx) {
        if (closed) {
            throw new IllegalStateException("The lease of model '" + model.reference() + "' is closed.");
        }
        if (encoder == null) {
            encoder = models.open(key.database(), tx, model);
        }
        return encoder.model();
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            if (encoder != null) {
                encoder.close();
            }
            models.leases().release(key);
        }
    }
}
