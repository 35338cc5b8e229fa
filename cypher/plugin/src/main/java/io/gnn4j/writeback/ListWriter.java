// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.graph.LiveGraph;
import io.gnn4j.graph.Lookahead;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Relationship;
import org.neo4j.graphdb.RelationshipType;
import org.neo4j.graphdb.Transaction;
import org.neo4j.internal.kernel.api.security.SecurityContext;
import org.neo4j.kernel.internal.GraphDatabaseAPI;

/**
 * Keeps lists as relationships from users to items: the old list of a user goes and the new one comes in one transaction, so
 * that a user always has one of them whole. Some users share a transaction; what is committed stays, and doing it again is safe.
 *
 * @param type of the relationships
 * @param userLabel nodes without it are left out
 * @param model name on each relationship
 * @param version 0 where no model made the list
 * @param at on each relationship, epoch milliseconds
 * @param since users with a list of the same model and version, written then or later, are left alone; null: none is
 */
public record ListWriter(String type, String userLabel, String model, long version, long at, Long since) {
    /** One row of a list. */
    public record Row(long user, long item, long rank, double score) {}

    /** Makes the lists of users, in the transaction that they are written in. */
    public interface Lists {
        List<Row> of(Transaction tx, List<Long> users);
    }

    /**
     * @param users whose list was replaced
     * @param written relationships made
     * @param deleted relationships of old lists
     * @param kept users whose list was new enough
     * @param missing users that were gone, or had lost their label
     * @param firstError why the first batch failed, null where none did
     */
    public record Outcome(
            long users, long written, long deleted, long kept, long missing, long committed, long failed, String firstError) {
        private static final Outcome NOTHING = new Outcome(0, 0, 0, 0, 0, 0, 0, null);

        private Outcome plus(Outcome other) {
            return new Outcome(users + other.users, written + other.written, deleted + other.deleted, kept + other.kept,
                missing + other.missing, committed + other.committed, failed + other.failed,
                firstError == null ? other.firstError : firstError);
        }
    }

    /**
     * @param users ascending
     * @param guard throws when the caller's transaction was terminated; called by the calling thread
     * @throws IllegalStateException when every batch failed, with the reason of the first
     */
    public Outcome run(
            GraphDatabaseAPI database, SecurityContext caller, long[] users, int batchSize, int concurrency, Lists lists,
            Runnable guard) {
        var stopped = new AtomicBoolean();
        var transactions = new OwnTransactions(database, caller, () -> {
            if (stopped.get()) {
                throw new IllegalStateException("The call was terminated.");
            }
        });
        var work = new Lookahead<>("gnn-write", concurrency, tasks(transactions, users, batchSize, lists), guard);
        Outcome outcome;
        try (var results = work.stream()) {
            outcome = results.reduce(Outcome.NOTHING, Outcome::plus);
        } finally {
            stopped.set(true);
            work.awaitEnd();
        }
        if (outcome.failed() > 0 && outcome.committed() == 0) {
            throw new IllegalStateException("Nothing was written: " + outcome.firstError());
        }
        return outcome;
    }

    private Iterator<Callable<Outcome>> tasks(OwnTransactions transactions, long[] users, int batchSize, Lists lists) {
        return new Iterator<>() {
            private int next;

            @Override
            public boolean hasNext() {
                return next < users.length;
            }

            @Override
            public Callable<Outcome> next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                var from = next;
                next = Math.min(users.length, from + batchSize);
                var batch = Arrays.copyOfRange(users, from, next);
                return () -> {
                    try {
                        return transactions.write(tx -> replace(tx, batch, lists));
                    } catch (RuntimeException failure) {
                        return new Outcome(0, 0, 0, 0, 0, 0, 1, "users " + from + " to " + (from + batch.length - 1)
                            + " of the call: " + failure.getMessage());
                    }
                };
            }
        };
    }

    private Outcome replace(Transaction tx, long[] batch, Lists lists) {
        var kind = RelationshipType.withName(type);
        var label = Label.label(userLabel);
        var wanted = new ArrayList<Long>();
        long missing = 0;
        long kept = 0;
        for (var id : batch) {
            var user = StoredNodes.find(tx, id);
            if (user == null || !user.hasLabel(label)) {
                missing++;
            } else if (since != null && isNew(user, kind)) {
                kept++;
            } else {
                wanted.add(id);
            }
        }
        var rows = new ArrayList<>(wanted.isEmpty() ? List.<Row>of() : lists.of(tx, wanted));
        long deleted = 0;
        for (var id : wanted) {
            var user = StoredNodes.find(tx, id);
            tx.acquireWriteLock(user);
            try (var old = user.getRelationships(Direction.OUTGOING, kind)) {
                for (var relationship : old) {
                    requireRow(relationship);
                    relationship.delete();
                    deleted++;
                }
            }
        }
        // Items in one order for everybody: two batches that lock the same ones wait for, but never block, each other.
        rows.sort(Comparator.comparingLong(Row::item).thenComparingLong(Row::user));
        for (var row : rows) {
            var made = StoredNodes.find(tx, row.user()).createRelationshipTo(StoredNodes.find(tx, row.item()), kind);
            made.setProperty("rank", row.rank());
            made.setProperty("score", row.score());
            made.setProperty("model", model);
            made.setProperty("version", version);
            made.setProperty("at", at);
        }
        return new Outcome(wanted.size(), rows.size(), deleted, kept, missing, 1, 0, null);
    }

    /** What somebody else keeps under the same type is not ours to delete. */
    private void requireRow(Relationship old) {
        if (!old.hasProperty("rank") || !old.hasProperty("model")) {
            throw new IllegalArgumentException("a `" + type + "` relationship of node " + LiveGraph.id(old.getStartNode())
                + " has no `rank` and `model`, so it is no row of a list, and would be deleted. Name a type that holds lists alone.");
        }
    }

    private boolean isNew(Node user, RelationshipType kind) {
        try (var old = user.getRelationships(Direction.OUTGOING, kind)) {
            for (var relationship : old) {
                if (model.equals(relationship.getProperty("model", null))
                    && relationship.getProperty("version", null) instanceof Long number && number == version
                    && relationship.getProperty("at", null) instanceof Long when && when >= since) {
                    return true;
                }
            }
        }
        return false;
    }
}
