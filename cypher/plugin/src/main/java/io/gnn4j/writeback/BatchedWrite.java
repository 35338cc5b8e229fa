// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.arrow.ArrowBatch;
import io.gnn4j.graph.Lookahead;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import org.neo4j.graphdb.Transaction;
import org.neo4j.internal.kernel.api.security.SecurityContext;
import org.neo4j.kernel.internal.GraphDatabaseAPI;

/**
 * Writes rows in batches, each a transaction of its own with the caller's rights, a few side by side. Not atomic: what is
 * committed stays. What it does must be safe to do again.
 */
public final class BatchedWrite {
    /** Writes the rows from {@code from} to {@code to}, exclusive, of one record batch. */
    public interface Rows {
        WriteOutcome write(Transaction tx, ArrowBatch batch, int from, int to);
    }

    private final OwnTransactions transactions;
    private final AtomicBoolean stopped = new AtomicBoolean();
    private final Runnable guard;

    /** @param guard throws when the caller's transaction was terminated; called by the calling thread */
    public BatchedWrite(GraphDatabaseAPI database, SecurityContext caller, Runnable guard) {
        this.guard = guard;
        transactions = new OwnTransactions(database, caller, () -> {
            if (stopped.get()) {
                throw new IllegalStateException("The call was terminated.");
            }
        });
    }

    /**
     * Returns when all batches have ended; when the caller's transaction is terminated, after those at hand.
     *
     * @throws IllegalStateException when every batch failed, with the reason of the first
     */
    public WriteOutcome run(Iterable<ArrowBatch> batches, int batchSize, int concurrency, Rows rows) {
        var work = new Lookahead<>("gnn-write", concurrency, tasks(batches.iterator(), batchSize, rows), guard);
        WriteOutcome outcome;
        try (var results = work.stream()) {
            outcome = results.reduce(WriteOutcome.NOTHING, WriteOutcome::plus);
        } finally {
            stopped.set(true);
            work.awaitEnd();
        }
        if (outcome.batchesFailed() > 0 && outcome.batchesCommitted() == 0) {
            throw new IllegalStateException("Nothing was written: " + outcome.firstError());
        }
        return outcome;
    }

    private Iterator<Callable<WriteOutcome>> tasks(Iterator<ArrowBatch> batches, int batchSize, Rows rows) {
        return new Iterator<>() {
            private ArrowBatch batch;
            private int next;
            private long before;

            @Override
            public boolean hasNext() {
                while (batch == null || next >= batch.rows()) {
                    if (!batches.hasNext()) {
                        return false;
                    }
                    before += batch == null ? 0 : batch.rows();
                    batch = batches.next();
                    next = 0;
                }
                return true;
            }

            @Override
            public Callable<WriteOutcome> next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                var current = batch;
                int from = next;
                int to = Math.min(batch.rows(), from + batchSize);
                long row = before + from;
                next = to;
                return () -> attempt(rows, current, from, to, row);
            }
        };
    }

    private WriteOutcome attempt(Rows rows, ArrowBatch batch, int from, int to, long row) {
        try {
            return transactions.write(tx -> rows.write(tx, batch, from, to));
        } catch (RuntimeException failure) {
            return WriteOutcome.failed("rows " + row + " to " + (row + to - from - 1) + ": " + failure.getMessage());
        }
    }
}
