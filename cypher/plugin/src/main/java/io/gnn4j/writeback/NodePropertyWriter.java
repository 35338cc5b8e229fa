// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.arrow.ArrowBatch;
import org.neo4j.graphdb.Transaction;

/** Sets properties of nodes that are still what the client took them for. */
public record NodePropertyWriter(String label, NodePropertyWriteConfig config) implements BatchedWrite.Rows {
    private static final Object NO_KEY = new Object(); // is no node's, not that of a node without one either

    @Override
    public WriteOutcome write(Transaction tx, ArrowBatch batch, int from, int to) {
        var rows = config.rows();
        var columns = rows.columns();
        long written = 0;
        long missing = 0;
        long changed = 0;
        try (var nodes = new StillNodes(tx, label, config.key())) {
            var tokens = columns.stream().mapToInt(column -> nodes.token(column.property())).toArray();
            for (int row = from; row < to; row++) {
                long id = rows.id(0, batch, row);
                var key = rows.key(0, batch, row);
                var found = nodes.find(id, key == null ? NO_KEY : key);
                for (int c = 0; c < tokens.length && found == StillNodes.Found.SAME; c++) {
                    if (!nodes.set(id, tokens[c], columns.get(c).value(batch, row))) {
                        found = StillNodes.Found.MISSING;
                    }
                }
                switch (found) {
                    case MISSING -> missing++;
                    case CHANGED -> changed++;
                    default -> written += tokens.length;
                }
            }
        }
        return new WriteOutcome(0, written, missing, changed, 1, 0, null);
    }
}
