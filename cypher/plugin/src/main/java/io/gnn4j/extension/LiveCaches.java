// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import io.gnn4j.graph.LiveGraph;
import io.gnn4j.memory.MemoryBudget;
import io.gnn4j.neighbour.NodeRows;
import io.gnn4j.recommend.Popularity;
import io.gnn4j.recommend.VectorRows;
import io.gnn4j.recommend.VectorTable;
import io.gnn4j.registry.ServedModel;
import io.gnn4j.task.Task;
import java.io.InputStream;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import org.neo4j.configuration.Config;
import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.graphdb.Transaction;
import org.neo4j.graphdb.event.DatabaseEventContext;
import org.neo4j.graphdb.event.DatabaseEventListener;
import org.neo4j.kernel.internal.GraphDatabaseAPI;
import org.neo4j.logging.InternalLogProvider;

/**
 * What is kept in memory of the committed graph, for all callers: vectors, popularity, and what models say of pairs.
 *
 * <p>It is read without regard to who asks, so nothing of it may be shown before the node was found in the caller's own
 * transaction.
 */
public final class LiveCaches implements DatabaseEventListener {
    /** How long a call waits for commits under way before it reads the store for itself alone. */
    private static final long WAIT_MILLIS = 100;

    private record Key(String database, String kind, Object what) {}

    private final DatabaseManagementService databases;
    private final Config config;
    private final MemoryBudget budget;
    private final InternalLogProvider logs;
    private final Map<String, CommitWatch> watches = new ConcurrentHashMap<>();
    private final Map<Key, Cached<?, ?>> entries = new ConcurrentHashMap<>();

    LiveCaches(DatabaseManagementService databases, Config config, MemoryBudget budget, InternalLogProvider logs) {
        this.databases = databases;
        this.config = config;
        this.budget = budget;
        this.logs = logs;
    }

    /** The listeners stand before the first commit, so that none is missed later. */
    void start() {
        watch(config.get(GraphDatabaseSettings.initial_default_database));
        databases.registerDatabaseEventListener(this);
    }

    void stop() {
        databases.unregisterDatabaseEventListener(this);
        List.copyOf(watches.keySet()).forEach(this::unwatch);
    }

    /**
     * The vectors of a label, to be scanned.
     *
     * @param guard throws when the call is ended
     * @throws io.gnn4j.memory.MemoryRefused when they do not fit
     */
    public Held<VectorTable> table(GraphDatabaseAPI database, String label, String property, int dimension, Runnable guard) {
        return hold(new Key(database.databaseName(), "table", List.of(label, property, dimension)), database, guard,
            drop -> new CachedVectors<>(label, property, dimension, VectorTable::new,
                rows -> VectorTable.bytes(rows, dimension), drop));
    }

    /** The vectors of a label, to be fetched one by one. */
    public Held<VectorRows> rows(GraphDatabaseAPI database, String label, String property, int dimension, Runnable guard) {
        return hold(new Key(database.databaseName(), "rows", List.of(label, property, dimension)), database, guard,
            drop -> new CachedVectors<>(label, property, dimension, VectorRows::new,
                rows -> VectorRows.bytes(rows, dimension), drop));
    }

    /** How many users touched each item. */
    public Held<Popularity> popularity(GraphDatabaseAPI database, Task task, Runnable guard) {
        return hold(new Key(database.databaseName(), "popularity", CachedPopularity.key(task)), database, guard,
            drop -> new CachedPopularity(task, drop));
    }

    /**
     * What a model says of pairs of nodes.
     *
     * @param open gives the file in a transaction
     */
    public Held<NodeRows> nodeRows(
            GraphDatabaseAPI database, ServedModel model, Function<Transaction, InputStream> open, Runnable guard) {
        return hold(new Key(database.databaseName(), "rows of pairs", List.of(model.embeddingProperty(), model.sha256())), database, guard,
            drop -> new CachedNodeRows(model, open, drop));
    }

    private <T, C> Held<T> hold(
            Key key, GraphDatabaseAPI database, Runnable guard, Function<Consumer<Cached<?, ?>>, Cached<T, C>> fresh) {
        while (true) {
            @SuppressWarnings("unchecked") // the key names the kind
            var entry = (Cached<T, C>) entries.computeIfAbsent(key, missing -> fresh.apply(lost -> drop(missing, lost)));
            lock(entry, guard);
            try {
                var uncached = false;
                if (entry.state == Cached.State.NEW) {
                    uncached = load(key, entry, database, guard);
                } else if (entry.state == Cached.State.GONE || !entry.share.hold()) {
                    entries.remove(key, entry);
                    continue;
                }
                settle(entry, database);
                return new Held<>(entry.value(), uncached ? entry.share::close : entry.share::release);
            } finally {
                entry.loading.unlock();
            }
        }
    }

    /** @return true when it serves this call alone: commits under way could not be waited for */
    private <T, C> boolean load(Key key, Cached<T, C> entry, GraphDatabaseAPI database, Runnable guard) {
        var watch = watch(key.database());
        var following = false;
        var complete = false;
        try (var committed = database.beginTx()) {
            entry.share = budget.reserve(entry.kind(), entry.name(), key.database(), null, entry.estimate(committed),
                () -> drop(key, entry));
            following = watch.follow(entry, WAIT_MILLIS);
            entry.load(committed, guard);
            entry.loaded();
            complete = true;
        } finally {
            entry.state = complete && following ? Cached.State.READY : Cached.State.GONE;
            if (!complete || !following) {
                watch.unfollow(entry);
                entries.remove(key, entry);
            }
            if (!complete && entry.share != null) {
                entry.share.close();
            }
        }
        return !following;
    }

    private static void settle(Cached<?, ?> entry, GraphDatabaseAPI database) {
        if (entry.isSettled()) {
            return;
        }
        var settled = false;
        try (var committed = database.beginTx(); var graph = new LiveGraph(committed)) {
            entry.settle(graph);
            settled = true;
        } finally {
            if (!settled) {
                entry.share.release();
            }
        }
    }

    private static void lock(Cached<?, ?> entry, Runnable guard) {
        try {
            while (!entry.loading.tryLock(50, TimeUnit.MILLISECONDS)) {
                guard.run();
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted while waiting for " + entry.name() + " to be read.");
        }
    }

    private void drop(Key key, Cached<?, ?> entry) {
        entries.remove(key, entry);
        var watch = watches.get(key.database());
        if (watch != null) {
            watch.unfollow(entry);
        }
        if (entry.share != null) {
            entry.share.close();
        }
    }

    /** Lets go of what was made from a property that exists no more. */
    public void forget(String database, String property) {
        forget(key -> key.database().equals(database) && key.what() instanceof List<?> what && what.contains(property));
    }

    private void forget(Predicate<Key> which) {
        entries.forEach((key, entry) -> {
            if (which.test(key)) {
                drop(key, entry);
            }
        });
    }

    private CommitWatch watch(String database) {
        return watches.computeIfAbsent(database, name -> {
            var watch = new CommitWatch(logs.getLog(CommitWatch.class));
            databases.registerTransactionEventListener(name, watch);
            return watch;
        });
    }

    private void unwatch(String database) {
        forget(key -> key.database().equals(database));
        var watch = watches.remove(database);
        if (watch != null) {
            databases.unregisterTransactionEventListener(database, watch);
        }
    }

    @Override
    public void databaseStart(DatabaseEventContext context) {
        if (!context.getDatabaseName().equals(GraphDatabaseSettings.SYSTEM_DATABASE_NAME)) {
            watch(context.getDatabaseName());
        }
    }

    @Override
    public void databaseShutdown(DatabaseEventContext context) {
        ended(context);
    }

    @Override
    public void databasePanic(DatabaseEventContext context) {
        ended(context);
    }

    @Override
    public void databaseCreate(DatabaseEventContext context) {
        // its start follows
    }

    @Override
    public void databaseDrop(DatabaseEventContext context) {
        ended(context);
    }

    private void ended(DatabaseEventContext context) {
        forget(key -> key.database().equals(context.getDatabaseName()));
    }
}
