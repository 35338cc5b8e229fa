// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.LocalDate;
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
}
