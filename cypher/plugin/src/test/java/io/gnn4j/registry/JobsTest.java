// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import static io.gnn4j.database.TestDatabase.query;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.job.JobStatus;
import io.gnn4j.job.LeaseLost;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.neo4j.graphdb.Transaction;

/** Jobs as those see them who ask for them, and nobody else. */
class JobsTest extends JobsInDatabase {
    private void name(String user, boolean mayLoadModels) {
        in(tx -> {
            jobs.requireName(tx, PLACE, user, "best", mayLoadModels);
            return null;
        });
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
    void aSecondNodeOfAnIdHidesNothing() {
        var id = submit("alice", null);
        query("CREATE (:GnnJob {id: $id, owner: 'mallory', status: 'PENDING', attempt: 0, submittedAt: 1})", Map.of("id", id));
        var lease = lease("w1");
        assertThat(lease.jobId()).isEqualTo(id);
        assertThat(report(lease, Map.of("state", "FINISHED"))).isEqualTo(JobStatus.FINISHED);
        assertThatThrownBy(() -> in(tx -> jobs.show(tx, PLACE, "mallory", id))).hasMessageContaining("You have no job");
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
