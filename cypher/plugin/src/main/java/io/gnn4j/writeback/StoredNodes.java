// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import io.gnn4j.arrow.ArrowBatch;
import java.util.List;
import org.neo4j.graphdb.Entity;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.NotFoundException;
import org.neo4j.graphdb.Transaction;

/** The one place of this package that knows numeric ids of stored nodes, whose methods Neo4j marks for removal. */
@SuppressWarnings({"deprecation", "removal"})
final class StoredNodes {
    private StoredNodes() {}

    /** Null where there is no such node, or the user may not see it. */
    static Node find(Transaction tx, long id) {
        try {
            return tx.getNodeById(id);
        } catch (NotFoundException gone) {
            return null;
        }
    }

    static long id(Node node) {
        return node.getId();
    }

    /**
     * Whether an id still means the node the client knew.
     *
     * @param label null asks for none
     * @param keyProperty null compares no key
     */
    static boolean isStill(Node node, Label label, String keyProperty, Object key) {
        return (label == null || node.hasLabel(label))
            && (keyProperty == null || sameKey(node.getProperty(keyProperty, null), key));
    }

    private static boolean sameKey(Object stored, Object sent) {
        return stored instanceof Number number && !(stored instanceof Double) && !(stored instanceof Float)
            ? sent instanceof Long whole && whole == number.longValue()
            : stored != null && stored.equals(sent);
    }

    /** Sets the properties of one row; null removes. */
    static void set(Entity entity, List<PropertyRows.Column> columns, ArrowBatch batch, int row) {
        for (var column : columns) {
            var value = column.value(batch, row);
            if (value == null) {
                entity.removeProperty(column.property());
            } else {
                entity.setProperty(column.property(), value);
            }
        }
    }
}
