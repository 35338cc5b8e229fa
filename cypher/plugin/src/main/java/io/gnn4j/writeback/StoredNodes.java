// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

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
}
