// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class InteractionsTest {
    @Test
    void whatIsLookedAtNowIsNewestWhetherTimesWereReadOrNot() {
        var untimed = new Interactions(new long[] {1, 2, 3}, new double[] {1, 0.1, 1}, null, true).and(new long[] {9, 2, 8, 2}, 0.5);
        assertThat(untimed.newest(3).ids()).containsExactly(2, 8, 9);
        assertThat(untimed.newestFirst().ids()).containsExactly(2, 8, 9, 1, 3);
        assertThat(untimed.newestFirst().weights()).containsExactly(0.5, 0.5, 0.5, 1, 1);
        assertThat(untimed.truncated()).isTrue();
        var timed = new Interactions(new long[] {1, 2}, new double[] {1, 2}, new long[] {50, 40}, false).and(new long[] {2}, 1);
        assertThat(timed.newestFirst().ids()).containsExactly(2, 1);
        assertThat(timed.newestFirst().weights()).containsExactly(2, 1);
    }
}
