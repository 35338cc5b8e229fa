// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.task.Task;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RecommendWriteConfigTest {
    private static final Task TASK = Task.of(Map.of(
        "recommend", "Movie",
        "to", "User",
        "via", Map.of("LIKED", 1.0, "ORDERED", Map.of("through", List.of("PLACED", "CONTAINS"))),
        "alsoTypes", List.of("IN_GENRE"),
        "ratings", Map.of("RATED_LOW", "rating")));

    /** A list that is written replaces what has its type: a user's ratings would be gone. */
    @ParameterizedTest
    @ValueSource(strings = {"LIKED", "PLACED", "CONTAINS", "IN_GENRE", "RATED_LOW", "GNN_FEEDBACK"})
    void listsAreNotWrittenOverWhatTheTaskReads(String type) {
        assertThatThrownBy(() -> RecommendWriteConfig.requireFree("relationshipType", type, TASK))
            .hasMessageContaining("writing lists would delete these relationships");
    }

    @Test
    void anotherTypeIsFree() {
        assertThatCode(() -> RecommendWriteConfig.requireFree("relationshipType", "RECOMMENDED", TASK)).doesNotThrowAnyException();
    }
}
