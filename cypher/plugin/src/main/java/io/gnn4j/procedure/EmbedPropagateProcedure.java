// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.artefact.Manifest;
import io.gnn4j.embed.EmbedConfig;
import io.gnn4j.embed.LapClock;
import io.gnn4j.embed.TaskGraph;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.extension.GnnSettings;
import io.gnn4j.memory.MemorySize;
import io.gnn4j.recommend.Parallel;
import io.gnn4j.registry.ModelUsers;
import io.gnn4j.registry.Models;
import io.gnn4j.registry.NodeJoin;
import io.gnn4j.registry.PropagateConfig;
import io.gnn4j.registry.Propagator;
import io.gnn4j.registry.ServedModel;
import io.gnn4j.task.Task;
import io.gnn4j.writeback.OwnTransactions;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
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

/** Makes a version ready: writes the vectors of a model, or reads and joins what is kept in memory of it. */
public class EmbedPropagateProcedure {
    private static final String GRAPH = "A projection of yours with the labels and types of the model's task; null for the contracts"
        + " vectors/1, item-weights/1 and lists/1, which need none.";

    private static final String CONFIGURATION = "{ model :: STRING, an alias ('shop') or a version ('shop:3'), version :: INTEGER,"
        + " beside the name of a model, concurrency :: INTEGER, 1 to 4, half the cores by default }." + JobAccess.KEYS;

    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    // The log a person reads: the server's debug.log is for us.
    @Context
    public Log log;

    // SCHEMA, for it makes an index in a transaction of its own.
    @Procedure(name = "gnn.embed.propagate", mode = Mode.SCHEMA)
    @Description("Propagates the item vectors of a model over a projection, or embeds its nodes by one that reads surroundings, or"
        + " takes finished vectors; writes them to the nodes in batches of its own transactions, builds the vector index and makes the"
        + " version ready. Safe to run again.")
    public Stream<PropagateRow> propagate(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = CONFIGURATION) Map<String, Object> configuration) {
        var access = JobAccess.of(gnn, configuration, "gnn.embed.propagate");
        var config = PropagateConfig.parse(access.configuration());
        new ModelUsers(gnn.services().config().get(GnnSettings.MODEL_LOAD_USERS)).require(gnn.security(), "gnn.embed.propagate");
        OwnTransactions.requireNoWrites(tx, "gnn.embed.propagate");
        try (var guarded = new CallGuard("gnn.embed.propagate", guard)) {
            var own = new OwnTransactions(gnn.database(), gnn.security(), guarded, access.admission());
            var threads = new Parallel(gnn.services().helpers(), config.concurrency(), guard::check);
            var status = ((InternalTransaction) tx).kernelTransaction();
            Consumer<String> progress = text -> {
                status.setStatusDetails("gnn.embed.propagate: " + text);
                log.info("gnn.embed.propagate of " + config.model() + ": " + text + ".");
            };
            var propagator = new Propagator(gnn.services().models(), Models.id(gnn.database()), own, threads, progress);
            var model = propagator.find(config);
            if (needsNoGraph(model, graphName)) {
                var join = new NodeJoin(gnn.services().models(), Models.id(gnn.database()), own, guard::check, progress);
                return Stream.of(new PropagateRow(reserved(model, join.estimate(model), () -> join.run(model, config))));
            }
            if (Manifest.PADDED_BLOCKS.equals(model.contract())) {
                return Stream.of(new PropagateRow(
                    propagator.run(model, () -> embed(model, access, graphName, config, progress), config)));
            }
            var task = Task.of(model.task());
            var projection = access.open(tx, graphName).graph();
            var graph = TaskGraph.of(projection, task, guard::check);
            var estimate = Propagator.estimate(model, graph, guard::check);
            return Stream.of(new PropagateRow(
                reserved(model, estimate, () -> propagator.run(model, projection, graph, task, config))));
        }
    }

    /** What a model of padded-blocks/1 has instead of propagating: every node embedded from its surroundings. */
    private Propagator.Embedding embed(
            ServedModel model, JobAccess access, String graphName, PropagateConfig config, Consumer<String> progress) {
        var clock = new LapClock();
        try (var call = embedCall(model, access, graphName, config)) {
            var rows = call.embedder().labels().stream().map(call::rows).toList();
            var batches = call.vectors(true, progress);
            var preProcessing = clock.lap();
            var vectors = call.collect(batches);
            return new Propagator.Embedding(call.projection(), call.graph(),
                rows.stream().map(one -> new Propagator.Embedded(one, vectors.get(one.label()))).toList(), preProcessing, clock.lap());
        }
    }

    private EmbedCall embedCall(ServedModel model, JobAccess access, String graphName, PropagateConfig config) {
        return new EmbedCall(gnn, tx, guard::check, access, graphName, EmbedConfig.all(model.reference(), config.concurrency()),
            gnn.services().models().acquireComplete(gnn.database(), tx, model.name(), model.version()));
    }

    private Propagator.Outcome reserved(ServedModel model, Propagator.Estimate estimate, Supplier<Propagator.Outcome> work) {
        var share = gnn.services().memory().reserve("the vectors of", model.reference(), gnn.databaseName(), gnn.user(),
            estimate.bytes(), () -> { });
        try {
            return work.get();
        } finally {
            share.close();
        }
    }

    /** @throws IllegalArgumentException when a graph is given that is not needed, or the other way round */
    private static boolean needsNoGraph(ServedModel model, String graphName) {
        var none = NodeJoin.suits(model.contract());
        if (none && graphName != null) {
            throw new IllegalArgumentException("Model '" + model.reference() + "' follows " + model.contract()
                + ", which needs no projection. Give null as graphName.");
        }
        if (!none && graphName == null) {
            throw new IllegalArgumentException("Model '" + model.reference() + "' follows " + model.contract()
                + ": name a projection of its task as graphName.");
        }
        return none;
    }

    @Procedure(name = "gnn.embed.propagate.estimate", mode = Mode.READ)
    @Description("The memory that gnn.embed.propagate takes beside the projection.")
    public Stream<EstimateRow> estimate(
            @Name(value = "graphName", description = GRAPH) String graphName,
            @Name(value = "configuration", description = CONFIGURATION) Map<String, Object> configuration) {
        var access = JobAccess.of(gnn, configuration, "gnn.embed.propagate.estimate");
        var config = PropagateConfig.parse(access.configuration());
        var own = new OwnTransactions(gnn.database(), gnn.security(), guard::check);
        var propagator = new Propagator(gnn.services().models(), Models.id(gnn.database()), own, Parallel.none(), text -> { });
        var model = propagator.find(config);
        if (needsNoGraph(model, graphName)) {
            return Stream.of(new EstimateRow(new NodeJoin(gnn.services().models(), Models.id(gnn.database()), own, guard::check,
                text -> { }).estimate(model)));
        }
        if (Manifest.PADDED_BLOCKS.equals(model.contract())) {
            try (var call = embedCall(model, access, graphName, config)) {
                return Stream.of(new EstimateRow(new Propagator.Estimate(
                    call.embedder().nodes(), call.relationships(), call.estimate(true))));
            }
        }
        var projection = access.open(tx, graphName).graph();
        return Stream.of(new EstimateRow(
            Propagator.estimate(model, TaskGraph.of(projection, Task.of(model.task()), guard::check), guard::check)));
    }

    public record PropagateRow(
        @Description("Name of the model.") String name,
        @Description("Its version.") long version,
        @Description("`ready`: queries may use it.") String state,
        @Description("Items in the projection; without one, in the database.") long items,
        @Description("Users in the projection; without one, in the database, 0 where the contract has items only.") long users,
        @Description("Rows of the artefact whose key no node has.") long unmatchedVectors,
        @Description("Nodes that the artefact has no row for: items, and with vectors/1 and lists/1 users, too.") long unmatchedNodes,
        @Description("Vectors written.") long nodePropertiesWritten,
        @Description("Nodes that were gone.") long skippedMissing,
        @Description("Nodes that had another label or key than when they were read.") long skippedChanged,
        @Description("Batches committed; each stays whatever becomes of this transaction.") long batchesCommitted,
        @Description("Milliseconds for joining vectors with nodes, or for features and neighbour lists.") long preProcessingMillis,
        @Description("Milliseconds for propagating or embedding.") long computeMillis,
        @Description("Milliseconds for writing.") long writeMillis,
        @Description("Milliseconds for the vector index.") long indexMillis,
        @Description("The configuration with its defaults.") Map<String, Object> configuration) {
        PropagateRow(Propagator.Outcome done) {
            this(done.model().name(), done.model().version(), "ready", done.items(), done.users(), done.unmatchedVectors(),
                done.unmatchedNodes(), done.written().properties(), done.written().missing(), done.written().changed(),
                done.written().batches(), done.preProcessingMillis(), done.computeMillis(), done.writeMillis(), done.indexMillis(),
                done.configuration());
        }
    }

    public record EstimateRow(
        @Description("The memory in words.") String requiredMemory,
        @Description("Bytes by what they are for.") Map<String, Object> mapView,
        @Description("The least it takes, in bytes.") long bytesMin,
        @Description("The most it takes, in bytes.") long bytesMax,
        @Description("Items and users in the projection.") long nodeCount,
        @Description("Relationships of the task in the projection.") long relationshipCount,
        @Description("bytesMin as a part of the heap, in [0, 1] where it fits.") double heapPercentageMin,
        @Description("bytesMax as a part of the heap, in [0, 1] where it fits.") double heapPercentageMax) {
        EstimateRow(Propagator.Estimate estimate) {
            this(MemorySize.words(estimate.bytes()), estimate.parts(), estimate.bytes(), estimate.bytes(),
                estimate.nodes(), estimate.relationships(), MemorySize.ofHeap(estimate.bytes()), MemorySize.ofHeap(estimate.bytes()));
        }
    }
}
