// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.Arrays;
import java.util.List;
import org.eclipse.collections.api.set.primitive.LongSet;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;

/**
 * One sampled neighbourhood in the layout {@code padded-blocks/1} of the design. Node types {@code n} and relations
 * {@code r} go by their positions in the plan, hops h from 0 (the seeds) to {@link #hops()}. Arrays are not to be written to.
 */
public final class PaddedBlocks {
    private final SamplePlan plan;
    private final int seedType;
    final long[][] nodeIds;
    final int[][] numbers;
    final int[][][] hops;
    final int[][][] neighbours;
    final int[][][] degrees;
    final double[][][][] edges;
    final int[] seeds;
    private final boolean indexed;

    PaddedBlocks(SamplePlan plan, int seedType, boolean indexed, int[] seeds) {
        this.plan = plan;
        this.seedType = seedType;
        this.indexed = indexed;
        this.seeds = seeds;
        int types = plan.nodeTypes().size();
        int relations = plan.relations().size();
        nodeIds = new long[types][];
        numbers = new int[types][];
        hops = new int[types][plan.hops() + 1][];
        neighbours = new int[relations][plan.hops()][];
        degrees = new int[relations][plan.hops()][];
        edges = new double[relations][plan.hops()][plan.edgeProperties().size()][];
    }

    public SamplePlan plan() {
        return plan;
    }

    /** L: layers of the model. */
    public int hops() {
        return plan.hops();
    }

    public List<String> nodeTypes() {
        return plan.nodeTypes();
    }

    public List<SampledRelation> relations() {
        return plan.relations();
    }

    /** The node type of the seeds. */
    public int seedType() {
        return seedType;
    }

    /** {@code x_<n>}: Neo4j ids of its rows, unique and ascending. */
    public long[] nodeIds(int n) {
        return nodeIds[n];
    }

    /** The indices of the rows of {@code x_<n>} in the projection; null where they came from the live store. */
    public int[] indices(int n) {
        return indexed ? numbers[n] : null;
    }

    /** {@code hop_<n>_<h>}, h = 0 to L: rows of {@code x_<n>}, ascending; equal rows only where seeds have times of their own. */
    public int[] hop(int n, int h) {
        return hops[n][h];
    }

    /** {@code nbr_<r>_<h>}, h = 1 to L: (receivers at hop h - 1) x {@link #fanOut}, positions in hop h of the sender, -1 = none. */
    public int[] neighbours(int r, int h) {
        return neighbours[r][h - 1];
    }

    /** K, the width of {@link #neighbours}. */
    public int fanOut(int r, int h) {
        return plan.relations().get(r).fanOut(h);
    }

    /** {@code deg_<r>_<h>}, h = 1 to L: how many neighbours the receiver has, of those that are old enough. */
    public int[] degrees(int r, int h) {
        return degrees[r][h - 1];
    }

    /**
     * {@code ef_<r>_<h>}: an edge property of the plan, laid out as {@link #neighbours}; NaN where the relationship lacks it,
     * 0 where there is no neighbour. Null for a relation that does not have the property.
     */
    public double[] edge(int r, int h, int property) {
        return edges[r][h - 1][property];
    }

    /** {@code seed}: positions in hop 0 of the seed type, one for each seed given, repeats allowed. */
    public int[] seeds() {
        return seeds;
    }

    /** Whether a model sees the same in both: nodes, neighbours, degrees and edge properties. */
    public boolean isSameAs(PaddedBlocks other) {
        return seedType == other.seedType && Arrays.equals(seeds, other.seeds) && Arrays.deepEquals(nodeIds, other.nodeIds)
            && Arrays.deepEquals(hops, other.hops) && Arrays.deepEquals(neighbours, other.neighbours)
            && Arrays.deepEquals(degrees, other.degrees) && Arrays.deepEquals(edges, other.edges);
    }

    /** The nodes reached at a hop, of all types. */
    public LongSet reached(int h) {
        var found = new LongHashSet();
        for (int n = 0; n < hops.length; n++) {
            for (var row : hops[n][h]) {
                found.add(nodeIds[n][row]);
            }
        }
        return found;
    }
}
