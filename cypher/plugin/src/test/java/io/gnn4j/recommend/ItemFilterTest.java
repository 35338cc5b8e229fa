// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import static org.assertj.core.api.Assertions.assertThat;

import io.gnn4j.config.ConfigMap;
import java.lang.reflect.Proxy;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ItemFilterTest {
    @Test
    void numbersCompareByValueWhateverTheirType() {
        assertThat(ItemFilter.compare(1L, 1.0)).isZero();
        assertThat(ItemFilter.compare(3, 3.5f)).isNegative();
        assertThat(ItemFilter.compare((1L << 53) + 1, 0x1p53)).isPositive(); // equal as doubles
        assertThat(ItemFilter.compare(Double.POSITIVE_INFINITY, Long.MAX_VALUE)).isPositive();
        assertThat(ItemFilter.compare(Double.NaN, 1.0)).isNull();
    }

    @Test
    void onlyLikeComparesWithLike() {
        assertThat(ItemFilter.compare("20", 20L)).isNull();
        assertThat(ItemFilter.compare(true, 1L)).isNull();
        assertThat(ItemFilter.compare("a", 'a')).isZero();
        assertThat(ItemFilter.compare(LocalDate.of(2026, 1, 2), LocalDate.of(2026, 1, 1))).isPositive();
    }

    @Test
    void lookingUpOneOfManyMeansComparingWithEach() {
        var values = List.<Object>of(
            1L, 1.0, 1.5, 1.5f, 0.1, 0.1f, -0.0, 0, (1L << 53) + 1, 0x1p53, Long.MAX_VALUE, 0x1p63, -0x1p63, Long.MIN_VALUE,
            Double.NaN, Double.POSITIVE_INFINITY, "1", "a", 'a', true, false, LocalDate.of(2026, 1, 1), (short) 1, (byte) 2);
        for (var found : values) {
            for (var wanted : values) {
                var filter = ItemFilter.read(ConfigMap.of(Map.of("x", List.of(wanted, "never"))), node -> 0);
                var sign = ItemFilter.compare(found, wanted);
                assertThat(filter.holds(store(found), 0)).as("%s in [%s]", found, wanted).isEqualTo(sign != null && sign == 0);
            }
        }
    }

    /** Whose every node has this property. */
    private static LiveStore store(Object value) {
        return (LiveStore) Proxy.newProxyInstance(
            LiveStore.class.getClassLoader(), new Class<?>[] {LiveStore.class}, (proxy, method, arguments) -> value);
    }
}
