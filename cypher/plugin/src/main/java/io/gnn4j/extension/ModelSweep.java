// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import io.gnn4j.registry.Models;
import io.gnn4j.writeback.OwnTransactions;
import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.graphdb.event.DatabaseEventContext;
import org.neo4j.graphdb.event.DatabaseEventListener;
import org.neo4j.internal.kernel.api.security.SecurityContext;
import org.neo4j.kernel.internal.GraphDatabaseAPI;
import org.neo4j.logging.InternalLogProvider;

/**
 * Finishes, when a database starts, the removals of models that a stop of the server cut short.
 *
 * <p>Only versions whose state is {@code retired} and which no alias points to; unfinished ones are left to be resumed
 * by the next load of their artefact, and answer nobody until then.
 */
final class ModelSweep implements DatabaseEventListener {
    private final DatabaseManagementService databases;
    private final Models models;
    private final InternalLogProvider logs;
    private volatile boolean stopped;

    ModelSweep(DatabaseManagementService databases, Models models, InternalLogProvider logs) {
        this.databases = databases;
        this.models = models;
        this.logs = logs;
    }

    void start() {
        databases.registerDatabaseEventListener(this);
    }

    void stop() {
        stopped = true;
        databases.unregisterDatabaseEventListener(this);
    }

    @Override
    public void databaseStart(DatabaseEventContext context) {
        var name = context.getDatabaseName();
        if (!name.equals(GraphDatabaseSettings.SYSTEM_DATABASE_NAME)) {
            // A start must not wait for this.
            Thread.ofPlatform().daemon().name("gnn-model-sweep").start(() -> sweep(name));
        }
    }

    private void sweep(String name) {
        var log = logs.getLog(ModelSweep.class);
        try {
            var database = (GraphDatabaseAPI) databases.database(name);
            Runnable guard = () -> {
                if (stopped) {
                    throw new IllegalStateException("The server stops.");
                }
            };
            if (!database.isAvailable(60_000)) {
                return;
            }
            var own = new OwnTransactions(database, SecurityContext.AUTH_DISABLED, guard);
            for (var removed : models.removal().sweep(Models.id(database), own, guard)) {
                log.info("Removed model " + removed.name() + ":" + removed.version() + " from database " + name + ".");
            }
        } catch (RuntimeException failure) {
            // Nothing depends on it: a retired version answers nobody, and the next start or drop tries again.
            log.warn("Models that are being removed were left in database " + name + ": " + failure.getMessage());
        }
    }

    @Override
    public void databaseShutdown(DatabaseEventContext context) {
        // a transaction under way fails, and the next start goes on
    }

    @Override
    public void databasePanic(DatabaseEventContext context) {
        // as for a shutdown
    }

    @Override
    public void databaseCreate(DatabaseEventContext context) {
        // its start follows
    }

    @Override
    public void databaseDrop(DatabaseEventContext context) {
        // its models went with it
    }
}
