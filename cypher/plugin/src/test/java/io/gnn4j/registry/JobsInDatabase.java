// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import static io.gnn4j.database.TestDatabase.query;

import io.gnn4j.database.TestDatabase;
import io.gnn4j.graph.GraphCatalog;
import io.gnn4j.graph.GraphNotFound;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.job.JobKey;
import io.gnn4j.job.JobReport;
import io.gnn4j.job.JobRequest;
import io.gnn4j.job.JobStatus;
import io.gnn4j.job.Lease;
import io.gnn4j.registry.Jobs.Place;
import java.lang.reflect.Proxy;
import java.time.ZonedDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.junit.jupiter.api.BeforeEach;
import org.neo4j.graphdb.Transaction;

/** A real database with jobs, and a clock that stands still unless it is moved. */
abstract class JobsInDatabase {
    static final long LEASE = 60_000;

    static final Place PLACE = new Place(UUID.randomUUID(), "neo4j");

    static final JobKey KEY = JobKey.temporary();

    static final ZonedDateTime MADE = ZonedDateTime.parse("2026-11-21T10:00:00Z");

    final AtomicLong now = new AtomicLong(1_000_000);

    /** Creation times by owner and name. */
    final Map<String, ZonedDateTime> projections = new HashMap<>();

    final Jobs jobs = fresh();

    /** As the server has it after a restart. */
    Jobs fresh() {
        return new Jobs(KEY, catalog(), now::get, LEASE);
    }

    GraphCatalog catalog() {
        return new GraphCatalog() {
            @Override
            public GdsStatus status() {
                return new GdsStatus(true, "test", true, "test");
            }

            @Override
            public void checkStep(String procedure, Map<String, Object> configuration) {
                throw new UnsupportedOperationException(procedure);
            }

            @Override
            public ProjectedGraph open(String user, String database, String graphName) {
                var made = projections.get(user + "/" + graphName);
                if (made == null) {
                    throw new GraphNotFound(graphName, database, List.of());
                }
                return (ProjectedGraph) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {ProjectedGraph.class},
                    (self, method, arguments) -> method.getName().equals("creationTime") ? made : null);
            }
        };
    }

    @BeforeEach
    void clear() {
        TestDatabase.clear();
    }

    /** A map that may hold null. */
    static Map<String, Object> map(Object... pairs) {
        var map = new HashMap<String, Object>();
        for (int i = 0; i < pairs.length; i += 2) {
            map.put((String) pairs[i], pairs[i + 1]);
        }
        return map;
    }

    static <T> T in(Function<Transaction, T> work) {
        try (var tx = TestDatabase.begin()) {
            var result = work.apply(tx);
            tx.commit();
            return result;
        }
    }

    static JobRequest request(String owner, String graphName) {
        return new JobRequest(owner, "shop", "{\"task\":{\"recommend\":\"Item\"}}", "best", graphName, graphName == null ? null : MADE,
            "{\"seed\":1}", null);
    }

    String submit(String owner, String graphName) {
        now.addAndGet(1); // the order of submission
        return in(tx -> jobs.submit(tx, PLACE, request(owner, graphName)));
    }

    Optional<Lease> lease(Jobs jobs, String worker) {
        return in(tx -> jobs.leases().lease(tx, PLACE, "gnn_worker", worker, "cpu"));
    }

    Lease lease(String worker) {
        return lease(jobs, worker).orElseThrow();
    }

    JobStatus report(Lease lease, Map<String, Object> report) {
        return in(tx -> jobs.leases().report(tx, PLACE, "gnn_worker", lease.jobId(), lease.token(), JobReport.parse(report)));
    }

    JobStatus status(String id) {
        return JobStatus.of(node(id).get("status"));
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> node(String id) {
        return (Map<String, Object>) query("MATCH (j:GnnJob {id: $id}) RETURN properties(j) AS p", Map.of("id", id)).get(0).get("p");
    }
}
