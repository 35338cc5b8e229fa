// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.config.ConfigJson;
import io.gnn4j.graph.GdsUnavailable;
import io.gnn4j.graph.GraphCatalog;
import io.gnn4j.graph.GraphNotFound;
import io.gnn4j.job.Grants.Grant;
import io.gnn4j.job.JobKey;
import io.gnn4j.job.JobReport;
import io.gnn4j.job.JobStatus;
import io.gnn4j.job.Lease;
import io.gnn4j.job.LeaseLost;
import io.gnn4j.registry.Jobs.Place;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/**
 * Training jobs as their workers see them: leased for a while, reported on, and their projections opened. Everything but
 * the first call is answered only to the token of the job's present lease.
 */
public final class JobLeases {
    private static final String AGAIN = " Project again and train.";

    private final Jobs jobs;
    private final JobStore store;
    private final WorkerStore workers;
    private final Schedules schedules;
    private final ModelStore models = new ModelStore();
    private final JobKey key;
    private final GraphCatalog graphs;
    private final LongSupplier clock;
    private final long leaseMillis;

    JobLeases(Jobs jobs, JobStore store, WorkerStore workers, Schedules schedules, JobKey key, GraphCatalog graphs, LongSupplier clock,
            long leaseMillis) {
        this.jobs = jobs;
        this.store = store;
        this.workers = workers;
        this.schedules = schedules;
        this.key = key;
        this.graphs = graphs;
        this.clock = clock;
        this.leaseMillis = leaseMillis;
    }

    /**
     * The job that waits longest, now in the worker's hands. Jobs that can no longer be worked on are failed on the way.
     *
     * @param user whom the worker signs in as
     */
    public Optional<Lease> lease(Transaction tx, Place place, String user, String worker, String device) {
        var now = clock.getAsLong();
        endGrants(tx, place);
        schedules.run(tx, place, now, id -> jobs.isOpen(tx, place, id), request -> jobs.submit(tx, place, request));
        for (var node : waiting(tx, now)) {
            if (!JobStore.lock(tx, node)) {
                continue;
            }
            JobStore.settle(tx, node, now);
            if (isFree(node, now) && isWhole(tx, place, node, now)) {
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
            store.in(tx, status).stream().filter(node -> status == JobStatus.PENDING || JobStore.isExpired(node, now)).forEach(nodes::add);
        }
        return nodes;
    }

    /** Whether a worker may take it. */
    private static boolean isFree(Node node, long now) {
        var status = JobStore.status(node);
        return status == JobStatus.PENDING || status == JobStatus.RUNNING && JobStore.isExpired(node, now);
    }

    /** Whether a locked open job is what this server made, on the projection it was made for; else it is failed. */
    private boolean isWhole(Transaction tx, Place place, Node node, long now) {
        if (!store.isSealed(place.id(), node)) {
            JobStore.end(tx, node, JobStatus.FAILED, "This job was not made by gnn.pipeline.train of this server, or was changed since."
                + " Train again.", now);
            return false;
        }
        var graphName = JobStore.text(node, "graphName");
        if (graphName == null) {
            return true;
        }
        var fault = graphFault(jobs.grants().of(place.id(), JobStore.text(node, "id")), place, graphName);
        if (fault != null) {
            JobStore.end(tx, node, JobStatus.FAILED, fault, now);
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
        JobLog.add(tx, node, now, "INFO", "Taken by worker '" + worker + "', attempt " + attempt + " of " + JobStore.ATTEMPTS + ".");
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
        report.log().forEach(line -> JobLog.add(tx, node, now, line.level(), line.message()));
        var after = after(status, report.state());
        if (after != status) {
            JobStore.step(node, after, now);
            JobLog.add(tx, node, now, after == JobStatus.FAILED ? "ERROR" : "INFO",
                after + (report.message() == null ? "." : ": " + report.message()));
        }
        if (after == JobStatus.FINISHED) {
            node.setProperty("progress", 1.0);
        }
        var working = after == JobStatus.RUNNING || after == JobStatus.CANCELING;
        if (working) {
            node.setProperty("leaseUntil", now + leaseMillis);
        } else {
            node.removeProperty("leaseUntil");
            node.removeProperty("tokenHash");
        }
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
        var grant = jobs.grants().of(place.id(), jobId);
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
        if (JobStore.isExpired(node, clock.getAsLong())) {
            throw new LeaseLost("the lease of job '" + jobId + "' ran out.");
        }
    }

    /** Forgets the grants of jobs that are over or gone. */
    private void endGrants(Transaction tx, Place place) {
        for (var grant : jobs.grants().of(place.id())) {
            var node = store.find(tx, place.id(), grant.jobId());
            var status = node.map(JobStore::status).orElse(null);
            if (node.isPresent() && (status == null || status.isOver())) {
                jobs.grants().end(place.id(), grant.jobId());
            }
        }
    }
}
