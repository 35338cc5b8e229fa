// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongToIntFunction;

/** Makes the list of one receiver from its relationships, in any order: reduced and sorted as the draw rule wants it. For one thread. */
public abstract class ListBuilder extends NeighbourList {
    private final SamplePlan plan;
    private final SampledRelation relation;
    private final List<String> names = new ArrayList<>();
    private final double[][] read;
    private final TimeOrder order = new TimeOrder();
    private long[] others = new long[16];
    private int count;
    private long receiver;

    protected ListBuilder(SamplePlan plan, int relation) {
        this.plan = plan;
        this.relation = plan.relations().get(relation);
        if (plan.timeProperty() != null) {
            names.add(plan.timeProperty());
        }
        if (plan.weightProperty() != null && !names.contains(plan.weightProperty())) {
            names.add(plan.weightProperty());
        }
        plan.edgeProperties().stream().filter(name -> !names.contains(name)).forEach(names::add);
        read = new double[names.size()][others.length];
        senders = new int[others.length];
        properties = new double[plan.edgeProperties().size()][0];
    }

    /** The properties to read, in the order in which {@link #add} takes them. */
    protected final List<String> names() {
        return names;
    }

    /** @param nodeId of the receiver */
    protected final void begin(long nodeId) {
        receiver = nodeId;
        count = 0;
    }

    /** @param values NaN where missing; copied */
    protected final void add(long other, double[] values) {
        if (count == others.length) {
            others = Arrays.copyOf(others, 2 * count);
            for (int c = 0; c < read.length; c++) {
                read[c] = Arrays.copyOf(read[c], 2 * count);
            }
        }
        others[count] = other;
        for (int c = 0; c < read.length; c++) {
            read[c][count] = values[c];
        }
        count++;
    }

    /** @param number gives a sender its number */
    protected final void finish(LongToIntFunction number) {
        var sorted = new Integer[count];
        Arrays.setAll(sorted, i -> i);
        Arrays.sort(sorted, (left, right) -> Long.compare(others[left], others[right]));
        var ids = new long[count];
        var values = new double[read.length][count];
        int at = 0;
        for (int i = 0; i < count; i++) {
            int from = sorted[i];
            boolean again = at > 0 && ids[at - 1] == others[from];
            for (int c = 0; c < read.length; c++) {
                values[c][again ? at - 1 : at] = again ? RelationLists.larger(values[c][at - 1], read[c][from]) : read[c][from];
            }
            if (!again) {
                ids[at++] = others[from];
            }
        }
        senders = new int[at];
        for (int i = 0; i < at; i++) {
            senders[i] = number.applyAsInt(ids[i]);
        }
        from = 0;
        to = at;
        weights = plan.weightProperty() == null ? null : values[names.indexOf(plan.weightProperty())];
        for (int i = 0; weights != null && i < at; i++) {
            if (!RelationLists.isWeight(weights[i])) {
                throw RelationLists.invalidWeight(weights[i], relation, plan.weightProperty(), receiver);
            }
        }
        if (plan.timeProperty() != null) {
            times = new long[at];
            for (int i = 0; i < at; i++) {
                times[i] = RelationLists.time(values[0][i], relation, plan.timeProperty(), receiver);
            }
            order.sort(0, at, times, senders, values);
        }
        for (int e = 0; e < properties.length; e++) {
            properties[e] = values[names.indexOf(plan.edgeProperties().get(e))];
        }
    }
}
