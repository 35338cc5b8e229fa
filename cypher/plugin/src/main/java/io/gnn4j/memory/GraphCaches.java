// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.memory;

import io.gnn4j.graph.ProjectedGraph;
import java.time.ZonedDateTime;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * What is made from projections and kept: built once for each (database, user, graph, creation time) and thing wanted,
 * within the {@link MemoryBudget}, gone with the graph.
 */
public final class GraphCaches {
    private final MemoryBudget budget;
    private final Map<Key, Entry> entries = new ConcurrentHashMap<>();

    public GraphCaches(MemoryBudget budget) {
        this.budget = budget;
    }

    private record Key(String database, String user, String graphName, ZonedDateTime created, String kind, Object what) {}

    private static final class Entry {
        final ReentrantLock building = new ReentrantLock();
        Object value;
        MemoryBudget.Share share;
        /** Guarded by this entry. */
        int leases;
        boolean gone;
    }

    /** Something cached that stays in memory until {@link #close()}; to be closed once. */
    public static final class Lease<T> implements AutoCloseable {
        private final Entry entry;
        private final T value;
        private boolean closed;

        private Lease(Entry entry, T value) {
            this.entry = entry;
            this.value = value;
        }

        public T value() {
            return value;
        }

        @Override
        public void close() {
            synchronized (entry) {
                if (closed) {
                    return;
                }
                closed = true;
                entry.leases--;
                if (entry.gone && entry.leases == 0) {
                    entry.share.close();
                    return;
                }
            }
            entry.share.release();
        }
    }

    /**
     * Takes what is cached, or builds it. Others who want the same wait for it.
     *
     * @param kind what it is, for a person, as {@code neighbours}
     * @param name which of its kind, for a person
     * @param what what it is made from, beside the graph; compared by equals
     * @param bytes what it will take, asked only when it is built
     * @param guard called while waiting; throws when the call is ended
     * @throws MemoryRefused when it does not fit
     */
    public <T> Lease<T> hold(
            String database, String user, ProjectedGraph graph, String kind, String name, Object what, Supplier<Long> bytes,
            Supplier<T> build, Runnable guard) {
        var key = new Key(database, user, graph.name(), graph.creationTime(), kind, what);
        while (true) {
            var entry = entries.computeIfAbsent(key, missing -> new Entry());
            lock(entry, name, guard);
            try {
                if (entry.share == null && !entry.gone) {
                    return build(key, entry, name, bytes, build, graph);
                }
                synchronized (entry) {
                    if (!entry.gone && entry.share.hold()) {
                        entry.leases++;
                        @SuppressWarnings("unchecked") // the key names the kind
                        var value = (T) entry.value;
                        return new Lease<>(entry, value);
                    }
                }
                entries.remove(key, entry);
            } finally {
                entry.building.unlock();
            }
        }
    }

    private <T> Lease<T> build(
            Key key, Entry entry, String name, Supplier<Long> bytes, Supplier<T> build, ProjectedGraph graph) {
        var complete = false;
        MemoryBudget.Share share = null;
        try {
            share = budget.reserve(key.kind(), name, key.database(), key.user(), bytes.get(), () -> forget(key, entry));
            var value = build.get();
            graph.requireCurrent();
            synchronized (entry) {
                entry.value = value;
                entry.share = share;
                entry.leases = 1;
            }
            complete = true;
            return new Lease<>(entry, value);
        } finally {
            if (!complete) {
                entry.gone = true;
                entries.remove(key, entry);
                if (share != null) {
                    share.close();
                }
            }
        }
    }

    /** The graph was dropped: what was made from it goes when the calls that use it end. */
    public void dropped(String database, String user, String graphName) {
        entries.forEach((key, entry) -> {
            if (key.database().equals(database) && key.user().equals(user) && key.graphName().equals(graphName)) {
                forget(key, entry);
            }
        });
    }

    private void forget(Key key, Entry entry) {
        entries.remove(key, entry);
        synchronized (entry) {
            entry.gone = true;
            entry.value = null;
            if (entry.leases == 0 && entry.share != null) {
                entry.share.close();
            }
        }
    }

    private static void lock(Entry entry, String name, Runnable guard) {
        try {
            while (!entry.building.tryLock(50, TimeUnit.MILLISECONDS)) {
                guard.run();
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted while waiting for " + name + " to be read.", stopped);
        }
    }
}
