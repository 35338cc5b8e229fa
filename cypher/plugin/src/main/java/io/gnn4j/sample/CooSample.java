// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.Arrays;

/**
 * One sampled neighbourhood as lists of nodes and relationships, for PyG: every node once, by the hop that reached it first.
 * Arrays are not to be written to.
 */
public final class CooSample {
    final SamplePlan plan;
    final int seedType;
    final boolean indexed;
    final int[] seeds;
    final long[][] nodeIds;
    final int[][] numbers;
    final int[][] groups;
    final int[][] nodesPerHop;
    final int[][] rows;
    final int[][] cols;
    final double[][][] edges;
    final int[][] relationshipsPerHop;
    private final int[] counts;

    CooSample(SamplePlan plan, int seedType, boolean indexed, boolean disjoint, int[] seeds) {
        this.plan = plan;
        this.seedType = seedType;
        this.indexed = indexed;
        this.seeds = seeds;
        int types = plan.nodeTypes().size();
        int relations = plan.relations().size();
        nodeIds = new long[types][0];
        numbers = new int[types][0];
        groups = disjoint ? new int[types][0] : null;
        nodesPerHop = new int[types][plan.hops() + 1];
        rows = new int[relations][0];
        cols = new int[relations][0];
        edges = new double[relations][plan.edgeProperties().size()][];
        relationshipsPerHop = new int[relations][plan.hops()];
        counts = new int[relations];
    }

    /** The nodes that hop {@code hop} reached first. */
    void addNodes(int type, int hop, NeighbourSource source, Frontier frontier) {
        int before = numbers[type].length;
        int size = frontier.size();
        nodesPerHop[type][hop] = size;
        numbers[type] = Arrays.copyOf(numbers[type], before + size);
        System.arraycopy(frontier.numbers, 0, numbers[type], before, size);
        if (groups != null) {
            groups[type] = Arrays.copyOf(groups[type], before + size);
            System.arraycopy(frontier.groups, 0, groups[type], before, size);
        }
        nodeIds[type] = Arrays.copyOf(nodeIds[type], before + size);
        for (int i = 0; i < size; i++) {
            nodeIds[type][before + i] = source.nodeId(type, frontier.numbers[i]);
        }
    }

    void expectProperties(int relation, NeighbourList list) {
        for (int e = 0; e < edges[relation].length; e++) {
            edges[relation][e] = list.has(e) ? new double[0] : null;
        }
    }

    int relationships(int relation) {
        return counts[relation];
    }

    /** The senders as numbers, the receiver as its place in its hop, until {@link #toPositions}. */
    void addRelationships(int relation, NeighbourList list, int[] picked, int count, int receiver) {
        int at = counts[relation];
        if (at + count > rows[relation].length) {
            int room = Math.max(at + count, 2 * rows[relation].length);
            rows[relation] = Arrays.copyOf(rows[relation], room);
            cols[relation] = Arrays.copyOf(cols[relation], room);
        }
        for (int k = 0; k < count; k++) {
            rows[relation][at + k] = list.senders[picked[k]];
            cols[relation][at + k] = receiver;
        }
        for (int e = 0; e < edges[relation].length; e++) {
            if (list.has(e)) {
                if (edges[relation][e].length < at + count) {
                    edges[relation][e] = Arrays.copyOf(edges[relation][e], rows[relation].length);
                }
                var values = edges[relation][e];
                for (int k = 0; k < count; k++) {
                    values[at + k] = list.properties[e][picked[k]];
                }
            }
        }
        counts[relation] = at + count;
    }

    void toPositions(
            int relation, int hop, int from, Frontier senders, Frontier receivers, int[] hopNumbers, int[] hopGroups) {
        relationshipsPerHop[relation][hop - 1] = counts[relation] - from;
        for (int i = from; i < counts[relation]; i++) {
            int receiver = cols[relation][i];
            int group = hopGroups == null ? 0 : hopGroups[receiver];
            rows[relation][i] = senders.position(rows[relation][i], group);
            cols[relation][i] = receivers.position(hopNumbers[receiver], group);
        }
    }

    CooSample finish() {
        for (int r = 0; r < rows.length; r++) {
            rows[r] = Arrays.copyOf(rows[r], counts[r]);
            cols[r] = Arrays.copyOf(cols[r], counts[r]);
            for (int e = 0; e < edges[r].length; e++) {
                edges[r][e] = edges[r][e] == null ? null : Arrays.copyOf(edges[r][e], counts[r]);
            }
        }
        return this;
    }
}
