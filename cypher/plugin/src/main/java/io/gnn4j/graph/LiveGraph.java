// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import io.gnn4j.feedback.FeedbackEvent;
import io.gnn4j.recommend.Interactions;
import io.gnn4j.recommend.LiveStore;
import io.gnn4j.task.Behaviour;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongConsumer;
import java.util.function.ToIntFunction;
import org.eclipse.collections.api.iterator.LongIterator;
import org.eclipse.collections.api.set.primitive.LongSet;
import org.eclipse.collections.impl.list.mutable.primitive.LongArrayList;
import org.eclipse.collections.impl.map.mutable.primitive.LongIntHashMap;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;
import org.neo4j.internal.kernel.api.NodeCursor;
import org.neo4j.internal.kernel.api.PropertyCursor;
import org.neo4j.internal.kernel.api.Read;
import org.neo4j.internal.kernel.api.RelationshipTraversalCursor;
import org.neo4j.internal.kernel.api.TokenRead;
import org.neo4j.internal.kernel.api.exceptions.LabelNotFoundKernelException;
import org.neo4j.kernel.api.KernelTransaction;
import org.neo4j.kernel.api.txstate.TxStateHolder;
import org.neo4j.kernel.impl.core.NodeEntity;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;
import org.neo4j.storageengine.api.PropertySelection;
import org.neo4j.storageengine.api.RelationshipSelection;
import org.neo4j.values.storable.IntegralValue;
import org.neo4j.values.storable.NoValue;
import org.neo4j.values.storable.NumberValue;
import org.neo4j.values.storable.Value;

/**
 * The live graph as one transaction sees it, its own uncommitted changes included and nothing the caller may not read.
 *
 * <p>Reads with kernel cursors, several times faster than entities, and the only place that works with bare Neo4j ids.
 * Not safe for several threads: transactions are not.
 */
public final class LiveGraph implements LiveStore, AutoCloseable {
    private static final int UNKNOWN = -1;

    private final InternalTransaction transaction;
    private final KernelTransaction kernel;
    private final Read read;
    private final TokenRead tokens;
    private final NodeCursor node;
    private final NodeCursor other;
    private final PropertyCursor property;
    private final RelationshipTraversalCursor relationship;
    private final Map<String, Integer> labels = new HashMap<>();
    private final Map<String, Integer> types = new HashMap<>();
    private final Map<String, Integer> keys = new HashMap<>();
    private final Map<Ends, Boolean> needsLabel = new HashMap<>();
    private boolean closed;
    private final LongIntHashMap positions = new LongIntHashMap();

    private record Ends(Behaviour behaviour, boolean user, int label) {}

    /** @param transaction the caller's; this object is of use as long as it is open */
    public LiveGraph(Transaction transaction) {
        this.transaction = (InternalTransaction) transaction;
        kernel = this.transaction.kernelTransaction();
        read = kernel.dataRead();
        tokens = kernel.tokenRead();
        var cursors = kernel.cursors();
        node = cursors.allocateNodeCursor(kernel.cursorContext(), kernel.memoryTracker());
        other = cursors.allocateNodeCursor(kernel.cursorContext(), kernel.memoryTracker());
        property = cursors.allocatePropertyCursor(kernel.cursorContext(), kernel.memoryTracker());
        relationship = cursors.allocateRelationshipTraversalCursor(kernel.cursorContext(), kernel.memoryTracker());
    }

    /** A node for a result row; it must exist. */
    public Node node(long id) {
        return transaction.newNodeEntity(id);
    }

    public static long id(Node node) {
        return ((NodeEntity) node).getId();
    }

    @Override
    public boolean hasLabel(long id, String label) {
        return find(id) && carries(node, label(label));
    }

    @Override
    public boolean exists(long id) {
        return find(id);
    }

    @Override
    public long count(String label) {
        var token = label(label);
        return token == UNKNOWN ? 0 : read.countsForNode(token);
    }

    /** The labels of a node, empty when it is gone. */
    public Set<String> labels(long id) {
        var names = new HashSet<String>();
        if (find(id)) {
            for (var token : node.labels().all()) {
                try {
                    names.add(tokens.nodeLabelName(token));
                } catch (LabelNotFoundKernelException dropped) {
                    throw new IllegalStateException(dropped);
                }
            }
        }
        return names;
    }

    /** The names of all properties that anything ever had. */
    public Set<String> propertyKeys() {
        var names = new HashSet<String>();
        tokens.propertyKeyGetAllTokens().forEachRemaining(token -> names.add(token.name()));
        return names;
    }

    @Override
    public Object property(long id, String name) {
        var key = token(keys, name, tokens::propertyKey);
        if (key == UNKNOWN || !find(id)) {
            return null;
        }
        node.properties(property, PropertySelection.selection(key));
        if (!property.next()) {
            return null;
        }
        var value = property.propertyValue();
        return value instanceof NoValue ? null : value.asObject();
    }

    @Override
    public LongSet related(long id, String type, String direction) {
        var found = new LongHashSet();
        var token = type(type);
        if (token == UNKNOWN || !find(id)) {
            return found;
        }
        node.relationships(relationship, RelationshipSelection.selection(token, switch (direction) {
            case "out" -> Direction.OUTGOING;
            case "in" -> Direction.INCOMING;
            default -> Direction.BOTH;
        }));
        while (relationship.next()) {
            found.add(relationship.otherNodeReference());
        }
        return found;
    }

    @Override
    public LongSet dismissed(long source) {
        var found = new LongHashSet();
        var type = type(FeedbackStore.TYPE);
        var kind = token(keys, "kind", tokens::propertyKey);
        if (type == UNKNOWN || kind == UNKNOWN || !find(source)) {
            return found;
        }
        node.relationships(relationship, RelationshipSelection.selection(type, Direction.OUTGOING));
        while (relationship.next()) {
            relationship.properties(property, PropertySelection.selection(kind));
            if (property.next() && FeedbackEvent.DISMISS.equals(property.propertyValue().asObject())) {
                found.add(relationship.otherNodeReference());
            }
        }
        return found;
    }

    @Override
    public void nodesAddedHere(String label, LongConsumer consumer) {
        var token = label(label);
        if (token == UNKNOWN || !hasOwnChanges()) {
            return;
        }
        var holder = (TxStateHolder) kernel;
        for (LongIterator ids = holder.txState().nodesWithLabelChanged(token).getAdded().longIterator(); ids.hasNext();) {
            consumer.accept(ids.next());
        }
    }

    @Override
    public Interactions interactions(
            long id, boolean user, List<Behaviour> behaviours, String otherLabel, String timeProperty, int maxDegree) {
        var ids = new LongArrayList();
        var weights = new double[16];
        var times = timeProperty == null ? null : new long[16];
        var timeKey = timeProperty == null ? UNKNOWN : token(keys, timeProperty, tokens::propertyKey);
        positions.clear();
        var left = maxDegree;
        var truncated = false;
        var wanted = label(otherLabel);
        for (var behaviour : behaviours) {
            var reached = walk(id, behaviour, user, timeProperty, timeKey, left);
            left -= reached.read;
            truncated |= reached.truncated;
            var check = reached.ids.size() > 0 && needsLabel(behaviour, user, wanted);
            for (int i = 0; i < reached.ids.size(); i++) {
                var neighbour = reached.ids.get(i);
                var position = positions.getIfAbsent(neighbour, -1);
                if (position < 0) {
                    if (check && !carries(neighbour, wanted)) {
                        continue;
                    }
                    position = ids.size();
                    positions.put(neighbour, position);
                    ids.add(neighbour);
                    if (position == weights.length) {
                        weights = Arrays.copyOf(weights, position * 2);
                        times = times == null ? null : Arrays.copyOf(times, position * 2);
                    }
                    weights[position] = behaviour.weight();
                    if (times != null) {
                        times[position] = reached.times.get(i);
                    }
                } else {
                    weights[position] = Math.max(weights[position], behaviour.weight());
                    if (times != null) {
                        times[position] = Math.max(times[position], reached.times.get(i));
                    }
                }
            }
        }
        return new Interactions(
            ids.toArray(),
            Arrays.copyOf(weights, ids.size()),
            times == null ? null : Arrays.copyOf(times, ids.size()),
            truncated);
    }

    /** Takes one relationship: the node at its other end, and its properties, NaN where missing; the array is used again. */
    public interface RelationshipConsumer {
        void accept(long other, double[] values);
    }

    /** Ids of the nodes with a label, ascending. */
    public long[] nodes(String label) {
        try (var found = transaction.findNodes(Label.label(label))) {
            return found.stream().mapToLong(LiveGraph::id).sorted().toArray();
        }
    }

    /**
     * Reads the relationships of a node by a type.
     *
     * @param outgoing whether those that leave the node, or those that arrive
     * @param limit relationships read at most
     * @param names properties, which must be numbers
     * @return whether these were all
     * @throws IllegalArgumentException for a property that is no number
     */
    public boolean relationships(
            long id, String type, boolean outgoing, int limit, List<String> names, RelationshipConsumer consumer) {
        var token = type(type);
        if (token == UNKNOWN || !find(id)) {
            return true;
        }
        var wanted = names.stream().mapToInt(name -> token(keys, name, tokens::propertyKey)).toArray();
        var values = new double[wanted.length];
        var left = limit;
        node.relationships(relationship, RelationshipSelection.selection(token, outgoing ? Direction.OUTGOING : Direction.INCOMING));
        // The consumer may look at other nodes, but the relationship cursor is ours until the end.
        while (relationship.next()) {
            if (left-- == 0) {
                return false;
            }
            Arrays.fill(values, Double.NaN);
            for (int p = 0; p < wanted.length; p++) {
                if (wanted[p] != UNKNOWN) {
                    values[p] = number(type, names.get(p), wanted[p]);
                }
            }
            consumer.accept(relationship.otherNodeReference(), values);
        }
        return true;
    }

    private double number(String type, String name, int key) {
        relationship.properties(property, PropertySelection.selection(key));
        if (!property.next()) {
            return Double.NaN;
        }
        if (property.propertyValue() instanceof NumberValue number) {
            return number.doubleValue();
        }
        throw new IllegalArgumentException("`" + name + "` of a " + type + " relationship is " + kind(property.propertyValue())
            + ", but a number is needed. Name another property.");
    }

    /** The nodes at the far end of a path of types, each once. */
    public LongSet reach(long id, List<String> types, boolean outgoing) {
        var frontier = LongHashSet.newSetWith(id);
        for (var type : types) {
            var next = new LongHashSet();
            frontier.forEach(from -> next.addAll(related(from, type, outgoing ? "out" : "in")));
            frontier = next;
        }
        return frontier;
    }

    /** The far ends of one behaviour, with repeats, and the time of each path. */
    private static final class Reached {
        final LongArrayList ids = new LongArrayList();
        final LongArrayList times;
        int read;
        boolean truncated;

        Reached(boolean timed) {
            times = timed ? new LongArrayList() : null;
        }

        void add(long id, long time) {
            ids.add(id);
            if (times != null) {
                times.add(time);
            }
        }
    }

    private Reached walk(long id, Behaviour behaviour, boolean user, String timeProperty, int timeKey, int limit) {
        var reached = new Reached(timeProperty != null);
        reached.add(id, Interactions.NO_TIME);
        // From the user's end the path runs forward unless the behaviour is turned; from the item's end the other way.
        var direction = user == behaviour.incoming() ? Direction.INCOMING : Direction.OUTGOING;
        for (var type : behaviour.pathFrom(user)) {
            var before = reached;
            reached = new Reached(timeProperty != null);
            reached.read = before.read;
            reached.truncated = before.truncated;
            var token = type(type);
            if (token == UNKNOWN) {
                return reached;
            }
            var selection = RelationshipSelection.selection(token, direction);
            for (int i = 0; i < before.ids.size(); i++) {
                if (!find(before.ids.get(i))) {
                    continue;
                }
                node.relationships(relationship, selection);
                while (relationship.next()) {
                    if (reached.read == limit) {
                        reached.truncated = true;
                        break;
                    }
                    reached.read++;
                    var time = timeProperty == null ? 0
                        : later(before.times.get(i), time(type, timeProperty, timeKey), user != behaviour.incoming());
                    reached.add(relationship.otherNodeReference(), time);
                }
            }
        }
        return reached;
    }

    /** The time of a path is that of the last of its relationships, in the order of the path, that has one. */
    private static long later(long walked, long own, boolean forward) {
        return forward && own != Interactions.NO_TIME || walked == Interactions.NO_TIME ? own : walked;
    }

    private long time(String type, String timeProperty, int key) {
        if (key == UNKNOWN) {
            return Interactions.NO_TIME;
        }
        relationship.properties(property, PropertySelection.selection(key));
        if (!property.next()) {
            return Interactions.NO_TIME;
        }
        var value = property.propertyValue();
        if (value instanceof IntegralValue number) {
            return number.longValue();
        }
        throw new IllegalArgumentException("`" + timeProperty + "` of a " + type + " relationship is " + kind(value)
            + ", but times are INTEGER epoch milliseconds UTC. Convert them with MATCH ()-[r:" + type + "]->() SET r."
            + timeProperty + " = datetime(r." + timeProperty + ").epochMillis.");
    }

    private static String kind(Value value) {
        var text = value.prettyPrint();
        return value.getTypeName() + " " + (text.length() > 40 ? text.substring(0, 40) + "…" : text);
    }

    /**
     * Whether a neighbour by this behaviour may lack the label. Where every relationship of the type ends (or starts) at
     * such a node, the count store says so, and none needs to be looked at.
     */
    private boolean needsLabel(Behaviour behaviour, boolean user, int label) {
        if (label == UNKNOWN || behaviour.path().size() > 1 || hasOwnChanges()) {
            return true;
        }
        return needsLabel.computeIfAbsent(new Ends(behaviour, user, label), ends -> {
            var type = type(behaviour.path().get(0));
            var outgoing = user != behaviour.incoming();
            return read.estimateCountsForRelationships(UNKNOWN, type, UNKNOWN)
                != read.estimateCountsForRelationships(outgoing ? UNKNOWN : label, type, outgoing ? label : UNKNOWN);
        });
    }

    private boolean hasOwnChanges() {
        return kernel instanceof TxStateHolder holder && holder.hasTxStateWithChanges();
    }

    private boolean find(long id) {
        read.singleNode(id, node);
        return node.next();
    }

    private boolean carries(long id, int label) {
        read.singleNode(id, other);
        return other.next() && carries(other, label);
    }

    private static boolean carries(NodeCursor cursor, int label) {
        return label != UNKNOWN && cursor.hasLabel(label);
    }

    private int label(String name) {
        return token(labels, name, tokens::nodeLabel);
    }

    private int type(String name) {
        return token(types, name, tokens::relationshipType);
    }

    private static int token(Map<String, Integer> known, String name, ToIntFunction<String> lookup) {
        var token = known.get(name);
        if (token == null) {
            token = lookup.applyAsInt(name);
            if (token >= 0) {
                known.put(name, token); // one that does not exist yet may be made during the call
            }
        }
        return token;
    }

    @Override
    public void close() {
        if (closed) {
            return; // cursors go back to a pool, and must not do so twice
        }
        closed = true;
        relationship.close();
        property.close();
        other.close();
        node.close();
    }
}
