// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.List;

/** The neighbours of another source without some of them, as if the graph had never held those relationships. */
public final class FilteredNeighbours implements NeighbourSource {
    private final NeighbourSource all;
    private final SamplePlan plan;
    private final List<Filter> filters;

    /** Which neighbours of a relation stay. Called by several threads at once. */
    public interface Filter {
        /** Neo4j ids of both ends. */
        boolean keeps(long receiver, long sender);
    }

    /** @param filters one for each relation of the plan, null where all stay */
    public FilteredNeighbours(NeighbourSource all, SamplePlan plan, List<Filter> filters) {
        this.all = all;
        this.plan = plan;
        this.filters = filters;
    }

    @Override
    public int number(int type, long nodeId) {
        return all.number(type, nodeId);
    }

    @Override
    public long nodeId(int type, int number) {
        return all.nodeId(type, number);
    }

    @Override
    public int count(int type) {
        return all.count(type);
    }

    @Override
    public boolean isOrdered() {
        return all.isOrdered();
    }

    @Override
    public NeighbourList neighbours(int relation) {
        var list = all.neighbours(relation);
        var filter = filters.get(relation);
        return filter == null ? list : new Reader(list, filter, relation);
    }

    private final class Reader extends NeighbourList {
        private final NeighbourList list;
        private final Filter filter;
        private final int sender;
        private final int receiver;

        Reader(NeighbourList list, Filter filter, int relation) {
            this.list = list;
            this.filter = filter;
            sender = plan.sender(relation);
            receiver = plan.receiver(relation);
            copy();
        }

        private void copy() {
            senders = list.senders == null ? null : new int[Math.max(16, list.to - list.from)];
            times = list.times == null ? null : new long[Math.max(16, list.to - list.from)];
            weights = list.weights == null ? null : new double[Math.max(16, list.to - list.from)];
            properties = list.properties == null ? null : new double[list.properties.length][];
            for (int p = 0; properties != null && p < properties.length; p++) {
                properties[p] = list.properties[p] == null ? null : new double[Math.max(16, list.to - list.from)];
            }
        }

        @Override
        protected void read(int number) {
            list.read(number);
            if (senders == null || senders.length < list.to - list.from) {
                copy();
            }
            var id = all.nodeId(receiver, number);
            from = 0;
            to = 0;
            for (int at = list.from; at < list.to; at++) {
                if (filter.keeps(id, all.nodeId(sender, list.senders[at]))) {
                    senders[to] = list.senders[at];
                    if (times != null) {
                        times[to] = list.times[at];
                    }
                    if (weights != null) {
                        weights[to] = list.weights[at];
                    }
                    for (int p = 0; properties != null && p < properties.length; p++) {
                        if (properties[p] != null) {
                            properties[p][to] = list.properties[p][at];
                        }
                    }
                    to++;
                }
            }
        }
    }
}
