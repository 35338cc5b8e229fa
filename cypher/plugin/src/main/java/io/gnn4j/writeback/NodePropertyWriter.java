// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.arrow.ArrowBatch;
import io.gnn4j.graph.Lookahead;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/**
 * Writes node properties in batches, each a transaction of its own, a few side by side. Not atomic: what is committed
 * stays. Safe to run again.
 */
public final class NodePropertyWriter {
    /**
     * @param written property values set or, for nulls, removed
     * @param skippedMissing rows whose node is gone
     * @param skippedChanged rows whose node lacks the label or has another key: the id was given to another node
     * @param firstError why the first batch failed, null where none did
     */
    public record Outcome(
            long written, long skippedMissing, long skippedChanged, long batchesCommitted, long batchesFailed, String firstError) {
        static final Outcome NOTHING = new Outcome(0, 0, 0, 0, 0, null);

        Outcome plus(Outcome other) {
            return new Outcome(
                written + other.written, skippedMissing + other.skippedMissing, skippedChanged + other.skippedChanged,
                batchesCommitted + other.batchesCommitted, batchesFailed + other.batchesFailed,
                firstError == null ? other.firstError : firstError);
        }
    }

    private final OwnTransactions transactions;
    private final Runnable guard;
    private final AtomicBoolean stopped;

    /**
     * @param stopped read by {@code transactions} before each of them, set here when the work has to end
     * @param guard throws when the caller's transaction was terminated; called by the calling thread
     */
    public NodePropertyWriter(OwnTransactions transactions, AtomicBoolean stopped, Runnable guard) {
        this.transactions = transactions;
        this.stopped = stopped;
        this.guard = guard;
    }

    /**
     * Returns when all batches have ended; when the caller's transaction is terminated, after those at hand.
     *
     * @throws IllegalStateException when every batch failed, with the reason of the first
     */
    public Outcome write(String label, NodePropertyWriteConfig config) {
        var tasks = new ArrayList<Callable<Outcome>>();
        for (var batch : config.rows().batches()) {
            for (int from = 0; from < batch.rows(); from += config.batchSize()) {
                int start = from;
                int end = Math.min(batch.rows(), from + config.batchSize());
                tasks.add(() -> attempt(label, config, batch, start, end));
            }
        }
        var outcome = Outcome.NOTHING;
        var work = new Lookahead<>("gnn-write", config.concurrency(), tasks.iterator(), guard);
        try (var results = work.stream()) {
            outcome = results.reduce(Outcome.NOTHING, Outcome::plus);
        } finally {
            stopped.set(true);
            work.awaitEnd();
        }
        if (outcome.batchesFailed() > 0 && outcome.batchesCommitted() == 0) {
            throw new IllegalStateException("Nothing was written: " + outcome.firstError());
        }
        return outcome;
    }

    private Outcome attempt(String label, NodePropertyWriteConfig config, ArrowBatch batch, int from, int to) {
        try {
            return transactions.write(tx -> batch(tx, Label.label(label), config, batch, from, to));
        } catch (RuntimeException failure) {
            return new Outcome(0, 0, 0, 0, 1, "rows " + from + " to " + (to - 1) + ": " + failure.getMessage());
        }
    }

    private static Outcome batch(
            Transaction tx, Label label, NodePropertyWriteConfig config, ArrowBatch batch, int from, int to) {
        var rows = config.rows();
        long written = 0;
        long missing = 0;
        long changed = 0;
        for (int row = from; row < to; row++) {
            var node = StoredNodes.find(tx, rows.nodeId(batch, row));
            if (node == null) {
                missing++;
            } else if (!node.hasLabel(label)
                || config.key() != null && !sameKey(node.getProperty(config.key(), null), rows.key(batch, row))) {
                changed++;
            } else {
                set(node, rows.columns(), batch, row);
                written += rows.columns().size();
            }
        }
        return new Outcome(written, missing, changed, 1, 0, null);
    }

    private static boolean sameKey(Object stored, Object sent) {
        return stored instanceof Number number && !(stored instanceof Double) && !(stored instanceof Float)
            ? sent instanceof Long whole && whole == number.longValue()
            : stored != null && stored.equals(sent);
    }

    private static void set(Node node, List<NodeRows.Column> columns, ArrowBatch batch, int row) {
        for (var column : columns) {
            var value = column.value(batch, row);
            if (value == null) {
                node.removeProperty(column.property());
            } else {
                node.setProperty(column.property(), value);
            }
        }
    }
}
