// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.database;

import io.gnn4j.extension.GnnServices;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.neo4j.configuration.GraphDatabaseInternalSettings;
import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;
import org.neo4j.exceptions.KernelException;
import org.neo4j.graphdb.Transaction;
import org.neo4j.io.ByteUnit;
import org.neo4j.kernel.api.procedure.GlobalProcedures;
import org.neo4j.kernel.internal.GraphDatabaseAPI;

/**
 * One real Neo4j, in this process, for all tests that need one: starting it costs seconds. It has the plugin's extension
 * and GDS; authentication is off. Each test clears what it left.
 */
public final class TestDatabase {
    private static final DatabaseManagementService SERVICE = start();

    private TestDatabase() {}

    private static DatabaseManagementService start() {
        try {
            var home = Files.createTempDirectory("gnn4j-database");
            var service = new DatabaseManagementServiceBuilder(home)
                .setConfig(GraphDatabaseSettings.pagecache_memory, ByteUnit.mebiBytes(16))
                // Ties are ordered by node id. Ids of nodes that an earlier test deleted would come back whenever a
                // job in the background finds the time, and the nodes of a test would not lie in the order of its rows.
                .setConfig(GraphDatabaseInternalSettings.id_controller_maintenance_interval, Duration.ofDays(1))
                .build();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                service.shutdown();
                delete(home);
            }));
            return service;
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private static void delete(Path home) {
        try (var files = Files.walk(home)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        } catch (IOException left) {
            throw new UncheckedIOException(left);
        }
    }

    public static GraphDatabaseAPI get() {
        return (GraphDatabaseAPI) SERVICE.database("neo4j");
    }

    /** Makes the procedures and functions of some classes callable; asking twice is harmless. */
    public static void register(Class<?>... classes) {
        var procedures = get().getDependencyResolver().resolveDependency(GlobalProcedures.class);
        for (var type : classes) {
            try {
                procedures.registerProcedure(type);
                procedures.registerFunction(type);
            } catch (KernelException known) {
                if (!String.valueOf(known.getMessage()).contains("already in use")) {
                    throw new IllegalStateException(known);
                }
            }
        }
    }

    /** The services of the plugin that runs in it. */
    public static GnnServices services() {
        register(ServicesProbe.class);
        query("CALL gnn.test.services()");
        return ServicesProbe.seen;
    }

    /** Runs a query in a transaction of its own. */
    public static List<Map<String, Object>> query(String cypher, Map<String, Object> parameters) {
        return get().executeTransactionally(cypher, parameters, result -> {
            var rows = new ArrayList<Map<String, Object>>();
            result.forEachRemaining(row -> rows.add(new LinkedHashMap<>(row)));
            return rows;
        });
    }

    public static List<Map<String, Object>> query(String cypher) {
        return query(cypher, Map.of());
    }

    public static Transaction begin() {
        return get().beginTx();
    }

    /** Removes all data, constraints and indexes. */
    public static void clear() {
        query("MATCH (n) DETACH DELETE n");
        for (var row : query("SHOW CONSTRAINTS YIELD name")) {
            query("DROP CONSTRAINT `" + row.get("name") + "`");
        }
        for (var row : query("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name")) {
            query("DROP INDEX `" + row.get("name") + "`");
        }
    }
}
