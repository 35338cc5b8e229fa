// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.List;

/**
 * What is drawn, complete and checked; positions in the lists are the numbers of the draw rule.
 *
 * @param nodeTypes in the order of n0, n1, …
 * @param relations in the order of r0, r1, …; each has a fan-out for every hop
 * @param hops at least 1
 * @param replace whether a sender may be drawn more than once
 * @param weightProperty null for uniform draws
 * @param timeProperty null where time does not matter; relations without it are untimed
 * @param last only so many newest neighbours are drawn from; 0 means all
 * @param edgeProperties carried along with each relationship drawn, where its relation has them
 */
public record SamplePlan(
        List<String> nodeTypes, List<SampledRelation> relations, int hops, long randomSeed, boolean replace,
        String weightProperty, String timeProperty, int last, List<String> edgeProperties) {
    public SamplePlan {
        nodeTypes = List.copyOf(nodeTypes);
        relations = List.copyOf(relations);
        edgeProperties = List.copyOf(edgeProperties);
        for (var relation : relations) {
            if (relation.fanOut().size() != hops) {
                throw new IllegalArgumentException(relation + " has " + relation.fanOut().size() + " fan-outs for " + hops + " hops.");
            }
            for (var end : List.of(relation.sender(), relation.receiver())) {
                if (!nodeTypes.contains(end)) {
                    throw new IllegalArgumentException(relation + " ends at '" + end + "', none of the node types " + nodeTypes + ".");
                }
            }
        }
    }

    /** Uniform draws without replacement and without time. */
    public static SamplePlan uniform(List<String> nodeTypes, List<SampledRelation> relations, int hops, long randomSeed) {
        return new SamplePlan(nodeTypes, relations, hops, randomSeed, false, null, null, 0, List.of());
    }

    int sender(int relation) {
        return nodeTypes.indexOf(relations.get(relation).sender());
    }

    int receiver(int relation) {
        return nodeTypes.indexOf(relations.get(relation).receiver());
    }
}
