// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import static io.gnn4j.database.TestDatabase.query;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.database.TestDatabase;
import io.gnn4j.job.Grants.Grant;
import io.gnn4j.job.JobReport;
import io.gnn4j.job.JobStatus;
import io.gnn4j.job.Lease;
import io.gnn4j.job.LeaseLost;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What workers are given, for how long, and what they may do with it. */
class JobLeasesTest extends JobsInDatabase {
    private static void await(CyclicBarrier barrier) {
        try {
            barrier.await(60, TimeUnit.SECONDS);
        } catch (Exception broken) {
            throw new IllegalStateException(broken);
        }
    }

    private Optional<Grant> open(Lease lease, String token, String graphName) {
        return in(tx -> jobs.leases().open(tx, PLACE, lease.jobId(), token, graphName));
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
}
