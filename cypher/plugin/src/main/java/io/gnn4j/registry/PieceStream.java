// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.Hash;
import io.gnn4j.artefact.Manifest;
import io.gnn4j.artefact.ModelRefused;
import io.gnn4j.writeback.OwnTransactions;
import java.io.InputStream;
import java.util.function.IntFunction;
import org.neo4j.graphdb.Transaction;

/** A stored part as one stream: one piece in memory at a time, each hashed before a byte of it is given out. */
final class PieceStream extends InputStream {
    private final IntFunction<byte[]> stored;
    private final String reference;
    private final Manifest.Part part;
    private byte[] piece = new byte[0];
    private int next;
    private int at;

    /** Reads each piece in a transaction of its own. */
    PieceStream(ModelStore store, OwnTransactions own, String name, long version, Manifest.Part part) {
        this(index -> own.read(tx -> bytes(store, tx, name, version, part, index)), name + ":" + version, part);
    }

    /** Reads all pieces in one transaction. */
    PieceStream(ModelStore store, Transaction tx, String name, long version, Manifest.Part part) {
        this(index -> bytes(store, tx, name, version, part, index), name + ":" + version, part);
    }

    private PieceStream(IntFunction<byte[]> stored, String reference, Manifest.Part part) {
        this.stored = stored;
        this.reference = reference;
        this.part = part;
    }

    private static byte[] bytes(ModelStore store, Transaction tx, String name, long version, Manifest.Part part, int index) {
        return store.model(tx, name, version).map(model -> store.pieces(model, part.file()).get(index))
            .map(ModelStore::bytes).orElse(new byte[0]);
    }

    /** @return false at the end */
    private boolean fill() {
        while (at == piece.length) {
            if (next == part.pieces().size()) {
                return false;
            }
            var declared = part.pieces().get(next);
            piece = stored.apply(declared.index());
            if (piece.length != declared.bytes() || !Hash.sha256(piece).equals(declared.sha256())) {
                throw new ModelRefused(part.file(), "Piece " + declared.index() + " of '" + reference
                    + "' is missing or was changed (sha256 differs). Send it again with gnn.model.addPart.");
            }
            next++;
            at = 0;
        }
        return true;
    }

    @Override
    public int read() {
        return fill() ? piece[at++] & 0xff : -1;
    }

    @Override
    public int read(byte[] into, int offset, int length) {
        if (length == 0) {
            return 0;
        }
        if (!fill()) {
            return -1;
        }
        var count = Math.min(length, piece.length - at);
        System.arraycopy(piece, at, into, offset, count);
        at += count;
        return count;
    }
}
