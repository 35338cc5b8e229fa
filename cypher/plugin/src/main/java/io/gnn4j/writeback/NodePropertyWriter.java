// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.arrow.ArrowBatch;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Transaction;

/** Sets properties of nodes that are still what the client took them for. */
public record NodePropertyWriter(String label, NodePropertyWriteConfig config) implements BatchedWrite.Rows {
    @Override
    public WriteOutcome write(Transaction tx, ArrowBatch batch, int from, int to) {
        var rows = config.rows();
        var required = Label.label(label);
        long written = 0;
        long missing = 0;
        long changed = 0;
        for (int row = from; row < to; row++) {
            var node = StoredNodes.find(tx, rows.id(0, batch, row));
            if (node == null) {
                missing++;
            } else if (!StoredNodes.isStill(node, required, config.key(), rows.key(0, batch, row))) {
                changed++;
            } else {
                StoredNodes.set(node, rows.columns(), batch, row);
                written += rows.columns().size();
            }
        }
        return new WriteOutcome(0, written, missing, changed, 1, 0, null);
    }
}
