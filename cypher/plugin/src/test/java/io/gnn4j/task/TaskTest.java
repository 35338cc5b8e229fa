// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.config.InvalidConfiguration;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;

class TaskTest {
    @Test
    void readsWeightsDirectionsAndPathsAndCompletesDefaults() {
        var task = Task.of(Map.of(
            "recommend", "Item",
            "to", "User",
            "via", Map.of(
                "VIEW", 0.1,
                "LIKED_BY", Map.of("weight", 2L, "direction", "in"),
                "BUY", Map.of("through", List.of("PLACED", "CONTAINS"))),
            "timeProperty", "at",
            "ratings", Map.of("VIEW", "stars")));
        assertThat(task.via().get("VIEW")).isEqualTo(new Behaviour("VIEW", 0.1, false, List.of("VIEW")));
        assertThat(task.via().get("LIKED_BY")).isEqualTo(new Behaviour("LIKED_BY", 2, true, List.of("LIKED_BY")));
        assertThat(task.via().get("BUY").pathFrom(true)).containsExactly("PLACED", "CONTAINS");
        assertThat(task.via().get("BUY").pathFrom(false)).containsExactly("CONTAINS", "PLACED");
        assertThat(task.seen()).containsExactlyInAnyOrder("VIEW", "LIKED_BY", "BUY");
        assertThat(task.eventKey()).containsExactly("source", "type", "target", "at");
        assertThat(task.largestWeight()).isEqualTo(2);
    }

    @Test
    void namesAllFaultsAtOnce() {
        assertThatThrownBy(() -> Task.of(Map.of(
            "recomend", "Item",
            "to", "User",
            "via", Map.of("BUY", 0L, "ORDER", Map.of("through", List.of("PLACED"), "wieght", 1L)),
            "horizon", "P1M",
            "seen", List.of("BYU"),
            "ratings", Map.of("BUY", " "))))
            .asInstanceOf(InstanceOfAssertFactories.throwable(InvalidConfiguration.class))
            .extracting(InvalidConfiguration::faults, InstanceOfAssertFactories.list(String.class))
            .anySatisfy(fault -> assertThat(fault).isEqualTo("`recommend` is missing: name a label."))
            .anySatisfy(fault -> assertThat(fault).contains("Unknown configuration key `recomend`. Did you mean `recommend`?"))
            .anySatisfy(fault -> assertThat(fault).isEqualTo("`via.BUY` must be a weight above 0, but is 0.0."))
            .anySatisfy(fault -> assertThat(fault).startsWith("`via.ORDER.through` must list at least two"))
            .anySatisfy(fault -> assertThat(fault).contains("`via.ORDER.wieght`. Did you mean `weight`?"))
            .anySatisfy(fault -> assertThat(fault).contains("'P1M' is not a duration"))
            .anySatisfy(fault -> assertThat(fault).startsWith("`horizon` needs `timeProperty`"))
            .anySatisfy(fault -> assertThat(fault).startsWith("`seen` names 'BYU', which is not in `via`. Did you mean `BUY`?"))
            .anySatisfy(fault -> assertThat(fault).startsWith("`ratings.BUY` is empty"))
            .hasSize(9);
    }

    @Test
    void durationsHaveAFixedLength() {
        assertThat(Durations.millis("P1W2DT3H4M5.5S")).isEqualTo(((9 * 24 + 3) * 3600 + 4 * 60) * 1000L + 5500);
        assertThatThrownBy(() -> Durations.millis("PT0S")).hasMessageContaining("no time at all");
        assertThatThrownBy(() -> Durations.millis("P1Y")).hasMessageContaining("not a duration");
    }
}
