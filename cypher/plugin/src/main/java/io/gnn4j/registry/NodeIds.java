// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.NotFoundException;
import org.neo4j.graphdb.Transaction;

/** The only place of this package that knows numeric node ids, whose methods Neo4j marks for removal. */
@SuppressWarnings({"deprecation", "removal"})
final class NodeIds {
    private NodeIds() {}

    static long id(Node node) {
        return node.getId();
    }

    /** @throws NotFoundException when there is no such node */
    static Node node(Transaction tx, long id) {
        return tx.getNodeById(id);
    }
}
