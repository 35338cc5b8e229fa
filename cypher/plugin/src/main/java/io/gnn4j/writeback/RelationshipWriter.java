// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.arrow.ArrowBatch;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Relationship;
import org.neo4j.graphdb.RelationshipType;
import org.neo4j.graphdb.Transaction;

/**
 * Makes the relationships that are not there and sets the properties of all: writing the same rows twice changes nothing.
 * The source is locked before its relationships are read, so that two writers do not both make one.
 */
public record RelationshipWriter(String type, RelationshipWriteConfig config) implements BatchedWrite.Rows {
    @Override
    public WriteOutcome write(Transaction tx, ArrowBatch batch, int from, int to) {
        var rows = config.rows();
        var kind = RelationshipType.withName(type);
        var sourceLabel = config.sourceLabel() == null ? null : Label.label(config.sourceLabel());
        var targetLabel = config.targetLabel() == null ? null : Label.label(config.targetLabel());
        long created = 0;
        long written = 0;
        long missing = 0;
        long changed = 0;
        long sourceId = -1;
        Node source = null;
        Map<Long, List<Relationship>> present = Map.of();
        for (int row = from; row < to; row++) {
            if (rows.id(0, batch, row) != sourceId) {
                sourceId = rows.id(0, batch, row);
                source = StoredNodes.find(tx, sourceId);
                present = null;
            }
            var target = source == null ? null : StoredNodes.find(tx, rows.id(1, batch, row));
            if (target == null) {
                missing++;
                continue;
            }
            if (!StoredNodes.isStill(source, sourceLabel, config.sourceKey(), rows.key(0, batch, row))
                || !StoredNodes.isStill(target, targetLabel, config.targetKey(), rows.key(1, batch, row))) {
                changed++;
                continue;
            }
            if (present == null) {
                tx.acquireWriteLock(source);
                present = outgoing(source, kind);
            }
            var found = present.get(rows.id(1, batch, row));
            if (found == null) {
                found = List.of(source.createRelationshipTo(target, kind));
                created++;
            }
            for (var relationship : found) {
                StoredNodes.set(relationship, rows.columns(), batch, row);
            }
            written += rows.columns().size();
        }
        return new WriteOutcome(created, written, missing, changed, 1, 0, null);
    }

    private static Map<Long, List<Relationship>> outgoing(Node source, RelationshipType kind) {
        var found = new HashMap<Long, List<Relationship>>();
        try (var relationships = source.getRelationships(Direction.OUTGOING, kind)) {
            for (var relationship : relationships) {
                found.computeIfAbsent(StoredNodes.id(relationship.getEndNode()), id -> new ArrayList<>(1)).add(relationship);
            }
        }
        return found;
    }
}
