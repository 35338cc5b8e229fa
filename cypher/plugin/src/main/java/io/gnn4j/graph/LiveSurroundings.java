// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import io.gnn4j.config.Suggestion;
import io.gnn4j.explain.Surroundings;
import io.gnn4j.explain.Trail;
import io.gnn4j.task.Behaviour;
import io.gnn4j.task.Task;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.eclipse.collections.api.set.primitive.LongSet;
import org.eclipse.collections.impl.map.mutable.primitive.IntDoubleHashMap;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.Transaction;
import org.neo4j.internal.kernel.api.NodeCursor;
import org.neo4j.internal.kernel.api.Read;
import org.neo4j.internal.kernel.api.RelationshipTraversalCursor;
import org.neo4j.internal.kernel.api.TokenRead;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;
import org.neo4j.storageengine.api.RelationshipSelection;

/** {@link Surroundings} as one transaction sees them. Not safe for several threads: transactions are not. */
public final class LiveSurroundings implements Surroundings, AutoCloseable {
    private final Read read;
    private final TokenRead tokens;
    private final NodeCursor node;
    private final RelationshipTraversalCursor relationship;
    private final int maxDegree;
    private final int[] types;
    private final IntDoubleHashMap weights = new IntDoubleHashMap();
    private boolean closed;

    /**
     * @param transaction the caller's
     * @param only types that are followed; null: all but gnn4j's own ({@code GNN_*}, {@code RECOMMENDED})
     * @param maxDegree a type of which a node has more relationships is passed over there
     * @throws IllegalArgumentException for a type that the database does not know
     */
    public LiveSurroundings(Transaction transaction, Task task, Collection<String> only, int maxDegree) {
        var kernel = ((InternalTransaction) transaction).kernelTransaction();
        read = kernel.dataRead();
        tokens = kernel.tokenRead();
        this.maxDegree = maxDegree;
        types = types(only);
        var largest = task.largestWeight();
        for (var behaviour : task.via().values()) {
            if (behaviour.path().size() == 1) {
                var type = tokens.relationshipType(behaviour.path().get(0));
                weights.put(type, Math.max(weights.getIfAbsent(type, 0), behaviour.weight() / largest));
            }
        }
        node = kernel.cursors().allocateNodeCursor(kernel.cursorContext(), kernel.memoryTracker());
        relationship = kernel.cursors().allocateRelationshipTraversalCursor(kernel.cursorContext(), kernel.memoryTracker());
    }

    private int[] types(Collection<String> only) {
        var known = new TreeMap<String, Integer>();
        tokens.relationshipTypesGetAllTokens().forEachRemaining(token -> known.put(token.name(), token.id()));
        if (only == null) {
            return known.entrySet().stream().filter(entry -> !isOwn(entry.getKey())).mapToInt(Map.Entry::getValue).toArray();
        }
        var unknown = new TreeSet<>(only);
        unknown.removeAll(known.keySet());
        if (!unknown.isEmpty()) {
            throw new IllegalArgumentException("`types` names '" + unknown.first() + "', and there is no such relationship type."
                + Suggestion.sentence(unknown.first(), known.keySet()) + " Known: " + String.join(", ", known.keySet()) + ".");
        }
        return only.stream().distinct().mapToInt(known::get).toArray();
    }

    private static boolean isOwn(String type) {
        return type.startsWith("GNN_") || type.equals("RECOMMENDED");
    }

    private boolean exists(long id) {
        read.singleNode(id, node);
        return node.next();
    }

    @Override
    public long degree(long id) {
        return exists(id) && types.length > 0 ? node.degree(RelationshipSelection.selection(types, Direction.BOTH)) : 0;
    }

    @Override
    public Neighbourhood around(long id) {
        var steps = new LongObjectHashMap<Step>();
        if (types.length == 0 || !exists(id)) {
            return new Neighbourhood(steps, true);
        }
        var degrees = node.degrees(RelationshipSelection.selection(types, Direction.BOTH));
        var few = IntStream.of(types).filter(type -> degrees.totalDegree(type) <= maxDegree).toArray();
        if (few.length > 0) {
            node.relationships(relationship, RelationshipSelection.selection(few, Direction.BOTH));
            while (relationship.next()) {
                var other = relationship.otherNodeReference();
                var step = new Step(relationship.relationshipReference(), other, weights.getIfAbsent(relationship.type(), 1));
                steps.put(other, step.stronger(steps.get(other)));
            }
        }
        return new Neighbourhood(steps, few.length == types.length);
    }

    /**
     * How a user came to the items of its history: by the heaviest behaviour, then fewest relationships, then smallest
     * ids. Reads what {@link LiveGraph#interactions} reads.
     *
     * @param wanted the items
     */
    public LongObjectHashMap<Trail> touched(long user, Collection<Behaviour> via, LongSet wanted) {
        var found = new LongObjectHashMap<Touch>();
        var left = maxDegree;
        for (var behaviour : via) {
            var trails = List.of(Trail.at(user));
            var direction = behaviour.incoming() ? Direction.INCOMING : Direction.OUTGOING;
            var path = behaviour.pathFrom(true);
            for (int i = 0; i < path.size(); i++) {
                var type = tokens.relationshipType(path.get(i));
                var further = new ArrayList<Trail>();
                for (var trail : type < 0 ? List.<Trail>of() : trails) {
                    if (!exists(trail.last())) {
                        continue;
                    }
                    node.relationships(relationship, RelationshipSelection.selection(type, direction));
                    while (relationship.next() && left > 0) {
                        left--;
                        var other = relationship.otherNodeReference();
                        if ((i < path.size() - 1 || wanted.contains(other)) && !trail.nodes().contains(other)) {
                            further.add(trail.and(relationship.relationshipReference(), other));
                        }
                    }
                }
                trails = further;
            }
            for (var trail : trails) {
                var touch = new Touch(behaviour.weight(), trail);
                found.put(trail.last(), touch.stronger(found.get(trail.last())));
            }
        }
        var trails = new LongObjectHashMap<Trail>();
        found.forEachKeyValue((item, touch) -> trails.put(item, touch.trail));
        return trails;
    }

    private record Touch(double weight, Trail trail) {
        Touch stronger(Touch than) {
            if (than == null || weight > than.weight) {
                return this;
            }
            if (weight < than.weight || trail.length() > than.trail.length()) {
                return than;
            }
            return trail.length() < than.trail.length() || Arrays.compare(ids(), than.ids()) < 0 ? this : than;
        }

        private long[] ids() {
            return trail.relationships().stream().mapToLong(Long::longValue).toArray();
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true; // cursors go back to a pool, and must not do so twice
            relationship.close();
            node.close();
        }
    }
}
