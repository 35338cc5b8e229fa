// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.neo4j.graphdb.Transaction;
import org.neo4j.internal.kernel.api.security.SecurityContext;
import org.neo4j.kernel.api.KernelTransaction;
import org.neo4j.kernel.api.exceptions.Status;
import org.neo4j.kernel.api.txstate.TxStateHolder;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;
import org.neo4j.kernel.internal.GraphDatabaseAPI;

/**
 * Transactions of a procedure's own, begun with the caller's rights. What is committed stays, whatever becomes of the
 * caller's transaction: the work must be safe to do again. Safe for several threads.
 */
public final class OwnTransactions {
    private static final int RETRIES = 3;
    private static final long PAUSE_MILLIS = 100;
    private static final long WATCH_MILLIS = 500;

    private static final ScheduledExecutorService WATCH = Executors.newSingleThreadScheduledExecutor(task -> {
        var thread = new Thread(task, "gnn-transaction-watch");
        thread.setDaemon(true);
        return thread;
    });

    private final GraphDatabaseAPI database;
    private final SecurityContext caller;
    private final Runnable guard;
    private final Consumer<Transaction> admission;

    /**
     * @param caller the caller's security context, so nothing can be done here that the caller may not do
     * @param guard throws when the caller's transaction was terminated; asked before each transaction and, by another
     *     thread, while one goes on, which is then terminated: it may be waiting for a lock
     */
    public OwnTransactions(GraphDatabaseAPI database, SecurityContext caller, Runnable guard) {
        this(database, caller, guard, tx -> { });
    }

    /** @param admission begins each transaction that writes; throws when it may not */
    public OwnTransactions(GraphDatabaseAPI database, SecurityContext caller, Runnable guard, Consumer<Transaction> admission) {
        this.database = database;
        this.caller = caller;
        this.guard = guard;
        this.admission = admission;
    }

    /**
     * Own transactions would wait for the caller's locks for ever, and would not see what the caller wrote.
     *
     * @throws IllegalStateException when the caller's transaction already holds writes
     */
    public static void requireNoWrites(Transaction callers, String procedure) {
        if (((InternalTransaction) callers).kernelTransaction() instanceof TxStateHolder state && state.hasTxStateWithChanges()) {
            throw new IllegalStateException("`" + procedure + "` commits in transactions of its own, and this transaction already"
                + " holds writes. Commit them first, then call it in a new transaction.");
        }
    }

    /** Does the work in one transaction and commits it; a transient error is retried up to three times. */
    public <T> T write(Function<Transaction, T> work) {
        for (int attempt = 0;; attempt++) {
            guard.run();
            try (var tx = database.beginTransaction(KernelTransaction.Type.EXPLICIT, caller); var watched = new Watched(tx, guard)) {
                admission.accept(tx);
                var result = work.apply(tx);
                watched.close();
                tx.commit();
                return result;
            } catch (RuntimeException failure) {
                if (attempt == RETRIES || !isTransient(failure)) {
                    throw failure;
                }
                pause(PAUSE_MILLIS << attempt);
            }
        }
    }

    /** Does the work in one transaction that is rolled back at its end. */
    public <T> T read(Function<Transaction, T> work) {
        guard.run();
        try (var tx = database.beginTransaction(KernelTransaction.Type.EXPLICIT, caller); var watched = new Watched(tx, guard)) {
            return work.apply(tx);
        }
    }

    /** Ends a transaction when its guard throws. */
    private static final class Watched implements AutoCloseable {
        private final InternalTransaction transaction;
        private final Runnable guard;
        private final ScheduledFuture<?> watch;
        private boolean over;

        Watched(InternalTransaction transaction, Runnable guard) {
            this.transaction = transaction;
            this.guard = guard;
            watch = WATCH.scheduleWithFixedDelay(this::look, WATCH_MILLIS, WATCH_MILLIS, TimeUnit.MILLISECONDS);
        }

        private synchronized void look() {
            if (over) {
                return; // the transaction object may serve somebody else by now
            }
            try {
                guard.run();
            } catch (RuntimeException ended) {
                over = true;
                transaction.terminate(Status.Transaction.Terminated);
            }
        }

        @Override
        public synchronized void close() {
            over = true;
            watch.cancel(false);
        }
    }

    private static boolean isTransient(Throwable failure) {
        for (var cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof Status.HasStatus known && known.status().code().classification() == Status.Classification.TransientError) {
                return true;
            }
        }
        return false;
    }

    private static void pause(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted between two attempts to write.", stopped);
        }
    }
}
