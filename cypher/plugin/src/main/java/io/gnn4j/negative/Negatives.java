// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.negative;

import io.gnn4j.arrow.ArrowField;
import io.gnn4j.arrow.ArrowStreamWriter;
import io.gnn4j.arrow.Element;
import io.gnn4j.artefact.CanonicalJson;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.config.Suggestion;
import io.gnn4j.graph.Lookahead;
import io.gnn4j.graph.NodeColumn;
import io.gnn4j.negative.NegativeDraw.Universe;
import io.gnn4j.sample.DrawRule;
import io.gnn4j.sample.PositiveLists;
import io.gnn4j.sample.ProjectedNeighbours;
import io.gnn4j.sample.ProjectedNeighbours.Access;
import io.gnn4j.sample.SamplePlan;
import io.gnn4j.sample.SampledRelation;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Negatives of the nodes of a projection, batch after batch, lazily. */
public final class Negatives {
    /** One row of the result. */
    public record Part(int batch, int seeds, byte[] arrow) {}

    private static final int MOST_DRAWN = 50_000_000;
    private static final int BETWEEN_CHECKS = 4096;

    private final NegativeConfig config;
    private final Access access;
    private final ProjectedNeighbours source;
    private final int relations;
    private final int seedType;
    private final int targetType;
    private final int[] seeds;
    private final long[] firstDraw;
    private final Universe universe;
    private final double[][] seedVectors;

    private Negatives(Access access, NegativeConfig config, ProjectedNeighbours source, SamplePlan plan) {
        this.access = access;
        this.config = config;
        this.source = source;
        relations = plan.relations().size();
        seedType = plan.nodeTypes().indexOf(config.seedLabel());
        targetType = plan.nodeTypes().indexOf(config.targetLabel());
        seeds = config.seeds() == null ? all(seedType) : numbers("seeds", seedType, config.seedLabel(), config.seeds());
        firstDraw = firstDraws();
        var among = config.among() == null ? all(targetType)
            : Arrays.stream(numbers("among", targetType, config.targetLabel(), config.among())).sorted().distinct().toArray();
        var hard = config.kind().equals(NegativeConfig.HARD);
        seedVectors = hard ? vectors(config.seedLabel(), Arrays.stream(seeds).sorted().distinct().toArray()) : null;
        universe = switch (config.kind()) {
            case NegativeConfig.POPULAR -> Universe.popular(among, degrees(among));
            case NegativeConfig.HARD -> {
                var all = vectors(config.targetLabel(), among);
                var width = width(seedVectors);
                if (width >= 0 && width(all) >= 0 && width != width(all)) {
                    throw new InvalidConfiguration(List.of("`" + config.property() + "` holds " + width + " numbers on "
                        + config.seedLabel() + " and " + width(all) + " on " + config.targetLabel()
                        + ". Vectors of both must be of one length."));
                }
                yield new Universe(among, null, IntStream.of(among).mapToObj(number -> all[number]).toArray(double[][]::new));
            }
            default -> new Universe(among, null, null);
        };
    }

    /**
     * By several threads; records come in order and their bytes do not depend on the threads.
     *
     * @throws InvalidConfiguration for names and ids the projection does not have
     */
    public static Stream<Part> stream(Access access, NegativeConfig config) {
        var labels = access.graph().labels();
        var faults = new ArrayList<String>();
        for (var label : List.of(config.seedLabel(), config.targetLabel())) {
            if (!labels.contains(label)) {
                faults.add("Unknown node label '" + label + "' in graph `" + access.graph().name() + "`."
                    + Suggestion.sentence(label, labels) + " Known: " + String.join(", ", labels) + ".");
            }
        }
        if ((long) config.batchSize() * config.count() > MOST_DRAWN) {
            faults.add("`batchSize` * `count` is above " + MOST_DRAWN + ". Use a smaller `batchSize`.");
        }
        if (!faults.isEmpty()) {
            throw new InvalidConfiguration(faults);
        }
        var positive = access.relations(labels, config.labelPriority(), config.relationshipTypes()).stream()
            .filter(found -> found.receiver().equals(config.seedLabel()) && found.sender().equals(config.targetLabel()))
            .map(found -> new SampledRelation(found.sender(), found.type(), found.receiver(), found.incoming(), List.of(0))).toList();
        var plan = SamplePlan.uniform(labels, positive, 1, config.randomSeed());
        var source = ProjectedNeighbours.open(access, plan, config.labelPriority());
        var started = false;
        try {
            var parts = new Negatives(access, config, source, plan).parts();
            started = true;
            return parts.onClose(source::close);
        } finally {
            if (!started) {
                source.close();
            }
        }
    }

    private record Worker(PositiveLists lists, NegativeDraw draw) {}

    private Stream<Part> parts() {
        var spare = new ConcurrentLinkedQueue<Worker>();
        IntFunction<Callable<Part>> tasks = batch -> () -> {
            var waiting = spare.poll();
            var worker = waiting == null ? new Worker(new PositiveLists(source, relations), new NegativeDraw(universe)) : waiting;
            var part = part(batch, worker);
            spare.add(worker);
            return part;
        };
        Runnable check = () -> {
            access.guard().run();
            access.graph().requireCurrent();
        };
        int batches = Math.ceilDiv(seeds.length, config.batchSize());
        var all = IntStream.range(0, batches).mapToObj(tasks).iterator();
        return new Lookahead<>("gnn-negative", config.concurrency(), all, check).stream();
    }

    private Part part(int batch, Worker worker) {
        int from = batch * config.batchSize();
        int to = Math.min(seeds.length, from + config.batchSize());
        int count = config.count();
        var found = new int[(to - from) * count];
        for (int s = from; s < to; s++) {
            int at = (s - from) * count;
            int own = worker.lists().read(seeds[s]);
            worker.draw().start(worker.lists().own(), own);
            long prefix = prefix(source.nodeId(seedType, seeds[s]));
            if (seedVectors == null) {
                worker.draw().draw(prefix, firstDraw[s], found, at, count);
            } else {
                worker.draw().nearest(seedVectors[seeds[s]], config.pool(), config.skip(), prefix, firstDraw[s], found, at, count);
            }
        }
        var ids = new long[found.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = found[i] == NegativeDraw.NONE ? -1 : source.nodeId(targetType, found[i]);
        }
        return new Part(batch, to - from, record(found, ids));
    }

    /** The state of the hash before the number of the draw: hop 0 and relation 0, which no neighbour is drawn with. */
    private long prefix(long nodeId) {
        return DrawRule.chain(DrawRule.chain(DrawRule.chain(DrawRule.chain(0, config.randomSeed()), nodeId), 0), 0);
    }

    private byte[] record(int[] indices, long[] ids) {
        var fields = List.of(
            new ArrowField("index", Element.INT32, ArrowField.VARIABLE, false),
            new ArrowField("id", Element.INT64, ArrowField.VARIABLE, false));
        var about = Map.<String, Object>of(
            "format", 1, "graphName", access.graph().name(), "seedLabel", config.seedLabel(), "targetLabel", config.targetLabel(),
            "kind", config.kind(), "count", config.count());
        var writer = new ArrowStreamWriter(fields, Map.of("gnn", new String(CanonicalJson.write(about), StandardCharsets.UTF_8)));
        var batch = writer.batch(1, new int[] {indices.length, ids.length});
        batch.setInts(0, 0, indices, 0, indices.length);
        batch.setEnd(0, 0, indices.length);
        batch.setLongs(1, 0, ids, 0, ids.length);
        batch.setEnd(1, 0, ids.length);
        return batch.finish();
    }

    private int[] all(int type) {
        return IntStream.range(0, source.count(type)).toArray();
    }

    private int[] numbers(String key, int type, String label, long[] ids) {
        var numbers = new int[ids.length];
        for (int i = 0; i < ids.length; i++) {
            numbers[i] = source.number(type, ids[i]);
            if (numbers[i] < 0) {
                throw new InvalidConfiguration(List.of("Entry " + i + " of `" + key + "` (Neo4j id " + ids[i] + ") is no node of type '"
                    + label + "' in graph `" + access.graph().name() + "`."));
            }
        }
        return numbers;
    }

    /** A seed that stands several times goes on where it stopped, whatever the batches. */
    private long[] firstDraws() {
        var stood = new long[source.count(seedType)];
        var first = new long[seeds.length];
        for (int s = 0; s < seeds.length; s++) {
            first[s] = stood[seeds[s]];
            stood[seeds[s]] += config.count();
        }
        return first;
    }

    /** How many nodes of the seeds' type have each. */
    private int[] degrees(int[] among) {
        var degrees = new int[source.count(targetType)];
        var lists = new PositiveLists(source, relations);
        for (int number = 0; number < source.count(seedType); number++) {
            if (number % BETWEEN_CHECKS == 0) {
                access.guard().run();
            }
            int own = lists.read(number);
            for (int i = 0; i < own; i++) {
                degrees[lists.own()[i]]++;
            }
        }
        return IntStream.of(among).map(number -> degrees[number]).toArray();
    }

    /** Vectors by number, of the numbers given; null where missing. */
    private double[][] vectors(String label, int[] numbers) {
        var column = source.graph().nodeProperty(label, config.property());
        var found = new double[source.graph().nodeCount(label)][];
        for (int number : numbers) {
            found[number] = vector(column, number);
        }
        int width = width(found);
        for (int number : numbers) {
            if (found[number] != null && found[number].length != width) {
                throw new InvalidConfiguration(List.of("`" + config.property() + "` of " + label + " holds lists of " + width + " and of "
                    + found[number].length + " numbers. Vectors must be of one length."));
            }
        }
        return found;
    }

    private double[] vector(NodeColumn column, int number) {
        if (column.isMissing(number)) {
            return null;
        }
        return switch (column.spec().type()) {
            case FLOAT_ARRAY -> {
                var floats = column.floatsAt(number);
                var vector = new double[floats.length];
                for (int d = 0; d < vector.length; d++) {
                    vector[d] = floats[d];
                }
                yield vector;
            }
            case DOUBLE_ARRAY -> column.doublesAt(number);
            default -> throw new InvalidConfiguration(List.of(
                "`" + config.property() + "` is of type " + column.spec().type() + ", but 'hard' needs lists of FLOAT."));
        };
    }

    /** The length of the first that is there; -1 where none is. */
    private static int width(double[][] vectors) {
        return Arrays.stream(vectors).filter(vector -> vector != null).mapToInt(vector -> vector.length).findFirst().orElse(-1);
    }
}
