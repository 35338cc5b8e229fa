// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.job.JobInfo;
import io.gnn4j.job.JobStatus;
import io.gnn4j.job.ScheduleInfo;
import io.gnn4j.job.WorkerInfo;
import io.gnn4j.registry.Jobs;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.Map;
import java.util.stream.Stream;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;

/** Training jobs as their owner sees them. */
public class JobProcedure {
    /** A schedule is no job: it has this one word of its own, until it is cancelled. */
    private static final String SCHEDULED = "SCHEDULED";
    private static final String JOB = "As gnn.pipeline.train returned it; of a schedule '<pipeline>/<modelName>'.";

    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Procedure(name = "gnn.job.list", mode = Mode.READ)
    @Description("Your training jobs, the first submitted in front; after them your schedules.")
    public Stream<JobRow> list() {
        return Stream.concat(jobs().list(tx, gnn.user()).stream().map(JobRow::new),
            jobs().schedules(tx, JobAccess.place(gnn), gnn.user()).stream().map(schedule -> new JobRow(schedule, SCHEDULED)));
    }

    @Procedure(name = "gnn.job.show", mode = Mode.READ)
    @Description("One of your training jobs with its configuration and, once it is finished, what it found; or a schedule.")
    public Stream<JobDetailRow> show(@Name(value = "jobId", description = JOB) String jobId) {
        var schedule = jobs().schedule(tx, JobAccess.place(gnn), gnn.user(), jobId);
        if (schedule.isPresent()) {
            return schedule.stream().map(JobDetailRow::new);
        }
        return Stream.of(new JobDetailRow(jobs().show(tx, JobAccess.place(gnn), gnn.user(), jobId)));
    }

    @Procedure(name = "gnn.job.log", mode = Mode.READ)
    @Description("What happened in one of your training jobs, or in those of a schedule, oldest line first.")
    public Stream<LogRow> log(
            @Name(value = "jobId", description = JOB) String jobId,
            @Name(value = "configuration", defaultValue = "{}",
                description = "{ limit = 1000 :: INTEGER, the newest so many lines }") Map<String, Object> configuration) {
        var config = ConfigMap.of(configuration);
        var limit = config.getInt("limit", 1_000, 1, 1_000_000);
        config.check();
        return jobs().log(tx, JobAccess.place(gnn), gnn.user(), jobId, limit).stream()
            .map(line -> new LogRow(moment(line.at()), line.level(), line.message()));
    }

    @Procedure(name = "gnn.job.cancel", mode = Mode.WRITE)
    @Description("Cancels one of your training jobs: at once where no worker is at it, else the worker is asked to stop. Ends a schedule.")
    public Stream<JobRow> cancel(@Name(value = "jobId", description = JOB) String jobId) {
        var ended = jobs().cancelSchedule(tx, JobAccess.place(gnn), gnn.user(), jobId);
        if (ended.isPresent()) {
            return ended.stream().map(schedule -> new JobRow(schedule, JobStatus.CANCELED.name()));
        }
        return Stream.of(new JobRow(jobs().cancel(tx, JobAccess.place(gnn), gnn.user(), jobId)));
    }

    @Procedure(name = "gnn.worker.list", mode = Mode.READ)
    @Description("The workers heard of within a day.")
    public Stream<WorkerRow> workers() {
        return jobs().workers(tx, gnn.user()).stream().map(WorkerRow::new);
    }

    private Jobs jobs() {
        return gnn.services().jobs();
    }

    /** In UTC. */
    static ZonedDateTime moment(Long epochMillis) {
        return epochMillis == null ? null : Instant.ofEpochMilli(epochMillis).atZone(ZoneOffset.UTC);
    }

    public record JobRow(
        @Description("Names the job; of a schedule '<pipeline>/<modelName>'.") String jobId,
        @Description("The pipeline it was submitted from.") String pipeline,
        @Description("The model it trains.") String modelName,
        @Description("The projection it trains on; null where the worker projects the task itself.") String graphName,
        @Description("PENDING, RUNNING, CANCELING, FINISHED, FAILED or CANCELED; SCHEDULED for a training that comes again.")
        String status,
        @Description("Part of the work that is done, in [0, 1]; of a schedule, of the wait.") double progress,
        @Description("Epochs that are done; null before the first.") Long epoch,
        @Description("What was measured last.") Map<String, Object> metrics,
        @Description("What it is trained on: cpu, or a GPU.") String device,
        @Description("The worker that has it, or had it last.") String worker,
        @Description("How often a worker took it.") long attempt,
        @Description("When it was submitted.") ZonedDateTime submittedAt,
        @Description("When a worker first took it.") ZonedDateTime startedAt,
        @Description("When it came to its end.") ZonedDateTime finishedAt,
        @Description("Milliseconds it will take yet, as the worker guesses; of a schedule by the clock, until it trains again.")
        Long timeLeftMillis,
        @Description("What it waits for, or why it failed, and what to do.") String message) {
        JobRow(JobInfo job) {
            this(job.id(), job.pipeline(), job.modelName(), job.graphName(), name(job), job.progress(), job.epoch(), job.metrics(),
                job.device(), job.worker(), job.attempt(), moment(job.submittedAt()), moment(job.startedAt()), moment(job.finishedAt()),
                job.timeLeftMillis(), job.message());
        }

        JobRow(ScheduleInfo schedule, String status) {
            this(schedule.name(), schedule.pipeline(), schedule.modelName(), null, status, schedule.progress(), null, Map.of(), null, null,
                0, null, null, null, status.equals(SCHEDULED) ? schedule.timeLeftMillis() : null,
                status.equals(SCHEDULED) ? schedule.message() : "The schedule has ended. Its jobs stay: CALL gnn.job.list().");
        }
    }

    public record JobDetailRow(
        @Description("Names the job; of a schedule '<pipeline>/<modelName>'.") String jobId,
        @Description("The pipeline it was submitted from.") String pipeline,
        @Description("The model it trains.") String modelName,
        @Description("The projection it trains on; null where the worker projects the task itself.") String graphName,
        @Description("PENDING, RUNNING, CANCELING, FINISHED, FAILED or CANCELED; SCHEDULED for a training that comes again.")
        String status,
        @Description("Part of the work that is done, in [0, 1]; of a schedule, of the wait.") double progress,
        @Description("Epochs that are done; null before the first.") Long epoch,
        @Description("What was measured last.") Map<String, Object> metrics,
        @Description("What it is trained on: cpu, or a GPU.") String device,
        @Description("The worker that has it, or had it last.") String worker,
        @Description("How often a worker took it.") long attempt,
        @Description("When it was submitted.") ZonedDateTime submittedAt,
        @Description("When a worker first took it.") ZonedDateTime startedAt,
        @Description("When it came to its end.") ZonedDateTime finishedAt,
        @Description("Milliseconds it will take yet, as the worker guesses; of a schedule by the clock, until it trains again.")
        Long timeLeftMillis,
        @Description("What it waits for, or why it failed, and what to do.") String message,
        @Description("The configuration of gnn.pipeline.train.") Map<String, Object> configuration,
        @Description("The trained model: its parameters, and its metrics on train, validation and test; empty before.")
        Map<String, Object> modelInfo,
        @Description("What was tried, and how well it did; empty before.") Map<String, Object> modelSelectionStats) {
        JobDetailRow(JobInfo job) {
            this(job.id(), job.pipeline(), job.modelName(), job.graphName(), name(job), job.progress(), job.epoch(), job.metrics(),
                job.device(), job.worker(), job.attempt(), moment(job.submittedAt()), moment(job.startedAt()), moment(job.finishedAt()),
                job.timeLeftMillis(), job.message(), job.configuration(), job.modelInfo(), job.modelSelectionStats());
        }

        JobDetailRow(ScheduleInfo schedule) {
            this(schedule.name(), schedule.pipeline(), schedule.modelName(), null, SCHEDULED, schedule.progress(), null, Map.of(), null,
                null, 0, null, null, null, schedule.timeLeftMillis(), schedule.message(), schedule.configuration(), Map.of(), Map.of());
        }
    }

    private static String name(JobInfo job) {
        return job.status() == null ? null : job.status().name();
    }

    public record LogRow(
        @Description("When.") ZonedDateTime at,
        @Description("DEBUG, INFO, WARNING or ERROR.") String level,
        @Description("What happened.") String message) {}

    public record WorkerRow(
        @Description("Name of the worker.") String worker,
        @Description("What it trains on: cpu, or a GPU.") String device,
        @Description("When it was last heard of.") ZonedDateTime lastSeen,
        @Description("The job of yours that it is at; null for none, and for jobs of others.") String jobId) {
        WorkerRow(WorkerInfo worker) {
            this(worker.worker(), worker.device(), moment(worker.lastSeen()), worker.jobId());
        }
    }
}
