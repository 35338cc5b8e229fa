// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.Hash;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.neo4j.graphdb.Transaction;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;

/**
 * Lets one transaction at a time change what stands under one name, before any node of that name exists.
 *
 * <p>It is an index entry lock, which is a lock on a number: freed with the transaction, and deadlocks are seen. A
 * uniqueness constraint would do as well, but making one is a schema change that a write transaction may not contain.
 */
final class NameLock {
    private NameLock() {}

    static void acquire(Transaction tx, String name) {
        var hash = Hash.digest().digest(("gnn model " + name).getBytes(StandardCharsets.UTF_8));
        ((InternalTransaction) tx).kernelTransaction().locks().acquireExclusiveIndexEntryLock(ByteBuffer.wrap(hash).getLong());
    }
}
