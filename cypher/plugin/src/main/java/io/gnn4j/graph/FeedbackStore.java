// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import io.gnn4j.feedback.FeedbackEvent;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.NotFoundException;
import org.neo4j.graphdb.RelationshipType;
import org.neo4j.graphdb.Transaction;

/** Feedback as relationships from who got a list to what stood in it. */
@SuppressWarnings({"deprecation", "removal"}) // Neo4j marks looking a node up by its id for removal
public final class FeedbackStore {
    /** Their type. */
    public static final String TYPE = "GNN_FEEDBACK";

    private static final RelationshipType FEEDBACK = RelationshipType.withName(TYPE);

    private final Transaction tx;
    private final Map<Long, Set<Key>> known = new HashMap<>();

    private record Key(Object recommendationId, Object kind, long node) {}

    /** @param recorded relationships made; duplicates: events that were there already; rejected: a node of theirs is gone */
    public record Outcome(long recorded, long duplicates, long rejected) {}

    public FeedbackStore(Transaction tx) {
        this.tx = tx;
    }

    /** @param guard throws when the call is ended */
    public Outcome record(List<FeedbackEvent> events, Runnable guard) {
        var recorded = 0L;
        var duplicates = 0L;
        var rejected = 0L;
        for (var event : events) {
            guard.run();
            var source = find(event.source());
            var node = find(event.node());
            if (source == null || node == null) {
                rejected++;
            } else if (of(source).add(new Key(event.recommendationId(), event.kind(), event.node()))) {
                write(source, node, event);
                recorded++;
            } else {
                duplicates++;
            }
        }
        return new Outcome(recorded, duplicates, rejected);
    }

    private Node find(Long id) {
        if (id == null) {
            return null;
        }
        try {
            var node = tx.getNodeById(id);
            node.getLabels(); // an entity of this transaction may have been deleted by it
            return node;
        } catch (NotFoundException gone) {
            return null;
        }
    }

    /** The lock keeps two transactions from recording one event twice: each looks only when the other has committed. */
    private Set<Key> of(Node source) {
        return known.computeIfAbsent(LiveGraph.id(source), id -> {
            tx.acquireWriteLock(source);
            var keys = new HashSet<Key>();
            try (var relationships = source.getRelationships(Direction.OUTGOING, FEEDBACK)) {
                for (var one : relationships) {
                    keys.add(new Key(one.getProperty("id", null), one.getProperty("kind", null), LiveGraph.id(one.getEndNode())));
                }
            }
            return keys;
        });
    }

    private static void write(Node source, Node node, FeedbackEvent event) {
        var relationship = source.createRelationshipTo(node, FEEDBACK);
        relationship.setProperty("id", event.recommendationId());
        relationship.setProperty("kind", event.kind());
        relationship.setProperty("at", event.at());
        if (event.rank() != null) {
            relationship.setProperty("rank", event.rank());
        }
        if (event.model() != null) {
            relationship.setProperty("model", event.model());
        }
        if (event.version() != null) {
            relationship.setProperty("version", event.version());
        }
    }
}
