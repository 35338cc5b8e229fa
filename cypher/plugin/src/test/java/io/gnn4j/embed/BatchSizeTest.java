// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import static org.assertj.core.api.Assertions.assertThat;

import io.gnn4j.artefact.BlockSchema;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BatchSizeTest {
    private static final long MANY = 1L << 30;

    /** Items with 64 numbers that draw 15 and then 10 of each other. */
    private static BatchSize items(int nodes) {
        var x = new BlockSchema.Feature("x", BlockSchema.Encoder.VECTOR, null, 0, 64);
        var schema = new BlockSchema(
            List.of(new BlockSchema.NodeType("Item", "id", List.of(x))),
            List.of(new BlockSchema.Relation("Item", "LINK", "Item", false, List.of(), List.of(15, 10))), List.of("Item"), 2,
            new BlockSchema.Sampling(false, 0, null, null, 0));
        return new BatchSize(schema, 64, type -> nodes);
    }

    @Test
    void allNodesAreOneBatchWhereThatFitsAndOneThreadWorks() {
        assertThat(items(100_000).of(0, 1, MANY)).isEqualTo(100_000);
    }

    @Test
    void eachThreadGetsABatch() {
        assertThat(items(100_000).of(0, 2, MANY)).isEqualTo(50_000);
        assertThat(items(3).of(0, 4, MANY)).isEqualTo(1);
    }

    /** Draws of one node cost 15 + 15 * 10 neighbours and 1 + 15 vectors where nothing is shared: 181. */
    @Test
    void whatIsSharedIsCountedOnce() {
        assertThat(items(Integer.MAX_VALUE).cost(0, 1)).isBetween(180.99, 181.0);
        // All of a thousand reach all again, but for one in e^15: 1000 * (15 + 1) + 1000 * (10 + 1).
        assertThat(items(1000).cost(0, 1000)).isBetween(26_999.0, 27_000.0);
    }

    /** Nodes that one draw of 15 from n places reaches, tried out. */
    @Test
    void theNumberOfNodesReachedIsThatOfTrials() {
        int nodes = 500;
        var random = new Random(1);
        var reached = new boolean[nodes];
        for (int draw = 0; draw < 40 * 15; draw++) {
            reached[random.nextInt(nodes)] = true;
        }
        int distinct = 0;
        for (var one : reached) {
            distinct += one ? 1 : 0;
        }
        double expected = 40 * 16 + distinct * 11;
        assertThat(items(nodes).cost(0, 40)).isBetween(0.95 * expected, 1.05 * expected);
    }

    @Test
    void batchesSideBySideStayWithinTheirMemory() {
        var random = new Random(2);
        for (int i = 0; i < 200; i++) {
            int nodes = 1 + random.nextInt(1_000_000);
            int threads = 1 + random.nextInt(4);
            long most = 1L << (16 + random.nextInt(15));
            int size = items(nodes).of(0, threads, most);
            long bytes = items(nodes).bytes(0, size) * BatchSize.atOnce(nodes, size, threads);
            assertThat(size == 1 || bytes <= most).as("%d nodes, %d threads, %d bytes: %d", nodes, threads, most, size).isTrue();
        }
    }
}
