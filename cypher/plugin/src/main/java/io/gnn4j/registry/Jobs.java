// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.config.ConfigJson;
import io.gnn4j.graph.GdsUnavailable;
import io.gnn4j.graph.GraphCatalog;
import io.gnn4j.graph.GraphNotFound;
import io.gnn4j.job.Grants;
import io.gnn4j.job.Grants.Grant;
import io.gnn4j.job.JobInfo;
import io.gnn4j.job.JobKey;
import io.gnn4j.job.JobReport;
import io.gnn4j.job.JobRequest;
import io.gnn4j.job.JobStatus;
import io.gnn4j.job.Lease;
import io.gnn4j.job.LeaseLost;
import io.gnn4j.job.ScheduleInfo;
import io.gnn4j.job.WorkerInfo;
import io.gnn4j.pipeline.TrainConfig;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/**
 * Training jobs: who asked for what, which worker is at it, and how far it is. One instance a server.
 *
 * <p>Jobs are nodes, so that a restart, a backup and Cypher see them. A node carries no authority: what a worker may do
 * for a job comes from the seal over it ({@link JobKey}), from the token of its lease, and, for projections, from grants
 * in memory. Each step of a job is part of the caller's transaction, locks the node first and checks what it finds then.
 */
public final class Jobs {
    /** Workers that may fail a job by vanishing before the job itself is held to be at fault. */
    static final int ATTEMPTS = 3;
    private static final String AGAIN = " Project again and train.";

    /** The database a call runs in. */
    public record Place(UUID id, String name) {}

    private final JobStore store;
    private final WorkerStore workers;
    private final ModelStore models = new ModelStore();
    private final Schedules schedules;
    private final Grants grants = new Grants();
    private final JobKey key;
    private final GraphCatalog graphs;
    private final LongSupplier clock;
    private final long leaseMillis;

    /**
     * @param clock epoch milliseconds; the database's, so that workers need not agree on the time
     * @param leaseMillis how long a worker may be silent
     */
    public Jobs(JobKey key, GraphCatalog graphs, LongSupplier clock, long leaseMillis) {
        this.key = key;
        this.graphs = graphs;
        this.clock = clock;
        this.leaseMillis = leaseMillis;
        store = new JobStore(key);
        workers = new WorkerStore(leaseMillis);
        schedules = new Schedules(key);
    }

    public Grants grants() {
        return grants;
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

    private boolean isOpen(Transaction tx, Place place, String jobId) {
        return store.find(tx, place.id(), jobId).map(JobStore::status).filter(status -> !status.isOver()).isPresent();
    }

    /** Ends a job that nobody works on and nobody will. */
    public void settle(Transaction tx, Place place, String jobId) {
        store.find(tx, place.id(), jobId).filter(node -> JobStore.lock(tx, node)).ifPresent(node -> settle(tx, node, clock.getAsLong()));
    }

    /**
     * The job that waits longest, now in the worker's hands. Jobs that can no longer be worked on are failed on the way.
     *
     * @param user whom the worker signs in as
     */
    public Optional<Lease> lease(Transaction tx, Place place, String user, String worker, String device) {
        var now = clock.getAsLong();
        endGrants(tx, place);
        schedules.run(tx, place, now, id -> isOpen(tx, place, id), request -> submit(tx, place, request));
        for (var node : waiting(tx, now)) {
            if (!JobStore.lock(tx, node)) {
                continue;
            }
            settle(tx, node, now);
            if (isOpen(node, now) && isWhole(tx, place, node, now)) {
                return Optional.of(take(tx, node, user, worker, device, now));
            }
        }
        workers.seen(tx, user, worker, device, null, now);
        return Optional.empty();
    }

    /** What nobody works on, in the order of submission, seen without locks. */
    private List<Node> waiting(Transaction tx, long now) {
        var nodes = new ArrayList<Node>();
        for (var status : List.of(JobStatus.CANCELING, JobStatus.RUNNING, JobStatus.PENDING)) {
            store.in(tx, status).stream().filter(node -> status == JobStatus.PENDING || isExpired(node, now)).forEach(nodes::add);
        }
        return nodes;
    }

    private static boolean isExpired(Node node, long now) {
        var until = JobStore.number(node, "leaseUntil");
        return until == null || until < now;
    }

    private static boolean isOpen(Node node, long now) {
        var status = JobStore.status(node);
        return status == JobStatus.PENDING || status == JobStatus.RUNNING && isExpired(node, now);
    }

    /** Ends a locked job that nobody works on and nobody will. */
    private static void settle(Transaction tx, Node node, long now) {
        var status = JobStore.status(node);
        var attempt = JobStore.number(node, "attempt");
        if (status == JobStatus.CANCELING && isExpired(node, now)) {
            end(tx, node, JobStatus.CANCELED, "Cancelled; its worker had vanished.", now);
        } else if ((status == JobStatus.RUNNING && isExpired(node, now) || status == JobStatus.PENDING)
            && attempt != null && attempt >= ATTEMPTS) {
            end(tx, node, JobStatus.FAILED, "It was begun " + attempt + " times and never came to its end, the last time by worker '"
                + JobStore.text(node, "worker") + "'. Look at the log of `gnn4j worker` and at gnn.job.log, then train again.", now);
        }
    }

    /** Whether a locked open job is what this server made, on the projection it was made for; else it is failed. */
    private boolean isWhole(Transaction tx, Place place, Node node, long now) {
        if (!store.isSealed(place.id(), node)) {
            end(tx, node, JobStatus.FAILED, "This job was not made by gnn.pipeline.train of this server, or was changed since."
                + " Train again.", now);
            return false;
        }
        var graphName = JobStore.text(node, "graphName");
        if (graphName == null) {
            return true;
        }
        var fault = graphFault(grants.of(place.id(), JobStore.text(node, "id")), place, graphName);
        if (fault != null) {
            end(tx, node, JobStatus.FAILED, fault, now);
        }
        return fault == null;
    }

    /** Why a job's projection cannot be opened, or null. */
    private String graphFault(Optional<Grant> grant, Place place, String graphName) {
        if (grant.isEmpty()) {
            return "The projection '" + graphName + "' went with a restart of the server." + AGAIN;
        }
        try {
            if (!graphs.open(grant.get().owner(), place.name(), graphName).creationTime().isEqual(grant.get().creationTime())) {
                return "The projection '" + graphName + "' is another one than the job was submitted for." + AGAIN;
            }
            return null;
        } catch (GraphNotFound gone) {
            return "The projection '" + graphName + "' was dropped." + AGAIN;
        } catch (GdsUnavailable missing) {
            return missing.getMessage();
        }
    }

    private static void end(Transaction tx, Node node, JobStatus status, String message, long now) {
        JobStore.step(node, status, now);
        node.setProperty("message", message);
        JobStore.addLog(tx, node, now, status == JobStatus.FAILED ? "ERROR" : "INFO", message);
    }

    private Lease take(Transaction tx, Node node, String user, String worker, String device, long now) {
        var id = JobStore.text(node, "id");
        var before = JobStore.number(node, "attempt");
        var attempt = (before == null ? 0 : before) + 1;
        var token = key.token(attempt);
        JobStore.step(node, JobStatus.RUNNING, now);
        node.setProperty("attempt", attempt);
        node.setProperty("tokenHash", key.tokenHash(id, attempt, token));
        node.setProperty("leaseUntil", now + leaseMillis);
        node.setProperty("worker", worker);
        JobStore.set(node, "device", device);
        if (JobStore.number(node, "startedAt") == null) {
            node.setProperty("startedAt", now);
        }
        node.removeProperty("message");
        JobStore.addLog(tx, node, now, "INFO", "Taken by worker '" + worker + "', attempt " + attempt + " of " + ATTEMPTS + ".");
        workers.seen(tx, user, worker, device, id, now);
        return new Lease(id, token, attempt, described(node), leaseMillis);
    }

    private static Map<String, Object> described(Node node) {
        var epoch = JobStore.number(node, "epoch");
        var job = new HashMap<String, Object>();
        job.put("pipeline", ConfigJson.readMap("frozen", JobStore.text(node, "frozen")));
        job.put("owner", JobStore.text(node, "owner"));
        job.put("graphName", JobStore.text(node, "graphName"));
        job.put("graphCreationTime", JobStore.text(node, "graphCreatedAt"));
        job.put("modelName", JobStore.text(node, "modelName"));
        job.put("modelVersion", JobStore.number(node, "modelVersion"));
        job.put("configuration", ConfigJson.readMap("configuration", JobStore.text(node, "configuration")));
        job.put("schedule", JobStore.text(node, "schedule"));
        job.put("checkpointFrom", epoch == null ? 0 : epoch);
        return job;
    }

    /**
     * Takes a worker's word, and renews its lease.
     *
     * @return the status now; CANCELING asks the worker to stop and to report CANCELED
     * @throws LeaseLost when the token is not that of the job's present lease
     */
    public JobStatus report(Transaction tx, Place place, String user, String jobId, String token, JobReport report) {
        var now = clock.getAsLong();
        var node = store.find(tx, place.id(), jobId).filter(found -> JobStore.lock(tx, found))
            .orElseThrow(() -> new LeaseLost("there is no job '" + jobId + "' any more."));
        var status = JobStore.status(node);
        if (status != null && status.isOver() && status == report.state()) {
            return status; // said again, since the answer was lost on the way
        }
        requireLease(place, node, jobId, token);
        claim(node, report.modelVersion());
        link(tx, node);
        JobStore.set(node, "progress", report.progress());
        JobStore.set(node, "epoch", report.epoch());
        JobStore.set(node, "metrics", report.metrics());
        JobStore.set(node, "device", report.device());
        JobStore.set(node, "timeLeftMillis", report.timeLeftMillis());
        JobStore.set(node, "message", report.message());
        JobStore.set(node, "modelInfo", report.modelInfo());
        JobStore.set(node, "modelSelectionStats", report.modelSelectionStats());
        report.log().forEach(line -> JobStore.addLog(tx, node, now, line.level(), line.message()));
        var after = after(status, report.state());
        if (after != status) {
            JobStore.step(node, after, now);
            JobStore.addLog(tx, node, now, after == JobStatus.FAILED ? "ERROR" : "INFO",
                after + (report.message() == null ? "." : ": " + report.message()));
        }
        if (after == JobStatus.FINISHED) {
            node.setProperty("progress", 1.0);
        }
        if (after == JobStatus.RUNNING || after == JobStatus.CANCELING) {
            node.setProperty("leaseUntil", now + leaseMillis);
        } else {
            node.removeProperty("leaseUntil");
            node.removeProperty("tokenHash");
        }
        var working = after == JobStatus.RUNNING || after == JobStatus.CANCELING;
        var worker = JobStore.text(node, "worker");
        if (worker != null) {
            workers.seen(tx, user, worker, report.device(), working ? jobId : null, now);
        }
        return after;
    }

    private static JobStatus after(JobStatus status, JobStatus reported) {
        if (reported == null || reported == JobStatus.RUNNING) {
            return status;
        }
        if (reported == JobStatus.CANCELED && status == JobStatus.RUNNING) {
            throw new IllegalStateException("Nobody asked to cancel this job. Report PENDING to hand it back to other workers, or FAILED"
                + " with a message.");
        }
        return status == JobStatus.CANCELING && reported == JobStatus.PENDING ? JobStatus.CANCELED : reported;
    }

    /** For people: which job made a model. */
    private void link(Transaction tx, Node node) {
        var version = JobStore.number(node, "modelVersion");
        if (version != null && !node.hasRelationship(Direction.OUTGOING, JobStore.MADE)) {
            models.versions(tx, JobStore.text(node, "modelName")).stream().filter(model -> ModelStore.version(model) == version).findFirst()
                .ifPresent(model -> node.createRelationshipTo(model, JobStore.MADE));
        }
    }

    /** One version a job: the next attempt goes on with it. */
    private static void claim(Node node, Long version) {
        var claimed = JobStore.number(node, "modelVersion");
        if (version != null && claimed != null && !version.equals(claimed)) {
            throw new IllegalStateException("This job has claimed version " + claimed + " of its model, but " + version
                + " was reported. Go on with version " + claimed + ".");
        }
        JobStore.set(node, "modelVersion", version);
    }

    private void requireLease(Place place, Node node, String jobId, String token) {
        var status = JobStore.status(node);
        var attempt = JobStore.number(node, "attempt");
        if (status != JobStatus.RUNNING && status != JobStatus.CANCELING) {
            throw new LeaseLost("job '" + jobId + "' is " + status + ".");
        }
        if (attempt == null || !key.isToken(JobStore.text(node, "tokenHash"), jobId, attempt, token)) {
            throw new LeaseLost("job '" + jobId + "' is in other hands, attempt " + attempt + ".");
        }
        if (!store.isSealed(place.id(), node)) {
            throw new LeaseLost("the node of job '" + jobId + "' was changed by hand.");
        }
    }

    /**
     * The grant for the projection a job was submitted for; none where {@code graphName} is not that projection. The job's node
     * is not locked: a call may read for as long as it likes, and its worker reports meanwhile.
     *
     * @throws LeaseLost when the token is not that of the job's present lease, or that has run out
     * @throws IllegalStateException when the projection is gone or another one by now
     */
    public Optional<Grant> open(Transaction tx, Place place, String jobId, String token, String graphName) {
        var node = job(tx, place, jobId);
        requireAlive(place, node, jobId, token);
        var named = JobStore.text(node, "graphName");
        if (named == null || !named.equals(graphName)) {
            return Optional.empty();
        }
        var grant = grants.of(place.id(), jobId);
        var fault = graphFault(grant, place, graphName);
        if (fault != null) {
            throw new IllegalStateException(fault);
        }
        return grant;
    }

    /**
     * Makes a transaction one that commits only as part of a lease that lives: until its end no step of the job can be
     * taken.
     *
     * @throws LeaseLost otherwise
     */
    public Node requireAlive(Transaction tx, Place place, String jobId, String token) {
        var node = job(tx, place, jobId);
        tx.acquireReadLock(node);
        requireAlive(place, node, jobId, token);
        return node;
    }

    private Node job(Transaction tx, Place place, String jobId) {
        return store.find(tx, place.id(), jobId).orElseThrow(() -> new LeaseLost("there is no job '" + jobId + "' any more."));
    }

    private void requireAlive(Place place, Node node, String jobId, String token) {
        requireLease(place, node, jobId, token);
        if (isExpired(node, clock.getAsLong())) {
            throw new LeaseLost("the lease of job '" + jobId + "' ran out.");
        }
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
        settle(tx, node, now);
        switch (JobStore.status(node)) {
            case PENDING -> end(tx, node, JobStatus.CANCELED, "Cancelled before a worker took it.", now);
            case RUNNING -> {
                if (isExpired(node, now)) {
                    end(tx, node, JobStatus.CANCELED, "Cancelled; its worker had vanished.", now);
                } else {
                    JobStore.step(node, JobStatus.CANCELING, now);
                    node.setProperty("cancelRequestedAt", now);
                    JobStore.addLog(tx, node, now, "INFO", "Asked to cancel.");
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

    /**
     * @param at epoch milliseconds
     * @param number counts the lines of a job
     */
    public record LogLine(long at, long number, String level, String message) {}

    /** The newest lines of one of the user's jobs, or of those of a schedule, oldest of them first. @param limit at most so many */
    public List<LogLine> log(Transaction tx, Place place, String user, String jobId, int limit) {
        var lines = new ArrayList<LogLine>();
        if (schedules.find(tx, user, jobId).isPresent()) {
            store.of(tx, user).stream()
                .filter(node -> jobId.equals(JobStore.text(node, "schedule"))).forEach(node -> addLines(node, lines));
        } else {
            addLines(own(tx, place, user, jobId), lines);
        }
        return List.copyOf(lines.subList(Math.max(0, lines.size() - limit), lines.size()));
    }

    private static void addLines(Node node, List<LogLine> all) {
        var lines = new ArrayList<LogLine>();
        try (var found = node.getRelationships(Direction.OUTGOING, JobStore.HAS_LOG)) {
            for (var relationship : found) {
                var line = relationship.getEndNode();
                var at = JobStore.number(line, "at");
                var number = JobStore.number(line, "number");
                if (at != null && number != null) {
                    lines.add(new LogLine(at, number, JobStore.text(line, "level"), JobStore.text(line, "message")));
                }
            }
        }
        lines.sort(Comparator.comparingLong(LogLine::number));
        all.addAll(lines);
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
        } else if (status == JobStatus.RUNNING && isExpired(node, now)) {
            message = "Its worker was not heard of in time. The next free worker goes on; `CALL gnn.worker.list()` shows who is there.";
        } else if (status == JobStatus.CANCELING && isExpired(node, now)) {
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

    /** Forgets the grants of jobs that are over or gone. */
    private void endGrants(Transaction tx, Place place) {
        for (var grant : grants.of(place.id())) {
            var node = store.find(tx, place.id(), grant.jobId());
            var status = node.map(JobStore::status).orElse(null);
            if (node.isPresent() && (status == null || status.isOver())) {
                grants.end(place.id(), grant.jobId());
            }
        }
    }
}
