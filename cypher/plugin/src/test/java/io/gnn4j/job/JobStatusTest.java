// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every pair of statuses against the table in docs/formats.md, written down a second time. */
class JobStatusTest {
    private static final Map<String, Set<String>> STEPS = Map.of(
        "PENDING", Set.of("RUNNING", "CANCELED", "FAILED"),
        "RUNNING", Set.of("RUNNING", "PENDING", "CANCELING", "FINISHED", "FAILED", "CANCELED"),
        "CANCELING", Set.of("CANCELING", "FINISHED", "FAILED", "CANCELED"),
        "FINISHED", Set.of(),
        "FAILED", Set.of(),
        "CANCELED", Set.of());

    @ParameterizedTest
    @CsvSource({"PENDING", "RUNNING", "CANCELING", "FINISHED", "FAILED", "CANCELED"})
    void aStepIsTakenOrRefusedAsTheTableSays(JobStatus from) {
        for (var to : JobStatus.values()) {
            if (STEPS.get(from.name()).contains(to.name())) {
                assertThat(from.to(to)).isEqualTo(to);
            } else {
                assertThatThrownBy(() -> from.to(to)).hasMessageContaining("A job that is " + from + " cannot become " + to);
            }
        }
        assertThat(from.isOver()).isEqualTo(STEPS.get(from.name()).isEmpty());
    }
}
