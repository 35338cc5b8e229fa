// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.graph.GraphCatalog;
import io.gnn4j.job.Grants;
import io.gnn4j.job.Grants.Grant;
import io.gnn4j.job.JobInfo;
import io.gnn4j.job.JobKey;
import io.gnn4j.job.JobRequest;
import io.gnn4j.job.JobStatus;
import io.gnn4j.job.ScheduleInfo;
import io.gnn4j.job.WorkerInfo;
import io.gnn4j.pipeline.TrainConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/**
 * Training jobs as the people see them who ask for them: submitted, listed, cancelled. One instance a server; {@link #leases}
 * is the workers' side.
 *
 * <p>Jobs are nodes, so that a restart, a backup and Cypher see them. A node carries no authority: what a worker may do
 * for a job comes from the seal over it ({@link JobKey}), from the token of its lease, and, for projections, from grants
 * in memory. Each step of a job is part of the caller's transaction, locks the node first and checks what it finds then.
 */
public final class Jobs {
    /** The database a call runs in. */
    public record Place(UUID id, String name) {}

    private final JobStore store;
    private final WorkerStore workers;
    private final ModelStore models = new ModelStore();
    private final Schedules schedules;
    private final Grants grants = new Grants();
    private final JobLeases leases;
    private final LongSupplier clock;

    /**
     * @param clock epoch milliseconds; the database's, so that workers need not agree on the time
     * @param leaseMillis how long a worker may be silent
     */
    public Jobs(JobKey key, GraphCatalog graphs, LongSupplier clock, long leaseMillis) {
        this.clock = clock;
        store = new JobStore(key);
        workers = new WorkerStore(leaseMillis);
        schedules = new Schedules(key);
        leases = new JobLeases(this, store, workers, schedules, key, graphs, clock, leaseMillis);
    }

    /** What opens projections for the workers of their jobs. */
    public Grants grants() {
        return grants;
    }

    /** The same jobs, as their workers take them and report on them. */
    public JobLeases leases() {
        return leases;
    }

    /**
     * A new job, and, where it names a projection, the grant that opens it for its worker.
     *
     * @return its id
     */
    public String submit(Transaction tx, Place place, JobRequest request) {
        var id = UUID.randomUUID().toString();
        var node = store.create(tx, place.id(), id, request, clock.getAsLong());
        // For people: which pipeline a model came from.
        new Pipelines(tx, request.owner()).node(request.pipeline())
            .ifPresent(pipeline -> pipeline.createRelationshipTo(node, JobStore.TRAINED_BY));
        store.projection(tx, id, request).createRelationshipTo(node, JobStore.READ_BY);
        if (request.graphName() != null) {
            grants.put(new Grant(place.id(), id, request.owner(), request.graphName(), request.creationTime()));
        }
        return id;
    }

    /**
     * A job now, and one more each time the schedule says so.
     *
     * @return the id of the first one
     */
    public String schedule(Transaction tx, Place place, JobRequest request, TrainConfig config) {
        var id = submit(tx, place, request);
        schedules.put(tx, place, request, config, id, clock.getAsLong());
        return id;
    }

    /** Ends the schedules of a pipeline. */
    public void endSchedules(Transaction tx, String owner, String pipeline) {
        schedules.end(tx, owner, pipeline);
    }

    /**
     * Whether a user may train under a name: not while somebody else's open job has it, and not over a model that was
     * there before, unless a job of the user made it or the user may load models.
     *
     * @throws IllegalStateException with the reason
     */
    public void requireName(Transaction tx, Place place, String user, String modelName, boolean mayLoadModels) {
        var named = store.named(tx, modelName).stream().filter(node -> store.isSealed(place.id(), node)).toList();
        var others = named.stream().anyMatch(node -> !user.equals(JobStore.text(node, "owner")) && JobStore.status(node) != null
            && !JobStore.status(node).isOver());
        var own = named.stream().anyMatch(node -> user.equals(JobStore.text(node, "owner")));
        if (others || !own && !mayLoadModels && !models.versions(tx, modelName).isEmpty()) {
            throw new IllegalStateException("The model name '" + modelName + "' belongs to somebody else: "
                + (others ? "another user's job is training it." : "a model of that name is there, and no job of yours made it.")
                + " Take another `modelName`.");
        }
    }

    /** The user's schedules by name. */
    public List<ScheduleInfo> schedules(Transaction tx, Place place, String user) {
        return schedules.of(tx, user).stream().map(node -> scheduleInfo(tx, place, node)).toList();
    }

    public Optional<ScheduleInfo> schedule(Transaction tx, Place place, String user, String name) {
        return schedules.find(tx, user, name).map(node -> scheduleInfo(tx, place, node));
    }

    /** Ends a schedule of the user; empty where there is none of that name. Its jobs stay. */
    public Optional<ScheduleInfo> cancelSchedule(Transaction tx, Place place, String user, String name) {
        var found = schedules.find(tx, user, name);
        var shown = found.map(node -> scheduleInfo(tx, place, node));
        return found.filter(node -> Schedules.remove(tx, node)).flatMap(gone -> shown);
    }

    private ScheduleInfo scheduleInfo(Transaction tx, Place place, Node node) {
        var now = clock.getAsLong();
        return schedules.info(tx, place, node, now, id -> isOpen(tx, place, id), workers.anyAlive(tx, now) ? ""
            : " No worker is alive to do so. Start one: `gnn4j server start --worker`, or `gnn4j worker`.");
    }

    boolean isOpen(Transaction tx, Place place, String jobId) {
        return store.find(tx, place.id(), jobId).map(JobStore::status).filter(status -> !status.isOver()).isPresent();
    }

    /** Ends a job that nobody works on and nobody will. */
    public void settle(Transaction tx, Place place, String jobId) {
        store.find(tx, place.id(), jobId).filter(node -> JobStore.lock(tx, node))
            .ifPresent(node -> JobStore.settle(tx, node, clock.getAsLong()));
    }

    /**
     * Cancels a job of the user: at once when nobody works on it, else its worker is asked to stop.
     *
     * @throws IllegalArgumentException when the user has no such job
     * @throws IllegalStateException when it came to another end before
     */
    public JobInfo cancel(Transaction tx, Place place, String user, String jobId) {
        var now = clock.getAsLong();
        var node = own(tx, place, user, jobId);
        if (!JobStore.lock(tx, node)) {
            throw unknown(tx, user, jobId);
        }
        JobStore.settle(tx, node, now);
        switch (JobStore.status(node)) {
            case PENDING -> JobStore.end(tx, node, JobStatus.CANCELED, "Cancelled before a worker took it.", now);
            case RUNNING -> {
                if (JobStore.isExpired(node, now)) {
                    JobStore.end(tx, node, JobStatus.CANCELED, "Cancelled; its worker had vanished.", now);
                } else {
                    JobStore.step(node, JobStatus.CANCELING, now);
                    node.setProperty("cancelRequestedAt", now);
                    JobLog.add(tx, node, now, "INFO", "Asked to cancel.");
                }
            }
            case FINISHED, FAILED -> throw new IllegalStateException("Job '" + jobId + "' is " + JobStore.status(node)
                + " already; only a job that is PENDING or RUNNING can be cancelled.");
            case CANCELING, CANCELED -> { } // asked for before
            case null -> throw new IllegalStateException("The status of job '" + jobId + "' was changed by hand and is none any more.");
        }
        return info(tx, node, now);
    }

    /** The user's jobs, those submitted first in front. */
    public List<JobInfo> list(Transaction tx, String user) {
        var now = clock.getAsLong();
        return store.of(tx, user).stream().filter(node -> JobStore.text(node, "id") != null && JobStore.status(node) != null)
            .map(node -> info(tx, node, now)).toList();
    }

    public JobInfo show(Transaction tx, Place place, String user, String jobId) {
        return info(tx, own(tx, place, user, jobId), clock.getAsLong());
    }

    /** The newest lines of one of the user's jobs, or of those of a schedule, oldest of them first. @param limit at most so many */
    public List<JobLog.Line> log(Transaction tx, Place place, String user, String jobId, int limit) {
        var lines = new ArrayList<JobLog.Line>();
        if (schedules.find(tx, user, jobId).isPresent()) {
            store.of(tx, user).stream()
                .filter(node -> jobId.equals(JobStore.text(node, "schedule"))).forEach(node -> lines.addAll(JobLog.of(node)));
        } else {
            lines.addAll(JobLog.of(own(tx, place, user, jobId)));
        }
        return List.copyOf(lines.subList(Math.max(0, lines.size() - limit), lines.size()));
    }

    /** All workers heard of within a day; what they work on is told to the owner of the job only. */
    public List<WorkerInfo> workers(Transaction tx, String user) {
        return workers.list(tx, store.of(tx, user).stream().map(node -> JobStore.text(node, "id")).collect(Collectors.toSet()));
    }

    /** Whether some worker was heard of within the time of a lease. */
    public boolean anyWorker(Transaction tx) {
        return workers.anyAlive(tx, clock.getAsLong());
    }

    private Node own(Transaction tx, Place place, String user, String jobId) {
        if (jobId == null) {
            throw new IllegalArgumentException("`jobId` is null. `CALL gnn.job.list()` shows your jobs.");
        }
        return store.find(tx, place.id(), jobId).filter(node -> user.equals(JobStore.text(node, "owner")))
            .orElseThrow(() -> unknown(tx, user, jobId));
    }

    private IllegalArgumentException unknown(Transaction tx, String user, String jobId) {
        var count = store.of(tx, user).size();
        return new IllegalArgumentException("You have no job '" + jobId + "'. "
            + (count == 0 ? "You have no jobs: gnn.pipeline.train makes one." : "`CALL gnn.job.list()` shows your " + count + "."));
    }

    private JobInfo info(Transaction tx, Node node, long now) {
        var message = JobStore.text(node, "message");
        var status = JobStore.status(node);
        if (status == JobStatus.PENDING && !workers.anyAlive(tx, now)) {
            message = "Waits for a worker, and none is alive. Start one: `gnn4j server start --worker`, or `gnn4j worker`.";
        } else if (status == JobStatus.PENDING && message == null) {
            message = "Waits for a worker.";
        } else if (status == JobStatus.RUNNING && JobStore.isExpired(node, now)) {
            message = "Its worker was not heard of in time. The next free worker goes on; `CALL gnn.worker.list()` shows who is there.";
        } else if (status == JobStatus.CANCELING && JobStore.isExpired(node, now)) {
            message = "Its worker was not heard of in time. Cancel it again to end it at once.";
        }
        var mayBeMeant = message != null && status != JobStatus.RUNNING && status != JobStatus.FINISHED;
        return JobStore.info(node, mayBeMeant ? message + ofSchedule(tx, node) : message);
    }

    /** Whoever ends a job of a schedule may have meant the schedule. */
    private String ofSchedule(Transaction tx, Node node) {
        var name = JobStore.text(node, "schedule");
        var owner = JobStore.text(node, "owner");
        return name == null || owner == null || schedules.find(tx, owner, name).isEmpty() ? ""
            : " It is one of the schedule '" + name + "', which CALL gnn.job.cancel('" + name + "') ends.";
    }
}
