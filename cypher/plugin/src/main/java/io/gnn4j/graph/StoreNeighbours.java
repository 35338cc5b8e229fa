// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.sample.ListBuilder;
import io.gnn4j.sample.NeighbourList;
import io.gnn4j.sample.NeighbourSource;
import io.gnn4j.sample.SamplePlan;
import io.gnn4j.sample.SampledRelation;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.eclipse.collections.impl.list.mutable.primitive.LongArrayList;
import org.eclipse.collections.impl.map.mutable.primitive.IntObjectHashMap;
import org.eclipse.collections.impl.map.mutable.primitive.LongIntHashMap;
import org.eclipse.collections.impl.map.mutable.primitive.LongObjectHashMap;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/**
 * The neighbours as the caller's transaction sees them, its own uncommitted changes included: read where they are asked for,
 * by the rule the lists of a projection are made by. Numbers are given in the order in which nodes are met. For one thread.
 */
public final class StoreNeighbours implements NeighbourSource {
    private static final byte NO_TYPE = -1;

    private final LiveGraph graph;
    private final SamplePlan plan;
    private final List<String> priority;
    private final int maxDegree;
    private final LongIntHashMap types = new LongIntHashMap();
    private final List<LongIntHashMap> numbers = new ArrayList<>();
    private final List<LongArrayList> ids = new ArrayList<>();
    private final LongObjectHashMap<LongHashSet> cut = new LongObjectHashMap<>();
    private Kept kept;
    private Pair hidden;

    /**
     * @param priority which label decides for nodes with several of the plan's
     * @param maxDegree relationships read of a node and relation at most
     */
    public StoreNeighbours(LiveGraph graph, SamplePlan plan, List<String> priority, int maxDegree) {
        this.graph = graph;
        this.plan = plan;
        this.priority = priority;
        this.maxDegree = maxDegree;
        for (int n = 0; n < plan.nodeTypes().size(); n++) {
            numbers.add(new LongIntHashMap());
            ids.add(new LongArrayList());
        }
    }

    /** Lists are read once, for a call that asks again and again and changes nothing in between. */
    public StoreNeighbours keepingLists() {
        kept = new Kept();
        return this;
    }

    /** From now on as if two nodes had no relationships of some types with each other; another pair takes the place of this one. */
    public void hide(long one, long other, Set<String> types) {
        hidden = new Pair(one, other, types);
    }

    private record Pair(long one, long other, Set<String> types) {
        boolean is(long from, long to, String type) {
            return (from == one && to == other || from == other && to == one) && types.contains(type);
        }

        boolean touches(long node, String type) {
            return (node == one || node == other) && types.contains(type);
        }
    }

    /** One list as it was read. */
    private record Lists(int[] senders, long[] times, double[] weights, double[][] properties) {}

    /** Lists by relation and receiver, at most so many senders in all: beyond that all are forgotten. */
    private final class Kept {
        private static final int MOST = 4_000_000;

        private final List<IntObjectHashMap<Lists>> byRelation = new ArrayList<>();
        private int senders;

        Kept() {
            plan.relations().forEach(relation -> byRelation.add(new IntObjectHashMap<>()));
        }

        Lists get(int relation, int number) {
            return byRelation.get(relation).get(number);
        }

        void put(int relation, int number, Lists lists) {
            if (senders + lists.senders().length > MOST) {
                byRelation.forEach(IntObjectHashMap::clear);
                senders = 0;
            }
            senders += lists.senders().length;
            byRelation.get(relation).put(number, lists);
        }
    }

    /** The type of a node, or {@link #NO_TYPE} where it is gone or carries none of the labels. */
    private int typeOf(long id) {
        int known = types.getIfAbsent(id, Integer.MIN_VALUE);
        if (known != Integer.MIN_VALUE) {
            return known;
        }
        int type = NO_TYPE;
        int rank = Integer.MAX_VALUE;
        boolean undecided = false;
        for (int n = 0; n < plan.nodeTypes().size(); n++) {
            var label = plan.nodeTypes().get(n);
            if (!graph.hasLabel(id, label)) {
                continue;
            }
            int own = priority.contains(label) ? priority.indexOf(label) : Integer.MAX_VALUE;
            if (type == NO_TYPE || own < rank) {
                undecided &= own == Integer.MAX_VALUE; // a ranked label decides over all that came before it
                type = n;
                rank = own;
            } else {
                undecided |= rank == Integer.MAX_VALUE;
            }
        }
        if (undecided) {
            throw new InvalidConfiguration(List.of("Node " + id + " carries several of the labels "
                + String.join(", ", plan.nodeTypes()) + ". A node has one type: name the deciding labels in `labelPriority`, first wins."));
        }
        types.put(id, type);
        return type;
    }

    @Override
    public int number(int type, long nodeId) {
        if (typeOf(nodeId) != type) {
            return -1;
        }
        int next = ids.get(type).size();
        int number = numbers.get(type).getIfAbsentPut(nodeId, next);
        if (number == next) {
            ids.get(type).add(nodeId);
        }
        return number;
    }

    @Override
    public long nodeId(int type, int number) {
        return ids.get(type).get(number);
    }

    @Override
    public int count(int type) {
        return ids.get(type).size();
    }

    @Override
    public boolean isOrdered() {
        return false;
    }

    @Override
    public NeighbourList neighbours(int relation) {
        return new Reader(relation);
    }

    @Override
    public long truncated() {
        return cut.sumOfInt(LongHashSet::size);
    }

    private final class Reader extends ListBuilder {
        private final int relation;
        private final SampledRelation sampled;
        private final int sender;
        private final int receiver;

        Reader(int relation) {
            super(plan, relation);
            this.relation = relation;
            sampled = plan.relations().get(relation);
            sender = plan.nodeTypes().indexOf(sampled.sender());
            receiver = plan.nodeTypes().indexOf(sampled.receiver());
        }

        @Override
        protected void read(int number) {
            long id = nodeId(receiver, number);
            boolean keeps = kept != null && (hidden == null || !hidden.touches(id, sampled.type()));
            var known = keeps ? kept.get(relation, number) : null;
            if (known != null) {
                senders = known.senders();
                times = known.times();
                weights = known.weights();
                properties = known.properties().clone(); // the next list is written into it
                from = 0;
                to = senders.length;
                return;
            }
            begin(id);
            boolean whole = graph.relationships(id, sampled.type(), sampled.incoming(), maxDegree, names(), (other, values) -> {
                if (typeOf(other) == sender && (hidden == null || !hidden.is(id, other, sampled.type()))) {
                    add(other, values);
                }
            });
            if (!whole) {
                cut.getIfAbsentPut(relation, LongHashSet::new).add(id);
            }
            finish(other -> number(sender, other));
            if (keeps) {
                kept.put(relation, number, new Lists(senders, times, weights, properties.clone()));
            }
        }
    }
}
