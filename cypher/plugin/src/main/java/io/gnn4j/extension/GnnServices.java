// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import io.gnn4j.graph.GraphCatalog;
import io.gnn4j.memory.GraphCaches;
import io.gnn4j.memory.MemoryBudget;
import io.gnn4j.registry.Jobs;
import io.gnn4j.registry.Models;
import java.util.concurrent.Executor;
import org.neo4j.configuration.Config;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.logging.InternalLogProvider;

/** What lives as long as the server: one instance, made by {@link GnnExtension}. */
public record GnnServices(
    GraphCatalog graphs,
    Config config,
    DatabaseManagementService databases,
    InternalLogProvider logs,
    Models models,
    MemoryBudget memory,
    LiveCaches caches,
    GraphCaches graphCaches,
    Jobs jobs,
    Executor helpers) {

    /** Bytes all caches may take together. */
    public long memoryMax() {
        return memory.maximum();
    }

    static long memoryMax(Config config) {
        var configured = config.get(GnnSettings.MEMORY_MAX);
        return configured > 0 ? configured : Runtime.getRuntime().maxMemory() / 4;
    }
}
