// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import io.gnn4j.explain.Trail;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.neo4j.graphdb.Entity;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Path;
import org.neo4j.graphdb.Relationship;
import org.neo4j.graphdb.Transaction;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;

/** A trail as Cypher knows paths; its relationships may point either way. */
public final class LivePath implements Path {
    private final List<Node> nodes;
    private final List<Relationship> relationships;

    /** @param transaction the caller's, in which nodes and relationships exist */
    public LivePath(Transaction transaction, Trail trail) {
        var entities = (InternalTransaction) transaction;
        nodes = trail.nodes().stream().<Node>map(entities::newNodeEntity).toList();
        relationships = trail.relationships().stream().<Relationship>map(entities::newRelationshipEntity).toList();
    }

    @Override
    public Node startNode() {
        return nodes.get(0);
    }

    @Override
    public Node endNode() {
        return nodes.get(nodes.size() - 1);
    }

    @Override
    public Relationship lastRelationship() {
        return relationships.isEmpty() ? null : relationships.get(relationships.size() - 1);
    }

    @Override
    public Iterable<Relationship> relationships() {
        return relationships;
    }

    @Override
    public Iterable<Relationship> reverseRelationships() {
        return relationships.reversed();
    }

    @Override
    public Iterable<Node> nodes() {
        return nodes;
    }

    @Override
    public Iterable<Node> reverseNodes() {
        return nodes.reversed();
    }

    @Override
    public int length() {
        return relationships.size();
    }

    @Override
    public Iterator<Entity> iterator() {
        var all = new ArrayList<Entity>(List.of(nodes.get(0)));
        for (int i = 0; i < relationships.size(); i++) {
            all.add(relationships.get(i));
            all.add(nodes.get(i + 1));
        }
        return all.iterator();
    }

    @Override
    public String toString() {
        return nodes + " by " + relationships;
    }
}
