// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import static io.gnn4j.database.TestDatabase.query;
import static org.assertj.core.api.Assertions.assertThat;

import io.gnn4j.job.JobRequest;
import io.gnn4j.job.ScheduleInfo;
import io.gnn4j.pipeline.TrainConfig;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Training that comes again: its rhythm, its place, its end. */
class SchedulesTest extends JobsInDatabase {
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
}
