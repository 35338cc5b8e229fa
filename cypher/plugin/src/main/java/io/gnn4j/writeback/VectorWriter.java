// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.recommend.Parallel;
import java.util.ArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import java.util.function.IntToLongFunction;

/**
 * Sets one vector property on nodes that are still what they were when they were read, in batches that commit on their own.
 * Safe to run again.
 */
public final class VectorWriter {
    private static final int BATCH = 2_000;

    private final OwnTransactions own;
    private final Parallel threads;
    private final Consumer<String> progress;

    /** @param progress told in words how far it is */
    public VectorWriter(OwnTransactions own, Parallel threads, Consumer<String> progress) {
        this.own = own;
        this.threads = threads;
        this.progress = progress;
    }

    /**
     * The nodes to be written.
     *
     * @param label they must carry
     * @param key name of the property that must be what it was
     * @param keys what it was, null where it was missing
     * @param ids Neo4j ids
     */
    public record Rows(String label, String key, Object[] keys, IntToLongFunction ids) {
        /** As they stand in a transaction's eyes. */
        public static Rows read(
                io.gnn4j.features.PropertyReader properties, String label, String key, int count, IntToLongFunction ids, Runnable guard) {
            var keys = new Object[count];
            for (int i = 0; i < count; i++) {
                if (i % BATCH == 0) {
                    guard.run();
                }
                keys[i] = properties.property(ids.applyAsLong(i), key);
            }
            return new Rows(label, key, keys, ids);
        }
    }

    public WriteOutcome write(Rows rows, String property, IntFunction<float[]> vector) {
        int count = rows.keys().length;
        var done = new AtomicInteger();
        var outcomes = new ArrayList<WriteOutcome>();
        threads.map((count + BATCH - 1) / BATCH, () -> this, (state, piece) -> {
            int from = piece * BATCH;
            int to = Math.min(count, from + BATCH);
            var outcome = write(rows, property, vector, from, to);
            synchronized (outcomes) {
                outcomes.add(outcome);
            }
            int now = done.addAndGet(to - from);
            if ((long) now * 10 / count != (long) (now - (to - from)) * 10 / count) {
                progress.accept("writing " + rows.label() + ": " + now + " of " + count);
            }
        });
        return outcomes.stream().reduce(WriteOutcome.NOTHING, WriteOutcome::plus);
    }

    private WriteOutcome write(Rows rows, String property, IntFunction<float[]> vector, int from, int to) {
        return own.write(tx -> {
            long written = 0;
            long missing = 0;
            long changed = 0;
            try (var nodes = new StillNodes(tx, rows.label(), rows.key())) {
                int token = nodes.token(property);
                for (int i = from; i < to; i++) {
                    long id = rows.ids().applyAsLong(i);
                    var found = nodes.find(id, rows.keys()[i]);
                    if (found == StillNodes.Found.CHANGED) {
                        changed++; // the id was given to another node
                    } else if (found == StillNodes.Found.SAME && nodes.set(id, token, vector.apply(i))) {
                        written++;
                    } else {
                        missing++;
                    }
                }
            }
            return new WriteOutcome(0, written, missing, changed, 1, 0, null);
        });
    }
}
