// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.embed.EmbedConfig;
import io.gnn4j.embed.GraphEmbedder.Batch;
import io.gnn4j.embed.LapClock;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.graph.PropertyType;
import io.gnn4j.memory.MemorySize;
import io.gnn4j.recommend.Parallel;
import io.gnn4j.writeback.OwnTransactions;
import io.gnn4j.writeback.VectorWriter;
import io.gnn4j.writeback.WriteOutcome;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.neo4j.graphdb.Transaction;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;
import org.neo4j.logging.Log;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** Vectors of all nodes of a projection by a {@code padded-blocks/1} model, in the modes of GDS. */
public class EmbedProcedure {
    private static final String GRAPH = "A projection of yours with the labels and types that the model reads.";
    private static final String KEYS = "{ model :: STRING, an alias ('shop') or a version ('shop:3'), nodeLabels = ['*'] :: LIST<STRING>"
        + " (of the labels that the model embeds), batchSize :: INTEGER (seeds of one run, 1 to 1000000; default: what"
        + " costs least within the memory for it), concurrency = half the cores :: INTEGER (1 to 4)";
    private static final String PLAIN = KEYS + " }";
    private static final String MUTATE = KEYS + ", mutateProperty :: STRING,"
        + " ifExists = 'fail' :: STRING ('fail', 'replace' or 'merge': what to do about a property of that name) }";
    private static final String WRITE = KEYS + ", writeProperty :: STRING }";

    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    // The log a person reads: the server's debug.log is for us.
    @Context
    public Log log;

    @Procedure(name = "gnn.embed.stream", mode = Mode.READ)
    @Description("Embeds the nodes of a projection by a graph neural network and streams their vectors.")
    public Stream<VectorRow> stream(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = PLAIN) Map<String, Object> configuration) {
        var call = open(graphName, EmbedConfig.parse(configuration, null));
        try {
            return call.vectors(false, progress("gnn.embed.stream")).flatMap(batch -> rows(call, batch)).onClose(call::close);
        } catch (RuntimeException | Error wrong) {
            call.close();
            throw wrong;
        }
    }

    @Procedure(name = "gnn.embed.stats", mode = Mode.READ)
    @Description("Embeds the nodes of a projection by a graph neural network and only counts and times it.")
    public Stream<StatsRow> stats(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = PLAIN) Map<String, Object> configuration) {
        var config = EmbedConfig.parse(configuration, null);
        var clock = new LapClock();
        try (var call = open(graphName, config); var batches = call.vectors(false, progress("gnn.embed.stats"))) {
            var preProcessing = clock.lap();
            var nodes = batches.mapToLong(Batch::count).sum();
            return Stream.of(new StatsRow(nodes, preProcessing, clock.lap(), configuration(call, config, null)));
        }
    }

    @Procedure(name = "gnn.embed.mutate", mode = Mode.READ)
    @Description("Embeds the nodes of a projection by a graph neural network and puts the vectors into it as a property; the"
        + " database is not changed.")
    public Stream<MutateRow> mutate(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = MUTATE) Map<String, Object> configuration) {
        var config = EmbedConfig.parse(configuration, EmbedConfig.MUTATE);
        var clock = new LapClock();
        try (var call = open(graphName, config)) {
            var draft = call.projection().draft(
                call.embedder().labels(), config.property(), PropertyType.FLOAT_ARRAY, config.ifExists());
            try (var batches = call.vectors(true, progress("gnn.embed.mutate"))) {
                var preProcessing = clock.lap();
                var nodes = new long[1];
                var dimension = call.model().dimension();
                batches.forEach(batch -> {
                    for (int i = 0; i < batch.count(); i++) {
                        draft.set(call.graph().nodeId(batch.label(), batch.from() + i), batch.vector(i, dimension));
                    }
                    nodes[0] += batch.count();
                });
                var compute = clock.lap();
                call.projection().requireCurrent();
                draft.publish();
                return Stream.of(new MutateRow(
                    nodes[0], nodes[0], preProcessing, compute, clock.lap(), configuration(call, config, EmbedConfig.MUTATE)));
            }
        }
    }

    @Procedure(name = "gnn.embed.write", mode = Mode.WRITE)
    @Description("Embeds the nodes of a projection by a graph neural network and writes the vectors to the stored nodes, in"
        + " batches that commit on their own: not atomic, safe to run again.")
    public Stream<WriteRow> write(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = WRITE) Map<String, Object> configuration) {
        var config = EmbedConfig.parse(configuration, EmbedConfig.WRITE);
        OwnTransactions.requireNoWrites(tx, "gnn.embed.write");
        var clock = new LapClock();
        var progress = progress("gnn.embed.write");
        try (var guarded = new CallGuard("gnn.embed.write", guard); var call = open(graphName, config)) {
            var rows = new HashMap<String, VectorWriter.Rows>();
            for (var label : call.embedder().labels()) {
                rows.put(label, call.rows(label));
            }
            try (var batches = call.vectors(true, progress)) {
                var preProcessing = clock.lap();
                var vectors = call.collect(batches);
                var compute = clock.lap();
                call.projection().requireCurrent();
                var writer = new VectorWriter(new OwnTransactions(gnn.database(), gnn.security(), guarded),
                    new Parallel(gnn.services().helpers(), config.concurrency(), guard::check), progress);
                var done = call.embedder().labels().stream().map(label ->
                        writer.write(rows.get(label), config.property(), i -> vectors.get(label)[i]))
                    .reduce(WriteOutcome.NOTHING, WriteOutcome::plus);
                return Stream.of(new WriteRow(call.embedder().nodes(), done.written(), done.skippedMissing(), done.skippedChanged(),
                    done.batchesCommitted(), preProcessing, compute, clock.lap(), configuration(call, config, EmbedConfig.WRITE)));
            }
        }
    }

    @Procedure(name = "gnn.embed.stream.estimate", mode = Mode.READ)
    @Description("The memory that gnn.embed.stream takes beside the projection.")
    public Stream<EstimateRow> streamEstimate(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = PLAIN) Map<String, Object> configuration) {
        return estimate(graphName, EmbedConfig.parse(configuration, null), false);
    }

    @Procedure(name = "gnn.embed.stats.estimate", mode = Mode.READ)
    @Description("The memory that gnn.embed.stats takes beside the projection.")
    public Stream<EstimateRow> statsEstimate(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = PLAIN) Map<String, Object> configuration) {
        return estimate(graphName, EmbedConfig.parse(configuration, null), false);
    }

    @Procedure(name = "gnn.embed.mutate.estimate", mode = Mode.READ)
    @Description("The memory that gnn.embed.mutate takes beside the projection; the vectors stay in it.")
    public Stream<EstimateRow> mutateEstimate(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = MUTATE) Map<String, Object> configuration) {
        return estimate(graphName, EmbedConfig.parse(configuration, EmbedConfig.MUTATE), true);
    }

    @Procedure(name = "gnn.embed.write.estimate", mode = Mode.READ)
    @Description("The memory that gnn.embed.write takes beside the projection.")
    public Stream<EstimateRow> writeEstimate(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = WRITE) Map<String, Object> configuration) {
        return estimate(graphName, EmbedConfig.parse(configuration, EmbedConfig.WRITE), true);
    }

    private Stream<EstimateRow> estimate(String graphName, EmbedConfig config, boolean keepsVectors) {
        try (var call = open(graphName, config)) {
            return Stream.of(new EstimateRow(call.estimate(keepsVectors), call.embedder().nodes(), call.relationships()));
        }
    }

    private EmbedCall open(String graphName, EmbedConfig config) {
        return new EmbedCall(gnn, tx, guard::check, JobAccess.own(gnn), graphName, config,
            gnn.services().models().acquireComplete(gnn.database(), tx, config.model(), null));
    }

    private Consumer<String> progress(String procedure) {
        var status = ((InternalTransaction) tx).kernelTransaction();
        return text -> {
            status.setStatusDetails(procedure + ": " + text);
            log.info(procedure + ": " + text + ".");
        };
    }

    private static Stream<VectorRow> rows(EmbedCall call, Batch batch) {
        var dimension = call.model().dimension();
        return IntStream.range(0, batch.count()).mapToObj(i -> {
            var vector = batch.vector(i, dimension);
            return new VectorRow(call.graph().nodeId(batch.label(), batch.from() + i),
                IntStream.range(0, dimension).mapToObj(d -> (double) vector[d]).toList());
        });
    }

    private static Map<String, Object> configuration(EmbedCall call, EmbedConfig config, String propertyKey) {
        return config.toMap(propertyKey, call.model().reference(), call.embedder().labels(), call.embedder().batchSizes());
    }

    public record VectorRow(
        @Description("Neo4j id of the node.") long nodeId,
        @Description("Its vector, of the model's dimension.") List<Double> embedding) {}

    public record StatsRow(
        @Description("Nodes that were embedded.") long nodeCount,
        @Description("Milliseconds for features and neighbour lists.") long preProcessingMillis,
        @Description("Milliseconds for drawing neighbours and running the model.") long computeMillis,
        @Description("The configuration with its defaults.") Map<String, Object> configuration) {}

    public record MutateRow(
        @Description("Nodes that were embedded.") long nodeCount,
        @Description("Vectors put into the projection.") long nodePropertiesWritten,
        @Description("Milliseconds for features and neighbour lists.") long preProcessingMillis,
        @Description("Milliseconds for drawing neighbours and running the model.") long computeMillis,
        @Description("Milliseconds for adding the property.") long mutateMillis,
        @Description("The configuration with its defaults.") Map<String, Object> configuration) {}

    public record WriteRow(
        @Description("Nodes that were embedded.") long nodeCount,
        @Description("Vectors written.") long nodePropertiesWritten,
        @Description("Nodes that were gone.") long skippedMissing,
        @Description("Nodes that had another label or key than when they were read.") long skippedChanged,
        @Description("Batches committed; each stays whatever becomes of this transaction.") long batchesCommitted,
        @Description("Milliseconds for features and neighbour lists.") long preProcessingMillis,
        @Description("Milliseconds for drawing neighbours and running the model.") long computeMillis,
        @Description("Milliseconds for writing.") long writeMillis,
        @Description("The configuration with its defaults.") Map<String, Object> configuration) {}

    public record EstimateRow(
        @Description("The memory in words.") String requiredMemory,
        @Description("Bytes by what they are for.") Map<String, Object> mapView,
        @Description("The least it takes, in bytes.") long bytesMin,
        @Description("The most it takes, in bytes.") long bytesMax,
        @Description("Nodes to be embedded.") long nodeCount,
        @Description("Relationships that the model reads.") long relationshipCount,
        @Description("bytesMin as a part of the heap, in [0, 1] where it fits.") double heapPercentageMin,
        @Description("bytesMax as a part of the heap, in [0, 1] where it fits.") double heapPercentageMax) {
        EstimateRow(Map<String, Object> parts, long nodes, long relationships) {
            this(parts, parts.values().stream().mapToLong(Long.class::cast).sum(), nodes, relationships);
        }

        private EstimateRow(Map<String, Object> parts, long bytes, long nodes, long relationships) {
            this(MemorySize.words(bytes), parts, bytes, bytes, nodes, relationships, MemorySize.ofHeap(bytes),
                MemorySize.ofHeap(bytes));
        }
    }
}
