// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.extension.GnnSettings;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.job.Grants.Grant;
import io.gnn4j.job.WorkerUsers;
import io.gnn4j.registry.Jobs.Place;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.neo4j.graphdb.Transaction;

/**
 * Whose projections a call may open: the caller's own, or, with {@code {jobId, token}} in its configuration, the one that
 * the owner of a job submitted it for, as long as the worker's lease lives.
 */
final class JobAccess {
    static final String KEYS = " For the worker of a job also { jobId :: STRING, token :: STRING }: its owner's projection.";

    private final GnnContext gnn;
    private final String jobId;
    private final String token;
    private final Map<String, Object> rest;

    private JobAccess(GnnContext gnn, String jobId, String token, Map<String, Object> rest) {
        this.gnn = gnn;
        this.jobId = jobId;
        this.token = token;
        this.rest = rest;
    }

    /**
     * @throws InvalidConfiguration when only one of the two keys is given
     * @throws SecurityException when both are, and the caller is no worker
     */
    static JobAccess of(GnnContext gnn, Map<String, Object> configuration, String procedure) {
        if (configuration == null || !(configuration.containsKey("jobId") || configuration.containsKey("token"))) {
            return new JobAccess(gnn, null, null, configuration);
        }
        var rest = new HashMap<>(configuration);
        var jobId = text("jobId", rest.remove("jobId"));
        var token = text("token", rest.remove("token"));
        requireWorker(gnn, "call `" + procedure + "` for a job");
        return new JobAccess(gnn, jobId, token, rest);
    }

    private static String text(String key, Object value) {
        if (value instanceof String text) {
            return text;
        }
        throw new InvalidConfiguration(List.of("`jobId` and `token` go together, as gnn.job.lease returned them, but `" + key + "` is "
            + (value == null ? "missing" : ConfigMap.describe(value)) + "."));
    }

    /** @throws SecurityException unless the caller is named in {@code server.gnn.worker.users}, or authentication is off */
    static void requireWorker(GnnContext gnn, String what) {
        new WorkerUsers(gnn.services().config().get(GnnSettings.WORKER_USERS)).require(gnn.user(), gnn.security().isAuthDisabled(), what);
    }

    static Place place(GnnContext gnn) {
        return new Place(gnn.database().databaseId().databaseId().uuid(), gnn.databaseName());
    }

    /** The caller's own projections alone. */
    static JobAccess own(GnnContext gnn) {
        return new JobAccess(gnn, null, null, Map.of());
    }

    /** The configuration without the two keys. */
    Map<String, Object> configuration() {
        return rest;
    }

    /** A projection, and whose it is. */
    record Opened(ProjectedGraph graph, String owner) {}

    /**
     * The projection the job was submitted for, under its name; any other name is one of the caller's own.
     *
     * @throws io.gnn4j.graph.GraphNotFound when the caller has no such graph
     * @throws io.gnn4j.job.LeaseLost when a job's lease is over
     */
    Opened open(Transaction tx, String graphName) {
        var owner = jobId == null ? gnn.user()
            : gnn.services().jobs().leases().open(tx, place(gnn), jobId, token, graphName).map(Grant::owner).orElse(gnn.user());
        return new Opened(gnn.services().graphs().open(owner, gnn.databaseName(), graphName), owner);
    }

    /** What each of a procedure's own transactions begins with: a worker whose lease is over writes no more. */
    Consumer<Transaction> admission() {
        return jobId == null ? tx -> { } : tx -> gnn.services().jobs().leases().requireAlive(tx, place(gnn), jobId, token);
    }
}
