// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;

class ConfigMapTest {
    @Test
    void suggestsTheKeyThatWasMeant() {
        var map = ConfigMap.of(Map.of("topk", 2L));
        map.getInt("topK", 10, 1, 1_000);
        map.getString("embeddingProperty", "embedding");
        assertThatThrownBy(map::check)
            .hasMessage("Unknown configuration key `topk`. Did you mean `topK`? Allowed keys: topK, embeddingProperty.");
    }

    @Test
    void namesAllFaultsAtOnceNestedOnesToo() {
        var map = ConfigMap.of(Map.of("topK", 0L, "model", 3L, "filter", Map.of("prise", 1L), "colour", "red"));
        assertThat(map.getInt("topK", 10, 1, 1_000)).isEqualTo(10);
        map.getString("model", null);
        map.getMap("filter").getDouble("price", 0, 0, 1);
        assertThatThrownBy(map::check).isInstanceOfSatisfying(InvalidConfiguration.class, wrong -> assertThat(wrong.faults())
            .containsExactly(
                "`topK` must lie in [1, 1000], but is 0.",
                "`model` must be a STRING, but is INTEGER 3.",
                "Unknown configuration key `colour`. Allowed keys: topK, model, filter.",
                "Unknown configuration key `filter.prise`. Did you mean `price`? Allowed keys: price."));
    }

    @Test
    void refusesNaNAndAcceptsWholeNumbersWhereARealOneIsAsked() {
        var map = ConfigMap.of(Map.of("decay", Double.NaN, "weight", 1L));
        assertThat(map.getDouble("weight", 0, 0, 1)).isEqualTo(1.0);
        map.getDouble("decay", 0.5, 0, 1);
        assertThatThrownBy(map::check).hasMessage("`decay` must lie in [0.0, 1.0], but is NaN.");
    }

    @Test
    void nullMapAndNullValuesMeanTheDefaults() {
        var map = ConfigMap.of(null);
        assertThat(map.getChoice("method", "vector", java.util.List.of("vector", "walk"))).isEqualTo("vector");
        map.check();
    }
}
