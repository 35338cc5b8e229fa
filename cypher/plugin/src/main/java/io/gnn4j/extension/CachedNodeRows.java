// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import io.gnn4j.graph.LiveGraph;
import io.gnn4j.neighbour.NodeRows;
import io.gnn4j.neighbour.NodeRowsFile;
import io.gnn4j.registry.NodeJoin;
import io.gnn4j.registry.ServedModel;
import java.io.InputStream;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;
import org.neo4j.graphdb.event.TransactionData;

/** The weights or lists of one version, and which node each row is now. */
final class CachedNodeRows extends Cached<NodeRows, Map<String, Map<Long, Object>>> {
    private final ServedModel model;
    private final Function<Transaction, InputStream> open;
    private final Map<String, String> keys;
    private volatile NodeRows rows;

    /** @param open gives the file in a transaction */
    CachedNodeRows(ServedModel model, Function<Transaction, InputStream> open, Consumer<Cached<?, ?>> drop) {
        super(drop);
        this.model = model;
        this.open = open;
        keys = NodeRowsFile.keyProperties(model.manifest());
    }

    @Override
    String kind() {
        return NodeRowsFile.fileOf(model.manifest()).replace(".arrow", "");
    }

    @Override
    String name() {
        return model.reference();
    }

    @Override
    NodeRows value() {
        return rows;
    }

    @Override
    long bytes() {
        return rows == null ? 0 : rows.bytes();
    }

    @Override
    long estimate(Transaction committed) {
        return NodeRowsFile.bytes(model.manifest());
    }

    @Override
    void load(Transaction committed, Runnable guard) {
        var read = NodeRowsFile.read(model.manifest(), open.apply(committed), guard);
        keys.forEach((label, property) -> NodeJoin.join(committed, read, label, property, guard));
        rows = read;
    }

    @Override
    Map<String, Map<Long, Object>> read(TransactionData data) {
        var changes = new HashMap<String, Map<Long, Object>>();
        keys.forEach((label, property) -> {
            var nodes = new HashMap<Long, Object>();
            for (var node : data.deletedNodes()) {
                nodes.put(LiveGraph.id(node), null);
            }
            for (var removed : data.removedLabels()) {
                if (removed.label().name().equals(label)) {
                    nodes.put(LiveGraph.id(removed.node()), null);
                }
            }
            for (var removed : data.removedNodeProperties()) {
                if (removed.key().equals(property)) {
                    nodes.put(LiveGraph.id(removed.entity()), null);
                }
            }
            for (var assigned : data.assignedNodeProperties()) {
                if (assigned.key().equals(property) && assigned.entity().hasLabel(Label.label(label))) {
                    nodes.put(LiveGraph.id(assigned.entity()), assigned.value());
                }
            }
            for (var assigned : data.assignedLabels()) {
                if (assigned.label().name().equals(label)) {
                    put(nodes, assigned.node(), property);
                }
            }
            if (!nodes.isEmpty()) {
                changes.put(label, nodes);
            }
        });
        return changes.isEmpty() ? null : changes;
    }

    private static void put(Map<Long, Object> nodes, Node node, String property) {
        var key = node.getProperty(property, null);
        if (key != null) {
            nodes.put(LiveGraph.id(node), key);
        }
    }

    @Override
    void apply(Map<String, Map<Long, Object>> change) {
        rows.apply(change);
    }
}
