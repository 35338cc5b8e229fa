// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import static io.gnn4j.database.TestDatabase.query;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.database.TestDatabase;
import io.gnn4j.graph.GraphCatalog;
import io.gnn4j.graph.GraphNotFound;
import io.gnn4j.graph.ProjectedGraph;
import io.gnn4j.job.JobKey;
import io.gnn4j.job.JobReport;
import io.gnn4j.job.JobRequest;
import io.gnn4j.job.JobStatus;
import io.gnn4j.job.Lease;
import io.gnn4j.job.LeaseLost;
import io.gnn4j.job.ScheduleInfo;
import io.gnn4j.pipeline.TrainConfig;
import io.gnn4j.registry.Jobs.Place;
import java.lang.reflect.Proxy;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.neo4j.graphdb.Transaction;

/** Jobs in a real database, with a clock that stands still unless it is moved. */
class JobsTest {
    private static final long LEASE = 60_000;
    private static final Place PLACE = new Place(UUID.randomUUID(), "neo4j");
    private static final JobKey KEY = JobKey.temporary();
    private static final ZonedDateTime MADE = ZonedDateTime.parse("2026-11-21T10:00:00Z");

    private final AtomicLong now = new AtomicLong(1_000_000);
    /** Creation times by owner and name. */
    private final Map<String, ZonedDateTime> projections = new HashMap<>();
    private final Jobs jobs = fresh();

    /** As the server has it after a restart. */
    private Jobs fresh() {
        return new Jobs(KEY, catalog(), now::get, LEASE);
    }

    private GraphCatalog catalog() {
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
    private static Map<String, Object> map(Object... pairs) {
        var map = new HashMap<String, Object>();
        for (int i = 0; i < pairs.length; i += 2) {
            map.put((String) pairs[i], pairs[i + 1]);
        }
        return map;
    }

    private static <T> T in(Function<Transaction, T> work) {
        try (var tx = TestDatabase.begin()) {
            var result = work.apply(tx);
            tx.commit();
            return result;
        }
    }

    private static JobRequest request(String owner, String graphName) {
        return new JobRequest(owner, "shop", "{\"task\":{\"recommend\":\"Item\"}}", "best", graphName, graphName == null ? null : MADE,
            "{\"seed\":1}", null);
    }

    private String submit(String owner, String graphName) {
        now.addAndGet(1); // the order of submission
        return in(tx -> jobs.submit(tx, PLACE, request(owner, graphName)));
    }

    private Optional<Lease> lease(Jobs jobs, String worker) {
        return in(tx -> jobs.leases().lease(tx, PLACE, "gnn_worker", worker, "cpu"));
    }

    private Lease lease(String worker) {
        return lease(jobs, worker).orElseThrow();
    }

    private JobStatus report(Lease lease, Map<String, Object> report) {
        return in(tx -> jobs.leases().report(tx, PLACE, "gnn_worker", lease.jobId(), lease.token(), JobReport.parse(report)));
    }

    private JobStatus status(String id) {
        return JobStatus.of(node(id).get("status"));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> node(String id) {
        return (Map<String, Object>) query("MATCH (j:GnnJob {id: $id}) RETURN properties(j) AS p", Map.of("id", id)).get(0).get("p");
    }

    @Test
    void aJobGoesFromSubmissionToItsEndAndSaysSo() {
        var id = submit("alice", null);
        assertThat(in(tx -> jobs.show(tx, PLACE, "alice", id)).message()).contains("none is alive").contains("gnn4j server start --worker");
        var lease = lease("w1");
        assertThat(lease.jobId()).isEqualTo(id);
        assertThat(lease.attempt()).isEqualTo(1);
        assertThat(lease.millis()).isEqualTo(LEASE);
        assertThat(lease.job()).containsEntry("owner", "alice").containsEntry("modelName", "best").containsEntry("graphName", null)
            .containsEntry("configuration", Map.of("seed", 1L)).containsEntry("checkpointFrom", 0L)
            .containsEntry("pipeline", Map.of("task", Map.of("recommend", "Item")));
        assertThat(report(lease, Map.of("progress", 0.5, "epoch", 3L, "metrics", Map.of("loss", 0.25),
            "log", List.of(Map.of("level", "INFO", "message", "epoch 3"))))).isEqualTo(JobStatus.RUNNING);
        var seen = in(tx -> jobs.show(tx, PLACE, "alice", id));
        assertThat(seen.progress()).isEqualTo(0.5);
        assertThat(seen.epoch()).isEqualTo(3);
        assertThat(seen.metrics()).isEqualTo(Map.of("loss", 0.25));
        assertThat(report(lease, Map.of("state", "FINISHED", "modelInfo", Map.of("modelName", "best")))).isEqualTo(JobStatus.FINISHED);
        assertThat(report(lease, Map.of("state", "FINISHED"))).as("the answer may be lost: said twice").isEqualTo(JobStatus.FINISHED);
        var done = in(tx -> jobs.show(tx, PLACE, "alice", id));
        assertThat(done.status()).isEqualTo(JobStatus.FINISHED);
        assertThat(done.progress()).isEqualTo(1.0);
        assertThat(done.modelInfo()).isEqualTo(Map.of("modelName", "best"));
        assertThat(done.finishedAt()).isEqualTo(now.get());
        assertThat(in(tx -> jobs.log(tx, PLACE, "alice", id, 10)).stream().map(JobLog.Line::message))
            .containsExactly("Taken by worker 'w1', attempt 1 of 3.", "epoch 3", "FINISHED.");
        assertThat(in(tx -> jobs.log(tx, PLACE, "alice", id, 1)).stream().map(JobLog.Line::message)).containsExactly("FINISHED.");
        assertThatThrownBy(() -> report(lease, Map.of("progress", 0.1))).isInstanceOf(LeaseLost.class)
            .hasMessageStartingWith("lease lost:");
        assertThat(lease(jobs, "w1")).isEmpty();
    }

    @Test
    void theJobThatWaitsLongestGoesFirst() {
        var first = submit("alice", null);
        var second = submit("bob", null);
        assertThat(lease("w1").jobId()).isEqualTo(first);
        assertThat(lease("w2").jobId()).isEqualTo(second);
        assertThat(lease(jobs, "w3")).isEmpty();
    }

    @Test
    void anExpiredLeaseGoesToTheNextWorkerAndTheOldOneIsToldSo() {
        var id = submit("alice", null);
        var old = lease("w1");
        report(old, Map.of("epoch", 7L, "modelVersion", 4L));
        now.addAndGet(LEASE);
        assertThat(lease(jobs, "w2")).as("the last millisecond still counts").isEmpty();
        now.addAndGet(1);
        assertThat(in(tx -> jobs.show(tx, PLACE, "alice", id)).message()).contains("not heard of in time");
        var next = lease("w2");
        assertThat(next.attempt()).isEqualTo(2);
        assertThat(next.job()).containsEntry("checkpointFrom", 7L).containsEntry("modelVersion", 4L);
        assertThatThrownBy(() -> report(old, Map.of())).isInstanceOf(LeaseLost.class);
        assertThatThrownBy(() -> report(next, Map.of("modelVersion", 5L))).hasMessageContaining("has claimed version 4");
        assertThat(report(next, Map.of("modelVersion", 4L))).isEqualTo(JobStatus.RUNNING);
    }

    @Test
    void aReportRenewsTheLease() {
        submit("alice", null);
        var lease = lease("w1");
        for (int i = 0; i < 3; i++) {
            now.addAndGet(LEASE - 1);
            assertThat(report(lease, Map.of())).isEqualTo(JobStatus.RUNNING);
            assertThat(lease(jobs, "w2")).isEmpty();
        }
    }

    @Test
    void theFourthWorkerGetsAJobThatThreeLostNoMore() {
        var id = submit("alice", null);
        for (int attempt = 1; attempt <= 3; attempt++) {
            assertThat(lease("w" + attempt).attempt()).isEqualTo(attempt);
            now.addAndGet(LEASE + 1);
        }
        assertThat(lease(jobs, "w4")).isEmpty();
        assertThat(node(id)).containsEntry("status", "FAILED");
        assertThat((String) node(id).get("message")).contains("begun 3 times").contains("'w3'");
    }

    @Test
    void aJobThatIsHandedBackGoesToTheNextWorkerAtOnce() {
        submit("alice", null);
        var first = lease("w1");
        assertThat(report(first, Map.of("state", "PENDING", "message", "stopped"))).isEqualTo(JobStatus.PENDING);
        assertThatThrownBy(() -> report(first, Map.of())).isInstanceOf(LeaseLost.class);
        assertThat(lease("w2").attempt()).isEqualTo(2);
    }

    @Test
    void cancellingAsksAWorkerAndDoesNotWaitForOneThatIsGone() {
        var pending = submit("alice", null);
        assertThat(in(tx -> jobs.cancel(tx, PLACE, "alice", pending)).status()).isEqualTo(JobStatus.CANCELED);
        assertThat(lease(jobs, "w1")).isEmpty();

        var running = submit("alice", null);
        var lease = lease("w1");
        assertThat(in(tx -> jobs.cancel(tx, PLACE, "alice", running)).status()).isEqualTo(JobStatus.CANCELING);
        assertThat(report(lease, Map.of("progress", 0.9))).isEqualTo(JobStatus.CANCELING);
        assertThat(in(tx -> jobs.cancel(tx, PLACE, "alice", running)).status()).isEqualTo(JobStatus.CANCELING);
        assertThat(report(lease, Map.of("state", "CANCELED"))).isEqualTo(JobStatus.CANCELED);

        var orphan = submit("alice", null);
        lease("w1");
        in(tx -> jobs.cancel(tx, PLACE, "alice", orphan));
        now.addAndGet(LEASE + 1);
        assertThat(lease(jobs, "w2")).isEmpty();
        assertThat(status(orphan)).isEqualTo(JobStatus.CANCELED);

        var lost = submit("alice", null);
        lease("w1");
        now.addAndGet(LEASE + 1);
        assertThat(in(tx -> jobs.cancel(tx, PLACE, "alice", lost)).status()).isEqualTo(JobStatus.CANCELED);

        var finished = submit("alice", null);
        report(lease("w1"), Map.of("state", "FINISHED"));
        assertThatThrownBy(() -> in(tx -> jobs.cancel(tx, PLACE, "alice", finished))).hasMessageContaining("is FINISHED already");
    }

    @Test
    void aWorkerMayNotCancelWhatNobodyAskedToCancelAndFailsWithAReasonOnly() {
        submit("alice", null);
        var lease = lease("w1");
        assertThatThrownBy(() -> report(lease, Map.of("state", "CANCELED"))).hasMessageContaining("Nobody asked to cancel");
        assertThatThrownBy(() -> report(lease, Map.of("state", "FAILED"))).hasMessageContaining("needs a `message`");
        assertThatThrownBy(() -> report(lease, Map.of("progres", 0.1, "epoch", -1L)))
            .hasMessageContaining("Did you mean `progress`?").hasMessageContaining("`epoch` must lie in");
        assertThat(report(lease, Map.of("state", "FAILED", "message", "no memory"))).isEqualTo(JobStatus.FAILED);
    }

    @Test
    void ofManyWorkersThatAskAtOnceOneGetsTheJob() throws Exception {
        var ids = List.of(submit("alice", null), submit("alice", null), submit("bob", null));
        var barrier = new CyclicBarrier(6);
        var asked = java.util.stream.IntStream.range(0, 6).mapToObj(worker -> CompletableFuture.supplyAsync(() -> {
            await(barrier);
            return lease(jobs, "w" + worker);
        }, task -> new Thread(task).start())).toList();
        var got = new java.util.ArrayList<String>();
        for (var one : asked) {
            one.get(120, TimeUnit.SECONDS).ifPresent(lease -> got.add(lease.jobId()));
        }
        assertThat(got).containsExactlyInAnyOrderElementsOf(ids);
    }

    private static void await(CyclicBarrier barrier) {
        try {
            barrier.await(60, TimeUnit.SECONDS);
        } catch (Exception broken) {
            throw new IllegalStateException(broken);
        }
    }

    @Test
    void whatAWorkerWritesWithItsReportIsWrittenAsItsHolderOrNotAtAll() {
        submit("alice", null);
        var old = lease("w1");
        now.addAndGet(LEASE + 1);
        lease("w2");
        assertThatThrownBy(() -> in(tx -> {
            tx.execute("CREATE (:Orphan)").close();
            return jobs.leases().report(tx, PLACE, "gnn_worker", old.jobId(), old.token(), JobReport.parse(Map.of()));
        })).isInstanceOf(LeaseLost.class);
        assertThat(query("MATCH (o:Orphan) RETURN count(o) AS n")).containsExactly(Map.of("n", 0L));
    }

    @Test
    void aProjectionOpensForTheWorkerOfItsJobAlone() {
        projections.put("alice/shop", MADE);
        var id = submit("alice", "shop");
        var lease = lease("w1");
        assertThat(open(lease, lease.token(), "shop").orElseThrow().owner()).isEqualTo("alice");
        assertThat(open(lease, lease.token(), "other")).as("another name is one of the worker's own").isEmpty();
        assertThatThrownBy(() -> open(lease, KEY.token(1), "shop")).isInstanceOf(LeaseLost.class);
        now.addAndGet(LEASE + 1);
        assertThatThrownBy(() -> open(lease, lease.token(), "shop")).isInstanceOf(LeaseLost.class).hasMessageContaining("ran out");
        report(lease, Map.of());
        projections.put("alice/shop", MADE.plusSeconds(1));
        assertThatThrownBy(() -> open(lease, lease.token(), "shop")).hasMessageContaining("is another one")
            .hasMessageContaining("Project again and train");
        projections.clear();
        assertThatThrownBy(() -> open(lease, lease.token(), "shop")).hasMessageContaining("was dropped")
            .hasMessageContaining("Project again and train");
        projections.put("alice/shop", MADE);
        report(lease, Map.of("state", "FINISHED"));
        assertThatThrownBy(() -> open(lease, lease.token(), "shop")).isInstanceOf(LeaseLost.class);
        assertThat(jobs.grants().of(PLACE.id(), id)).isPresent();
        lease(jobs, "w1");
        assertThat(jobs.grants().of(PLACE.id(), id)).as("the next lease forgets what is over").isEmpty();
    }

    @Test
    void aWorkerReportsWhileACallOfItsReadsTheProjection() throws Exception {
        projections.put("alice/shop", MADE);
        submit("alice", "shop");
        var lease = lease("w1");
        try (var call = TestDatabase.begin()) {
            assertThat(jobs.leases().open(call, PLACE, lease.jobId(), lease.token(), "shop")).isPresent();
            // The heartbeat first, then a transaction that the call writes in: neither may wait for the call to end.
            var reported = CompletableFuture.supplyAsync(() -> report(lease, Map.of("progress", 0.5)));
            assertThat(reported.get(60, TimeUnit.SECONDS)).isEqualTo(JobStatus.RUNNING);
            var written = CompletableFuture.supplyAsync(
                () -> in(tx -> jobs.leases().requireAlive(tx, PLACE, lease.jobId(), lease.token()).getElementId()));
            assertThat(written.get(60, TimeUnit.SECONDS)).isNotNull();
        }
    }

    private Optional<io.gnn4j.job.Grants.Grant> open(Lease lease, String token, String graphName) {
        return in(tx -> jobs.leases().open(tx, PLACE, lease.jobId(), token, graphName));
    }

    @Test
    void aJobWhoseProjectionIsGoneFailsAtItsLease() {
        projections.put("alice/a", MADE.plusNanos(1));
        projections.put("alice/c", MADE);
        var anew = submit("alice", "a");
        var dropped = submit("alice", "b");
        var whole = submit("alice", "c");
        assertThat(lease("w1").jobId()).isEqualTo(whole);
        assertThat(node(anew)).containsEntry("status", "FAILED");
        assertThat((String) node(anew).get("message")).endsWith("Project again and train.");
        assertThat((String) node(dropped).get("message")).isEqualTo("The projection 'b' was dropped. Project again and train.");
    }

    @Test
    void aRestartEndsJobsOnProjectionsAndNoOthers() {
        projections.put("alice/shop", MADE);
        var projected = submit("alice", "shop");
        var own = submit("alice", null);
        var running = submit("bob", null);
        in(tx -> jobs.cancel(tx, PLACE, "alice", own));
        var restarted = fresh();
        var lease = lease(restarted, "w1").orElseThrow();
        assertThat(lease.jobId()).isEqualTo(running);
        assertThat((String) node(projected).get("message")).contains("restart").endsWith("Project again and train.");
        var after = in(tx -> fresh().leases().report(tx, PLACE, "gnn_worker", lease.jobId(), lease.token(), JobReport.parse(Map.of())));
        assertThat(after).as("a worker that outlives the server goes on").isEqualTo(JobStatus.RUNNING);
    }

    @Test
    void aForgedOrChangedJobGivesAWorkerNothing() {
        projections.put("alice/shop", MADE);
        query("CREATE (:GnnJob {id: 'forged', owner: 'alice', status: 'PENDING', pipeline: 'p', frozen: '{}', modelName: 'm',"
            + " graphName: 'shop', graphCreatedAt: $made, configuration: '{}', attempt: 0, submittedAt: 1, seal: 'ab'})",
            Map.of("made", MADE.toString()));
        var real = submit("alice", "shop");
        query("MATCH (j:GnnJob {id: $id}) SET j.frozen = '{\"task\":{}}'", Map.of("id", real));
        var changedOwner = submit("mallory", null);
        query("MATCH (j:GnnJob {id: $id}) SET j.owner = 'alice'", Map.of("id", changedOwner));
        assertThat(lease(jobs, "w1")).isEmpty();
        for (var id : List.of("forged", real, changedOwner)) {
            assertThat(node(id)).containsEntry("status", "FAILED");
            assertThat((String) node(id).get("message")).contains("not made by gnn.pipeline.train of this server");
        }
    }

    @Test
    void aTokenHashOfOnesOwnOpensNothing() {
        projections.put("alice/shop", MADE);
        submit("alice", "shop");
        var lease = lease("w1");
        var mine = "1-00000000000000000000000000000000";
        query("MATCH (j:GnnJob {id: $id}) SET j.tokenHash = $hash", Map.of("id", lease.jobId(),
            "hash", io.gnn4j.artefact.Hash.sha256(mine.getBytes(java.nio.charset.StandardCharsets.UTF_8))));
        assertThatThrownBy(() -> open(lease, mine, "shop")).isInstanceOf(LeaseLost.class);
        assertThatThrownBy(() -> open(lease, lease.token(), "shop")).isInstanceOf(LeaseLost.class);
    }

    @Test
    void aSecondNodeOfAnIdHidesNothing() {
        var id = submit("alice", null);
        query("CREATE (:GnnJob {id: $id, owner: 'mallory', status: 'PENDING', attempt: 0, submittedAt: 1})", Map.of("id", id));
        var lease = lease("w1");
        assertThat(lease.jobId()).isEqualTo(id);
        assertThat(report(lease, Map.of("state", "FINISHED"))).isEqualTo(JobStatus.FINISHED);
        assertThatThrownBy(() -> in(tx -> jobs.show(tx, PLACE, "mallory", id))).hasMessageContaining("You have no job");
    }

    private static final String TASK = "{\"name\":\"shop\",\"task\":{\"recommend\":\"Item\",\"to\":\"User\",\"via\":{\"BUY\":1.0}}}";

    private String schedule(String every, Long afterEvents) {
        var config = TrainConfig.parse(map("pipeline", "shop", "modelName", "best", "every", every, "afterEvents", afterEvents));
        return in(tx -> jobs.schedule(tx, PLACE,
            new JobRequest("alice", "shop", TASK, "best", null, null, "{}", "shop/best"), config));
    }

    private List<ScheduleInfo> schedules(String user) {
        return in(tx -> jobs.schedules(tx, PLACE, user));
    }

    private Optional<ScheduleInfo> cancelSchedule(String user) {
        return in(tx -> jobs.cancelSchedule(tx, PLACE, user, "shop/best"));
    }

    @Test
    void aScheduleKeepsItsRhythmHasOneOpenJobAndCatchesUpOnce() {
        var start = now.get();
        var first = schedule("PT10M", null);
        var lease = lease("w1");
        assertThat(lease.jobId()).isEqualTo(first);
        now.set(start + 3_700_000);
        assertThat(lease(jobs, "w2").orElseThrow().jobId()).as("its lease ran out; due, but open").isEqualTo(first);
        query("MATCH (j:GnnJob {id: $id}) SET j.status = 'FINISHED'", Map.of("id", first));
        var caughtUp = lease("w1");
        assertThat(caughtUp.jobId()).isNotEqualTo(first);
        report(caughtUp, Map.of("state", "FINISHED"));
        assertThat(lease(jobs, "w1")).as("six times were missed, one job made up for them").isEmpty();
        now.set(start + 4_199_999);
        assertThat(lease(jobs, "w1")).isEmpty();
        now.set(start + 4_200_000);
        assertThat(lease(jobs, "w1")).as("the seventh ten minutes after the start").isPresent();
    }

    @Test
    void aScheduleThatSomebodyWroteOrChangedMakesNoJob() {
        var first = schedule("PT10M", null);
        report(lease("w1"), Map.of("state", "FINISHED"));
        query("CREATE (:GnnSchedule {owner: 'alice', name: 'x', every: 'nonsense', lastRun: 0, frozen: 'broken', afterEvents: 'a'})");
        query("MATCH (s:GnnSchedule {name: 'shop/best'}) SET s.every = 'PT1S'");
        now.addAndGet(86_400_000);
        assertThat(lease(jobs, "w1")).isEmpty();
        assertThat(schedules("alice")).hasSize(2).allSatisfy(shown ->
            assertThat(shown.message()).startsWith("This schedule was changed by hand and makes no job any more."));
        assertThat(in(tx -> jobs.list(tx, "alice")).stream().map(job -> job.id())).containsExactly(first);
    }

    @Test
    void aNewScheduleOfTheSamePipelineAndModelTakesThePlaceOfTheOldAndADropEndsIt() {
        schedule("PT10M", null);
        schedule(null, 5L);
        assertThat(query("MATCH (s:GnnSchedule) RETURN s.every AS every, s.afterEvents AS after"))
            .containsExactly(map("every", null, "after", 5L));
        in(tx -> {
            jobs.endSchedules(tx, "bob", "shop");
            return null;
        });
        assertThat(query("MATCH (s:GnnSchedule) RETURN s")).hasSize(1);
        in(tx -> {
            jobs.endSchedules(tx, "alice", "shop");
            return null;
        });
        assertThat(query("MATCH (s:GnnSchedule) RETURN s")).isEmpty();
    }

    @Test
    void aScheduleIsShownWithWhatItWaitsForAndEndsAlone() {
        var start = now.get();
        var first = schedule("PT10M", null);
        now.addAndGet(150_000);
        var shown = schedules("alice");
        assertThat(shown).singleElement().satisfies(one -> {
            assertThat(one.name()).isEqualTo("shop/best");
            assertThat(one.progress()).isEqualTo(0.25);
            assertThat(one.timeLeftMillis()).isEqualTo(450_000);
            assertThat(one.message()).startsWith("Trains again at " + Instant.ofEpochMilli(start + 600_000) + ", and when job '" + first
                + "' is over (every PT10M).").contains("No worker is alive to do so").endsWith("CALL gnn.job.cancel('shop/best') ends it.");
        });
        assertThat(in(tx -> jobs.show(tx, PLACE, "alice", first)).message()).contains("It is one of the schedule 'shop/best'");
        report(lease("w1"), Map.of("state", "FINISHED"));
        assertThat(in(tx -> jobs.schedule(tx, PLACE, "alice", "shop/best")).orElseThrow().message())
            .isEqualTo("Trains again at " + Instant.ofEpochMilli(start + 600_000) + " (every PT10M). CALL gnn.job.cancel('shop/best')"
                + " ends it.");
        List<JobLog.Line> lines = in(tx -> jobs.log(tx, PLACE, "alice", "shop/best", 10));
        assertThat(lines).extracting(JobLog.Line::message)
            .containsExactly("Taken by worker 'w1', attempt 1 of 3.", "FINISHED.");

        assertThat(schedules("bob")).isEmpty();
        assertThat(cancelSchedule("bob")).isEmpty();
        assertThat(cancelSchedule("alice")).isPresent();
        assertThat(cancelSchedule("alice")).isEmpty();
        now.addAndGet(600_000);
        assertThat(lease(jobs, "w1")).isEmpty();
        assertThat(in(tx -> jobs.list(tx, "alice")).stream().map(job -> job.id())).containsExactly(first);
    }

    @Test
    void jobsOnOneProjectionHangOnOneNodeAndAWorkersOwnIsNamedAfterItsJob() {
        projections.put("alice/g", MADE);
        var first = submit("alice", "g");
        var second = submit("alice", "g");
        var own = submit("alice", null);
        assertThat(query("MATCH (p:GnnProjection)-[:READ_BY]->(j:GnnJob) WITH p, j ORDER BY j.submittedAt RETURN p.owner AS owner,"
            + " p.name AS name, p.createdAt AS at, collect(j.id) AS jobs ORDER BY name"))
            .containsExactly(map("owner", "alice", "name", "g", "at", MADE.toString(), "jobs", List.of(first, second)),
                map("owner", "alice", "name", "gnn_job_" + own, "at", null, "jobs", List.of(own)));
    }

    @Test
    void aNameThatAnotherIsTrainingOrThatWasThereBeforeIsTaken() {
        submit("alice", null);
        for (var may : List.of(true, false)) {
            assertThatThrownBy(() -> name("bob", may)).hasMessageContaining("another user's job is training it");
        }
        report(lease("w1"), Map.of("state", "FINISHED"));
        name("bob", false);
        query("CREATE (:GnnModel {name: 'best', version: 1, state: 'ready'})");
        name("alice", false);
        name("bob", true);
        assertThatThrownBy(() -> name("bob", false)).hasMessageContaining("no job of yours made it");
        // A job node that bob wrote himself proves nothing.
        query("CREATE (:GnnJob {id: 'x', owner: 'bob', status: 'FINISHED', modelName: 'best'})");
        assertThatThrownBy(() -> name("bob", false)).hasMessageContaining("no job of yours made it");
    }

    private void name(String user, boolean mayLoadModels) {
        in(tx -> {
            jobs.requireName(tx, PLACE, user, "best", mayLoadModels);
            return null;
        });
    }

    @Test
    void nobodySeesOrCancelsTheJobsOfAnother() {
        var id = submit("alice", null);
        lease("w1");
        var bobs = in(tx -> jobs.list(tx, "bob"));
        assertThat(bobs).isEmpty();
        var alices = in(tx -> jobs.list(tx, "alice"));
        assertThat(alices).hasSize(1);
        for (Function<Transaction, Object> call : List.<Function<Transaction, Object>>of(
                tx -> jobs.show(tx, PLACE, "bob", id), tx -> jobs.cancel(tx, PLACE, "bob", id), tx -> jobs.log(tx, PLACE, "bob", id, 5))) {
            assertThatThrownBy(() -> in(call)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("You have no job '" + id + "'. You have no jobs: gnn.pipeline.train makes one.");
        }
        assertThat(in(tx -> jobs.workers(tx, "alice")).get(0).jobId()).isEqualTo(id);
        assertThat(in(tx -> jobs.workers(tx, "bob")).get(0).jobId()).isNull();
    }

    @Test
    void workersAreNotedAndForgottenAfterADay() {
        lease(jobs, "w1");
        now.addAndGet(5_000);
        lease(jobs, "w1");
        assertThat(in(tx -> jobs.workers(tx, "alice")).get(0).lastSeen()).as("an idle worker is not written at every call")
            .isEqualTo(now.get() - 5_000);
        now.addAndGet(86_400_001);
        lease(jobs, "w2");
        assertThat(in(tx -> jobs.workers(tx, "alice")).stream().map(worker -> worker.worker())).containsExactly("w2");
    }
}
