// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import java.util.Arrays;

/** Draws neighbourhoods; keeps its scratch space from one to the next. For one thread. */
public final class Sampler {
    private final NeighbourSource source;
    private final SamplePlan plan;
    private final NeighbourList[] lists;
    private final Draw draw;
    private final int types;
    private final BitFrontier[] bits;
    private final GroupedHop grouped = new GroupedHop();

    public Sampler(NeighbourSource source, SamplePlan plan) {
        this.source = source;
        this.plan = plan;
        types = plan.nodeTypes().size();
        bits = new BitFrontier[types];
        lists = new NeighbourList[plan.relations().size()];
        for (int r = 0; r < lists.length; r++) {
            lists[r] = source.neighbours(r);
        }
        draw = new Draw(plan);
    }

    /**
     * One neighbourhood.
     *
     * @throws IllegalArgumentException for a seed that is no node of its type
     */
    public static PaddedBlocks sample(NeighbourSource source, Seeds seeds, SamplePlan plan) {
        return new Sampler(source, plan).blocks(seeds);
    }

    /** One seed of a batch: what it is, and what keeps it apart from others. */
    private record Start(int[] numbers, int[] groups, long[] times) {}

    /** @param disjoint whether every seed is a group of its own */
    private Start start(Seeds seeds, boolean disjoint) {
        var numbers = new int[seeds.count()];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = source.number(seeds.type(), seeds.nodeIds()[i]);
            if (numbers[i] < 0) {
                throw new IllegalArgumentException("Seed " + i + " (Neo4j id " + seeds.nodeIds()[i] + ") is no node of type '"
                    + plan.nodeTypes().get(seeds.type()) + "'. Name nodes of that type, or another `seedLabel`.");
            }
        }
        if (disjoint) {
            var groups = new int[numbers.length];
            Arrays.setAll(groups, i -> i);
            return new Start(numbers, groups, seeds.before());
        }
        if (seeds.before() == null) {
            return new Start(numbers, null, null);
        }
        var times = Arrays.stream(seeds.before()).distinct().sorted().toArray();
        if (times.length == 1) {
            return new Start(numbers, null, times);
        }
        var groups = new int[numbers.length];
        Arrays.setAll(groups, i -> Arrays.binarySearch(times, seeds.before()[i]));
        return new Start(numbers, groups, times);
    }

    private Frontier[] frontiers(boolean grouped) {
        var frontiers = new Frontier[types];
        for (int n = 0; n < types; n++) {
            frontiers[n] = grouped || !source.isOrdered() ? new KeyFrontier(source, n, grouped) : bitFrontier(n);
        }
        return frontiers;
    }

    private BitFrontier bitFrontier(int type) {
        if (bits[type] == null) {
            bits[type] = new BitFrontier(source.count(type));
        }
        return bits[type];
    }

    /** Padded blocks around the seeds. */
    public PaddedBlocks blocks(Seeds seeds) {
        var start = start(seeds, false);
        var frontiers = frontiers(start.groups() != null);
        var found = new PaddedBlocks(plan, seeds.type(), source.isOrdered(), new int[seeds.count()]);
        var entries = new int[types][plan.hops() + 1][];
        try {
            addSeeds(start, frontiers[seeds.type()]);
            for (var frontier : frontiers) {
                frontier.close();
            }
            for (int i = 0; i < found.seeds.length; i++) {
                found.seeds[i] = frontiers[seeds.type()].position(start.numbers()[i], group(start, i));
            }
            var receivers = take(frontiers, entries, 0);
            for (int h = 1; h <= plan.hops(); h++) {
                boolean packed = start.groups() != null && packs(receivers, h, start.times().length);
                for (int r = 0; r < lists.length; r++) {
                    drawBlock(found, r, h, receivers, packed ? null : frontiers[plan.sender(r)], start.times());
                }
                if (packed) {
                    receivers = packed(found, h, receivers, start.times().length);
                    for (int n = 0; n < types; n++) {
                        entries[n][h] = receivers[n].numbers();
                    }
                    continue;
                }
                for (var frontier : frontiers) {
                    frontier.close();
                }
                for (int r = 0; r < lists.length; r++) {
                    toPositions(found.neighbours[r][h - 1], plan.relations().get(r).fanOut(h), frontiers[plan.sender(r)],
                        receivers[plan.receiver(r)].groups());
                }
                receivers = take(frontiers, entries, h);
            }
        } finally {
            for (var frontier : frontiers) {
                frontier.clear();
            }
        }
        for (int n = 0; n < types; n++) {
            rows(found, n, entries[n]);
        }
        return found;
    }

    /** Nodes of one type in one hop, and the groups they are in; null groups mean one. */
    private record Hop(int[] numbers, int[] groups) {}

    private static Hop[] take(Frontier[] frontiers, int[][][] entries, int hop) {
        var taken = new Hop[frontiers.length];
        for (int n = 0; n < taken.length; n++) {
            taken[n] = new Hop(frontiers[n].numbers, frontiers[n].groups);
            entries[n][hop] = frontiers[n].numbers;
            frontiers[n].clear();
        }
        return taken;
    }

    /** Whether the hop can be ordered by packed keys. */
    private boolean packs(Hop[] receivers, int h, int groups) {
        boolean packs = source.isOrdered();
        for (int n = 0; packs && n < types; n++) {
            long slots = 0;
            for (int r = 0; r < lists.length; r++) {
                slots += plan.sender(r) == n
                    ? (long) receivers[plan.receiver(r)].numbers().length * plan.relations().get(r).fanOut(h) : 0;
            }
            packs = slots < Integer.MAX_VALUE - 8 && GroupedHop.fits(source.count(n), groups, slots);
        }
        return packs;
    }

    private Hop[] packed(PaddedBlocks found, int h, Hop[] receivers, int groups) {
        var hops = new Hop[types];
        for (int n = 0; n < types; n++) {
            for (int r = 0; r < lists.length; r++) {
                if (plan.sender(r) == n) {
                    grouped.add(found.neighbours[r][h - 1], receivers[plan.receiver(r)].groups(), plan.relations().get(r).fanOut(h));
                }
            }
            grouped.close(groups);
            hops[n] = new Hop(grouped.numbers, grouped.groups);
        }
        return hops;
    }

    private static void addSeeds(Start start, Frontier frontier) {
        for (int i = 0; i < start.numbers().length; i++) {
            frontier.add(start.numbers()[i], group(start, i));
        }
    }

    private static int group(Start start, int seed) {
        return start.groups() == null ? 0 : start.groups()[seed];
    }

    /**
     * Draws for all receivers of a relation; the neighbours stay numbers.
     *
     * @param senders hears of them; may be null
     */
    private void drawBlock(PaddedBlocks found, int r, int h, Hop[] hops, Frontier senders, long[] times) {
        var list = lists[r];
        var hop = hops[plan.receiver(r)];
        int type = plan.receiver(r);
        int fanOut = plan.relations().get(r).fanOut(h);
        int receivers = hop.numbers().length;
        var neighbours = new int[slots(receivers, fanOut)];
        var degrees = new int[receivers];
        var edges = new double[plan.edgeProperties().size()][];
        for (int i = 0; i < receivers; i++) {
            int number = hop.numbers()[i];
            int group = hop.groups() == null ? 0 : hop.groups()[i];
            list.read(number);
            int count = draw.from(list, source.nodeId(type, number), times != null, times == null ? 0 : times[group], h, r, fanOut);
            degrees[i] = draw.degree;
            int at = i * fanOut;
            for (int k = 0; k < count; k++) {
                int sender = list.senders[draw.picked[k]];
                neighbours[at + k] = sender;
                if (senders != null) {
                    senders.add(sender, group);
                }
            }
            Arrays.fill(neighbours, at + count, at + fanOut, -1);
            if (list.properties != null) {
                gather(list, count, edges, at, neighbours.length);
            }
        }
        for (int e = 0; e < edges.length; e++) {
            if (edges[e] == null && list.properties != null && list.has(e)) {
                edges[e] = new double[neighbours.length];
            }
        }
        found.neighbours[r][h - 1] = neighbours;
        found.degrees[r][h - 1] = degrees;
        found.edges[r][h - 1] = edges;
    }

    private void gather(NeighbourList list, int count, double[][] edges, int at, int length) {
        for (int e = 0; e < edges.length; e++) {
            if (list.properties[e] == null) {
                continue;
            }
            if (edges[e] == null) {
                edges[e] = new double[length];
            }
            for (int k = 0; k < count; k++) {
                edges[e][at + k] = list.properties[e][draw.picked[k]];
            }
        }
    }

    private static int slots(int receivers, int fanOut) {
        long slots = (long) receivers * fanOut;
        if (slots > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException(receivers + " receivers with a fan-out of " + fanOut
                + " make a block longer than an array. Use a smaller `batchSize` or `fanOut`.");
        }
        return (int) slots;
    }

    private static void toPositions(int[] neighbours, int fanOut, Frontier senders, int[] groups) {
        for (int i = 0; i < neighbours.length; i++) {
            if (neighbours[i] >= 0) {
                neighbours[i] = senders.position(neighbours[i], groups == null ? 0 : groups[i / fanOut]);
            }
        }
    }

    /** The unique nodes of all hops, and every hop as rows of them. */
    private void rows(PaddedBlocks found, int type, int[][] hops) {
        var unique = source.isOrdered() ? bitFrontier(type) : new KeyFrontier(source, type, false);
        try {
            for (var hop : hops) {
                for (int number : hop) {
                    unique.add(number, 0);
                }
            }
            unique.close();
            found.numbers[type] = unique.numbers;
            found.nodeIds[type] = new long[unique.size()];
            for (int i = 0; i < unique.size(); i++) {
                found.nodeIds[type][i] = source.nodeId(type, unique.numbers[i]);
            }
            for (int h = 0; h < hops.length; h++) {
                var rows = hops[h].clone();
                if (rows.length > 0) {
                    for (int i = 0; i < rows.length; i++) {
                        rows[i] = unique.position(rows[i], 0);
                    }
                }
                found.hops[type][h] = rows;
            }
        } finally {
            unique.clear();
        }
    }

    /** Nodes and relationships around the seeds, each node drawing once. */
    public CooSample coo(Seeds seeds, boolean disjoint) {
        var start = start(seeds, disjoint);
        var frontiers = frontiers(start.groups() != null);
        var found = new CooSample(plan, seeds.type(), source.isOrdered(), disjoint, new int[seeds.count()]);
        for (int r = 0; r < lists.length; r++) {
            found.expectProperties(r, lists[r]);
        }
        try {
            addSeeds(start, frontiers[seeds.type()]);
            for (var frontier : frontiers) {
                frontier.closeAsAdded();
            }
            for (int i = 0; i < found.seeds.length; i++) {
                found.seeds[i] = frontiers[seeds.type()].position(start.numbers()[i], group(start, i));
            }
            for (int h = 1; ; h++) {
                var receivers = new Hop[types];
                for (int n = 0; n < types; n++) {
                    receivers[n] = new Hop(frontiers[n].numbers, frontiers[n].groups);
                    found.addNodes(n, h - 1, source, frontiers[n]);
                }
                if (h > plan.hops()) {
                    return found.finish();
                }
                var drawn = new int[lists.length];
                for (int r = 0; r < lists.length; r++) {
                    drawn[r] = found.relationships(r);
                    drawCoo(found, r, h, receivers, frontiers[plan.sender(r)], start.times());
                }
                for (var frontier : frontiers) {
                    frontier.close();
                }
                for (int r = 0; r < lists.length; r++) {
                    found.toPositions(r, h, drawn[r], frontiers[plan.sender(r)], frontiers[plan.receiver(r)],
                        receivers[plan.receiver(r)].numbers(), receivers[plan.receiver(r)].groups());
                }
            }
        } finally {
            for (var frontier : frontiers) {
                frontier.clear();
            }
        }
    }

    private void drawCoo(CooSample found, int r, int h, Hop[] hops, Frontier senders, long[] times) {
        var list = lists[r];
        int type = plan.receiver(r);
        int fanOut = plan.relations().get(r).fanOut(h);
        var hop = hops[type];
        for (int i = 0; i < hop.numbers().length; i++) {
            int number = hop.numbers()[i];
            int group = hop.groups() == null ? 0 : hop.groups()[i];
            list.read(number);
            int count = draw.from(list, source.nodeId(type, number), times != null, times == null ? 0 : times[group], h, r, fanOut);
            found.addRelationships(r, list, draw.picked, count, i);
            for (int k = 0; k < count; k++) {
                senders.add(list.senders[draw.picked[k]], group);
            }
        }
    }
}
