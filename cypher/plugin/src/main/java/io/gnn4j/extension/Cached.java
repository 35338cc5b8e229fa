// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import io.gnn4j.graph.LiveGraph;
import io.gnn4j.memory.MemoryBudget.Share;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.neo4j.graphdb.Transaction;
import org.neo4j.graphdb.event.TransactionData;

/**
 * Something made from committed nodes and relationships, and kept right by the commits that follow.
 *
 * @param <T> what is made
 * @param <C> what one commit means to it
 */
abstract class Cached<T, C> implements CommitWatch.Follower {
    enum State { NEW, READY, GONE }

    final ReentrantLock loading = new ReentrantLock();
    State state = State.NEW;
    Share share;
    private final Consumer<Cached<?, ?>> drop;
    private List<C> waiting = new ArrayList<>();

    /** @param drop takes it out of the caches */
    Cached(Consumer<Cached<?, ?>> drop) {
        this.drop = drop;
    }

    /** What it is and what it is made from, for a person. */
    abstract String kind();

    abstract String name();

    abstract T value();

    abstract long bytes();

    /** What it will take, told from counts before anything is read. */
    abstract long estimate(Transaction committed);

    /** Reads the committed state. @param guard throws when the call that waits for it is ended */
    abstract void load(Transaction committed, Runnable guard);

    abstract C read(TransactionData data);

    abstract void apply(C change);

    /** Brings up to date what commits only marked. */
    void settle(LiveGraph committed) {}

    boolean isSettled() {
        return true;
    }

    @Override
    public final Runnable collect(TransactionData data) {
        var change = read(data);
        return change == null ? null : () -> {
            synchronized (this) {
                if (waiting != null) {
                    waiting.add(change); // what is being read may be older or newer: applied after it
                    return;
                }
                apply(change);
            }
            share.resize(bytes());
        };
    }

    /** The end of loading: what was committed meanwhile is applied in order. */
    final void loaded() {
        synchronized (this) {
            waiting.forEach(this::apply);
            waiting = null;
        }
        share.resize(bytes());
    }

    @Override
    public final void lost() {
        drop.accept(this);
    }
}
