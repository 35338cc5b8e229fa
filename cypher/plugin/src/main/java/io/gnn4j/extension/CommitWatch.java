// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.neo4j.graphdb.GraphDatabaseService;
import org.neo4j.graphdb.Transaction;
import org.neo4j.graphdb.event.TransactionData;
import org.neo4j.graphdb.event.TransactionData.DataSelection;
import org.neo4j.graphdb.event.TransactionEventListener;
import org.neo4j.logging.InternalLog;

/** Hears the commits of one database and passes them on to what is cached, before the committing call returns. */
final class CommitWatch implements TransactionEventListener<CommitWatch.Commit> {
    /** Something that follows the commits. */
    interface Follower {
        /** What this commit means to it, or null. Called before the commit, in its transaction; must only read. */
        Runnable collect(TransactionData data);

        /** It missed a commit and must not be believed any more. */
        void lost();
    }

    private record Effect(Follower follower, Runnable change) {}

    /** A commit under way: what is to be done once it is through. */
    static final class Commit {
        private final List<Effect> effects = new ArrayList<>();
        private final CountDownLatch done = new CountDownLatch(1);
    }

    private final List<Follower> followers = new CopyOnWriteArrayList<>();
    private final Set<Commit> underWay = ConcurrentHashMap.newKeySet();
    private final InternalLog log;

    CommitWatch(InternalLog log) {
        this.log = log;
    }

    /**
     * From now on the follower hears every commit. What commits were under way before may miss it: wait for them.
     *
     * @return true when those are through; false after the time given (a long commit, or one that waits for a lock of the
     *     caller), in which case the follower is not added
     */
    boolean follow(Follower follower, long waitMillis) {
        followers.add(follower);
        var deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(waitMillis);
        try {
            for (var commit : List.copyOf(underWay)) {
                if (!commit.done.await(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                    followers.remove(follower);
                    return false;
                }
            }
            return true;
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            followers.remove(follower);
            return false;
        }
    }

    void unfollow(Follower follower) {
        followers.remove(follower);
    }

    @Override
    public Commit beforeCommit(TransactionData data, Transaction transaction, GraphDatabaseService database) {
        var commit = new Commit();
        underWay.add(commit); // first, so that whoever comes later to follow knows of it
        for (var follower : followers) {
            try {
                var change = follower.collect(data);
                if (change != null) {
                    commit.effects.add(new Effect(follower, change));
                }
            } catch (RuntimeException wrong) { // a commit never fails because of a cache
                log.error("A change could not be read for a cache, which is dropped.", wrong);
                commit.effects.add(new Effect(follower, follower::lost));
            }
        }
        return commit;
    }

    @Override
    public void afterCommit(TransactionData data, Commit commit, GraphDatabaseService database) {
        try {
            for (var effect : commit.effects) {
                try {
                    effect.change().run();
                } catch (RuntimeException wrong) {
                    log.error("A committed change did not reach a cache, which is dropped.", wrong);
                    effect.follower().lost();
                }
            }
        } finally {
            finish(commit);
        }
    }

    @Override
    public void afterRollback(TransactionData data, Commit commit, GraphDatabaseService database) {
        if (commit != null) {
            finish(commit);
        }
    }

    /** Old property values and the labels of deleted nodes are not needed, and reading them costs. */
    @Override
    public Set<DataSelection> transactionDataSelection() {
        return EnumSet.of(DataSelection.removedPropertKeys);
    }

    private void finish(Commit commit) {
        underWay.remove(commit);
        commit.done.countDown();
    }
}
