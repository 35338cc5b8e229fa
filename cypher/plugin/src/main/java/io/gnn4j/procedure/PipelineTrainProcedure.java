// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.extension.GnnContext;
import io.gnn4j.extension.GnnSettings;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.job.JobInfo;
import io.gnn4j.job.JobStatus;
import io.gnn4j.pipeline.TrainConfig;
import io.gnn4j.registry.Jobs;
import io.gnn4j.registry.Pipelines;
import io.gnn4j.registry.TrainEstimate;
import io.gnn4j.registry.TrainRequest;
import io.gnn4j.writeback.OwnTransactions;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.neo4j.graphdb.Transaction;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** Hands a pipeline to a worker. */
public class PipelineTrainProcedure {
    private static final String GRAPH = "A projection of yours with the labels and types of the task; null: the worker projects the task"
        + " itself.";
    private static final long LOOK_MILLIS = 250;
    private static final int LOOKS_UNTIL_SETTLED = 20;
    /** Ten seconds: a worker that was started a moment before is heard of by then. */
    private static final int LOOKS_WITHOUT_WORKER = 40;

    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.pipeline.train", mode = Mode.WRITE)
    @Description("Submits a training job, committed in a transaction of its own, and returns at once, or waits for its end. A worker"
        + " outside the database trains, and deploys what it found.")
    public Stream<TrainRow> train(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = TrainConfig.KEYS) Map<String, Object> configuration) {
        var config = TrainConfig.parse(configuration);
        OwnTransactions.requireNoWrites(tx, "gnn.pipeline.train");
        var request = request(graphName, config);
        var place = JobAccess.place(gnn);
        jobs().requireName(tx, place, gnn.user(), config.modelName(), gnn.security().isAuthDisabled()
            || gnn.services().config().get(GnnSettings.MODEL_LOAD_USERS).contains(gnn.user()));
        try (var guarded = new CallGuard("gnn.pipeline.train", guard)) {
            var own = new OwnTransactions(gnn.database(), gnn.security(), guarded);
            var scheduled = config.every() != null || config.afterEvents() != null;
            var id = own.write(mine -> scheduled
                ? jobs().schedule(mine, place, request.job(config.pipeline() + "/" + config.modelName()), config)
                : jobs().submit(mine, place, request.job(null)));
            var job = config.waits() ? ended(own, id) : own.read(mine -> jobs().show(mine, place, gnn.user(), id));
            return Stream.of(new TrainRow(job));
        }
    }

    private TrainRequest request(String graphName, TrainConfig config) {
        var pipeline = new Pipelines(tx, gnn.user()).get(config.pipeline());
        return TrainRequest.of(tx, gnn.services().graphs(), pipeline, config, projection(graphName));
    }

    private ProjectedGraph projection(String graphName) {
        return graphName == null ? null : gnn.services().graphs().open(gnn.user(), gnn.databaseName(), graphName);
    }

    /**
     * @throws IllegalStateException unless it finished: why, and that the job can be looked at; also when there is no worker, since
     *     nobody would ever be told
     */
    private JobInfo ended(OwnTransactions own, String id) {
        var place = JobAccess.place(gnn);
        var status = ((InternalTransaction) tx).kernelTransaction();
        int lonely = 0;
        for (int look = 1;; look++) {
            var job = own.read(mine -> jobs().show(mine, place, gnn.user(), id));
            if (job.status() == JobStatus.FINISHED) {
                return job;
            }
            if (job.status() == null || job.status().isOver()) {
                throw new IllegalStateException("Job '" + id + "' " + (job.status() == JobStatus.CANCELED ? "was cancelled" : "failed")
                    + ": " + job.message() + " CALL gnn.job.log('" + id + "') shows more.");
            }
            lonely = job.status() == JobStatus.PENDING && !own.read(mine -> jobs().anyWorker(mine)) ? lonely + 1 : 0;
            if (lonely >= LOOKS_WITHOUT_WORKER) {
                throw new IllegalStateException("Job '" + id + "' is submitted, but there is nothing to wait for: no worker is alive. Start"
                    + " one: `gnn4j server start --worker`, or `gnn4j worker`. It then takes the job; CALL gnn.job.show('" + id
                    + "') shows how it goes, CALL gnn.job.cancel('" + id + "') gives it up.");
            }
            status.setStatusDetails("gnn.pipeline.train: job " + id + " is " + job.status() + ", "
                + Math.round(100 * job.progress()) + " %" + (job.message() == null ? "" : ". " + job.message()));
            if (look % LOOKS_UNTIL_SETTLED == 0) {
                own.write(mine -> {
                    jobs().settle(mine, place, id);
                    return null;
                });
            }
            pause();
        }
    }

    private void pause() {
        try {
            Thread.sleep(LOOK_MILLIS);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted; the job goes on.", stopped);
        }
        guard.check();
    }

    @Procedure(name = "gnn.pipeline.train.estimate", mode = Mode.READ)
    @Description("The memory that gnn.pipeline.train takes in the database and in the trainer.")
    public Stream<EstimateRow> estimate(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = TrainConfig.KEYS) Map<String, Object> configuration) {
        var request = request(graphName, TrainConfig.parse(configuration));
        return Stream.of(new EstimateRow(TrainEstimate.of(tx, request, projection(graphName))));
    }

    private Jobs jobs() {
        return gnn.services().jobs();
    }

    public record TrainRow(
        @Description("Names the job, for gnn.job.show, .log and .cancel.") String jobId,
        @Description("PENDING, RUNNING, CANCELING, FINISHED, FAILED or CANCELED; with `wait` FINISHED.") String status,
        @Description("The trained model: its parameters, and its metrics on train, validation and test; empty before.")
        Map<String, Object> modelInfo,
        @Description("What was tried, and how well it did; empty before.") Map<String, Object> modelSelectionStats,
        @Description("Milliseconds from the start of the work to its end; null before.") Long trainMillis,
        @Description("The configuration with its defaults.") Map<String, Object> configuration,
        @Description("What the job waits for, and what to do.") String message) {
        TrainRow(JobInfo job) {
            this(job.id(), job.status() == null ? null : job.status().name(), job.modelInfo(), job.modelSelectionStats(),
                job.startedAt() == null || job.finishedAt() == null ? null : (Long) (job.finishedAt() - job.startedAt()),
                job.configuration(), job.message());
        }
    }

    public record EstimateRow(
        @Description("The memory in words.") String requiredMemory,
        @Description("Bytes by what they are for.") Map<String, Object> mapView,
        @Description("The least it takes in the database, in bytes.") long bytesMin,
        @Description("The most it takes in the database, in bytes.") long bytesMax,
        @Description("Nodes of the projection, or those it would have.") long nodeCount,
        @Description("Relationships of the projection, or those it would have.") long relationshipCount,
        @Description("bytesMin as a part of the heap, in [0, 1] where it fits.") double heapPercentageMin,
        @Description("bytesMax as a part of the heap, in [0, 1] where it fits.") double heapPercentageMax,
        @Description("What the trainer takes outside the database, in bytes, roughly.") long trainerBytes) {
        EstimateRow(TrainEstimate estimate) {
            this(String.format(Locale.ROOT, "%.1f MiB", estimate.bytes() / 1048576.0), estimate.parts(), estimate.bytes(), estimate.bytes(),
                estimate.nodes(), estimate.relationships(), share(estimate), share(estimate), estimate.trainerBytes());
        }

        private static double share(TrainEstimate estimate) {
            return (double) estimate.bytes() / Runtime.getRuntime().maxMemory();
        }
    }
}
