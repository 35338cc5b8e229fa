// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.memory.MemoryBudget.Share;
import io.gnn4j.memory.MemoryBudget.Use;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class MemoryBudgetTest {
    private static final long MB = 1 << 20;

    private final MemoryBudget budget = new MemoryBudget(() -> 10 * MB);
    private final List<String> evicted = new ArrayList<>();

    private Share reserve(String name, long megabytes) {
        return budget.reserve("vectors", name, "neo4j", null, megabytes * MB, () -> evicted.add(name));
    }

    @Test
    void theLeastRecentlyUsedGoesAndWhatIsHeldStays() {
        var a = reserve("a", 4);
        var b = reserve("b", 4);
        a.release();
        b.release();
        assertThat(a.hold()).isTrue(); // used again: now b is the oldest
        a.release();
        reserve("c", 5).release();
        assertThat(evicted).containsExactly("b");
        assertThat(b.hold()).isFalse();
        assertThat(a.hold()).isTrue();
        reserve("d", 6);
        assertThat(evicted).containsExactly("b", "c");
        assertThat(budget.uses()).containsExactly(
            new Use("vectors", "a", "neo4j", null, 4 * MB, 1), new Use("vectors", "d", "neo4j", null, 6 * MB, 1));
    }

    @Test
    void whatDoesNotFitIsRefusedWithTheNumberToSetAndNothingIsEvictedForIt() {
        reserve("a", 4);
        reserve("b", 2).release();
        assertThatThrownBy(() -> reserve("c", 7)).isInstanceOf(MemoryRefused.class).hasMessageStartingWith(
            "vectors 'c' need 7.0 MB, but server.gnn.memory.max is 10.0 MB, of which 4.0 MB are in use. Set"
                + " server.gnn.memory.max to at least 11m");
        assertThat(evicted).isEmpty();
    }

    @Test
    void whatGrowsByCommitsEvictsOthersAndItselfOnceItIsFree() {
        reserve("a", 4).release();
        var b = reserve("b", 4);
        b.resize(9 * MB);
        assertThat(evicted).containsExactly("a");
        b.resize(12 * MB); // a commit cannot be refused
        assertThat(evicted).containsExactly("a");
        b.release();
        assertThat(evicted).containsExactly("a", "b");
        assertThat(budget.total()).isZero();
    }
}
