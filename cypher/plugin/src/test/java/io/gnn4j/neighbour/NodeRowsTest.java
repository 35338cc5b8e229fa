// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.neighbour;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Which node each row is; the files themselves are tried in ServedContractsTest. */
class NodeRowsTest {
    /** Row 0: user '7', row 1: item 'x', row 2: item '7'; the user's list is x. */
    private final NodeRows rows = new NodeRows(
        keys(), new int[] {0, 1, 1, 1}, new int[] {1}, new float[] {2});

    private static Map<String, Object[]> keys() {
        var keys = new LinkedHashMap<String, Object[]>();
        keys.put("Item", new Object[] {null, "x", "7"});
        keys.put("User", new Object[] {"7", null, null});
        return keys;
    }

    private int row(String label, long node) {
        return rows.rows(label, new long[] {node})[0];
    }

    @Test
    void digitsStandForAnIntegerKeyWhereNoNodeHasTheText() {
        rows.apply(Map.of("User", Map.of(10L, 7L), "Item", Map.of(20L, "x", 21L, "nowhere")));
        assertThat(row("User", 10)).isZero();
        assertThat(row("Item", 20)).isEqualTo(1);
        assertThat(row("Item", 21)).isEqualTo(NodeRows.NO_ROW);
        assertThat(rows.met("Item")).isEqualTo(new NodeRows.Met(2, 1, "x"));
        // The text itself comes first, whenever it comes.
        rows.apply(Map.of("User", Map.of(11L, "7")));
        assertThat(row("User", 11)).isZero();
        assertThat(row("User", 10)).isEqualTo(NodeRows.NO_ROW);
        rows.apply(Map.of("User", Map.of(12L, 7L)));
        assertThat(row("User", 12)).isEqualTo(NodeRows.NO_ROW);
    }

    @Test
    void anIdThatIsGivenToAnotherNodeMeansThatNode() {
        rows.apply(Map.of("Item", Map.of(20L, "x")));
        rows.apply(Map.of("Item", Collections.singletonMap(20L, null)));
        assertThat(rows.nodes(new int[] {1}, 1)).containsExactly(NodeRows.NO_NODE);
        rows.apply(Map.of("Item", Map.of(20L, 7L)));
        assertThat(rows.nodes(new int[] {1, 2}, 2)).containsExactly(NodeRows.NO_NODE, 20L);
    }

    @Test
    void aKeyThatMovesInOneCommitMovesWhateverTheOrder() {
        rows.apply(Map.of("Item", Map.of(20L, "x", 21L, "7")));
        rows.apply(Map.of("Item", Map.of(20L, "7", 21L, "x")));
        assertThat(rows.nodes(new int[] {1, 2}, 2)).containsExactly(21L, 20L);
    }
}
