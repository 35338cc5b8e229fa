// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import io.gnn4j.graph.Lookahead;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Samples batch after batch, lazily. */
public final class GraphSample {
    /** One row of the result. */
    public record Part(int batch, int seeds, byte[] arrow) {}

    /**
     * What a call would keep in memory.
     *
     * @param parts bytes by what they are for
     */
    public record Estimate(long bytes, Map<String, Object> parts, long nodes, long relationships) {}

    private GraphSample() {}

    /**
     * From a projection, by several threads; records come in order and their bytes do not depend on the threads.
     *
     * @throws io.gnn4j.config.InvalidConfiguration for names the projection does not have
     * @throws io.gnn4j.memory.MemoryRefused when the lists do not fit into the budget
     */
    public static Stream<Part> stream(ProjectedNeighbours.Access access, SampleConfig config) {
        var plan = config.plan(access);
        int seedType = config.seedType(plan);
        var source = ProjectedNeighbours.open(access, plan, config.labelPriority());
        var started = false;
        try {
            var seeds = config.seeds(seedType, source.nodeIds(seedType));
            var features = NodeFeatures.of(source.graph(), plan.nodeTypes(), config.nodeProperties());
            var spare = new ConcurrentLinkedQueue<Sampler>();
            IntFunction<Callable<Part>> tasks = batch -> () -> {
                var waiting = spare.poll();
                var sampler = waiting == null ? new Sampler(source, plan) : waiting;
                var part = part(sampler, source, seeds, batch, config, features, access.graph().name());
                spare.add(sampler);
                return part;
            };
            Runnable check = () -> {
                access.guard().run();
                access.graph().requireCurrent();
            };
            var parts = new Lookahead<>("gnn-sample", config.concurrency(),
                IntStream.range(0, batches(seeds, config)).mapToObj(tasks).iterator(), check).stream().onClose(source::close);
            started = true;
            return parts;
        } finally {
            if (!started) {
                source.close();
            }
        }
    }

    /**
     * From the live store, in the caller's transaction and thread.
     *
     * @param opened makes the source of a plan
     * @param all every node of the seeds' type, asked where no seeds are given
     */
    public static Stream<Part> stream(
            Function<SamplePlan, ? extends NeighbourSource> opened, Function<String, long[]> all,
            SampleConfig config, Runnable guard) {
        var plan = config.plan(null);
        int seedType = config.seedType(plan);
        var seeds = config.seeds(seedType, config.seeds() == null ? all.apply(plan.nodeTypes().get(seedType)) : null);
        var features = NodeFeatures.none(plan.nodeTypes().size());
        return IntStream.range(0, batches(seeds, config)).mapToObj(batch -> {
            guard.run();
            var source = opened.apply(plan);
            return part(new Sampler(source, plan), source, seeds, batch, config, features, null);
        });
    }

    private static Part part(
            Sampler sampler, NeighbourSource source, Seeds seeds, int batch, SampleConfig config, NodeFeatures features,
            String graphName) {
        int from = batch * config.batchSize();
        var here = seeds.part(from, Math.min(seeds.count(), from + config.batchSize()));
        if (config.coo()) {
            var sample = sampler.coo(here, config.disjoint());
            return new Part(batch, here.count(), SampleRecord.of(sample, features, graphName, source.truncated()));
        }
        var blocks = sampler.blocks(here);
        return new Part(batch, here.count(), SampleRecord.of(blocks, features, graphName, source.truncated()));
    }

    private static int batches(Seeds seeds, SampleConfig config) {
        return Math.ceilDiv(seeds.count(), config.batchSize());
    }

    /** Nothing is kept: what it would take. */
    public static Estimate estimate(ProjectedNeighbours.Access access, SampleConfig config) {
        var plan = config.plan(access);
        config.seedType(plan);
        var bytes = access.bytes(plan, config.labelPriority());
        var parts = new LinkedHashMap<String, Object>();
        parts.put("nodes", bytes.get(0));
        for (int r = 0; r < plan.relations().size(); r++) {
            parts.put(plan.relations().get(r).toString(), bytes.get(r + 1));
        }
        long scratch = config.concurrency() * access.graph().nodeCount() / 16 * 3 * (config.coo() ? plan.hops() + 1 : 1);
        parts.put("threads", scratch);
        return new Estimate(bytes.stream().mapToLong(Long::longValue).sum() + scratch, parts, access.graph().nodeCount(),
            access.relationships(plan, config.labelPriority()));
    }
}
