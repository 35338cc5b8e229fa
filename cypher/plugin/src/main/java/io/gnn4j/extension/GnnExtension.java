// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import io.gnn4j.graph.GdsProbe;
import io.gnn4j.job.JobKey;
import io.gnn4j.memory.GraphCaches;
import io.gnn4j.memory.MemoryBudget;
import io.gnn4j.registry.Jobs;
import io.gnn4j.registry.Models;
import java.io.IOException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.neo4j.configuration.Config;
import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.kernel.api.procedure.GlobalProcedures;
import org.neo4j.kernel.extension.ExtensionFactory;
import org.neo4j.kernel.extension.ExtensionType;
import org.neo4j.kernel.extension.context.ExtensionContext;
import org.neo4j.kernel.lifecycle.Lifecycle;
import org.neo4j.kernel.lifecycle.LifecycleAdapter;
import org.neo4j.logging.InternalLogProvider;
import org.neo4j.logging.internal.LogService;

/** Starts the plugin with the server and registers what procedures are given by {@code @Context}. */
public final class GnnExtension extends ExtensionFactory<GnnExtension.Dependencies> {
    /** What the kernel hands over; the method names do not matter, the types do. */
    public interface Dependencies {
        GlobalProcedures procedures();

        DatabaseManagementService databases();

        LogService logService();

        Config config();
    }

    public GnnExtension() {
        super(ExtensionType.GLOBAL, "gnn");
    }

    @Override
    public Lifecycle newInstance(ExtensionContext context, Dependencies dependencies) {
        var logs = dependencies.logService().getInternalLogProvider();
        var config = dependencies.config();
        var memory = new MemoryBudget(() -> GnnServices.memoryMax(config));
        var models = new Models(config.get(GnnSettings.INFERENCE_THREADS), memory);
        var caches = new LiveCaches(dependencies.databases(), config, memory, logs);
        var graphCaches = new GraphCaches(memory);
        var sweep = new ModelSweep(dependencies.databases(), models, logs);
        var helpers = helpers();
        var graphs = GdsProbe.find();
        var jobs = new Jobs(jobKey(config, logs), graphs, System::currentTimeMillis, config.get(GnnSettings.WORKER_LEASE).toMillis());
        var services = new GnnServices(
            graphs, config, dependencies.databases(), logs, models, memory, caches, graphCaches, jobs, helpers);
        dependencies.procedures().registerComponent(
            GnnContext.class,
            call -> new GnnContext(
                call.securityContext().subject().executingUser(), call.graphDatabaseAPI(), call.securityContext(), services),
            true);
        return new LifecycleAdapter() {
            private Runnable deaf = () -> { };

            @Override
            public void start() {
                caches.start();
                deaf = services.graphs().onDrop(graphCaches::dropped);
                sweep.start();
                logs.getLog(GnnExtension.class).info("gnn4j started. " + services.graphs().status().detail());
            }

            @Override
            public void stop() {
                deaf.run();
                sweep.stop();
                caches.stop();
                helpers.shutdown();
                models.close();
            }
        };
    }

    /** Beside the databases, so that a copy of the data folder knows its jobs. */
    private static JobKey jobKey(Config config, InternalLogProvider logs) {
        var file = config.get(GraphDatabaseSettings.data_directory).resolve("gnn").resolve("jobs.key");
        try {
            return JobKey.of(file);
        } catch (IOException failure) {
            logs.getLog(GnnExtension.class).warn("Training jobs will not outlive this run of the server: " + file + " can be neither read"
                + " nor made (" + failure.getMessage() + ").");
            return JobKey.temporary();
        }
    }

    /** Threads that help calls; when all are busy a call does its work alone. */
    private static ExecutorService helpers() {
        var number = new AtomicInteger();
        return new ThreadPoolExecutor(
            0, Runtime.getRuntime().availableProcessors(), 30, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
                var thread = new Thread(task, "gnn-helper-" + number.incrementAndGet());
                thread.setDaemon(true);
                return thread;
            });
    }
}
